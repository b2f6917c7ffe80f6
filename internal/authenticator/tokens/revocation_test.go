package tokens_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authn"
	"gatehouse/internal/database"
)

// find finds a token that must be one.
func (f *fixture) find(tenant tokens.Tenant, raw string) tokens.Recorded {
	f.T.Helper()
	r, err := f.Find(f.T.Context(), tenant, raw)
	if err != nil {
		f.T.Fatalf("find: %v", err)
	}
	return r
}

func (f *fixture) revoke(tenant tokens.Tenant, raw string) {
	f.T.Helper()
	f.Must(f.Revoke(f.T.Context(), f.find(tenant, raw)))
}

func (f *fixture) wantRenewal(raw string, want error) {
	f.T.Helper()
	if _, err := f.Renew(f.T.Context(), tacc, raw); !errors.Is(err, want) {
		f.T.Errorf("renewal: got %v, want %v", err, want)
	}
}

func TestARevokedAccessTokenIsVoidAndNothingElse(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pair, other := f.issue(direct("files")), f.issue(direct("files"))
		f.wantAccess(tacc, pair.Access.Value, nil)
		for range 2 { // revoking twice is no error
			f.revoke(tacc, pair.Access.Value)
		}
		f.wantAccess(tacc, pair.Access.Value, authn.ErrRevoked)
		f.wantAccess(tacc, other.Access.Value, nil)
		f.wantRenewal(pair.Refresh.Value, nil)
		if r := f.find(tacc, pair.Access.Value); !r.Revoked || r.TokenType != authn.AccessToken || r.ID != pair.Access.ID {
			t.Errorf("found %+v", r)
		}
	})
}

func TestARevokedRefreshTokenEndsWhatCameFromTheSameRequest(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		first, other := f.issue(direct("files")), f.issue(direct("files"))
		renewed, err := f.Renew(t.Context(), tacc, first.Refresh.Value)
		if err != nil {
			t.Fatal(err)
		}
		second, inFlight := f.issue(renewed), f.mint(renewed)
		f.wantAccess(tacc, second.Access.Value, nil)
		f.revoke(tacc, first.Refresh.Value)
		f.Clock.Advance(time.Minute)
		f.record(inFlight)
		for _, pair := range []tokens.Pair{first, second, inFlight.Pair} {
			f.wantAccess(tacc, pair.Access.Value, authn.ErrRevoked)
			f.wantRenewal(pair.Refresh.Value, authn.ErrRevoked)
		}
		f.wantAccess(tacc, other.Access.Value, nil)
		f.wantRenewal(other.Refresh.Value, nil)
	})
}

func TestARevokedRefreshTokenOfAGrantEndsItsFamily(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		first := f.issue(request(tacc, "portal"))
		second := f.extend(tacc, "portal", first.Refresh.Value)
		f.revoke(tacc, second.Refresh.Value)
		f.wantVoid(tacc, "portal", first, second)
	})
}

// Upstream forgets the days of the remaining life.
func TestUpstreamBugALongLivedTokenBecomesGoodAgain(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pair, kept := f.issue(direct("files")), f.issue(direct("files"))
		f.revoke(tacc, pair.Refresh.Value)
		for range 12 {
			f.Clock.Advance(30 * 24 * time.Hour)
			f.sweep()
			f.wantRenewal(pair.Refresh.Value, authn.ErrRevoked)
			f.wantRenewal(kept.Refresh.Value, nil)
		}
		f.Clock.Advance(30*24*time.Hour + authtest.Retention)
		f.sweep()
		f.wantMarks(0)
		f.wantRecords(0, 0)
	})
}

// Upstream stores the text of a token, so that the same signature, written in
// another way, is not found.
func TestUpstreamBugAReencodedTokenEscapesItsRevocation(t *testing.T) {
	f := onSQLite(t)
	pair := f.issue(direct("files"))
	f.revoke(tacc, pair.Access.Value)
	if _, err := f.Access(t.Context(), tacc, flipUnusedBits(pair.Access.Value)); !authn.IsRefusal(err) {
		t.Errorf("got %v", err)
	}
}

func TestRevokingAUserVoidsWhatWasIssuedUntilNow(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		before, inFlight := f.issue(request(tacc, "portal")), f.mint(request(tacc, "portal"))
		elsewhere := f.issue(request(dev, "portal"))
		ofClient := direct("bob")
		ofClient.Extra = extra(t, `{"tapis/client_id":"portal"}`)
		other := f.issue(ofClient)
		f.wantAccess(tacc, before.Access.Value, nil)
		f.Must(f.RevokeUser(t.Context(), tacc.ID, "apitest"))
		f.Clock.Advance(time.Second)
		f.record(inFlight)
		after := f.issue(request(tacc, "portal"))
		f.wantVoid(tacc, "portal", before, inFlight.Pair)
		f.wantGood(tacc, "portal", after)
		f.wantAccess(tacc, other.Access.Value, nil)
		f.wantAccess(dev, elsewhere.Access.Value, nil)

		f.Must(f.RevokeIssuedTo(t.Context(), tacc.ID, "portal"))
		f.Clock.Advance(time.Second)
		again := f.issue(request(tacc, "portal"))
		f.wantAccess(tacc, after.Access.Value, authn.ErrRevoked)
		f.wantAccess(tacc, other.Access.Value, authn.ErrRevoked)
		f.wantAccess(tacc, again.Access.Value, nil)
		f.wantAccess(dev, elsewhere.Access.Value, nil)
	})
}

func TestWithdrawnConsentVoidsWhatOneClientHoldsOfOnePerson(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		held, inFlight := f.issue(request(tacc, "portal")), f.mint(request(tacc, "portal"))
		of := func(username, clientID string) tokens.Pair {
			r := request(tacc, clientID)
			r.Username = username
			return f.issue(r)
		}
		others := []tokens.Pair{of("apitest", "portal2"), of("bob", "portal"), of("portal/apitest", "portal")}
		elsewhere := f.issue(request(dev, "portal"))
		f.wantAccess(tacc, held.Access.Value, nil)
		f.Must(f.RevokeUserClient(t.Context(), tacc.ID, "apitest", "portal"))
		f.Clock.Advance(time.Second)
		f.record(inFlight)
		f.wantVoid(tacc, "portal", held, inFlight.Pair)
		for _, other := range append(others, f.issue(request(tacc, "portal"))) {
			f.wantAccess(tacc, other.Access.Value, nil)
		}
		f.wantAccess(dev, elsewhere.Access.Value, nil)
	})
}

func TestALaterMarkNeverMakesAVoidTokenGood(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pair := f.issue(request(tacc, "portal"))
		f.Must(f.RevokeClient(t.Context(), tacc.ID, "portal"))
		f.Must(f.RevokeIssuedTo(t.Context(), tacc.ID, "portal"))
		f.Clock.Advance(time.Second)
		after := f.issue(request(tacc, "portal"))
		f.wantAccess(tacc, pair.Access.Value, authn.ErrRevoked)
		f.wantAccess(tacc, after.Access.Value, authn.ErrRevoked)
	})
}

// replica is another process on the same database.
func (f *fixture) replica() *tokens.Service {
	return tokens.New(tokens.Deps{DB: f.DB, Box: f.Box, Keys: f.Keys(), Now: f.Clock.Now, Log: f.Log, Retention: authtest.Retention})
}

func TestWhatAnotherReplicaRevokesIsVoidWithinTwoSeconds(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		other := f.replica()
		for name, revoke := range map[string]func(r tokens.Recorded) error{
			"the token": func(r tokens.Recorded) error { return other.Revoke(t.Context(), r) },
			"the user":  func(tokens.Recorded) error { return other.RevokeUser(t.Context(), tacc.ID, "files") },
		} {
			pair := f.issue(direct("files"))
			f.wantAccess(tacc, pair.Access.Value, nil)
			f.Must(revoke(f.find(tacc, pair.Access.Value)))
			f.Clock.Advance(2*time.Second - time.Microsecond)
			if _, err := f.Access(t.Context(), tacc, pair.Access.Value); !errors.Is(err, authn.ErrRevoked) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestWhatWasSeenAMomentAgoCostsNoLookIntoTheDatabase(t *testing.T) {
	f := onSQLite(t)
	pair := f.issue(direct("files"))
	f.wantAccess(tacc, pair.Access.Value, nil)
	f.Must(f.DB.Close())
	f.wantAccess(tacc, pair.Access.Value, nil)
	// Not longer than a second, and not either when the clock is set back.
	for _, step := range []time.Duration{time.Second, -2 * time.Second} {
		f.Clock.Advance(step)
		if _, err := f.Access(t.Context(), tacc, pair.Access.Value); !apierr.Is(err, apierr.Unavailable) {
			t.Errorf("after %s: %v", step, err)
		}
	}
}

func TestARevocationIsNeverOutrunByALookUnderWay(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for range 20 {
			pair := f.issue(direct("files"))
			found := f.find(tacc, pair.Access.Value)
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() { _, _ = f.Access(t.Context(), tacc, pair.Access.Value) })
			}
			f.Must(f.Revoke(t.Context(), found))
			f.wantAccess(tacc, pair.Access.Value, authn.ErrRevoked)
			all.Wait()
			f.wantAccess(tacc, pair.Access.Value, authn.ErrRevoked)
		}
	})
}

func TestALookBeforeARevocationIsCommittedIsNotBelievedAfterwards(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for name, revoke := range map[string]func(ctx context.Context) error{
			"client":  func(ctx context.Context) error { return f.RevokeClient(ctx, "tacc", "client") },
			"consent": func(ctx context.Context) error { return f.RevokeUserClient(ctx, "tacc", "apitest", "consent") },
		} {
			pair := f.issue(request(tacc, name))
			err := f.DB.InTx(t.Context(), func(ctx context.Context) error {
				if err := revoke(ctx); err != nil {
					return err
				}
				if f.DB.Dialect() == database.Postgres { // SQLite lets nobody look meanwhile
					f.wantAccess(tacc, pair.Access.Value, nil)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Access(t.Context(), tacc, pair.Access.Value); !errors.Is(err, authn.ErrRevoked) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestWithoutADatabaseNothingIsRevokedAndThatIsSaid(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pair := f.issue(direct("files"))
		found := f.find(tacc, pair.Refresh.Value)
		f.Must(f.DB.Close())
		_, find := f.Find(t.Context(), tacc, pair.Access.Value)
		_, renew := f.Renew(t.Context(), tacc, pair.Refresh.Value)
		for name, err := range map[string]error{
			"find": find, "renew": renew, "revoke": f.Revoke(t.Context(), found), "user": f.RevokeUser(t.Context(), tacc.ID, "files"),
		} {
			if !apierr.Is(err, apierr.Unavailable) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestNothingIsFoundOfWhatIsNoTokenOfTheTenant(t *testing.T) {
	f := onSQLite(t)
	pair := f.issue(request(tacc, "portal"))
	for name, raw := range map[string]string{"a word": "x", "cut": pair.Access.Value[:len(pair.Access.Value)-8]} {
		if _, err := f.Find(t.Context(), tacc, raw); !authn.IsRefusal(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, raw := range []string{pair.Access.Value, pair.Refresh.Value} {
		if _, err := f.Find(t.Context(), dev, raw); !errors.Is(err, authn.ErrTenant) {
			t.Errorf("in another tenant: %v", err)
		}
	}
	if r := f.find(tacc, f.mint(direct("files")).Access.Value); !r.Revoked {
		t.Error("a token that was never recorded stands")
	}
	f.Clock.Advance(2 * 365 * 24 * time.Hour)
	if _, err := f.Find(t.Context(), tacc, pair.Refresh.Value); !errors.Is(err, authn.ErrExpired) {
		t.Errorf("expired: %v", err)
	}
}

// What it costs to ask whether a token stands, of one that was not and of one
// that was seen a moment ago.
func BenchmarkStanding(b *testing.B) {
	for name, step := range map[string]time.Duration{"not seen": 2 * time.Second, "seen": 0} {
		b.Run(name, func(b *testing.B) {
			f := onSQLite(b)
			pair := f.issue(direct("files"))
			for b.Loop() {
				f.Clock.Advance(step)
				if _, err := f.Standing(b.Context(), tacc.ID, pair.Access.ID, pair.Access.ExpiresAt); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
