package codes_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/codes"
	"gatehouse/internal/database"
	"gatehouse/internal/testdb"
	"gatehouse/internal/testlog"
	"gatehouse/migrations"
)

// world is a service of codes, and the families it had revoked.
type world struct {
	*codes.Service

	now     time.Time
	revoked []string
	end     time.Time
	away    error
}

func (w *world) RevokeFamily(_ context.Context, tenantID, familyID string, end time.Time) error {
	w.revoked, w.end = append(w.revoked, tenantID+"/"+familyID), end
	return w.away
}

func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	testdb.Each(t, migrations.Authenticator, func(t *testing.T, db *database.DB) {
		w := &world{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
		w.Service = codes.New(codes.Deps{DB: db, Revoker: w, Now: func() time.Time { return w.now }, Log: testlog.New(t)})
		test(t, w)
	})
}

func approval(now time.Time) codes.Approval {
	return codes.Approval{
		TenantID: "dev", ClientID: "app", Username: "ada", RedirectURI: "https://a.example.org/", Scope: "openid", Nonce: "n",
		CodeChallenge: "c", AuthTime: now.Add(-time.Hour), AMR: []string{"pwd", "otp"}, IDPID: "campus",
	}
}

func (w *world) issue(t *testing.T, a codes.Approval) string {
	t.Helper()
	code, err := w.Issue(t.Context(), a, 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	testlog.Secret(t, code)
	return code
}

func (w *world) refused(t *testing.T, tenantID, clientID, code string, want error) {
	t.Helper()
	if _, err := w.Redeem(t.Context(), tenantID, clientID, code); !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

func TestACodeIsWhatWasApprovedOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		full, bare := approval(w.now), codes.Approval{TenantID: "dev", ClientID: "app", Username: "ada", AMR: []string{}}
		code, plain := w.issue(t, full), w.issue(t, bare)
		if len(code) != 43 || code == plain {
			t.Errorf("the codes are %d long", len(code))
		}
		got, err := w.Redeem(t.Context(), "dev", "app", code)
		if err != nil || !reflect.DeepEqual(got.Approval, full) || got.FamilyID == "" ||
			!got.FamilyEnd.Equal(w.now.Add(codes.Lifetime+24*time.Hour)) {
			t.Errorf("got %+v, %v", got, err)
		}
		second, err := w.Redeem(t.Context(), "dev", "app", plain)
		if err != nil || !reflect.DeepEqual(second.Approval, bare) || second.FamilyID == got.FamilyID {
			t.Errorf("got %+v, %v", second, err)
		}
		w.refused(t, "dev", "app", code, codes.ErrReused)
		if len(w.revoked) != 1 || w.revoked[0] != "dev/"+got.FamilyID || !w.end.Equal(got.FamilyEnd) {
			t.Errorf("revoked %v until %v", w.revoked, w.end)
		}
		// While the family cannot be revoked, the answer is not that it was.
		w.away = apierr.Away(errors.New("gone"), "The database")
		if _, err := w.Redeem(t.Context(), "dev", "app", code); !apierr.Is(err, apierr.Unavailable) {
			t.Errorf("got %v", err)
		}
	})
}

func TestACodeIsItsClientsAndTenantsForFiveMinutes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		code, other := w.issue(t, approval(w.now)), w.issue(t, approval(w.now))
		w.refused(t, "lab", "app", code, codes.ErrRefused)
		w.refused(t, "dev", "other", code, codes.ErrRefused)
		w.refused(t, "dev", "app", code+"x", codes.ErrRefused)
		w.refused(t, "dev", "app", "", codes.ErrRefused)
		w.now = w.now.Add(5*time.Minute - time.Microsecond)
		if _, err := w.Redeem(t.Context(), "dev", "app", code); err != nil {
			t.Fatal(err)
		}
		w.refused(t, "dev", "other", code, codes.ErrRefused)
		w.refused(t, "lab", "app", code, codes.ErrRefused)
		w.now = w.now.Add(time.Microsecond)
		w.refused(t, "dev", "app", other, codes.ErrRefused)
		if len(w.revoked) != 0 {
			t.Errorf("revoked %v", w.revoked)
		}
	})
}

func TestReuseIsNoticedForADay(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		code := w.issue(t, approval(w.now))
		if _, err := w.Redeem(t.Context(), "dev", "app", code); err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			after time.Duration
			want  error
		}{{24*time.Hour + codes.Lifetime, codes.ErrReused}, {time.Microsecond, codes.ErrRefused}} {
			w.now = w.now.Add(test.after)
			if err := w.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.refused(t, "dev", "app", code, test.want)
		}
	})
}
