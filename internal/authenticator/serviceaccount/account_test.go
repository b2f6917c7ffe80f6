package serviceaccount_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/authenticator/serviceaccount"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authn"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/seal"
	"gatehouse/internal/testdb"
	"gatehouse/internal/testlog"
	"gatehouse/migrations"
)

type place struct{}

func (place) Self() (registryclient.Tenant, string, error) {
	return registryclient.Tenant{ID: "admin", TokenService: "https://admin.tapis.io/v3/tokens"}, "main", nil
}

// registry knows one key of the tenant, as the real one does.
type registry struct{ key string }

func (r *registry) PublishedKey(context.Context, string) (string, error) { return r.key, nil }
func (r *registry) SiteAdmin(string) (bool, error)                       { return true, nil }
func (r *registry) PublishKey(_ context.Context, _, public string) error { r.key = public; return nil }

func (registry) LastExpiry(context.Context, string, time.Time, time.Time) (time.Time, error) {
	return time.Time{}, nil
}

func TestATokenIsUsedUntilHalfOfItIsOverOrItsKeyWasRotated(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	box, err := seal.New(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	db := testdb.New(t, migrations.Authenticator)
	signing := keys.New(keys.Deps{DB: db, Box: box, Now: clock})
	if _, err := signing.Ensure(t.Context(), "admin"); err != nil {
		t.Fatal(err)
	}
	mint := tokens.New(tokens.Deps{DB: db, Box: box, Signers: signing, Keys: signing, Now: clock, Log: testlog.New(t)})
	account := serviceaccount.New(place{}, mint, signing, clock)
	token := func() string {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://registry", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := account.Authorize(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		if req.Header.Get("X-Tapis-Tenant") != "admin" || req.Header.Get("X-Tapis-User") != serviceaccount.Name {
			t.Errorf("headers %v", req.Header)
		}
		raw := req.Header.Get("X-Tapis-Token")
		testlog.Secret(t, raw)
		var claims authn.Claims
		want := authn.Expect{TenantID: "admin", Issuer: "https://admin.tapis.io/v3/tokens", TokenType: authn.AccessToken}
		if err := authn.NewVerifier(signing, clock).Verify(t.Context(), raw, want, &claims); err != nil {
			t.Error(err)
		}
		return raw
	}
	first := token()
	now = now.Add(29 * time.Minute)
	if token() != first {
		t.Error("minted again although more than half was left")
	}
	now = now.Add(2 * time.Minute)
	second := token()
	if second == first {
		t.Error("kept although less than half was left")
	}
	known := &registry{}
	rotator := keys.NewRotator(signing, known, known, testlog.New(t))
	for _, mode := range []keys.Mode{keys.Now, keys.Emergency} {
		if _, err := rotator.Rotate(t.Context(), "admin", mode); err != nil {
			t.Fatal(err)
		}
		third := token() // which is verified with the keys that count now
		if third == second {
			t.Errorf("%s: kept although the registry does not know its key any more", mode)
		}
		second = third
	}
}
