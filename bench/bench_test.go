package main

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-jose/go-jose/v4"

	loopback "gatehouse/internal/server"
)

// mint makes a token of testuser1 with a client, and lets change spoil it.
type mint struct {
	key    *rsa.PrivateKey
	expiry time.Time
}

func (m mint) token(t *testing.T, claims map[string]any, kid string) string {
	t.Helper()
	encode := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	signed := encode(map[string]string{"alg": "RS256", "typ": "JWT", "kid": kid}) + "." + encode(claims)
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, m.key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func (m mint) claims(kind string) map[string]any {
	return map[string]any{
		"jti": rand.Text(), "iss": "http://localhost/v3/tokens", "sub": "testuser1@dev", "exp": m.expiry.Unix(),
		"tapis/tenant_id": "dev", "tapis/token_type": kind, "tapis/username": "testuser1", "tapis/account_type": "user",
		"tapis/client_id": "app", "tapis/grant_type": "password", "tapis/refresh_count": 0,
	}
}

// reply makes a good reply, as far as spoil leaves it one.
func (m mint) reply(t *testing.T, spoil func(access, refresh, said map[string]any)) reply {
	t.Helper()
	access, refresh := m.claims("access"), m.claims("refresh")
	refresh["tapis/access_token"] = m.claims("access")
	said := map[string]any{"status": "success", "token_type": "Bearer", "expires_in": 60, "kid": "one"}
	spoil(access, refresh, said)
	kid := said["kid"].(string)
	tell := func(name, token string, claims map[string]any) map[string]any {
		return map[string]any{name: token, "jti": claims["jti"], "expires_in": 60, "expires_at": m.expiry}
	}
	a, r := m.token(t, access, kid), m.token(t, refresh, kid)
	if said["access_token"] == nil {
		said["access_token"] = a
	}
	result := map[string]any{"access_token": tell("access_token", a, access)}
	if said["refresh_token"] == nil {
		said["refresh_token"] = r
		result["refresh_token"] = tell("refresh_token", r, refresh)
	}
	said["result"] = result
	body, err := json.Marshal(said)
	if err != nil {
		t.Fatal(err)
	}
	return reply{status: http.StatusOK, contentType: "application/json", body: body}
}

// checkWith knows one key.
func checkWith(id string, key *rsa.PrivateKey) *tokenCheck {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{KeyID: id, Key: &key.PublicKey}}}
	return &tokenCheck{keys: set, seen: map[string]struct{}{}}
}

// asked is what mint makes good replies to.
func asked() expected {
	return expected{
		tenant: "dev", issuer: "http://localhost/v3/tokens", asked: time.Now(),
		bearer: bearer{Username: "testuser1", Account: "user", GrantType: "password", ClientID: "app", Count: 0.0},
	}
}

func TestARefusedReplyIsOneThatIsWrong(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		t.Fatal(err)
	}
	m := mint{key: key, expiry: time.Now().Add(time.Minute).Truncate(time.Second)}
	for name, spoil := range map[string]func(access, refresh, said map[string]any){
		"nothing":                  func(_, _, _ map[string]any) {},
		"another subject":          func(a, _, _ map[string]any) { a["sub"] = "testuser2@dev" },
		"another tenant":           func(a, _, _ map[string]any) { a["tapis/tenant_id"] = "admin" },
		"another issuer":           func(_, r, _ map[string]any) { r["iss"] = "http://localhost" },
		"an exp that is too late":  func(a, _, _ map[string]any) { a["exp"] = m.expiry.Unix() + 10 },
		"a lifetime that is wrong": func(_, _, s map[string]any) { s["expires_in"] = 70 },
		"another client":           func(a, _, _ map[string]any) { a["tapis/client_id"] = "other" },
		"another refresh count":    func(a, _, _ map[string]any) { a["tapis/refresh_count"] = 1 },
		"an access token twice":    func(_, r, _ map[string]any) { r["tapis/token_type"] = "access" },
		"nothing inside":           func(_, r, _ map[string]any) { delete(r, "tapis/access_token") },
		"no refresh token":         func(_, _, s map[string]any) { s["refresh_token"] = "" },
		"different members":        func(_, _, s map[string]any) { s["access_token"] = "other" },
		"an unknown key":           func(_, _, s map[string]any) { s["kid"] = "two" },
		"one jti for two":          func(a, r, _ map[string]any) { r["jti"] = a["jti"] },
		"another status":           func(_, _, s map[string]any) { s["status"] = "error" },
	} {
		tokens := checkWith("one", key)
		want := asked()
		r := m.reply(t, spoil)
		_, _, err := tokens.check(r, want)
		if (err == nil) != (name == "nothing") {
			t.Errorf("%s: got error %v", name, err)
		}
		if name != "nothing" {
			continue
		}
		if issued, verified := tokens.counts(); issued != 1 || verified != 1 {
			t.Errorf("%d replies were counted and %d signatures verified, want 1 and 1", issued, verified)
		}
		if _, _, err := tokens.check(r, want); err == nil {
			t.Error("the same tokens were taken twice")
		}
		r.contentType += "; charset=utf-8"
		if _, _, err := tokens.check(r, want); err == nil || !strings.Contains(err.Error(), "content type") {
			t.Errorf("a charset: got error %v", err)
		}
	}
}

func TestASignatureOfAnotherKeyIsRefused(t *testing.T) {
	var keys [2]*rsa.PrivateKey
	for i := range keys {
		var err error
		if keys[i], err = rsa.GenerateKey(rand.Reader, keyBits); err != nil {
			t.Fatal(err)
		}
	}
	m := mint{key: keys[0], expiry: time.Now().Add(time.Minute).Truncate(time.Second)}
	tokens := checkWith("one", keys[1])
	r := m.reply(t, func(_, _, _ map[string]any) {})
	if _, _, err := tokens.check(r, asked()); err == nil {
		t.Error("the first signature was not verified")
	}
}

func TestAConnectionReadsOneReplyAfterAnother(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "5000")
		_, _ = w.Write(bytes.Repeat([]byte{'x'}, 5000))
	}))
	defer s.Close()
	c, err := dial(t.Context(), nil, s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.hangUp()
	for range 2 {
		full, err := c.exchange(get("/", "localhost", ""))
		if err != nil || full.status != http.StatusOK || full.contentType != "application/json" || len(full.body) != 5000 {
			t.Errorf("got status %d, %q, %d bytes, %v", full.status, full.contentType, len(full.body), err)
		}
		empty, err := c.exchange(get("/", "localhost", "If-None-Match: \"x\"\r\n"))
		if err != nil || empty.status != http.StatusNotModified || len(empty.body) != 0 {
			t.Errorf("got status %d, %d bytes, %v", empty.status, len(empty.body), err)
		}
	}
}

func TestPercentilesAreOfTheSlowerSide(t *testing.T) {
	var l load
	for i := range 200 {
		l.took = append(l.took, time.Duration(i+1)*time.Millisecond)
	}
	if p50, p99 := l.percentile(50), l.percentile(99); p50 != 100 || p99 != 198 {
		t.Errorf("got %v and %v, want 100 and 198", p50, p99)
	}
	if got := median([]float64{3, 1, 2}); got != 2 {
		t.Errorf("the median is %v, want 2", got)
	}
}

func TestEachItemIsUsedOnceAndTheirEndEndsThePhase(t *testing.T) {
	var used [5]atomic.Int64
	items, self := []int{0, 1, 2, 3, 4}, process{os.Getpid()}
	follow := func(s script, n int) (clients []*client) {
		for i := range n {
			c := &client{}
			c.ask, _ = s(c, i)
			clients = append(clients, c)
		}
		return clients
	}
	use := func(_ *client, i int) error { used[i].Add(1); return nil }
	l, err := drive(t.Context(), self, follow(useUp(items, use), 3), nil, func() bool { return false })
	if err != nil || !l.cut || len(l.took) != len(items) {
		t.Errorf("%d items were used, cut %v, %v", len(l.took), l.cut, err)
	}
	for i := range used {
		if n := used[i].Load(); n != 1 {
			t.Errorf("item %d was used %d times", i, n)
		}
	}
	done := func() bool { return used[1].Load() == 2 }
	if l, err := drive(t.Context(), self, follow(useUp(items, use), 1), nil, done); err != nil || l.cut {
		t.Errorf("cut %v, %v, although something was left", l.cut, err)
	}
}

func TestOnlyTheAnswerToOurRequestHasACode(t *testing.T) {
	o := &authenticator{server: &server{host: "localhost:1"}}
	good := url.Values{"code": {"abc"}, "state": {state}, "iss": {"http://localhost:1/v3/oauth2"}}
	for name, c := range map[string]struct {
		status int
		to     string
		change url.Values
	}{
		"a good one":       {303, callback, nil},
		"another status":   {302, callback, nil},
		"another place":    {303, "https://portal.bench.example.org/other", nil},
		"the pages":        {303, "/v3/oauth2/consent", nil},
		"an error":         {303, callback, url.Values{"code": nil, "error": {"access_denied"}}},
		"another state":    {303, callback, url.Values{"state": {"other"}}},
		"no issuer":        {303, callback, url.Values{"iss": nil}},
		"another's issuer": {303, callback, url.Values{"iss": {"http://other/v3/oauth2"}}},
	} {
		query := maps.Clone(good)
		maps.Copy(query, c.change)
		code, err := o.readCode(c.status, c.to+"?"+query.Encode())
		if (name == "a good one") != (err == nil && code == "abc") {
			t.Errorf("%s: got %q, %v", name, code, err)
		}
	}
}

func TestTheBrowserSendsFormsAndStaysAmongThePages(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v3/oauth2/authorize", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "one"})
		http.Redirect(w, r, "/v3/oauth2/login", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /v3/oauth2/login", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`<form method="post" action="/v3/oauth2/send">
<input type="hidden" name="csrf_token" value="a&amp;b">
</form>`))
	})
	mux.HandleFunc("POST /v3/oauth2/send", func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie("session")
		if err != nil || cookie.Value != "one" || r.FormValue("csrf_token") != "a&b" || r.FormValue("decision") != "allow" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		http.Redirect(w, r, callback+"?code=1", http.StatusSeeOther)
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	b, err := newBrowser(&server{addr: s.Listener.Addr().String(), host: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.open(t.Context(), "/v3/oauth2/authorize")
	if err != nil {
		t.Fatal(err)
	}
	if p, err = b.submit(t.Context(), p, map[string]string{"decision": "allow"}); err != nil || p.location != callback+"?code=1" {
		t.Errorf("got %d, %q, %v", p.status, p.location, err)
	}
	if _, err = b.submit(t.Context(), p, nil); err == nil {
		t.Error("a page without a form was sent")
	}
}

func TestTheBareServerBindsAndItsRepliesAreGood(t *testing.T) {
	issuer, err := newBareIssuer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer issuer.close()
	engine := gin.New()
	issuer.mount(engine)
	s := httptest.NewServer(engine)
	defer s.Close()
	addr := s.Listener.Addr().String()
	a, err := openBareIssuer(t.Context(), &server{addr: addr, host: addr})
	if err != nil {
		t.Fatal(err)
	}
	for _, withClient := range []bool{false, true} {
		script, err := password(withClient)(t.Context(), a, 0)
		if err != nil {
			t.Fatal(err)
		}
		list, err := connect(t.Context(), addr, 4, script)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range append(list, list...) {
			if err := c.ask(); err != nil {
				t.Errorf("client %v: %v", withClient, err)
			}
		}
		request, want := a.request(0, withClient, "password", map[string]any{"username": username(0), "password": "wrong"})
		if _, _, err := a.tokens.exchange(list[0], request, want); err == nil || !strings.Contains(err.Error(), "Invalid Credentials") {
			t.Errorf("client %v: a wrong password: %v", withClient, err)
		}
		hangUp(list)
	}
	if replies, verified := a.tokens.counts(); replies != 16 || verified == 0 {
		t.Errorf("%d replies were counted and %d signatures verified", replies, verified)
	}
}

func TestPartsAreMeasuredAlone(t *testing.T) {
	for _, c := range []struct {
		options options
		want    string
	}{
		{options{}, "listings grants memory requests verifying tenants"},
		{options{parts: []string{"tenants", "requests"}}, "requests tenants"},
		{options{at: "127.0.0.1:1"}, "grants memory requests verifying"}, // what needs other servers is left out
	} {
		var got []string
		for _, p := range parts {
			if c.options.does(p) {
				got = append(got, p.name)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("with %+v: got %v, want %s", c.options, got, c.want)
		}
	}
	stderr := new(bytes.Buffer)
	code := run(t.Context(), []string{"-parts", "grants,other"}, nil, io.Discard, stderr)
	if code != 2 || !strings.Contains(stderr.String(), `no part "other"`) {
		t.Errorf("got %d, %s", code, stderr)
	}
}

func TestADevelopmentSiteAnswersAtTheHostsOfTheMeasuredTenants(t *testing.T) {
	if host := tenantHost(0); !loopback.LoopbackName(host) {
		t.Errorf("it answers 421 at %s", host)
	}
}
