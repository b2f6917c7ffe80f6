package tokens_test

import (
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/tokens"
)

const issuer = "https://tacc.tapis.io/v3/oauth2"

func idToken(t *testing.T, f *fixture, tenant tokens.Tenant, issuer string) string {
	t.Helper()
	raw, err := f.IDToken(t.Context(), tokens.IDRequest{Issuer: issuer, Request: request(tenant, "portal"), AccessToken: "x"})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestAnIDTokenThatComesBackIsReadEvenWhenItHasExpired(t *testing.T) {
	f := onSQLite(t)
	raw := idToken(t, f, tacc, issuer)
	for range 2 {
		hint, err := f.ReadIDHint(t.Context(), tacc.ID, issuer, raw)
		if want := (tokens.IDHint{Username: "apitest", ClientID: "portal"}); err != nil || hint != want {
			t.Errorf("got %+v, %v", hint, err)
		}
		f.Clock.Advance(48 * time.Hour)
	}
}

func TestWhatIsNoIDTokenOfTheTenantIsNoHint(t *testing.T) {
	f := onSQLite(t)
	good := idToken(t, f, tacc, issuer)
	for name, raw := range map[string]string{
		"nothing":             "",
		"an access token":     f.issue(request(tacc, "portal")).Access.Value,
		"a refresh token":     f.issue(request(tacc, "portal")).Refresh.Value,
		"another tenant's":    idToken(t, f, dev, issuer),
		"another issuer's":    idToken(t, f, tacc, "https://elsewhere.tapis.io/v3/oauth2"),
		"a changed signature": good[:len(good)-6] + "AAAAAA",
		"no signature":        "eyJhbGciOiJub25lIn0.e30.",
	} {
		if hint, err := f.ReadIDHint(t.Context(), tacc.ID, issuer, raw); !apierr.Is(err, apierr.Invalid) {
			t.Errorf("%s: got %+v, %v", name, hint, err)
		}
	}
}

func FuzzReadIDHint(f *testing.F) {
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, raw string) {
		f := onSQLite(t)
		if _, err := f.ReadIDHint(t.Context(), tacc.ID, issuer, raw); err == nil {
			t.Error("it was read")
		}
	})
}
