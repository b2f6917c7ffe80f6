package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// callback is the redirect URI of all clients; nobody goes there.
	callback = "https://portal.bench.example.org/callback"
	state    = "bench-state"
	// verifier is that of PKCE. One for all costs the server what others do.
	verifier = "bench-bench-bench-bench-bench-bench-bench-bench"
	// codesPerSecond is more than can be redeemed in a second on two cores. A
	// phase ends sooner where the codes run out.
	codesPerSecond = 1500
)

// authorizePath is the authorization request of a person's client.
func (o *office) authorizePath(person int) string {
	challenge := sha256.Sum256([]byte(verifier))
	return pagesPath + "authorize?" + url.Values{
		"client_id": {o.clients[person].id}, "redirect_uri": {callback}, "response_type": {"code"}, "state": {state},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}.Encode()
}

// authorize is the same as the person's browser sends it.
func (o *office) authorize(person int) []byte {
	return get(o.authorizePath(person), o.server.host, "Cookie: "+o.browsers[person].cookie+"\r\n")
}

// readCode returns the code of an answer to the client, or what is wrong.
func (o *office) readCode(status int, location string) (string, error) {
	answer, isOurs := strings.CutPrefix(location, callback+"?")
	values, err := url.ParseQuery(answer)
	if status != http.StatusSeeOther || !isOurs || err != nil {
		return "", fmt.Errorf("the server answered %d and leads to %q", status, location)
	}
	code := values.Get("code")
	if code == "" || values.Get("state") != state || values.Get("iss") != o.server.baseURL()+"/v3/oauth2" {
		return "", fmt.Errorf("the answer to the client is wrong: error %q, state %q, iss %q", values.Get("error"), values.Get("state"), values.Get("iss"))
	}
	return code, nil
}

// coupon is an authorization code of a person.
type coupon struct {
	person int
	code   string
}

// exchange makes the request that redeems it, and what is due.
func (o *office) exchange(c coupon) ([]byte, expected) {
	return o.redeem(c.person, "authorization_code", "code", c.code, "redirect_uri", callback, "code_verifier", verifier)
}

// codes makes n authorization codes, as many of each person.
func (o *office) codes(ctx context.Context, n int) (*stock[coupon], error) {
	each := n/people + 1
	s := &stock[coupon]{items: make([]coupon, people*each)}
	making, ctx := errgroup.WithContext(ctx)
	for person := range people {
		making.Go(func() error {
			c, err := dial(ctx, o.server.addr)
			if err != nil {
				return err
			}
			defer c.hangUp()
			request := o.authorize(person)
			for i := range each {
				r, _, err := c.exchange(request)
				if err != nil {
					return err
				}
				code, err := o.readCode(r.status, r.location)
				if err != nil {
					return err
				}
				s.items[i*people+person] = coupon{person, code}
			}
			return nil
		})
	}
	if err := making.Wait(); err != nil {
		return nil, fmt.Errorf("make codes: %w", err)
	}
	return s, nil
}

// redeemers connects clients who exchange codes that were made before.
func redeemers(ctx context.Context, o *office, p plan, n int) ([]asker, error) {
	if err := o.signIn(ctx); err != nil {
		return nil, err
	}
	codes, err := o.codes(ctx, p.stock(p.phase, codesPerSecond))
	if err != nil {
		return nil, err
	}
	return connect(ctx, o.server, n, func(c *conn, _ int) (asker, error) { return &redeemer{c, o, codes}, nil })
}

type redeemer struct {
	*conn

	office *office
	codes  *stock[coupon]
}

// ask implements asker.
func (a *redeemer) ask() (time.Duration, error) {
	coupon, err := a.codes.take()
	if err != nil {
		return 0, err
	}
	return a.office.tokens(a.conn, coupon)
}

// tokens exchanges a code.
func (o *office) tokens(c *conn, coupon coupon) (time.Duration, error) {
	request, want := o.exchange(coupon)
	r, took, err := c.exchange(request)
	if err == nil {
		_, _, err = o.book.check(r, want)
	}
	return took, err
}

// walkers connects people with their clients, who go the whole way of the code
// flow: the browser asks for a code and the client exchanges it.
func walkers(ctx context.Context, o *office, _ plan, n int) ([]asker, error) {
	if err := o.signIn(ctx); err != nil {
		return nil, err
	}
	return connect(ctx, o.server, n, func(c *conn, i int) (asker, error) {
		return &walker{conn: c, office: o, person: i % people, request: o.authorize(i % people)}, nil
	})
}

type walker struct {
	*conn

	office  *office
	person  int
	request []byte
}

// ask implements asker.
func (a *walker) ask() (time.Duration, error) {
	r, took, err := a.exchange(a.request)
	if err != nil {
		return 0, err
	}
	code, err := a.office.readCode(r.status, r.location)
	if err != nil {
		return 0, err
	}
	more, err := a.office.tokens(a.conn, coupon{a.person, code})
	return took + more, err
}
