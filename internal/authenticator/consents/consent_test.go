package consents_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/consents"
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

type fixture struct {
	*authtest.Fixture
	*consents.Service

	revoked *revoked
}

func each(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Helper()
	authtest.Each(t, func(t *testing.T, f *authtest.Fixture) {
		r := &revoked{}
		test(t, &fixture{f, consents.New(f.DB, r, f.Clock.Now), r})
	})
}

var portal = consents.Client{ID: "portal", Fingerprint: "as it is"}

func (f *fixture) record(tenantID, username string, always bool, scopes ...string) {
	f.T.Helper()
	f.Must(f.Record(f.T.Context(), tenantID, username, portal, scopes, always))
}

func (f *fixture) want(what string, want bool, tenantID, username string, c consents.Client, scopes ...string) {
	f.T.Helper()
	if got, err := f.Covers(f.T.Context(), tenantID, username, c, scopes); got != want || err != nil {
		f.T.Errorf("%s: %v, %v", what, got, err)
	}
}

// list returns what somebody allowed, which must be so many.
func (f *fixture) list(tenantID, username string, want int) []consents.Consent {
	f.T.Helper()
	list, err := f.List(f.T.Context(), tenantID, username)
	if len(list) != want || err != nil {
		f.T.Fatalf("%s in %s: got %+v, %v; want %d", username, tenantID, list, err, want)
	}
	return list
}

func TestOnlyAlwaysCoversAndOnlyWhatItWasGivenFor(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.want("nothing", false, "dev", "ada", portal)
		f.record("dev", "ada", false, "profile")
		f.want("once", false, "dev", "ada", portal, "profile")
		f.record("dev", "ada", true, "profile", "email")
		f.want("the same", true, "dev", "ada", portal, "email", "profile")
		f.want("less", true, "dev", "ada", portal)
		f.want("more", false, "dev", "ada", portal, "email", "openid")
		f.want("another tenant", false, "lab", "ada", portal, "email")
		f.want("another person", false, "dev", "bob", portal, "email")
		f.want("another client", false, "dev", "ada", consents.Client{ID: "portal2", Fingerprint: "as it is"}, "email")
		f.want("a changed client", false, "dev", "ada", consents.Client{ID: "portal", Fingerprint: "changed"}, "email")
		f.record("dev", "ada", false, "openid")
		f.want("after once for more", true, "dev", "ada", portal, "email")
		f.want("what was allowed once", false, "dev", "ada", portal, "openid")
		f.record("dev", "ada", true, "openid")
		f.want("both", true, "dev", "ada", portal, "openid", "email", "profile")
		f.Clock.Advance(consents.AskAgainAfter)
		f.want("a year later", false, "dev", "ada", portal, "email")
	})
}

func TestScopesOfAClientThatHasChangedSinceAreForgotten(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.record("dev", "ada", true, "email")
		changed := consents.Client{ID: "portal", Fingerprint: "changed"}
		f.Must(f.Record(t.Context(), "dev", "ada", changed, []string{"profile"}, true))
		f.want("the new", true, "dev", "ada", changed, "profile")
		f.want("the old", false, "dev", "ada", changed, "email")
	})
}

func TestPeopleSeeAndWithdrawTheirOwnConsents(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.record("dev", "ada", true, "email")
		f.record("dev", "bob", false)
		f.record("lab", "ada", true)
		c := f.list("dev", "ada", 1)[0]
		if c.ClientID != "portal" || !c.Always || strings.Join(c.Scopes, " ") != "email" || !c.GrantTime.Equal(f.Clock.Now()) {
			t.Errorf("got %+v", c)
		}
		f.Must(f.Revoke(t.Context(), "dev", "ada", "portal"))
		f.want("withdrawn", false, "dev", "ada", portal, "email")
		if strings.Join(f.revoked.names, ",") != "dev ada portal" {
			t.Errorf("revoked %v", f.revoked.names)
		}
		f.list("dev", "bob", 1)
		f.list("lab", "ada", 1)
		f.list("dev", "ada", 0)
	})
}

func TestWhatHoldsTokensStaysOnTheList(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.record("dev", "ada", true)
		f.revoked.err = errors.New("away")
		if err := f.Revoke(t.Context(), "dev", "ada", "portal"); !errors.Is(err, f.revoked.err) {
			t.Errorf("got %v", err)
		}
		f.list("dev", "ada", 1)
	})
}

func TestOldConsentsAreSwept(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.record("dev", "ada", true)
		for _, left := range []int{1, 0} {
			f.Clock.Advance(365 * 24 * time.Hour)
			f.Must(f.Sweep(t.Context()))
			f.list("dev", "ada", left)
		}
	})
}

func TestWithdrawingWhatWasNeverAllowedLeavesNoTrace(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.record("dev", "bob", true)
		f.record("lab", "ada", true)
		for _, clientID := range []string{"portal", "", strings.Repeat("x", 1<<20)} {
			f.Must(f.Revoke(t.Context(), "dev", "ada", clientID))
		}
		if len(f.revoked.names) > 0 {
			t.Errorf("%d were revoked", len(f.revoked.names))
		}
	})
}
