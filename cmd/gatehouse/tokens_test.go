package main

import (
	"bytes"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAPasswordWithoutAClientGivesExactlyTheClaimsThatTapisPromises(t *testing.T) {
	r := start(t)
	got := r.tokens(r.ada.host, nil, r.ada.grant()).want(t, 200, "")
	if got.header.Get("Content-Type") != "application/json" || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", got.header)
	}
	if _, there := got.result(t)["refresh_token"]; there {
		t.Error("a refresh token without a client")
	}
	c := claims(t, got.access())
	exp := c["exp"].(float64)
	if left := time.Unix(int64(exp), 0).Sub(r.clock.Now()); left <= 4*time.Hour-2*time.Second || left > 4*time.Hour {
		t.Errorf("expires in %v", left)
	}
	want := map[string]any{
		"iss": "http://localhost:" + r.port + "/v3/tokens", "sub": "ada@dev", "tapis/tenant_id": "dev", "tapis/token_type": "access",
		"tapis/delegation": false, "tapis/delegation_sub": nil, "tapis/username": "ada", "tapis/account_type": "user",
		"tapis/client_id": nil, "tapis/grant_type": "password", "exp": exp,
		"jti": got.result(t)["access_token"].(map[string]any)["jti"],
	}
	if !maps.Equal(c, want) {
		t.Errorf("claims %v\nwant %v", c, want)
	}
}

func TestClientsMayAuthenticateInEveryWayAndReadBothShapes(t *testing.T) {
	r := start(t)
	c := r.client(r.ada)
	form := url.Values{"grant_type": {"password"}, "username": {"ada"}, "password": {r.ada.password}}
	inBody := func(key string) url.Values {
		all := url.Values{"client_id": {c.id}, key: {c.key}}
		maps.Copy(all, form)
		return all
	}
	withToken := c.basic()
	withToken["X-Tapis-Token"] = "garbage"
	replies := map[string]reply{
		"json, basic":          r.tokens(r.ada.host, c.basic(), r.ada.grant()),
		"form, basic":          r.form(r.ada.host, c.basic(), form),
		"form, client_key":     r.form(r.ada.host, nil, inBody("client_key")),
		"form, client_secret":  r.form(r.ada.host, nil, inBody("client_secret")),
		"basic and same body":  r.form(r.ada.host, c.basic(), inBody("client_key")),
		"expired tapis header": r.tokens(r.ada.host, withToken, r.ada.grant()),
	}
	for name, got := range replies {
		t.Run(name, func(t *testing.T) {
			got.want(t, 200, "")
			result := got.result(t)
			access, refresh := result["access_token"].(map[string]any), result["refresh_token"].(map[string]any)
			if got.body["access_token"] != access["access_token"] || got.body["refresh_token"] != refresh["refresh_token"] ||
				got.body["token_type"] != "Bearer" || got.body["expires_in"] != access["expires_in"] {
				t.Errorf("the two shapes differ: %s", got.raw)
			}
			if cl := claims(t, access["access_token"].(string)); cl["tapis/client_id"] != c.id || cl["tapis/refresh_count"] != float64(0) {
				t.Errorf("claims %v", cl)
			}
		})
	}
}

// A-B03, L-01: refresh tokens belong to one client and one tenant.
func TestARefreshTokenIsGoodOnlyForItsClientAndTenant(t *testing.T) {
	r := start(t)
	token := r.login(r.ada)
	mine, other := r.register(r.ada, token, `{}`), r.client(r.bob)
	labClient := r.register(r.labAda, r.login(r.labAda), `{"client_id": "`+mine.id+`", "client_key": "`+mine.key+`"}`)
	refresh := r.tokens(r.ada.host, mine.basic(), r.ada.grant()).want(t, 200, "").refresh()

	r.tokens(r.ada.host, other.basic(), refreshGrant(refresh)).want(t, 400, "invalid_grant")
	r.tokens(r.ada.host, client{mine.id, "wrong-wrong-wrong-wrong"}.basic(), refreshGrant(refresh)).want(t, 401, "invalid_client")
	r.tokens(r.ada.host, client{mine.id, ""}.basic(), refreshGrant(refresh)).want(t, 401, "invalid_client")
	r.tokens(r.ada.host, nil, mine.with(refreshGrant(refresh))).want(t, 401, "invalid_client")
	r.tokens(r.ada.host, nil, refreshGrant(refresh)).want(t, 401, "invalid_client")
	r.tokens(r.labAda.host, labClient.basic(), refreshGrant(refresh)).want(t, 400, "invalid_grant")
	r.tokens(r.ada.host, mine.basic(), refreshGrant(token)).want(t, 400, "invalid_grant")
	r.tokens(r.ada.host, mine.basic(), refreshGrant(tamper(refresh))).want(t, 400, "invalid_grant")
	r.tokens(r.ada.host, mine.basic(), refreshGrant("not.a.token")).want(t, 400, "invalid_grant")
	r.tokens(r.ada.host, mine.basic(), refreshGrant(refresh)).want(t, 200, "")
}

// tamper changes one character of the payload.
func tamper(token string) string {
	i := strings.Index(token, ".") + 20
	replacement := "A"
	if token[i] == 'A' {
		replacement = "B"
	}
	return token[:i] + replacement + token[i+1:]
}

func TestAConfidentialClientKeepsItsRefreshTokenAndCountsOn(t *testing.T) {
	r := start(t)
	c := r.client(r.ada)
	first := r.tokens(r.ada.host, c.basic(), r.ada.grant()).want(t, 200, "").refresh()
	latest := first
	for want := 1; want <= 3; want++ {
		got := r.tokens(r.ada.host, c.basic(), refreshGrant(latest)).want(t, 200, "")
		cl := claims(t, got.access())
		if cl["tapis/refresh_count"] != float64(want) || cl["tapis/grant_type"] != "refresh_token" || cl["sub"] != "ada@dev" {
			t.Errorf("refresh %d: %v", want, cl)
		}
		latest = got.refresh()
	}
	// A script that keeps its first refresh token and uses it daily.
	for range 2 {
		r.clock.Advance(24 * time.Hour)
		r.tokens(r.ada.host, c.basic(), refreshGrant(first)).want(t, 200, "")
	}
}

// L-05: a public client's refresh token is used once; the reply that got lost
// is given again for a moment; later reuse ends the family.
func TestPublicClientsRotateAndReuseEndsTheFamily(t *testing.T) {
	r := start(t)
	c := r.register(r.ada, r.login(r.ada), `{"token_endpoint_auth_method": "none"}`)
	if c.key != "" {
		t.Fatal("a public client got a key")
	}
	first := r.tokens(r.ada.host, nil, c.with(r.ada.grant())).want(t, 200, "").refresh()

	var wg sync.WaitGroup
	seen := make([]string, 20)
	for i := range seen {
		wg.Go(func() {
			seen[i] = r.tokens(r.ada.host, nil, c.with(refreshGrant(first))).want(t, 200, "").refresh()
		})
	}
	wg.Wait()
	if slices.Sort(seen); len(slices.Compact(seen)) != 1 {
		t.Fatal("parallel refreshes gave different successors")
	}
	r.clock.Advance(9 * time.Second)
	again := r.tokens(r.ada.host, nil, c.with(refreshGrant(first))).want(t, 200, "")
	if again.body["refresh_token"] != seen[0] {
		t.Error("the retry got another successor")
	}
	access := again.access()
	userinfo := func() reply {
		return r.get(r.ada.host, "/v3/oauth2/userinfo", access)
	}
	userinfo().want(t, 200, "")
	r.clock.Advance(2 * time.Second)
	r.tokens(r.ada.host, nil, c.with(refreshGrant(first))).want(t, 400, "invalid_grant")
	r.tokens(r.ada.host, nil, c.with(refreshGrant(seen[0]))).want(t, 400, "invalid_grant")
	userinfo().want(t, 401, "invalid_token")
}

func TestAWrongPasswordAndAnUnknownPersonLookAlike(t *testing.T) {
	r := start(t)
	wrong := r.tokens(r.ada.host, nil, passwordGrant("ada", "wrong")).want(t, 400, "invalid_grant")
	unknown := r.tokens(r.ada.host, nil, passwordGrant("nobody", "wrong")).want(t, 400, "invalid_grant")
	if wrong.raw != unknown.raw || !strings.Contains(wrong.raw, "Invalid username/password combination.") {
		t.Errorf("%s\n%s", wrong.raw, unknown.raw)
	}
}

// L-07: the password is not looked at before the client is known, so that a
// wrong client learns nothing of it.
func TestAWrongClientLearnsNothingOfThePassword(t *testing.T) {
	r := start(t)
	bad := client{"no-such-client", "wrong-wrong-wrong-wrong"}.basic()
	right := r.tokens(r.ada.host, bad, r.ada.grant()).want(t, 401, "invalid_client")
	wrong := r.tokens(r.ada.host, bad, passwordGrant("ada", "wrong")).want(t, 401, "invalid_client")
	if right.raw != wrong.raw || !strings.Contains(right.raw, "Invalid client credentials") {
		t.Errorf("%s\n%s", right.raw, wrong.raw)
	}
	if got := right.header.Get("WWW-Authenticate"); got != `Basic realm="tapis"` {
		t.Errorf("challenge %q", got)
	}
}

// A-B14: guessing is slowed down, for passwords and for client secrets.
func TestGuessingIsThrottled(t *testing.T) {
	r := start(t)
	guess := func() reply {
		return r.tokens(r.ada.host, nil, passwordGrant("ada", secret(t, "a wrong guess")))
	}
	for range 10 {
		guess().want(t, 400, "invalid_grant")
	}
	refused := guess().want(t, 429, "temporarily_unavailable")
	if refused.header.Get("Retry-After") != "30" {
		t.Errorf("Retry-After %q", refused.header.Get("Retry-After"))
	}
	r.tokens(r.ada.host, nil, r.ada.grant()).want(t, 429, "temporarily_unavailable")
	r.tokens(r.bob.host, nil, r.bob.grant()).want(t, 200, "")
	r.tokens(r.labAda.host, nil, r.labAda.grant()).want(t, 200, "")
	r.clock.Advance(31 * time.Second)
	r.tokens(r.ada.host, nil, r.ada.grant()).want(t, 200, "")
}

func TestGuessingClientSecretsIsThrottledHoweverTheIDIsSpelt(t *testing.T) {
	r := start(t)
	owner := r.login(r.ada)
	c := r.register(r.ada, owner, `{"client_id": "portal"}`)
	spellings := []string{"portal", "%70ortal", "p%6frtal", "po%72tal", "por%74al"}
	for i := range 10 {
		r.tokens(r.ada.host, client{spellings[i%5], "wrong-wrong-wrong-wrong"}.basic(), r.bob.grant()).want(t, 401, "invalid_client")
	}
	for _, spelling := range spellings {
		r.tokens(r.ada.host, client{spelling, c.key}.basic(), r.bob.grant()).want(t, 429, "temporarily_unavailable")
	}
	// Where there is nothing to guess, nothing is counted.
	public := r.register(r.ada, owner, `{"client_id": "public", "token_endpoint_auth_method": "none"}`)
	for range 20 {
		r.tokens(r.ada.host, client{"public", "junk"}.basic(), r.ada.grant()).want(t, 401, "invalid_client")
		r.tokens(r.ada.host, client{"unknown", "junk"}.basic(), r.ada.grant()).want(t, 401, "invalid_client")
	}
	r.tokens(r.ada.host, nil, public.with(r.ada.grant())).want(t, 200, "")
	// A form-encoded secret is read too.
	r.clock.Advance(time.Hour)
	odd := r.register(r.ada, owner, `{"client_id": "odd", "client_key": "50%25-of-a-secret-key"}`)
	r.tokens(r.ada.host, odd.basic(), r.ada.grant()).want(t, 200, "")
	r.tokens(r.ada.host, client{"odd", "50%2525-of-a-secret-key"}.basic(), r.ada.grant()).want(t, 200, "")
}

func TestManyParallelLoginsOfOnePersonAllSucceed(t *testing.T) {
	r := start(t)
	var wg sync.WaitGroup
	for range 60 {
		wg.Go(func() { r.tokens(r.ada.host, nil, r.ada.grant()).want(t, 200, "") })
	}
	wg.Wait()
}

func TestPeopleCannotGetTokensInTheAdminTenant(t *testing.T) {
	r := start(t)
	r.tokens("127.0.0.1:"+r.port, nil, r.ada.grant()).want(t, 400, "unauthorized_client")
}

func TestARestartKeepsClientsKeysAndTokens(t *testing.T) {
	dir := t.TempDir()
	r := startIn(t, dir, nil)
	token := r.login(r.ada)
	c := r.register(r.ada, token, `{}`)
	refresh := r.tokens(r.ada.host, c.basic(), r.ada.grant()).want(t, 200, "").refresh()
	key := r.get(r.ada.host, "/v3/oauth2/jwks", "").raw + r.publishedKey(devTenant) + r.publishedKey(adminTenant)
	directory := r.people.URL()
	r.halt()

	again := startIn(t, dir, r)
	if again.newPassword != "" {
		t.Error("the service password was made anew")
	}
	if got := again.people.URL(); got != directory {
		t.Errorf("the directory moved from %s to %s", directory, got)
	}
	now := again.get(r.ada.host, "/v3/oauth2/jwks", "").raw + again.publishedKey(devTenant) + again.publishedKey(adminTenant)
	if now != key {
		t.Error("the keys changed")
	}
	again.tokens(r.ada.host, c.basic(), refreshGrant(refresh)).want(t, 200, "")
	again.get(r.ada.host, "/v3/oauth2/userinfo", token).want(t, 200, "")
}

// L-17, A-B05: what is in the database is of no use to whoever steals it.
func TestNoTokenKeyOrPasswordIsInTheDatabase(t *testing.T) {
	r := start(t)
	token := r.login(r.ada)
	confidential := r.register(r.ada, token, `{"client_key": "a-key-chosen-by-hand"}`)
	public := r.register(r.ada, token, `{"token_endpoint_auth_method": "none"}`)
	secrets := map[string]string{"access token": token, "client key": confidential.key, "password": r.ada.password}
	pair := r.tokens(r.ada.host, confidential.basic(), r.ada.grant()).want(t, 200, "")
	secrets["refresh token"] = pair.refresh()
	first := r.tokens(r.ada.host, nil, public.with(r.ada.grant())).want(t, 200, "").refresh()
	rotated := r.tokens(r.ada.host, nil, public.with(refreshGrant(first))).want(t, 200, "")
	secrets["rotated token"], secrets["successor"] = first, rotated.refresh()
	password, _, err := r.data.servicePassword()
	if err != nil {
		t.Fatal(err)
	}
	secrets["service password"] = password

	stored, found := "", false
	for _, name := range []string{"tenants.db", "authenticator.db", "tenants.db-wal", "authenticator.db-wal"} {
		content, err := os.ReadFile(r.data.path(name))
		if err != nil {
			t.Fatal(err)
		}
		stored += string(content)
		found = found || strings.Contains(string(content), confidential.id)
	}
	if !found {
		t.Fatal("the client's id is not in the files either: this test sees nothing")
	}
	for what, value := range secrets {
		if strings.Contains(stored, value) || strings.Contains(stored, strings.Split(value, ".")[len(strings.Split(value, "."))-1]) {
			t.Errorf("the database contains the %s", what)
		}
	}
	if strings.Contains(stored, "PRIVATE KEY") {
		t.Error("the database contains a private key")
	}
}

func TestASecondSiteOnTheSameDataIsRefused(t *testing.T) {
	r := start(t)
	var stdout, stderr bytes.Buffer
	status := run(t.Context(), nil, []string{"GATEHOUSE_LISTEN=127.0.0.1:0", "GATEHOUSE_DATA_DIR=" + r.dataDir}, &stdout, &stderr)
	if status != 1 || !strings.Contains(stderr.String(), "in use by another gatehouse") {
		t.Errorf("status %d, %s", status, &stderr)
	}
	r.login(r.ada)
}
