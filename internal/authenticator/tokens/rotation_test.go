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
	each(t, func(t *testing.T, w *world) {
		r := request(tacc, "portal")
		r.RedirectURI, r.IDPID, r.AccessTTL = "https://portal.example.org/back", "orcid", time.Hour
		first := w.issue(t, r)
		raw := first.Refresh.Value
		for count := 1; count <= 3; count++ {
			w.clock.advance(24 * time.Hour)
			pair := w.extend(t, tacc, "portal", raw)
			got := w.present(t, tacc, "portal", pair.Refresh.Value)
			if got.Count != count || got.Username != "apitest" || got.RedirectURI != r.RedirectURI || got.IDPID != "orcid" ||
				got.AccessTTL != time.Hour || got.Successor != nil {
				t.Errorf("refresh %d carried on %+v", count, got)
			}
			w.wantAccess(t, tacc, pair.Access.Value, nil)
			raw = pair.Refresh.Value
		}
		// A script that kept the first one goes on using it, daily.
		for range 3 {
			w.clock.advance(24 * time.Hour)
			again := w.extend(t, tacc, "portal", first.Refresh.Value)
			if got := w.present(t, tacc, "portal", again.Refresh.Value); got.Count != 1 {
				t.Errorf("the count is %d, want 1 more than that of the token presented", got.Count)
			}
		}
		w.wantRefresh(t, tacc, "portal", raw, nil)
	})
}

func TestARotatedTokenGivesTheSamePairWithinItsGrace(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		first := w.issue(t, request(tacc, "app"))
		pair := w.rotate(t, tacc, "app", first.Refresh.Value)
		for _, later := range []time.Duration{0, 5 * time.Second, 5 * time.Second} { // 10 s is still within
			w.clock.advance(later)
			got := w.present(t, tacc, "app", first.Refresh.Value)
			if got.Successor == nil || !reflect.DeepEqual(*got.Successor, pair) {
				t.Fatalf("got another pair: %v", got.Successor)
			}
		}
		if got := w.present(t, tacc, "app", pair.Refresh.Value); got.Count != 1 || got.Successor != nil {
			t.Errorf("the successor has count %d and successor %v", got.Count, got.Successor)
		}
	})
}

func TestReuseAfterTheGraceEndsTheWholeFamily(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		first := w.issue(t, request(tacc, "app"))
		second := w.rotate(t, tacc, "app", first.Refresh.Value)
		third := w.rotate(t, tacc, "app", second.Refresh.Value)
		bystander, elsewhere := w.issue(t, request(tacc, "app")), w.issue(t, request(dev, "app"))
		w.clock.advance(tokens.Grace + time.Microsecond)
		w.wantRefresh(t, tacc, "app", first.Refresh.Value, tokens.ErrReused)
		w.wantRefresh(t, tacc, "app", first.Refresh.Value, tokens.ErrRefused)
		w.wantRefresh(t, tacc, "app", second.Refresh.Value, tokens.ErrRefused)
		w.wantRefresh(t, tacc, "app", third.Refresh.Value, tokens.ErrRefused)
		for _, pair := range []tokens.Pair{first, second, third} {
			w.wantAccess(t, tacc, pair.Access.Value, authn.ErrRevoked)
		}
		w.wantAccess(t, tacc, bystander.Access.Value, nil)
		w.wantRefresh(t, tacc, "app", bystander.Refresh.Value, nil)
		w.wantRefresh(t, dev, "app", elsewhere.Refresh.Value, nil)
	})
}

func TestARequestInFlightGetsNothingUsableFromADeadFamily(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		first := w.issue(t, request(tacc, "app"))
		second := w.rotate(t, tacc, "app", first.Refresh.Value)
		w.clock.advance(tokens.Grace + time.Second)
		found := w.present(t, tacc, "app", second.Refresh.Value)
		rotation, continuation := w.mint(t, next(tacc, "app", found)), w.mint(t, next(tacc, "app", found))
		w.wantRefresh(t, tacc, "app", first.Refresh.Value, tokens.ErrReused)
		if err := errors.Join(w.Rotate(t.Context(), found, rotation), w.Record(t.Context(), continuation)); err != nil {
			t.Fatal(err)
		}
		for _, issued := range []*tokens.Issued{rotation, continuation} {
			w.wantAccess(t, tacc, issued.Access.Value, authn.ErrRevoked)
			w.wantRefresh(t, tacc, "app", issued.Refresh.Value, tokens.ErrRefused)
		}
	})
}

// count returns how many tokens of a type are recorded.
func count(t *testing.T, w *world, tokenType string) (n int64) {
	t.Helper()
	err := w.db.Conn(t.Context()).Raw(`SELECT COUNT(*) FROM issued_tokens WHERE token_type = ?`, tokenType).Scan(&n).Error
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAnotherClientGetsNothingAndHarmsNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		first := w.issue(t, request(tacc, "app"))
		w.issue(t, request(tacc, "thief"))
		second := w.rotate(t, tacc, "app", first.Refresh.Value)
		for _, clientID := range []string{"thief", "", "unknown", "APP", "app ", "app\x00"} {
			w.wantRefresh(t, tacc, clientID, first.Refresh.Value, tokens.ErrRefused)
			w.wantRefresh(t, tacc, clientID, second.Refresh.Value, tokens.ErrRefused)
		}
		w.clock.advance(tokens.Grace + time.Second)
		// Even a rotated token that another client brings does not end the family.
		w.wantRefresh(t, tacc, "thief", first.Refresh.Value, tokens.ErrRefused)
		w.wantRefresh(t, tacc, "app", second.Refresh.Value, nil)
		w.wantAccess(t, tacc, second.Access.Value, nil)
	})
}

func TestATokenWhoseRecordNamesAnotherClientIsGoodForNeither(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		pair := w.issue(t, request(tacc, "app"))
		if err := w.db.Conn(t.Context()).Exec(`UPDATE issued_tokens SET client_id = 'thief'`).Error; err != nil {
			t.Fatal(err)
		}
		w.wantRefresh(t, tacc, "app", pair.Refresh.Value, tokens.ErrRefused)
		w.wantRefresh(t, tacc, "thief", pair.Refresh.Value, tokens.ErrRefused)
	})
}

func TestTheSlowerOfTwoRotationsIsToldSoAndRecordsNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		first := w.issue(t, request(tacc, "app"))
		slow := w.present(t, tacc, "app", first.Refresh.Value)
		issued := w.mint(t, next(tacc, "app", slow))
		winner := w.rotate(t, tacc, "app", first.Refresh.Value)
		if err := w.Rotate(t.Context(), slow, issued); !errors.Is(err, tokens.ErrRotated) || apierr.Is(err, apierr.Unavailable) {
			t.Errorf("got %v", err)
		}
		w.wantAccess(t, tacc, issued.Access.Value, authn.ErrRevoked)
		w.wantRefresh(t, tacc, "app", issued.Refresh.Value, tokens.ErrRefused)
		if got := w.present(t, tacc, "app", first.Refresh.Value); !reflect.DeepEqual(*got.Successor, winner) {
			t.Error("the winner's pair was replaced")
		}
	})
}

// refresh does what the token endpoint does for a public client.
func (w *world) refresh(t *testing.T, raw string) (pair tokens.Pair, rotated bool, err error) {
	for range 2 {
		r, err := w.Present(t.Context(), tacc, "app", raw)
		if err != nil {
			return tokens.Pair{}, false, err
		}
		if r.Successor != nil {
			return *r.Successor, false, nil
		}
		issued, err := w.Mint(t.Context(), next(tacc, "app", r))
		if err != nil {
			return tokens.Pair{}, false, err
		}
		switch err := w.Rotate(t.Context(), r, issued); {
		case err == nil:
			return issued.Pair, true, nil
		case !errors.Is(err, tokens.ErrRotated):
			return tokens.Pair{}, false, err
		}
	}
	return tokens.Pair{}, false, tokens.ErrRotated
}

func TestParallelRotationsHaveOneWinnerAndOneAnswer(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const parallel = 20
		first := w.issue(t, request(tacc, "app"))
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
				if pairs[i], rotated[i], err = w.refresh(t, first.Refresh.Value); err != nil {
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
		if refresh, access := count(t, w, "refresh"), count(t, w, "access"); refresh != 2 || access != 2 {
			t.Errorf("%d refresh and %d access tokens are recorded, want 2 and 2", refresh, access)
		}
		w.wantRefresh(t, tacc, "app", pairs[0].Refresh.Value, nil)
	})
}

func TestParallelReuseEndsTheFamilyForEverybody(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		first := w.issue(t, request(tacc, "app"))
		second := w.rotate(t, tacc, "app", first.Refresh.Value)
		w.clock.advance(tokens.Grace + time.Second)
		var done sync.WaitGroup
		for i := range 8 {
			raw := []string{first.Refresh.Value, second.Refresh.Value}[i%2]
			done.Go(func() {
				_, _, err := w.refresh(t, raw)
				if err != nil && !errors.Is(err, tokens.ErrRefused) && !errors.Is(err, tokens.ErrReused) {
					t.Errorf("got %v", err)
				}
			})
		}
		done.Wait()
		if _, _, err := w.refresh(t, second.Refresh.Value); !errors.Is(err, tokens.ErrRefused) {
			t.Errorf("the family lives on: %v", err)
		}
		w.wantAccess(t, tacc, second.Access.Value, authn.ErrRevoked)
	})
}

func TestNoTokenStandsInTheDatabase(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		first := w.issue(t, request(tacc, "app"))
		second := w.rotate(t, tacc, "app", first.Refresh.Value)
		third := w.extend(t, tacc, "app", second.Refresh.Value)
		own := w.issue(t, request(tacc, ""))
		dump := testdb.Dump(t, w.db)
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
	each(t, func(t *testing.T, w *world) {
		mine, victims := w.issue(t, request(tacc, "app")), w.issue(t, request(tacc, "app"))
		w.rotate(t, tacc, "app", mine.Refresh.Value)
		w.rotate(t, tacc, "app", victims.Refresh.Value)
		err := w.db.Conn(t.Context()).Exec(
			`UPDATE issued_tokens SET successor = (SELECT successor FROM issued_tokens WHERE jti = ?) WHERE jti = ?`,
			victims.Refresh.ID, mine.Refresh.ID).Error
		if err != nil {
			t.Fatal(err)
		}
		if r, err := w.Present(t.Context(), tacc, "app", mine.Refresh.Value); err == nil {
			t.Errorf("the successor of another token was given: %v", r.Successor)
		}
	})
}
