package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// phase is one thing that is asked for again and again.
type phase struct {
	name        string
	target      float64 // signatures' worth of CPU that a reply may cost; 0: none is set
	signs       bool    // a reply costs signatures
	bare        bool    // of the bare server
	connections []int   // to measure with; nil: all
	possible    func(*authenticator) bool
	prepare     preparation
}

// preparation makes ready what is used up in d, and says what clients do.
type preparation func(ctx context.Context, a *authenticator, d time.Duration) (script, error)

// grants are the ways to get tokens in one request. The last is none of OAuth:
// a service with its password at /v3/tokens.
var grants = []phase{
	{name: "password, no client", target: 1.25, signs: true, prepare: password(false)},
	{name: "bare server, 1 token", bare: true, signs: true, prepare: password(false)},
	{name: "password, client", target: 2.3, signs: true, prepare: password(true)},
	{name: "bare server, 2 tokens", bare: true, signs: true, prepare: password(true)},
	{name: "refresh", target: 2.3, signs: true, prepare: refresh},
	{name: "code exchange", target: 2.4, signs: true, prepare: redeemCodes},
	{name: "service, password", target: 1.25, signs: true, possible: (*authenticator).hasServicePassword, prepare: serviceTokens},
}

// requests are what else is asked of the authenticator, and the ways to get
// tokens that take more than one request.
var requests = []phase{
	{name: "code flow, whole", signs: true, prepare: codeFlow},
	{name: "device poll, pending", possible: (*authenticator).loopback, prepare: pollPending},
	{name: "device poll, approved", signs: true, connections: []int{16}, possible: (*authenticator).loopback, prepare: pollApproved},
	{name: "introspection", prepare: introspect},
	{name: "JWKS", prepare: read(jwksPath, "keys")},
	{name: "OpenID discovery", prepare: read("/v3/oauth2/.well-known/openid-configuration", "issuer")},
}

// The stocks that are made for a second: more codes than can be redeemed on two
// cores, about as many devices as can be answered, and fewer approved ones than
// can be redeemed, because each takes five requests to be made.
const (
	codesPerSecond     = 1500
	pollsPerSecond     = 3000
	approvalsPerSecond = 400
)

func stock(d time.Duration, perSecond int) int { return int(d.Seconds() * float64(perSecond)) }

// password is the grant of people with a client of theirs or without.
func password(withClient bool) preparation {
	return func(_ context.Context, a *authenticator, _ time.Duration) (script, error) {
		return func(c *client, i int) (func() error, error) {
			request, want := a.passwordRequest(i%people, withClient)
			return func() error { return a.tokens.ask(c, request, want) }, nil
		}, nil
	}
}

// refresh renews the newest tokens.
func refresh(_ context.Context, a *authenticator, _ time.Duration) (script, error) {
	return func(c *client, i int) (func() error, error) {
		request, want := a.passwordRequest(i%people, true)
		_, token, err := a.tokens.exchange(c, request, want)
		count := 0.0
		return func() (err error) {
			count++
			request, want := a.request(i%people, true, "refresh_token", map[string]any{"refresh_token": token})
			want.Count = count
			_, token, err = a.tokens.exchange(c, request, want)
			return err
		}, err
	}, nil
}

func serviceTokens(_ context.Context, a *authenticator, _ time.Duration) (script, error) {
	headers := credentials{service, a.password}.header() + "X-Tapis-Tenant: admin\r\nX-Tapis-User: " + service + "\r\n"
	request := post("/v3/tokens", a.host, headers, map[string]any{
		"token_username": service, "token_tenant_id": "admin", "account_type": "service", "target_site_id": "main",
		"access_token_ttl": 86400,
	})
	want := expected{tenant: "admin", issuer: "http://" + a.adminHost() + "/v3/tokens"}
	want.bearer = bearer{Username: service, Account: "service"}
	return each(func(c *client) error { return a.tokens.ask(c, request, want) }), nil
}

// redeemCodes exchanges codes that were made before.
func redeemCodes(ctx context.Context, a *authenticator, d time.Duration) (script, error) {
	codes, err := a.codes(ctx, stock(d, codesPerSecond))
	return useUp(codes, a.redeem), err
}

// codeFlow goes the whole way: the browser asks for a code and the client
// exchanges it.
func codeFlow(ctx context.Context, a *authenticator, _ time.Duration) (script, error) {
	err := a.signIn(ctx)
	return func(c *client, i int) (func() error, error) {
		request := a.authorize(i % people)
		return func() error {
			code, err := a.newCode(c, i%people, request)
			if err != nil {
				return err
			}
			return a.redeem(c, code)
		}, nil
	}, err
}

// pollPending polls once for each device; nobody has approved them.
func pollPending(ctx context.Context, a *authenticator, d time.Duration) (script, error) {
	devices, err := a.newDevices(ctx, stock(d, pollsPerSecond))
	return useUp(devices, func(c *client, d device) error {
		request, _ := a.poll(d)
		var got struct {
			Error string `json:"error"`
		}
		r, err := c.exchangeJSON(request, http.StatusBadRequest, &got)
		if err == nil && got.Error != "authorization_pending" {
			err = fmt.Errorf("the server answered %.200s", r.body)
		}
		return err
	}), err
}

// pollApproved polls for devices that have been approved.
func pollApproved(ctx context.Context, a *authenticator, d time.Duration) (script, error) {
	devices, err := a.newDevices(ctx, stock(d, approvalsPerSecond))
	if err == nil {
		err = a.approve(ctx, devices)
	}
	return useUp(devices, func(c *client, d device) error {
		request, want := a.poll(d)
		return a.tokens.ask(c, request, want)
	}), err
}

// introspect asks about a token of the client's own again and again, as those do
// who serve requests with it. The first answer is checked; every later one must
// be the same.
func introspect(_ context.Context, a *authenticator, _ time.Duration) (script, error) {
	return func(c *client, i int) (func() error, error) {
		request, want := a.passwordRequest(i%people, true)
		token, _, err := a.tokens.exchange(c, request, want)
		if err != nil {
			return nil, err
		}
		var got struct {
			Active   bool   `json:"active"`
			ClientID string `json:"client_id"`
			Username string `json:"username"`
			Subject  string `json:"sub"`
		}
		request = post(tokenPath+"/introspect", a.host, a.clients[i%people].header(), map[string]any{"token": token})
		r, err := c.exchangeJSON(request, http.StatusOK, &got)
		if err != nil {
			return nil, err
		}
		if !got.Active || got.ClientID != want.ClientID || got.Username != want.Username || got.Subject != want.Username+"@dev" {
			return nil, fmt.Errorf("introspection: the server answered %.200s", r.body)
		}
		first := answer{r.status, http.Header{"Content-Type": {r.contentType}}, append([]byte{}, r.body...)}
		return repeat(request, first)(c, i)
	}, nil
}

// read reads a JSON document that has the member.
func read(path, member string) preparation {
	return func(ctx context.Context, a *authenticator, _ time.Duration) (script, error) {
		document, err := a.fetch(ctx, path, nil, http.StatusOK)
		if err != nil {
			return nil, err
		}
		var got map[string]any
		if err := json.Unmarshal(document.Body, &got); err != nil || got[member] == nil {
			return nil, fmt.Errorf("GET %s: there is no %s: %.200s, %w", path, member, document.Body, err)
		}
		return repeat(get(path, a.host, ""), document), nil
	}
}

// repeat asks for the same answer again and again.
func repeat(request []byte, want answer) script {
	return each(func(c *client) error {
		r, err := c.exchange(request)
		if err == nil {
			err = want.check(r)
		}
		return err
	})
}
