package tokens_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authn"
)

// direct asks for a service's tokens as /v3/tokens does.
func direct(service string) tokens.Request {
	return tokens.Request{
		Began:  1,
		Tenant: tacc, Username: service, AccountType: authn.ServiceAccount, TargetSite: "main", GrantType: tokens.Direct,
		AccessTTL: 24 * time.Hour, RefreshTTL: 365 * 24 * time.Hour,
	}
}

func extra(t *testing.T, text string) tokens.Extra {
	t.Helper()
	e, err := tokens.ParseExtra(json.RawMessage(text))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestServiceTokensHaveTheClaimsOfTapis(t *testing.T) {
	f := onSQLite(t)
	pair := f.mint(direct("files")).Pair
	wantClaims(t, pair.Access.Value, pair, `{"jti":"<jti>","iss":"https://tacc.tapis.io/v3/tokens","sub":"files@tacc",
"tapis/tenant_id":"tacc","tapis/token_type":"access","tapis/delegation":false,"tapis/delegation_sub":null,
"tapis/username":"files","tapis/account_type":"service","exp":1595171456,"tapis/target_site":"main"}`)
	wantClaims(t, pair.Refresh.Value, pair, `{"jti":"<refresh jti>","iss":"https://tacc.tapis.io/v3/tokens","sub":"files@tacc",
"tapis/initial_ttl":31536000,"tapis/tenant_id":"tacc","tapis/token_type":"refresh","exp":1626621056,
"tapis/access_token":{"jti":"<jti>","iss":"https://tacc.tapis.io/v3/tokens","sub":"files@tacc",
"tapis/tenant_id":"tacc","tapis/token_type":"access","tapis/delegation":false,"tapis/delegation_sub":null,
"tapis/username":"files","tapis/account_type":"service","ttl":86400,"tapis/target_site":"main"}}`)
}

func TestDelegationAndExtraClaimsStandBesideTheOthers(t *testing.T) {
	f := onSQLite(t)
	r := direct("apitest")
	r.AccountType, r.TargetSite, r.DelegationSub = authn.UserAccount, "", "ada@tacc"
	r.Extra = extra(t, `{"tapis/grant_type":"password","email":"a@example.org","big":12345678901234567890,"list":[1,{"sub":"x"}]}`)
	pair := f.mint(r).Pair
	wantClaims(t, pair.Access.Value, pair, `{"jti":"<jti>","iss":"https://tacc.tapis.io/v3/tokens","sub":"apitest@tacc",
"tapis/tenant_id":"tacc","tapis/token_type":"access","tapis/delegation":true,"tapis/delegation_sub":"ada@tacc",
"tapis/username":"apitest","tapis/account_type":"user","exp":1595171456,
"big":12345678901234567890,"email":"a@example.org","list":[1,{"sub":"x"}],"tapis/grant_type":"password"}`)
}

// Upstream denies the bare names only, while the claims are called tapis/….
func TestUpstreamBugExtraClaimsForgeTheStandardOnes(t *testing.T) {
	for _, name := range []string{
		"jti", "iss", "sub", "exp", "nbf", "iat", "aud", "ttl", "tenant", "tenant_id", "username", "account_type", "token_type",
		"target_site", "tapis/username", "tapis/tenant_id", "tapis/account_type", "tapis/token_type", "tapis/delegation",
		"tapis/delegation_sub", "tapis/target_site", "tapis/access_token", "tapis/initial_ttl",
		// Decoders that ignore letter case would take these for the same.
		"SUB", "Exp", "Tapis/Username", "TAPIS/ACCOUNT_TYPE", "tapi\u017f/username", "tapis/to\u212aen_type",
		"TAPIS/client_id", `\u0073ub`,
	} {
		_, err := tokens.ParseExtra(json.RawMessage(`{"email": "a@example.org", "` + name + `": "x"}`))
		if !apierr.Is(err, apierr.Invalid) || !strings.Contains(err.Error(), "claims") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestExtraClaimsAreAnObjectOfAtMostFourKilobytes(t *testing.T) {
	padded := func(n int) string { return `{"x":"` + strings.Repeat("x", n-8) + `"}` }
	for _, bad := range []string{`[]`, `"x"`, `1`, `true`, `{`, padded(tokens.MaxExtra + 1)} {
		if _, err := tokens.ParseExtra(json.RawMessage(bad)); !apierr.Is(err, apierr.Invalid) {
			t.Errorf("%.20s: %v", bad, err)
		}
	}
	for _, good := range []string{``, `null`, `{}`, padded(tokens.MaxExtra), `{` + strings.Repeat(" ", 5000) + `}`} {
		if _, err := tokens.ParseExtra(json.RawMessage(good)); err != nil {
			t.Errorf("%.20s: %v", good, err)
		}
	}
}

func TestARenewalIsTheSameButForIDsAndTimes(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		r := direct("files")
		r.DelegationSub, r.Extra = "ada@tacc", extra(t, `{"project":{"id":7},"tapis/client_id":"portal"}`)
		first := f.issue(r)
		f.Clock.Advance(time.Hour)
		for range 2 { // it is not rotated
			renewed, err := f.Renew(t.Context(), tacc, first.Refresh.Value)
			if err != nil {
				t.Fatal(err)
			}
			second := f.issue(renewed)
			var before, after map[string]any
			for raw, into := range map[string]*map[string]any{first.Access.Value: &before, second.Access.Value: &after} {
				f.Must(json.Unmarshal([]byte(authtest.Part(t, raw, 1)), into))
			}
			if before["jti"] == after["jti"] || before["exp"] == after["exp"] {
				t.Error("the id or the expiry stayed")
			}
			for _, c := range []map[string]any{before, after} {
				delete(c, "jti")
				delete(c, "exp")
			}
			if a, b := toJSON(t, before), toJSON(t, after); a != b {
				t.Errorf("\n got %s\nwant %s", b, a)
			}
			if second.Access.TTL != first.Access.TTL || second.Refresh.TTL != first.Refresh.TTL {
				t.Errorf("lifetimes %s and %s", second.Access.TTL, second.Refresh.TTL)
			}
		}
	})
}

func toJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRefreshTokensOfGrantsAndOfTheTokensAPIAreNotExchanged(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ours := direct("files")
		ours.Extra = extra(t, `{"tapis/client_id":"portal"}`) // names the client, and is not its
		pair, grant := f.issue(ours), f.issue(request(tacc, "portal"))
		f.wantRefresh(tacc, "portal", pair.Refresh.Value, tokens.ErrRefused)
		if _, err := f.Renew(t.Context(), tacc, grant.Refresh.Value); !errors.Is(err, tokens.ErrGrant) {
			t.Errorf("a grant's: %v", err)
		}
		if _, err := f.Renew(t.Context(), tacc, pair.Refresh.Value); err != nil {
			t.Errorf("the API's: %v", err)
		}
	})
}

func TestOnlyAGoodRefreshTokenIsRenewed(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pair := f.issue(direct("files"))
		want := func(tenant tokens.Tenant, raw string, want error) {
			t.Helper()
			if _, err := f.Renew(t.Context(), tenant, raw); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		}
		want(tacc, pair.Access.Value, authn.ErrTokenType)
		want(dev, pair.Refresh.Value, authn.ErrTenant)
		parts, other := strings.Split(pair.Refresh.Value, "."), strings.Split(pair.Access.Value, ".")
		want(tacc, parts[0]+"."+parts[1]+"."+other[2], authn.ErrSignature)
		want(tacc, "", authn.ErrMalformed)
		want(tacc, f.mint(direct("files")).Refresh.Value, authn.ErrRevoked) // never recorded
		f.Clock.Advance(365 * 24 * time.Hour)
		want(tacc, pair.Refresh.Value, authn.ErrExpired)
	})
}

func TestAClientsMarkVoidsTokensThatClaimTheClient(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		r := direct("apitest")
		r.Extra = extra(t, `{"tapis/client_id":"portal"}`)
		pair, other := f.issue(r), f.issue(direct("apitest"))
		f.Must(f.RevokeClient(t.Context(), tacc.ID, "portal"))
		f.wantAccess(tacc, pair.Access.Value, authn.ErrRevoked)
		f.wantAccess(tacc, other.Access.Value, nil)
	})
}
