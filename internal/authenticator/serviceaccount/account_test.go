package serviceaccount_test

import (
	"net/http"
	"testing"
	"time"

	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/authenticator/serviceaccount"
	"gatehouse/internal/authn"
	"gatehouse/internal/testlog"
)

func TestATokenIsUsedUntilHalfOfItIsOverOrItsKeyWasRotated(t *testing.T) {
	f := authtest.OnSQLite(t)
	account := serviceaccount.New(f.Client(), f.Tokens(), f.Keys(), f.Clock.Now)
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
		if err := authn.NewVerifier(f.Keys(), f.Clock.Now).Verify(t.Context(), raw, want, &claims); err != nil {
			t.Error(err)
		}
		return raw
	}
	first := token()
	f.Clock.Advance(29 * time.Minute)
	if token() != first {
		t.Error("minted again although more than half was left")
	}
	f.Clock.Advance(2 * time.Minute)
	second := token()
	if second == first {
		t.Error("kept although less than half was left")
	}
	rotator := keys.NewRotator(f.Keys(), f.Client().Records(account.Authorize), f.Tokens().LastExpiry, f.Log)
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
