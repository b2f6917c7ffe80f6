package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
)

// requests are what else is asked of the authenticator, and the ways to get
// tokens that take more than one request.
var requests = []kind{
	{name: "code flow, whole", signs: true, askers: walkers},
	{name: "device poll, pending", askers: pollers},
	{name: "device poll, approved", signs: true, only: []int{16}, askers: approvedPollers},
	{name: "introspection", askers: introspectors},
	{name: "JWKS", askers: fetchers("/v3/oauth2/jwks", "keys")},
	{name: "OpenID discovery", askers: fetchers("/v3/oauth2/.well-known/openid-configuration", "issuer")},
}

// measureRequests measures all of them, more briefly than the grants.
func measureRequests(ctx context.Context, p plan, o *office, bare *signer) (rows []phaseRow, err error) {
	for _, k := range requests {
		if !p.wants(k) || strings.HasPrefix(k.name, "device") && !o.server.loopback() {
			continue
		}
		more, err := measureKind(ctx, p, o, bare, k, p.brief)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// loopback reports whether the server can be reached from many addresses of
// this machine.
func (s *server) loopback() bool {
	host, _, err := net.SplitHostPort(s.addr)
	return err == nil && net.ParseIP(host).IsLoopback()
}

// fetchers connects readers of a JSON document that has the member.
func fetchers(path, member string) func(context.Context, *office, plan, int) ([]asker, error) {
	return func(ctx context.Context, o *office, _ plan, n int) ([]asker, error) {
		status, header, body, err := o.server.fetch(ctx, path, nil)
		if err != nil {
			return nil, err
		}
		var got map[string]any
		if err := json.Unmarshal(body, &got); err != nil || status != http.StatusOK || got[member] == nil {
			return nil, errors.Join(fmt.Errorf("GET %s: %d %.200s", path, status, body), err)
		}
		return readers(ctx, o.server, get(path, o.server.host, ""), answer{Status: status, Header: header, Body: body}, n)
	}
}

// introspectors connects clients that ask about a token of theirs again and
// again, as those do who serve requests with it.
func introspectors(ctx context.Context, o *office, p plan, n int) ([]asker, error) {
	list, err := visitors(true, false)(ctx, o, p, n)
	if err != nil {
		return nil, err
	}
	for i, a := range list {
		if list[i], err = o.introspector(a.(*visitor)); err != nil { // visitors returns nothing else
			list[i] = a
			hangUp(list)
			return nil, err
		}
	}
	return list, nil
}

// introspector makes a visitor one who asks about the own token. The answer is
// checked here; every later one must be the same.
func (o *office) introspector(v *visitor) (asker, error) {
	if _, err := v.ask(); err != nil {
		return nil, err
	}
	client := o.clients[v.person]
	request := post(issuePath+"/introspect", o.server.host, client.header(), object("token", v.access))
	r, _, err := v.exchange(request)
	if err != nil {
		return nil, err
	}
	var got struct {
		Active   bool   `json:"active"`
		ClientID string `json:"client_id"`
		Username string `json:"username"`
		Subject  string `json:"sub"`
	}
	err = json.Unmarshal(r.body, &got)
	if err != nil || r.status != http.StatusOK || !got.Active || got.ClientID != client.id || got.Username != username(v.person) || got.Subject != got.Username+"@dev" {
		return nil, errors.Join(fmt.Errorf("introspection: the server answered %d: %.200s", r.status, r.body), err)
	}
	header := http.Header{"Content-Type": {r.contentType}}
	return &reader{conn: v.conn, request: request, want: answer{Status: r.status, Header: header, Body: append([]byte{}, r.body...)}}, nil
}
