package tokens_test

import (
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authn"
	"gatehouse/internal/testdb"
)

func TestAConfidentialClientsOldTokenStaysGood(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		r := request(tacc, "portal")
		r.RedirectURI, r.IDPID, r.AccessTTL = "https://portal.example.org/back", "orcid", time.Hour
		first := f.issue(r)
		raw := first.Refresh.Value
		for count := 1; count <= 3; count++ {
			f.Clock.Advance(24 * time.Hour)
			pair := f.extend(tacc, "portal", raw)
			got := f.present(tacc, "portal", pair.Refresh.Value)
			if got.Count != count || got.Username != "apitest" || got.RedirectURI != r.RedirectURI || got.IDPID != "orcid" ||
				got.AccessTTL != time.Hour || got.Successor != nil {
				t.Errorf("refresh %d carried on %+v", count, got)
			}
			f.wantAccess(tacc, pair.Access.Value, nil)
			raw = pair.Refresh.Value
		}
		// A script that kept the first one goes on using it, daily.
		for range 3 {
			f.Clock.Advance(24 * time.Hour)
			again := f.extend(tacc, "portal", first.Refresh.Value)
			if got := f.present(tacc, "portal", again.Refresh.Value); got.Count != 1 {
				t.Errorf("the count is %d, want 1 more than that of the token presented", got.Count)
			}
		}
		f.wantRefresh(tacc, "portal", raw, nil)
	})
}

func TestARotatedTokenGivesTheSamePairWithinItsGrace(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		first := f.issue(request(tacc, "app"))
		pair := f.rotate(tacc, "app", first.Refresh.Value)
		for _, later := range []time.Duration{0, 5 * time.Second, 5 * time.Second} { // 10 s is still within
			f.Clock.Advance(later)
			got := f.present(tacc, "app", first.Refresh.Value)
			if got.Successor == nil || !reflect.DeepEqual(*got.Successor, pair) {
				t.Fatalf("got another pair: %v", got.Successor)
			}
		}
		if got := f.present(tacc, "app", pair.Refresh.Value); got.Count != 1 || got.Successor != nil {
			t.Errorf("the successor has count %d and successor %v", got.Count, got.Successor)
		}
	})
}

func TestReuseAfterTheGraceEndsTheWholeFamily(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		first := f.issue(request(tacc, "app"))
		second := f.rotate(tacc, "app", first.Refresh.Value)
		third := f.rotate(tacc, "app", second.Refresh.Value)
		bystander, elsewhere := f.issue(request(tacc, "app")), f.issue(request(dev, "app"))
		f.Clock.Advance(tokens.Grace + time.Microsecond)
		f.wantRefresh(tacc, "app", first.Refresh.Value, tokens.ErrReused)
		f.wantVoid(tacc, "app", first, second, third)
		f.wantGood(tacc, "app", bystander)
		f.wantRefresh(dev, "app", elsewhere.Refresh.Value, nil)
	})
}

func TestARequestInFlightGetsNothingUsableFromADeadFamily(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		first := f.issue(request(tacc, "app"))
		second := f.rotate(tacc, "app", first.Refresh.Value)
		f.Clock.Advance(tokens.Grace + time.Second)
		found := f.present(tacc, "app", second.Refresh.Value)
		rotation, continuation := f.mint(next(tacc, "app", found)), f.mint(next(tacc, "app", found))
		f.wantRefresh(tacc, "app", first.Refresh.Value, tokens.ErrReused)
		f.Must(errors.Join(f.Rotate(t.Context(), found, rotation), f.Record(t.Context(), continuation)))
		f.wantVoid(tacc, "app", rotation.Pair, continuation.Pair)
	})
}

func TestAnotherClientGetsNothingAndHarmsNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		first := f.issue(request(tacc, "app"))
		f.issue(request(tacc, "thief"))
		second := f.rotate(tacc, "app", first.Refresh.Value)
		for _, clientID := range []string{"thief", "", "unknown", "APP", "app ", "app\x00"} {
			f.wantRefresh(tacc, clientID, first.Refresh.Value, tokens.ErrRefused)
			f.wantRefresh(tacc, clientID, second.Refresh.Value, tokens.ErrRefused)
		}
		f.Clock.Advance(tokens.Grace + time.Second)
		// Even a rotated token that another client brings does not end the family.
		f.wantRefresh(tacc, "thief", first.Refresh.Value, tokens.ErrRefused)
		f.wantRefresh(tacc, "app", second.Refresh.Value, nil)
		f.wantAccess(tacc, second.Access.Value, nil)
	})
}

func TestATokenWhoseRecordNamesAnotherClientIsGoodForNeither(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pair := f.issue(request(tacc, "app"))
		f.Exec(`UPDATE issued_tokens SET client_id = 'thief'`)
		f.wantRefresh(tacc, "app", pair.Refresh.Value, tokens.ErrRefused)
		f.wantRefresh(tacc, "thief", pair.Refresh.Value, tokens.ErrRefused)
	})
}

func TestTheSlowerOfTwoRotationsIsToldSoAndRecordsNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		first := f.issue(request(tacc, "app"))
		slow := f.present(tacc, "app", first.Refresh.Value)
		issued := f.mint(next(tacc, "app", slow))
		winner := f.rotate(tacc, "app", first.Refresh.Value)
		if err := f.Rotate(t.Context(), slow, issued); !errors.Is(err, tokens.ErrRotated) || apierr.Is(err, apierr.Unavailable) {
			t.Errorf("got %v", err)
		}
		f.wantVoid(tacc, "app", issued.Pair)
		if got := f.present(tacc, "app", first.Refresh.Value); !reflect.DeepEqual(*got.Successor, winner) {
			t.Error("the winner's pair was replaced")
		}
	})
}

// refresh does what the token endpoint does for a public client.
func (f *fixture) refresh(raw string) (pair tokens.Pair, rotated bool, err error) {
	for range 2 {
		r, err := f.Present(f.T.Context(), tacc, "app", raw)
		if err != nil {
			return tokens.Pair{}, false, err
		}
		if r.Successor != nil {
			return *r.Successor, false, nil
		}
		issued, err := f.Mint(f.T.Context(), next(tacc, "app", r))
		if err != nil {
			return tokens.Pair{}, false, err
		}
		switch err := f.Rotate(f.T.Context(), r, issued); {
		case err == nil:
			return issued.Pair, true, nil
		case !errors.Is(err, tokens.ErrRotated):
			return tokens.Pair{}, false, err
		}
	}
	return tokens.Pair{}, false, tokens.ErrRotated
}

func TestParallelRotationsHaveOneWinnerAndOneAnswer(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		const parallel = 20
		first := f.issue(request(tacc, "app"))
		var (
			start   sync.WaitGroup
			done    sync.WaitGroup
			pairs   [parallel]tokens.Pair
			rotated [parallel]bool
		)
		start.Add(1)
		for i := range parallel {
			done.Go(func() {
				start.Wait()
				var err error
				if pairs[i], rotated[i], err = f.refresh(first.Refresh.Value); err != nil {
					t.Errorf("request %d: %v", i, err)
				}
			})
		}
		start.Done()
		done.Wait()
		winners := 0
		for i := range parallel {
			if rotated[i] {
				winners++
			}
			if !reflect.DeepEqual(pairs[i], pairs[0]) {
				t.Errorf("requests 0 and %d were given different pairs", i)
			}
		}
		if winners != 1 {
			t.Errorf("%d requests rotated the token, want 1", winners)
		}
		f.wantRecords(2, 2)
		f.wantRefresh(tacc, "app", pairs[0].Refresh.Value, nil)
	})
}

func TestParallelReuseEndsTheFamilyForEverybody(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		first := f.issue(request(tacc, "app"))
		second := f.rotate(tacc, "app", first.Refresh.Value)
		f.Clock.Advance(tokens.Grace + time.Second)
		var done sync.WaitGroup
		for i := range 8 {
			raw := []string{first.Refresh.Value, second.Refresh.Value}[i%2]
			done.Go(func() {
				_, _, err := f.refresh(raw)
				if err != nil && !errors.Is(err, tokens.ErrRefused) && !errors.Is(err, tokens.ErrReused) {
					t.Errorf("got %v", err)
				}
			})
		}
		done.Wait()
		if _, _, err := f.refresh(second.Refresh.Value); !errors.Is(err, tokens.ErrRefused) {
			t.Errorf("the family lives on: %v", err)
		}
		f.wantAccess(tacc, second.Access.Value, authn.ErrRevoked)
	})
}

func TestNoTokenStandsInTheDatabase(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		first := f.issue(request(tacc, "app"))
		second := f.rotate(tacc, "app", first.Refresh.Value)
		third := f.extend(tacc, "app", second.Refresh.Value)
		own := f.issue(request(tacc, ""))
		dump := testdb.Dump(t, f.DB)
		if !strings.Contains(dump, " successor=v1.") || !strings.Contains(dump, first.Refresh.ID) {
			t.Fatalf("the dump misses the records:\n%s", dump)
		}
		for name, raw := range map[string]string{
			"first access": first.Access.Value, "first refresh": first.Refresh.Value,
			"second access": second.Access.Value, "second refresh": second.Refresh.Value,
			"third access": third.Access.Value, "third refresh": third.Refresh.Value, "own access": own.Access.Value,
		} {
			for _, piece := range strings.Split(raw, ".") {
				if strings.Contains(dump, piece) {
					t.Errorf("a part of the %s token stands in the database", name)
				}
			}
		}
	})
}

func TestASealedSuccessorOpensForItsOwnTokenOnly(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		mine, victims := f.issue(request(tacc, "app")), f.issue(request(tacc, "app"))
		f.rotate(tacc, "app", mine.Refresh.Value)
		f.rotate(tacc, "app", victims.Refresh.Value)
		f.Exec(`UPDATE issued_tokens SET successor = (SELECT successor FROM issued_tokens WHERE jti = ?) WHERE jti = ?`,
			victims.Refresh.ID, mine.Refresh.ID)
		if r, err := f.Present(t.Context(), tacc, "app", mine.Refresh.Value); err == nil {
			t.Errorf("the successor of another token was given: %v", r.Successor)
		}
	})
}
