package grants_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/grants"
	"gatehouse/internal/authenticator/tokens"
)

// replica is a pipeline on the database of w whose clock is off by a while.
func (w *world) replica(off time.Duration) *grants.Pipeline {
	now := func() time.Time { return w.now().Add(off) }
	deps := w.Deps
	deps.Now = now
	deps.Tokens = tokens.New(tokens.Deps{
		DB: w.db, Box: w.fixture.Box, Keys: w.fixture.Keys(), Now: now, Log: w.fixture.Log, Retention: time.Hour,
	})
	return grants.New(deps)
}

// rounds is how often each race is run.
func rounds() int {
	if testing.Short() {
		return 3
	}
	return 20
}

// Whatever descends from a grant that began before a revocation is void, also
// what is being minted while it commits, on replicas whose clocks differ.
func TestNothingOutrunsARevocation(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		c := w.register(confidential)
		credentials := &grants.Credentials{ID: c.ID, Secret: c.Key}
		replicas := []*grants.Pipeline{w.Pipeline, w.replica(-2 * time.Second), w.replica(2 * time.Second)}
		for kind, revoke := range map[string]func(ctx context.Context) error{
			"of a client":            func(ctx context.Context) error { return w.tokens.RevokeIssuedTo(ctx, dev.ID, c.ID) },
			"of a person's consent":  func(ctx context.Context) error { return w.RevokeUserClient(ctx, dev.ID, "ada", c.ID) },
			"of a person, elsewhere": func(ctx context.Context) error { return replicas[1].RevokeUser(ctx, dev.ID, "ada") },
		} {
			t.Run(kind, func(t *testing.T) {
				for range rounds() {
					w.race(t, replicas, c, credentials, revoke)
				}
			})
		}
	})
}

// Whoever begins with credentials that are being revoked, with the client's key
// or through that client, is not quicker either.
func TestNoCredentialsOutrunTheRevocationOfTheirClient(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		replicas := []*grants.Pipeline{w.Pipeline, w.replica(-2 * time.Second)}
		for range rounds() {
			c := w.register(confidential)
			credentials := &grants.Credentials{ID: c.ID, Secret: c.Key}
			var requests []grants.Request
			for i := range 32 {
				r := grants.Request{GrantType: "client_credentials", Credentials: credentials}
				if i%8 == 0 {
					r = grants.Request{GrantType: "password", Credentials: credentials, Username: "ada", Password: w.people["ada"]}
				}
				requests = append(requests, r)
			}
			minted := w.during(t, replicas, requests, 200, func(ctx context.Context) error {
				if _, err := w.Clients.RotateKey(ctx, dev.ID, c.Owner, c.ID, "", 0); err != nil {
					return err
				}
				return w.tokens.RevokeIssuedTo(ctx, dev.ID, c.ID)
			})
			w.advance(2 * time.Second)
			for _, pair := range minted {
				if w.stands(pair.Access.Value) {
					t.Error("a token survived")
				}
			}
		}
	})
}

// during returns what requests gave while revoke was at work. Each is sent until
// it is refused, and so many times at most.
func (w *world) during(t *testing.T, replicas []*grants.Pipeline, requests []grants.Request, times int,
	revoke func(ctx context.Context) error,
) []tokens.Pair {
	t.Helper()
	var mu sync.Mutex
	var minted []tokens.Pair
	var group sync.WaitGroup
	for i, r := range requests {
		group.Go(func() {
			for range times {
				out, err := replicas[i%len(replicas)].Exchange(t.Context(), dev, r)
				if err != nil {
					return // it was too late
				}
				mu.Lock()
				minted = append(minted, out.Pair)
				mu.Unlock()
			}
		})
	}
	time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
	if err := revoke(t.Context()); err != nil {
		t.Error(err)
	}
	group.Wait()
	return minted
}

// race lets 64 requests refresh and redeem while revoke is at work.
func (w *world) race(
	t *testing.T, replicas []*grants.Pipeline, c clients.Client, credentials *grants.Credentials,
	revoke func(ctx context.Context) error,
) {
	t.Helper()
	family := w.token(codeGrant(c, w.code(c, w.approval(c)))).want(t, 200, "").text("refresh_token")
	var requests []grants.Request
	for i := range 64 {
		r := grants.Request{GrantType: "refresh_token", Credentials: credentials, RefreshToken: family}
		if i%4 == 0 {
			a := w.approval(c)
			r = grants.Request{GrantType: "authorization_code", Credentials: credentials, Code: w.code(c, a), RedirectURI: a.RedirectURI}
		}
		requests = append(requests, r)
	}
	minted := w.during(t, replicas, requests, 1, revoke)
	w.advance(2 * time.Second) // what was found standing is believed for one
	survivors := 0
	for _, pair := range minted {
		again := grants.Request{GrantType: "refresh_token", Credentials: credentials, RefreshToken: pair.Refresh.Value}
		if _, err := w.Exchange(t.Context(), dev, again); err == nil || w.stands(pair.Access.Value) {
			survivors++
		}
	}
	if survivors > 0 {
		t.Errorf("%d of %d tokens survived", survivors, len(minted))
	}
	// What begins afterwards is good, whatever the clocks say.
	for _, p := range replicas {
		out, err := p.Exchange(t.Context(), dev, grants.Request{
			GrantType: "password", Credentials: credentials, Username: "ada", Password: w.people["ada"],
		})
		if err != nil || !w.stands(out.Access.Value) {
			t.Errorf("a later sign-in: %v", err)
		}
	}
}
