package consents_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authenticator/consents"
	"gatehouse/internal/database"
	"gatehouse/internal/testdb"
	"gatehouse/migrations"
)

// revoked notes what was revoked.
type revoked struct {
	names []string
	err   error
}

func (r *revoked) RevokeUserClient(_ context.Context, tenantID, username, clientID string) error {
	if r.err == nil {
		r.names = append(r.names, tenantID+" "+username+" "+clientID)
	}
	return r.err
}

type world struct {
	*consents.Service

	revoked *revoked
	now     time.Time
}

func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	testdb.Each(t, migrations.Authenticator, func(t *testing.T, db *database.DB) {
		w := &world{revoked: &revoked{}, now: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)}
		w.Service = consents.New(db, w.revoked, func() time.Time { return w.now })
		test(t, w)
	})
}

var portal = consents.Client{ID: "portal", Fingerprint: "as it is"}

func (w *world) record(t *testing.T, tenantID, username string, always bool, scopes ...string) {
	t.Helper()
	if err := w.Record(t.Context(), tenantID, username, portal, scopes, always); err != nil {
		t.Fatal(err)
	}
}

func (w *world) want(t *testing.T, what string, want bool, tenantID, username string, c consents.Client, scopes ...string) {
	t.Helper()
	if got, err := w.Covers(t.Context(), tenantID, username, c, scopes); got != want || err != nil {
		t.Errorf("%s: %v, %v", what, got, err)
	}
}

func TestOnlyAlwaysCoversAndOnlyWhatItWasGivenFor(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.want(t, "nothing", false, "dev", "ada", portal)
		w.record(t, "dev", "ada", false, "profile")
		w.want(t, "once", false, "dev", "ada", portal, "profile")
		w.record(t, "dev", "ada", true, "profile", "email")
		w.want(t, "the same", true, "dev", "ada", portal, "email", "profile")
		w.want(t, "less", true, "dev", "ada", portal)
		w.want(t, "more", false, "dev", "ada", portal, "email", "openid")
		w.want(t, "another tenant", false, "lab", "ada", portal, "email")
		w.want(t, "another person", false, "dev", "bob", portal, "email")
		w.want(t, "another client", false, "dev", "ada", consents.Client{ID: "portal2", Fingerprint: "as it is"}, "email")
		w.want(t, "a changed client", false, "dev", "ada", consents.Client{ID: "portal", Fingerprint: "changed"}, "email")
		w.record(t, "dev", "ada", false, "openid")
		w.want(t, "after once for more", true, "dev", "ada", portal, "email")
		w.want(t, "what was allowed once", false, "dev", "ada", portal, "openid")
		w.record(t, "dev", "ada", true, "openid")
		w.want(t, "both", true, "dev", "ada", portal, "openid", "email", "profile")
		w.now = w.now.Add(consents.AskAgainAfter)
		w.want(t, "a year later", false, "dev", "ada", portal, "email")
	})
}

func TestScopesOfAClientThatHasChangedSinceAreForgotten(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.record(t, "dev", "ada", true, "email")
		changed := consents.Client{ID: "portal", Fingerprint: "changed"}
		if err := w.Record(t.Context(), "dev", "ada", changed, []string{"profile"}, true); err != nil {
			t.Fatal(err)
		}
		w.want(t, "the new", true, "dev", "ada", changed, "profile")
		w.want(t, "the old", false, "dev", "ada", changed, "email")
	})
}

func TestPeopleSeeAndWithdrawTheirOwnConsents(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.record(t, "dev", "ada", true, "email")
		w.record(t, "dev", "bob", false)
		w.record(t, "lab", "ada", true)
		list, err := w.List(t.Context(), "dev", "ada")
		if err != nil || len(list) != 1 {
			t.Fatalf("got %+v, %v", list, err)
		}
		if c := list[0]; c.ClientID != "portal" || !c.Always || strings.Join(c.Scopes, " ") != "email" || !c.GrantTime.Equal(w.now) {
			t.Errorf("got %+v", c)
		}
		if err := w.Revoke(t.Context(), "dev", "ada", "portal"); err != nil {
			t.Fatal(err)
		}
		w.want(t, "withdrawn", false, "dev", "ada", portal, "email")
		if strings.Join(w.revoked.names, ",") != "dev ada portal" {
			t.Errorf("revoked %v", w.revoked.names)
		}
		for _, other := range [][2]string{{"dev", "bob"}, {"lab", "ada"}} {
			if list, err := w.List(t.Context(), other[0], other[1]); len(list) != 1 || err != nil {
				t.Errorf("%v lost theirs: %v", other, err)
			}
		}
		if list, err := w.List(t.Context(), "dev", "ada"); len(list) != 0 || err != nil {
			t.Errorf("got %+v, %v", list, err)
		}
	})
}

func TestWhatHoldsTokensStaysOnTheList(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.record(t, "dev", "ada", true)
		w.revoked.err = errors.New("away")
		if err := w.Revoke(t.Context(), "dev", "ada", "portal"); !errors.Is(err, w.revoked.err) {
			t.Errorf("got %v", err)
		}
		if list, err := w.List(t.Context(), "dev", "ada"); len(list) != 1 || err != nil {
			t.Errorf("got %+v, %v", list, err)
		}
	})
}

func TestOldConsentsAreSwept(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.record(t, "dev", "ada", true)
		for _, left := range []int{1, 0} {
			w.now = w.now.Add(365 * 24 * time.Hour)
			if err := w.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			if list, err := w.List(t.Context(), "dev", "ada"); len(list) != left || err != nil {
				t.Errorf("%d are left, want %d, %v", len(list), left, err)
			}
		}
	})
}

func TestWithdrawingWhatWasNeverAllowedLeavesNoTrace(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.record(t, "dev", "bob", true)
		w.record(t, "lab", "ada", true)
		for _, clientID := range []string{"portal", "", strings.Repeat("x", 1<<20)} {
			if err := w.Revoke(t.Context(), "dev", "ada", clientID); err != nil {
				t.Fatal(err)
			}
		}
		if len(w.revoked.names) > 0 {
			t.Errorf("%d were revoked", len(w.revoked.names))
		}
	})
}
