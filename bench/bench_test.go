package main

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
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

func TestTheBookRefusesWhatIsWrong(t *testing.T) {
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
		b := newBook("http://localhost/v3/tokens", map[string]*rsa.PublicKey{"one": &key.PublicKey})
		want := expected{username: "testuser1", clientID: "app", grantType: "password", asked: time.Now()}
		r := m.reply(t, spoil)
		_, _, err := b.check(r, want)
		if (err == nil) != (name == "nothing") {
			t.Errorf("%s: got error %v", name, err)
		}
		if name != "nothing" {
			continue
		}
		if issued, verified := b.counts(); issued != 1 || verified != 1 {
			t.Errorf("%d replies were counted and %d signatures verified, want 1 and 1", issued, verified)
		}
		if _, _, err := b.check(r, want); err == nil {
			t.Error("the same tokens were taken twice")
		}
		r.contentType += "; charset=utf-8"
		if _, _, err := b.check(r, want); err == nil || !strings.Contains(err.Error(), "content type") {
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
	b := newBook("http://localhost/v3/tokens", map[string]*rsa.PublicKey{"one": &keys[1].PublicKey})
	r := m.reply(t, func(_, _, _ map[string]any) {})
	if _, _, err := b.check(r, expected{username: "testuser1", clientID: "app", grantType: "password", asked: time.Now()}); err == nil {
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
	c, err := dial(t.Context(), s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.hangUp()
	for range 2 {
		full, _, err := c.exchange(get("/", "localhost", ""))
		if err != nil || full.status != http.StatusOK || full.contentType != "application/json" || len(full.body) != 5000 {
			t.Errorf("got status %d, %q, %d bytes, %v", full.status, full.contentType, len(full.body), err)
		}
		empty, _, err := c.exchange(get("/", "localhost", "If-None-Match: \"x\"\r\n"))
		if err != nil || empty.status != http.StatusNotModified || len(empty.body) != 0 {
			t.Errorf("got status %d, %d bytes, %v", empty.status, len(empty.body), err)
		}
	}
}

func TestPercentilesAreOfTheSlowerSide(t *testing.T) {
	var l load
	for i := range 200 {
		l.took = append(l.took, time.Duration(i+1))
	}
	if p50, p99 := l.percentile(50), l.percentile(99); p50 != 100 || p99 != 198 {
		t.Errorf("got %d and %d, want 100 and 198", p50, p99)
	}
	if got := median([]float64{3, 1, 2}); got != 2 {
		t.Errorf("the median is %v, want 2", got)
	}
}

func TestCPUTimeIsReadPastAnyProcessName(t *testing.T) {
	line := fmt.Sprintf("7 (a) R 9 (b) S%s 12 34 0", strings.Repeat(" 1", 10))
	got, err := parseCPU([]byte(line))
	if err != nil || got != 460*time.Millisecond {
		t.Errorf("got %v, %v, want 460ms", got, err)
	}
}
