package tokens_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authn"
	"gatehouse/internal/database"
	"gatehouse/internal/seal"
	"gatehouse/internal/testdb"
	"gatehouse/migrations"
)

// find finds a token that must be one.
func (w *world) find(t *testing.T, tenant tokens.Tenant, raw string) tokens.Recorded {
	t.Helper()
	r, err := w.Find(t.Context(), tenant, raw)
	if err != nil {
		t.Fatalf("find: %v", err)
	}
	return r
}

func (w *world) revoke(t *testing.T, tenant tokens.Tenant, raw string) {
	t.Helper()
	if err := w.Revoke(t.Context(), w.find(t, tenant, raw)); err != nil {
		t.Fatalf("revoke: %v", err)
	}
}

func (w *world) wantRenewal(t *testing.T, raw string, want error) {
	t.Helper()
	if _, err := w.Renew(t.Context(), tacc, raw); !errors.Is(err, want) {
		t.Errorf("renewal: got %v, want %v", err, want)
	}
}

func TestARevokedAccessTokenIsVoidAndNothingElse(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		pair, other := w.issue(t, direct("files")), w.issue(t, direct("files"))
		w.wantAccess(t, tacc, pair.Access.Value, nil)
		for range 2 { // revoking twice is no error
			w.revoke(t, tacc, pair.Access.Value)
		}
		w.wantAccess(t, tacc, pair.Access.Value, authn.ErrRevoked)
		w.wantAccess(t, tacc, other.Access.Value, nil)
		w.wantRenewal(t, pair.Refresh.Value, nil)
		if r := w.find(t, tacc, pair.Access.Value); !r.Revoked || r.TokenType != authn.AccessToken || r.ID != pair.Access.ID {
			t.Errorf("found %+v", r)
		}
	})
}

func TestARevokedRefreshTokenEndsWhatCameFromTheSameRequest(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		first, other := w.issue(t, direct("files")), w.issue(t, direct("files"))
		renewed, err := w.Renew(t.Context(), tacc, first.Refresh.Value)
		if err != nil {
			t.Fatal(err)
		}
		second, inFlight := w.issue(t, renewed), w.mint(t, renewed)
		w.wantAccess(t, tacc, second.Access.Value, nil)
		w.revoke(t, tacc, first.Refresh.Value)
		w.clock.advance(time.Minute)
		if err := w.Record(t.Context(), inFlight); err != nil {
			t.Fatal(err)
		}
		for _, pair := range []tokens.Pair{first, second, inFlight.Pair} {
			w.wantAccess(t, tacc, pair.Access.Value, authn.ErrRevoked)
			w.wantRenewal(t, pair.Refresh.Value, authn.ErrRevoked)
		}
		w.wantAccess(t, tacc, other.Access.Value, nil)
		w.wantRenewal(t, other.Refresh.Value, nil)
	})
}

func TestARevokedRefreshTokenOfAGrantEndsItsFamily(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		first := w.issue(t, request(tacc, "portal"))
		second := w.extend(t, tacc, "portal", first.Refresh.Value)
		w.revoke(t, tacc, second.Refresh.Value)
		for _, pair := range []tokens.Pair{first, second} {
			w.wantAccess(t, tacc, pair.Access.Value, authn.ErrRevoked)
			w.wantRefresh(t, tacc, "portal", pair.Refresh.Value, tokens.ErrRefused)
		}
	})
}

// Upstream forgets the days of the remaining life.
func TestUpstreamBugALongLivedTokenBecomesGoodAgain(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		pair, kept := w.issue(t, direct("files")), w.issue(t, direct("files"))
		w.revoke(t, tacc, pair.Refresh.Value)
		for range 12 {
			w.clock.advance(30 * 24 * time.Hour)
			if err := w.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.wantRenewal(t, pair.Refresh.Value, authn.ErrRevoked)
			w.wantRenewal(t, kept.Refresh.Value, nil)
		}
		w.clock.advance(30*24*time.Hour + retention)
		if err := w.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if marks(t, w) != 0 || count(t, w, authn.RefreshToken) != 0 {
			t.Error("records stay for ever")
		}
	})
}

// Upstream stores the text of a token, so that the same signature, written in
// another way, is not found.
func TestUpstreamBugAReencodedTokenEscapesItsRevocation(t *testing.T) {
	w := onSQLite(t)
	pair := w.issue(t, direct("files"))
	w.revoke(t, tacc, pair.Access.Value)
	if _, err := w.Access(t.Context(), tacc, flipUnusedBits(pair.Access.Value)); !authn.IsRefusal(err) {
		t.Errorf("got %v", err)
	}
}

func TestRevokingAUserVoidsWhatWasIssuedUntilNow(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		before, inFlight := w.issue(t, request(tacc, "portal")), w.mint(t, request(tacc, "portal"))
		elsewhere := w.issue(t, request(dev, "portal"))
		ofClient := direct("bob")
		ofClient.Extra = extra(t, `{"tapis/client_id":"portal"}`)
		other := w.issue(t, ofClient)
		w.wantAccess(t, tacc, before.Access.Value, nil)
		if err := w.RevokeUser(t.Context(), tacc.ID, "apitest"); err != nil {
			t.Fatal(err)
		}
		w.clock.advance(time.Second)
		if err := w.Record(t.Context(), inFlight); err != nil {
			t.Fatal(err)
		}
		after := w.issue(t, request(tacc, "portal"))
		for _, pair := range []tokens.Pair{before, inFlight.Pair} {
			w.wantAccess(t, tacc, pair.Access.Value, authn.ErrRevoked)
			w.wantRefresh(t, tacc, "portal", pair.Refresh.Value, tokens.ErrRefused)
		}
		w.wantAccess(t, tacc, after.Access.Value, nil)
		w.wantRefresh(t, tacc, "portal", after.Refresh.Value, nil)
		w.wantAccess(t, tacc, other.Access.Value, nil)
		w.wantAccess(t, dev, elsewhere.Access.Value, nil)

		if err := w.RevokeIssuedTo(t.Context(), tacc.ID, "portal"); err != nil {
			t.Fatal(err)
		}
		w.clock.advance(time.Second)
		again := w.issue(t, request(tacc, "portal"))
		w.wantAccess(t, tacc, after.Access.Value, authn.ErrRevoked)
		w.wantAccess(t, tacc, other.Access.Value, authn.ErrRevoked)
		w.wantAccess(t, tacc, again.Access.Value, nil)
		w.wantAccess(t, dev, elsewhere.Access.Value, nil)
	})
}

func TestWithdrawnConsentVoidsWhatOneClientHoldsOfOnePerson(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		held, inFlight := w.issue(t, request(tacc, "portal")), w.mint(t, request(tacc, "portal"))
		of := func(username, clientID string) tokens.Pair {
			r := request(tacc, clientID)
			r.Username = username
			return w.issue(t, r)
		}
		others := []tokens.Pair{of("apitest", "portal2"), of("bob", "portal"), of("portal/apitest", "portal")}
		elsewhere := w.issue(t, request(dev, "portal"))
		w.wantAccess(t, tacc, held.Access.Value, nil)
		if err := w.RevokeUserClient(t.Context(), tacc.ID, "apitest", "portal"); err != nil {
			t.Fatal(err)
		}
		w.clock.advance(time.Second)
		if err := w.Record(t.Context(), inFlight); err != nil {
			t.Fatal(err)
		}
		for _, pair := range []tokens.Pair{held, inFlight.Pair} {
			w.wantAccess(t, tacc, pair.Access.Value, authn.ErrRevoked)
			w.wantRefresh(t, tacc, "portal", pair.Refresh.Value, tokens.ErrRefused)
		}
		for _, other := range append(others, w.issue(t, request(tacc, "portal"))) {
			w.wantAccess(t, tacc, other.Access.Value, nil)
		}
		w.wantAccess(t, dev, elsewhere.Access.Value, nil)
	})
}

func TestALaterMarkNeverMakesAVoidTokenGood(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		pair := w.issue(t, request(tacc, "portal"))
		if err := w.RevokeClient(t.Context(), tacc.ID, "portal"); err != nil {
			t.Fatal(err)
		}
		if err := w.RevokeIssuedTo(t.Context(), tacc.ID, "portal"); err != nil {
			t.Fatal(err)
		}
		w.clock.advance(time.Second)
		after := w.issue(t, request(tacc, "portal"))
		w.wantAccess(t, tacc, pair.Access.Value, authn.ErrRevoked)
		w.wantAccess(t, tacc, after.Access.Value, authn.ErrRevoked)
	})
}

// replica is another process on the same database.
func (w *world) replica(t *testing.T, db *database.DB) *tokens.Service {
	t.Helper()
	box, err := seal.New(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	return tokens.New(tokens.Deps{
		DB: db, Box: box, Keys: signing, Now: w.clock.now, Log: slog.New(slog.DiscardHandler), Retention: retention,
	})
}

func TestWhatAnotherReplicaRevokesIsVoidWithinTwoSeconds(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		other := w.replica(t, w.db)
		for name, revoke := range map[string]func(r tokens.Recorded) error{
			"the token": func(r tokens.Recorded) error { return other.Revoke(t.Context(), r) },
			"the user":  func(tokens.Recorded) error { return other.RevokeUser(t.Context(), tacc.ID, "files") },
		} {
			pair := w.issue(t, direct("files"))
			w.wantAccess(t, tacc, pair.Access.Value, nil)
			if err := revoke(w.find(t, tacc, pair.Access.Value)); err != nil {
				t.Fatal(err)
			}
			w.clock.advance(2*time.Second - time.Microsecond)
			if _, err := w.Access(t.Context(), tacc, pair.Access.Value); !errors.Is(err, authn.ErrRevoked) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestWhatWasSeenAMomentAgoCostsNoLookIntoTheDatabase(t *testing.T) {
	w := onSQLite(t)
	pair := w.issue(t, direct("files"))
	w.wantAccess(t, tacc, pair.Access.Value, nil)
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	w.wantAccess(t, tacc, pair.Access.Value, nil)
	// Not longer than a second, and not either when the clock is set back.
	for _, step := range []time.Duration{time.Second, -2 * time.Second} {
		w.clock.advance(step)
		if _, err := w.Access(t.Context(), tacc, pair.Access.Value); !apierr.Is(err, apierr.Unavailable) {
			t.Errorf("after %s: %v", step, err)
		}
	}
}

func TestARevocationIsNeverOutrunByALookUnderWay(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for range 20 {
			pair := w.issue(t, direct("files"))
			found := w.find(t, tacc, pair.Access.Value)
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() { _, _ = w.Access(t.Context(), tacc, pair.Access.Value) })
			}
			if err := w.Revoke(t.Context(), found); err != nil {
				t.Fatal(err)
			}
			w.wantAccess(t, tacc, pair.Access.Value, authn.ErrRevoked)
			all.Wait()
			w.wantAccess(t, tacc, pair.Access.Value, authn.ErrRevoked)
		}
	})
}

func TestALookBeforeARevocationIsCommittedIsNotBelievedAfterwards(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for name, revoke := range map[string]func(ctx context.Context) error{
			"client":  func(ctx context.Context) error { return w.RevokeClient(ctx, "tacc", "client") },
			"consent": func(ctx context.Context) error { return w.RevokeUserClient(ctx, "tacc", "apitest", "consent") },
		} {
			pair := w.issue(t, request(tacc, name))
			err := w.db.InTx(t.Context(), func(ctx context.Context) error {
				if err := revoke(ctx); err != nil {
					return err
				}
				if w.db.Dialect() == database.Postgres { // SQLite lets nobody look meanwhile
					w.wantAccess(t, tacc, pair.Access.Value, nil)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Access(t.Context(), tacc, pair.Access.Value); !errors.Is(err, authn.ErrRevoked) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestWithoutADatabaseNothingIsRevokedAndThatIsSaid(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		pair := w.issue(t, direct("files"))
		found := w.find(t, tacc, pair.Refresh.Value)
		if err := w.db.Close(); err != nil {
			t.Fatal(err)
		}
		_, find := w.Find(t.Context(), tacc, pair.Access.Value)
		_, renew := w.Renew(t.Context(), tacc, pair.Refresh.Value)
		for name, err := range map[string]error{
			"find": find, "renew": renew, "revoke": w.Revoke(t.Context(), found), "user": w.RevokeUser(t.Context(), tacc.ID, "files"),
		} {
			if !apierr.Is(err, apierr.Unavailable) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestNothingIsFoundOfWhatIsNoTokenOfTheTenant(t *testing.T) {
	w := onSQLite(t)
	pair := w.issue(t, request(tacc, "portal"))
	for name, raw := range map[string]string{"a word": "x", "cut": pair.Access.Value[:len(pair.Access.Value)-8]} {
		if _, err := w.Find(t.Context(), tacc, raw); !authn.IsRefusal(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, raw := range []string{pair.Access.Value, pair.Refresh.Value} {
		if _, err := w.Find(t.Context(), dev, raw); !errors.Is(err, authn.ErrTenant) {
			t.Errorf("in another tenant: %v", err)
		}
	}
	if r := w.find(t, tacc, w.mint(t, direct("files")).Access.Value); !r.Revoked {
		t.Error("a token that was never recorded stands")
	}
	w.clock.advance(2 * 365 * 24 * time.Hour)
	if _, err := w.Find(t.Context(), tacc, pair.Refresh.Value); !errors.Is(err, authn.ErrExpired) {
		t.Errorf("expired: %v", err)
	}
}

// What it costs to ask whether a token stands, of one that was not and of one
// that was seen a moment ago.
func BenchmarkStanding(b *testing.B) {
	for name, step := range map[string]time.Duration{"not seen": 2 * time.Second, "seen": 0} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, testdb.New(b, migrations.Authenticator))
			pair, err := w.Issue(b.Context(), direct("files"))
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				w.clock.advance(step)
				if _, err := w.Standing(b.Context(), tacc.ID, pair.Access.ID, pair.Access.ExpiresAt); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
