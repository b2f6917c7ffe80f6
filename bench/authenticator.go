package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

const (
	tokenPath = "/v3/oauth2/tokens" //nolint:gosec // a path
	jwksPath  = "/v3/oauth2/jwks"
	// people are testuser1 to testuser10; each one's password is the name.
	people = 10
	// service asks for service tokens.
	service = "files"
	// callback is the redirect URI of all clients; nobody goes there.
	callback = "https://portal.bench.example.org/callback"
)

func username(person int) string { return fmt.Sprintf("testuser%d", person+1) }

// authenticator is a measured one and its tenant dev, with people who have a
// client each: as many as the throttling of parallel attempts asks for.
type authenticator struct {
	*server

	tokens   *tokenCheck
	clients  [people]credentials
	browsers [people]*browser // signed in; nil: not yet
	address  netip.Addr       // from which device codes were asked for last
	password string           // of the services; empty: not known
}

type credentials struct{ id, key string }

// header is the one that the client sends.
func (c credentials) header() string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(c.id+":"+c.key)) + "\r\n"
}

// openAuthenticator reads the published keys and registers the clients. The data
// of a server that was started here, else "", has the service password.
func openAuthenticator(ctx context.Context, s *server, data string) (_ *authenticator, err error) {
	a := &authenticator{server: s, address: netip.AddrFrom4([4]byte{127, 1, 0, 0})}
	publish := []*server{s}
	if data != "" {
		text, err := os.ReadFile(filepath.Join(data, "service-password")) //nolint:gosec // a file of that server
		if err != nil {
			return nil, err
		}
		a.password = strings.TrimSpace(string(text))
		publish = append(publish, s.as(a.adminHost()))
	}
	if a.tokens, err = newTokenCheck(ctx, publish...); err != nil {
		return nil, err
	}
	c, err := dial(ctx, nil, s.addr)
	if err != nil {
		return nil, err
	}
	defer c.hangUp()
	for person := range a.clients {
		if a.clients[person], err = a.register(c, person); err != nil {
			return nil, fmt.Errorf("register a client of %s: %w", username(person), err)
		}
	}
	return a, nil
}

// openBareIssuer does the same with a bare server, which asks for no
// registration.
func openBareIssuer(ctx context.Context, s *server) (a *authenticator, err error) {
	a = &authenticator{server: s}
	for person := range a.clients {
		a.clients[person] = credentials{id: "bench-" + username(person), key: "unread"}
	}
	a.tokens, err = newTokenCheck(ctx, s)
	return a, err
}

// register makes a client with a token of its owner.
func (a *authenticator) register(c *client, person int) (credentials, error) {
	request, want := a.passwordRequest(person, false)
	token, _, err := a.tokens.exchange(c, request, want)
	if err != nil {
		return credentials{}, err
	}
	var made struct {
		Result struct {
			Key string `json:"client_key"`
		} `json:"result"`
	}
	id := "bench-" + username(person)
	members := map[string]any{"client_id": id, "callback_url": callback}
	request = post("/v3/oauth2/clients", a.host, "X-Tapis-Token: "+token+"\r\n", members)
	_, err = c.exchangeJSON(request, http.StatusCreated, &made)
	if err == nil && made.Result.Key == "" {
		err = errors.New("the answer has no client_key")
	}
	return credentials{id: id, key: made.Result.Key}, err
}

// request makes a person's request for tokens, with the own client or without,
// and says what is due.
func (a *authenticator) request(person int, withClient bool, grant string, members map[string]any) ([]byte, expected) {
	want := expected{tenant: "dev", issuer: a.baseURL() + "/v3/tokens"}
	want.bearer = bearer{Username: username(person), Account: "user", GrantType: grant}
	headers := ""
	if withClient {
		headers, want.ClientID, want.Count = a.clients[person].header(), a.clients[person].id, 0.0
	}
	members["grant_type"] = grant
	return post(tokenPath, a.host, headers, members), want
}

func (a *authenticator) passwordRequest(person int, withClient bool) ([]byte, expected) {
	return a.request(person, withClient, "password", map[string]any{"username": username(person), "password": username(person)})
}

// baseURL is that of the tenant dev, where the people are.
func (a *authenticator) baseURL() string { return "http://" + a.host }

// adminHost is how cmd/gatehouse knows the admin tenant.
func (a *authenticator) adminHost() string {
	return strings.Replace(a.host, "localhost", "127.0.0.1", 1)
}

// loopback reports whether it can be reached from many addresses of this
// machine.
func (a *authenticator) loopback() bool {
	host, _, err := net.SplitHostPort(a.addr)
	return err == nil && net.ParseIP(host).IsLoopback()
}

// hasServicePassword reports whether it was started here.
func (a *authenticator) hasServicePassword() bool { return a.password != "" }
