package tokens_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/tokens"
)

// wantClaims fails unless a token has these claims, as they were signed, with
// its random ids written as <jti> and <refresh jti>.
func wantClaims(t *testing.T, raw string, pair tokens.Pair, want string) {
	t.Helper()
	got := strings.ReplaceAll(authtest.Part(t, raw, 1), pair.Access.ID, "<jti>")
	if pair.Refresh != nil {
		got = strings.ReplaceAll(got, pair.Refresh.ID, "<refresh jti>")
	}
	if want = strings.ReplaceAll(want, "\n", ""); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

// The claims of a token that Tapis documents as its example, to the byte.
func TestAnAccessTokenWithoutAClientHasTheTwelveClaimsOfTapis(t *testing.T) {
	f := onSQLite(t)
	pair := f.mint(request(tacc, "")).Pair
	wantClaims(t, pair.Access.Value, pair, `{"jti":"<jti>","iss":"https://tacc.tapis.io/v3/tokens","sub":"apitest@tacc",
"tapis/tenant_id":"tacc","tapis/token_type":"access","tapis/delegation":false,"tapis/delegation_sub":null,
"tapis/username":"apitest","tapis/account_type":"user","exp":1595099456,"tapis/client_id":null,"tapis/grant_type":"password"}`)
	if pair.Refresh != nil {
		t.Error("a refresh token was minted that nobody asked for")
	}
	var members map[string]any
	f.Must(json.Unmarshal([]byte(authtest.Part(t, pair.Access.Value, 1)), &members))
	if len(members) != 12 {
		t.Errorf("got %d claims, want 12", len(members))
	}
}

func TestTokensForAClientNameItAndCountRefreshes(t *testing.T) {
	f := onSQLite(t)
	pair := f.mint(request(tacc, "portal")).Pair
	wantClaims(t, pair.Access.Value, pair, `{"jti":"<jti>","iss":"https://tacc.tapis.io/v3/tokens","sub":"apitest@tacc",
"tapis/tenant_id":"tacc","tapis/token_type":"access","tapis/delegation":false,"tapis/delegation_sub":null,
"tapis/username":"apitest","tapis/account_type":"user","exp":1595099456,"tapis/client_id":"portal","tapis/grant_type":"password",
"tapis/refresh_count":0}`)
	wantClaims(t, pair.Refresh.Value, pair, `{"jti":"<refresh jti>","iss":"https://tacc.tapis.io/v3/tokens","sub":"apitest@tacc",
"tapis/initial_ttl":31536000,"tapis/tenant_id":"tacc","tapis/token_type":"refresh","exp":1626621056,
"tapis/access_token":{"jti":"<jti>","iss":"https://tacc.tapis.io/v3/tokens","sub":"apitest@tacc",
"tapis/tenant_id":"tacc","tapis/token_type":"access","tapis/delegation":false,"tapis/delegation_sub":null,
"tapis/username":"apitest","tapis/account_type":"user","ttl":14400,"tapis/client_id":"portal","tapis/grant_type":"password",
"tapis/refresh_count":0}}`)
}

func TestRedirectAndIdentityProviderAreClaimedWhereTheyTookPart(t *testing.T) {
	f := onSQLite(t)
	r := request(dev, "portal")
	r.GrantType, r.RedirectURI, r.IDPID = "authorization_code", "https://portal.example.org/back", "orcid"
	pair := f.mint(r).Pair
	wantClaims(t, pair.Access.Value, pair, `{"jti":"<jti>","iss":"https://dev.tapis.io/v3/tokens","sub":"apitest@dev",
"tapis/tenant_id":"dev","tapis/token_type":"access","tapis/delegation":false,"tapis/delegation_sub":null,
"tapis/username":"apitest","tapis/account_type":"user","exp":1595099456,"tapis/client_id":"portal",
"tapis/grant_type":"authorization_code","tapis/redirect_uri":"https://portal.example.org/back","tapis/idp_id":"orcid",
"tapis/refresh_count":0}`)
}

func TestARefreshTokenCannotPassForAnAccessToken(t *testing.T) {
	f := onSQLite(t)
	pair := f.mint(request(tacc, "portal")).Pair
	var members map[string]json.RawMessage
	f.Must(json.Unmarshal([]byte(authtest.Part(t, pair.Refresh.Value, 1)), &members))
	for _, name := range []string{
		"tapis/username", "tapis/account_type", "tapis/target_site", "tapis/client_id", "tapis/grant_type", "aud",
	} {
		if _, ok := members[name]; ok {
			t.Errorf("the refresh token has %s at its top level", name)
		}
	}
	var nested map[string]json.RawMessage
	f.Must(json.Unmarshal(members["tapis/access_token"], &nested))
	if _, ok := nested["exp"]; ok || string(nested["ttl"]) != "14400" {
		t.Errorf("nested claims: exp %s, ttl %s; want none and 14400", nested["exp"], nested["ttl"])
	}
}

func TestTheHeaderNamesMethodTypeAndKey(t *testing.T) {
	f := onSQLite(t)
	pair := f.mint(request(tacc, "portal")).Pair
	key, err := f.Keys().Active(t.Context(), tacc.ID)
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string]string{"access": pair.Access.Value, "refresh": pair.Refresh.Value} {
		var header map[string]string
		f.Must(json.Unmarshal([]byte(authtest.Part(t, raw, 0)), &header))
		if len(header) != 3 || header["typ"] != "JWT" || header["alg"] != "RS256" || header["kid"] != key.ID {
			t.Errorf("%s: header %v, want typ JWT, alg RS256, kid %s", name, header, key.ID)
		}
	}
}

func TestExpiryIsInWholeSecondsAndNeverLate(t *testing.T) {
	f := onSQLite(t)
	r := request(tacc, "portal")
	r.AccessTTL, r.RefreshTTL = 90*time.Second+700*time.Millisecond, 1000*time.Second+999*time.Millisecond
	now := f.Clock.Now()
	pair := f.mint(r).Pair
	for _, c := range []struct {
		token tokens.Token
		ttl   time.Duration
	}{{pair.Access, 90 * time.Second}, {*pair.Refresh, 1000 * time.Second}} {
		var signed struct {
			Exp json.Number `json:"exp"`
		}
		f.Must(json.Unmarshal([]byte(authtest.Part(t, c.token.Value, 1)), &signed))
		exp, err := signed.Exp.Int64()
		if err != nil {
			t.Fatalf("exp %s is not a whole number", signed.Exp)
		}
		if c.token.TTL != c.ttl || exp != c.token.ExpiresAt.Unix() || c.token.ExpiresAt.Nanosecond() != 0 ||
			c.token.ExpiresAt.Location() != time.UTC {
			t.Errorf("got ttl %s, exp %d, expires at %s", c.token.TTL, exp, c.token.ExpiresAt)
		}
		if late := c.token.ExpiresAt.Sub(now.Add(c.ttl)); late > 0 || late <= -time.Second {
			t.Errorf("it expires %s after its lifetime", late)
		}
	}
}

func TestEveryTokenHasAnIDOfItsOwn(t *testing.T) {
	f := onSQLite(t)
	uuid4 := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	for range 20 {
		pair := f.mint(request(tacc, "portal")).Pair
		for _, id := range []string{pair.Access.ID, pair.Refresh.ID} {
			if seen[id] || !uuid4.MatchString(id) {
				t.Errorf("jti %s is repeated or not a random UUID", id)
			}
			seen[id] = true
		}
	}
}

func TestARefreshTokenNeverOutlivesItsFamily(t *testing.T) {
	f := onSQLite(t)
	r := request(tacc, "portal")
	r.FamilyTTL = 400 * 24 * time.Hour
	begin := f.Clock.Now()
	first := f.issue(r)
	if first.Refresh.TTL != r.RefreshTTL {
		t.Errorf("the first lives %s, want %s", first.Refresh.TTL, r.RefreshTTL)
	}
	f.Clock.Advance(300 * 24 * time.Hour)
	second := f.extend(tacc, "portal", first.Refresh.Value)
	if second.Refresh.TTL != 100*24*time.Hour || second.Refresh.ExpiresAt.After(begin.Add(r.FamilyTTL)) {
		t.Errorf("the second lives %s until %s; the family begins %s", second.Refresh.TTL, second.Refresh.ExpiresAt, begin)
	}
	if !strings.Contains(authtest.Part(t, second.Refresh.Value, 1), `"tapis/initial_ttl":8640000,`) {
		t.Error("the claim tapis/initial_ttl is not the lifetime granted")
	}
	f.Clock.Advance(99 * 24 * time.Hour)
	third := f.extend(tacc, "portal", second.Refresh.Value)
	if third.Refresh.TTL != 24*time.Hour {
		t.Errorf("the third lives %s, want the last day", third.Refresh.TTL)
	}
	f.Clock.Advance(24 * time.Hour)
	f.wantRefresh(tacc, "portal", third.Refresh.Value, tokens.ErrRefused)
}

func TestATenantWithoutAKeyGetsNoTokens(t *testing.T) {
	f := onSQLite(t)
	issued, err := f.Mint(t.Context(), request(tokens.Tenant{ID: "keyless", Issuer: "https://keyless.tapis.io/v3/tokens"}, ""))
	if !apierr.Is(err, apierr.NotFound) || issued != nil {
		t.Errorf("got %+v, %v", issued, err)
	}
}
