package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"gatehouse/internal/seal"
)

func TestBadTokenRequestsAreRefusedClearly(t *testing.T) {
	r := start(t)
	c := r.register(r.ada, r.login(r.ada), `{}`)
	good := fmt.Sprintf(`{"grant_type": "password", "username": "ada", "password": %q}`, r.ada.password)
	form := "grant_type=password&username=ada&password=" + r.ada.password
	tests := map[string]struct {
		path, media, body string
		headers           header
		status            int
		code, names       string
	}{
		"empty body":               {body: "", media: asJSON, status: 400, code: "invalid_request", names: "empty"},
		"no content type":          {body: good, status: 415, code: "invalid_request", names: "Content-Type"},
		"another content type":     {body: good, media: "text/plain", status: 415, code: "invalid_request", names: "text/plain"},
		"truncated JSON":           {body: good[:len(good)-5], media: asJSON, status: 400, code: "invalid_request"},
		"not an object":            {body: `["grant_type"]`, media: asJSON, status: 400, code: "invalid_request", names: "object"},
		"number for a string":      {body: `{"grant_type": 5}`, media: asJSON, status: 400, code: "invalid_request", names: "grant_type"},
		"doubled in JSON":          {body: `{"grant_type": "password", "grant_type": "password"}`, media: asJSON, status: 400, code: "invalid_request", names: "grant_type"},
		"doubled in the form":      {body: form + "&username=bob", media: asForm, status: 400, code: "invalid_request", names: "username"},
		"oversized":                {body: `{"x": "` + strings.Repeat("x", 1<<20) + `"}`, media: asJSON, status: 413, code: "invalid_request"},
		"no grant_type":            {body: `{"username": "ada"}`, media: asJSON, status: 400, code: "invalid_request", names: "grant_type"},
		"unknown grant_type":       {body: `{"grant_type": "magic"}`, media: asJSON, status: 400, code: "unsupported_grant_type", names: "Invalid grant_type"},
		"no password":              {body: `{"grant_type": "password", "username": "ada"}`, media: asJSON, status: 400, code: "invalid_request", names: "username and password are required"},
		"empty password":           {body: `{"grant_type": "password", "username": "ada", "password": ""}`, media: asJSON, status: 400, code: "invalid_request", names: "username and password are required"},
		"password in the URL":      {path: "?password=" + r.ada.password, body: `{"grant_type": "password", "username": "ada"}`, media: asJSON, status: 400, code: "invalid_request", names: "password"},
		"grant_type in the URL":    {path: "?grant_type=password", body: good, media: asJSON, status: 400, code: "invalid_request", names: "grant_type"},
		"NUL in the user name":     {body: `{"grant_type": "password", "username": "ada\u0000", "password": "x"}`, media: asJSON, status: 400, code: "invalid_request", names: "username"},
		"invalid UTF-8":            {body: "{\"grant_type\": \"password\", \"username\": \"\xff\"}", media: asJSON, status: 400, code: "invalid_request"},
		"4 KB user name":           {body: `{"grant_type": "password", "username": "` + strings.Repeat("a", 4096) + `", "password": "x"}`, media: asJSON, status: 400, code: "invalid_grant"},
		"LDAP star":                {body: `{"grant_type": "password", "username": "ad*", "password": "x"}`, media: asJSON, status: 400, code: "invalid_grant"},
		"LDAP filter":              {body: `{"grant_type": "password", "username": "ada)(uid=*", "password": "x"}`, media: asJSON, status: 400, code: "invalid_grant"},
		"LDAP DN":                  {body: fmt.Sprintf(`{"grant_type": "password", "username": "bob,ou=dev,dc=tapis+uid=ada", "password": %q}`, r.bob.password), media: asJSON, status: 400, code: "invalid_grant"},
		"look-alike":               {body: fmt.Sprintf(`{"grant_type": "password", "username": "аda", "password": %q}`, r.ada.password), media: asJSON, status: 400, code: "invalid_grant"},
		"fullwidth":                {body: fmt.Sprintf(`{"grant_type": "password", "username": "ａda", "password": %q}`, r.ada.password), media: asJSON, status: 400, code: "invalid_grant"},
		"trailing space":           {body: fmt.Sprintf(`{"grant_type": "password", "username": "ada ", "password": %q}`, r.ada.password), media: asJSON, status: 400, code: "invalid_grant"},
		"Basic without colon":      {headers: header{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte("x"))}, body: good, media: asJSON, status: 400, code: "invalid_request", names: "Authorization"},
		"Basic not base64":         {headers: header{"Authorization": "Basic %%%"}, body: good, media: asJSON, status: 400, code: "invalid_request", names: "Authorization"},
		"Basic and another client": {headers: c.basic(), body: strings.Replace(good, "{", `{"client_id": "x",`, 1), media: asJSON, status: 400, code: "invalid_request", names: "differ"},
		"key and secret differ":    {body: strings.Replace(good, "{", `{"client_id": "x", "client_key": "a", "client_secret": "b",`, 1), media: asJSON, status: 400, code: "invalid_request", names: "client_secret"},
		"key without client":       {body: strings.Replace(good, "{", `{"client_key": "a",`, 1), media: asJSON, status: 400, code: "invalid_request", names: "client_id"},
		"refresh without token":    {headers: c.basic(), body: `{"grant_type": "refresh_token"}`, media: asJSON, status: 400, code: "invalid_request", names: "refresh_token"},
		"code without code":        {headers: c.basic(), body: `{"grant_type": "authorization_code"}`, media: asJSON, status: 400, code: "invalid_request", names: "code"},
		"code without client":      {body: `{"grant_type": "authorization_code", "code": "x"}`, media: asJSON, status: 401, code: "invalid_client"},
		"unknown code":             {headers: c.basic(), body: `{"grant_type": "authorization_code", "code": "x"}`, media: asJSON, status: 400, code: "invalid_grant"},
		"code in the URL":          {path: "?code=x", headers: c.basic(), body: `{"grant_type": "authorization_code"}`, media: asJSON, status: 400, code: "invalid_request", names: "code"},
		"short verifier":           {headers: c.basic(), body: `{"grant_type": "authorization_code", "code": "x", "code_verifier": "y"}`, media: asJSON, status: 400, code: "invalid_request", names: "code_verifier"},
		"device without code":      {headers: c.basic(), body: `{"grant_type": "device_code"}`, media: asJSON, status: 400, code: "invalid_request", names: "device_code"},
		"unknown device code":      {headers: c.basic(), body: `{"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": "x"}`, media: asJSON, status: 400, code: "invalid_grant"},
		"client for itself":        {headers: c.basic(), body: `{"grant_type": "client_credentials"}`, media: asJSON, status: 400, code: "unauthorized_client"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := header{}
			for k, v := range test.headers {
				h[k] = v
			}
			if test.media != "" {
				h["Content-Type"] = test.media
			}
			got := r.send(http.MethodPost, r.ada.host, tokenPath+test.path, h, test.body).want(t, test.status, test.code)
			message, _ := got.body["message"].(string)
			if !strings.Contains(message, test.names) {
				t.Errorf("%q does not name %q", message, test.names)
			}
			for _, leak := range []string{r.ada.password, r.bob.password, c.key, "goroutine", "sql", "ldap:", ".go"} {
				if strings.Contains(got.raw, leak) {
					t.Errorf("the answer contains %.8s", leak)
				}
			}
		})
	}
}

// A-B12: however a name is typed, the subject is the directory's spelling.
func TestTheDirectorysSpellingIsTheSubject(t *testing.T) {
	r := start(t)
	for _, typed := range []string{"ada", "ADA", "Ada"} {
		got := r.tokens(r.ada.host, nil, map[string]any{"grant_type": "password", "username": typed, "password": r.ada.password}).want(t, 200, "")
		if sub := claims(t, got.body["access_token"].(string))["sub"]; sub != "ada@dev" {
			t.Errorf("%s became %v", typed, sub)
		}
	}
}

// A-B06 to A-B08: the host selects the tenant exactly, and nothing else does.
func TestOnlyTheHostSelectsTheTenant(t *testing.T) {
	r := start(t)
	for _, host := range []string{
		"localhost", "localhost:1", "localhost:" + r.port + ".evil.example", "evil.localhost:" + r.port, "xlocalhost:" + r.port,
		"lab.localhost.:" + r.port, "tapis.example.org",
	} {
		r.tokens(host, nil, r.ada.grant()).want(t, 404, "not_found")
	}
	for name, value := range map[string]string{
		"X-Tapis-Tenant": "lab", "X-Forwarded-Host": r.labAda.host, "Forwarded": "host=" + r.labAda.host, "X-Tapis-Local-Tenant": "lab",
	} {
		got := r.tokens(r.ada.host, header{name: value}, r.ada.grant()).want(t, 200, "")
		if id := claims(t, got.body["access_token"].(string))["tapis/tenant_id"]; id != "dev" {
			t.Errorf("%s selected %v", name, id)
		}
	}
	upper := r.tokens("LOCALHOST:"+r.port, nil, r.ada.grant()).want(t, 200, "")
	if id := claims(t, upper.body["access_token"].(string))["tapis/tenant_id"]; id != "dev" {
		t.Errorf("got %v", id)
	}
	// The template's host names the tenant too.
	if got := r.tokens("dev.localhost:"+r.port, nil, r.ada.grant()).want(t, 200, ""); claims(t, got.body["access_token"].(string))["tapis/tenant_id"] != "dev" {
		t.Error("the template's host names another tenant")
	}
	// People of one tenant are unknown in another, whoever shares their name.
	r.tokens(r.labAda.host, nil, map[string]any{"grant_type": "password", "username": "ada", "password": r.ada.password}).want(t, 400, "invalid_grant")
	r.tokens(r.labAda.host, nil, r.bob.grant()).want(t, 400, "invalid_grant")
}

func TestForgedAndForeignAccessTokensAreRefused(t *testing.T) {
	r := start(t)
	good := r.login(r.ada)
	c := r.register(r.ada, good, `{}`)
	refresh := r.tokens(r.ada.host, c.basic(), r.ada.grant()).body["refresh_token"].(string)
	body := claims(t, good)
	tests := map[string]string{
		"empty segments":    "..",
		"garbage":           "x",
		"tampered":          tamper(good),
		"cut":               good[:len(good)-3],
		"refresh token":     refresh,
		"alg none":          resign(t, body, map[string]any{"alg": "none", "typ": "JWT"}, func(string) string { return "" }),
		"HS256, public key": resign(t, body, map[string]any{"alg": "HS256", "typ": "JWT", "kid": kidOf(t, good)}, hs256(r.publicKey("dev"))),
		"own RSA key":       foreign(t, body, kidOf(t, good)),
		"unknown kid":       foreign(t, body, "forged"),
		"huge":              good + strings.Repeat("A", 20<<10),
	}
	ask := func(token string) reply {
		return r.send(http.MethodGet, r.ada.host, "/v3/oauth2/userinfo", header{"X-Tapis-Token": token}, "")
	}
	ask(good).want(t, 200, "")
	for name, token := range tests {
		t.Run(name, func(t *testing.T) {
			got := ask(token).want(t, 401, "invalid_token")
			if got.header.Get("WWW-Authenticate") != `Bearer realm="tapis", error="invalid_token"` {
				t.Errorf("challenge %q", got.header.Get("WWW-Authenticate"))
			}
		})
	}
	t.Run("other tenant", func(t *testing.T) { ask(r.login(r.labAda)).want(t, 403, "access_denied") })
	t.Run("no token", func(t *testing.T) {
		if got := r.send(http.MethodGet, r.ada.host, "/v3/oauth2/userinfo", nil, "").want(t, 401, "invalid_token"); got.header.Get("WWW-Authenticate") != `Bearer realm="tapis"` {
			t.Errorf("challenge %q", got.header.Get("WWW-Authenticate"))
		}
	})
	t.Run("as Bearer", func(t *testing.T) {
		r.send(http.MethodGet, r.ada.host, "/v3/oauth2/userinfo", header{"Authorization": "Bearer " + good}, "").want(t, 200, "")
	})
	t.Run("on behalf of somebody", func(t *testing.T) {
		r.send(http.MethodGet, r.ada.host, "/v3/oauth2/userinfo", header{"X-Tapis-Token": good, "X-Tapis-User": "bob"}, "").want(t, 401, "invalid_token")
	})
	t.Run("expired", func(t *testing.T) {
		r.clock.Add(4*time.Hour + time.Second)
		ask(good).want(t, 401, "invalid_token")
	})
}

func (r *running) publicKey(tenant string) string {
	r.t.Helper()
	return r.send(http.MethodGet, r.ada.host, "/v3/tenants/"+tenant, nil, "").result(r.t)["public_key"].(string)
}

func kidOf(t *testing.T, token string) string {
	t.Helper()
	var h struct{ Kid string }
	if err := json.Unmarshal(decodeSegment(t, strings.Split(token, ".")[0]), &h); err != nil {
		t.Fatal(err)
	}
	return h.Kid
}

func resign(t *testing.T, claims, head map[string]any, sign func(string) string) string {
	t.Helper()
	segment := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	text := segment(head) + "." + segment(claims)
	return text + "." + sign(text)
}

func hs256(key string) func(string) string {
	return func(text string) string {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(text))
		return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
}

func foreign(t *testing.T, body map[string]any, kid string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims(body))
	token.Header["kid"] = kid
	signed, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestPublicReadsNeedNoTokenAndSurviveBadOnes(t *testing.T) {
	r := start(t)
	for _, path := range []string{
		"/v3/sites", "/v3/sites/main", "/v3/tenants", "/v3/tenants/dev", "/v3/tenants/hello", "/v3/tenants/ready", "/v3/oauth2/hello",
		"/v3/oauth2/ready", "/healthz", "/readyz", "/v3/oauth2/jwks", "/v3/oauth2/.well-known/oauth-authorization-server",
	} {
		for _, h := range []header{nil, {"X-Tapis-Token": "garbage"}} {
			got := r.send(http.MethodGet, r.ada.host, path, h, "")
			if got.status != 200 || got.header.Get("Content-Type") != "application/json" {
				t.Errorf("GET %s with %v answered %d %s", path, h, got.status, got.header.Get("Content-Type"))
			}
			if head := r.send(http.MethodHead, r.ada.host, path, h, ""); head.status != 200 {
				t.Errorf("HEAD %s answered %d", path, head.status)
			}
		}
	}
	// Probes and the registry answer on any host; what belongs to a tenant does not.
	r.send(http.MethodGet, "10.0.0.1", "/v3/tenants", nil, "").want(t, 200, "")
	r.send(http.MethodGet, "10.0.0.1", "/v3/oauth2/hello", nil, "").want(t, 200, "")
	r.send(http.MethodGet, "10.0.0.1", "/v3/oauth2/jwks", nil, "").want(t, 404, "not_found")
}

// A-B19: the metadata names what is served, for the tenant that is asked.
func TestTheMetadataDescribesWhatIsServed(t *testing.T) {
	r := start(t)
	got := r.send(http.MethodGet, r.ada.host, "/v3/oauth2/.well-known/oauth-authorization-server", nil, "").want(t, 200, "")
	base := "http://localhost:" + r.port + "/v3/oauth2"
	for member, want := range map[string]string{
		"issuer": base, "token_endpoint": base + "/tokens", "jwks_uri": base + "/jwks", "registration_endpoint": base + "/clients",
		"device_authorization_endpoint": base + "/device/code", "revocation_endpoint": base + "/tokens/revoke",
		"introspection_endpoint": base + "/tokens/introspect",
	} {
		if got.body[member] != want || got.result(t)[member] != want {
			t.Errorf("%s is %v and %v, want %s", member, got.body[member], got.result(t)[member], want)
		}
	}
	if types := fmt.Sprint(got.body["grant_types_supported"]); types != "[password authorization_code refresh_token device_code urn:ietf:params:oauth:grant-type:device_code]" {
		t.Errorf("grant types %s", types)
	}
	// The same at the path that RFC 8414 makes of the issuer, and, without the
	// envelope, for OpenID Connect clients: every endpoint that is named is there.
	root := r.send(http.MethodGet, r.ada.host, "/.well-known/oauth-authorization-server/v3/oauth2", nil, "").want(t, 200, "")
	if root.raw != got.raw {
		t.Errorf("the root says %s", root.raw)
	}
	openID := r.send(http.MethodGet, r.ada.host, "/v3/oauth2/.well-known/openid-configuration", nil, "").want(t, 200, "")
	for member, value := range openID.body {
		if address, isURL := value.(string); isURL && member != "issuer" {
			path := strings.TrimPrefix(address, "http://localhost:"+r.port)
			if there := r.send(http.MethodOptions, r.ada.host, path, nil, ""); there.status != http.StatusMethodNotAllowed {
				t.Errorf("%s is %s, where nothing is served: %d", member, address, there.status)
			}
		}
	}
	if openID.body["userinfo_endpoint"] != base+"/userinfo/oidc" || openID.body["token_endpoint"] != base+"/tokens/oidc" {
		t.Errorf("discovery says %s", openID.raw)
	}
	for member, want := range map[string]string{
		"response_types_supported": "[code]", "prompt_values_supported": "[none login consent select_account]",
		"token_endpoint_auth_methods_supported":         "[client_secret_basic client_secret_post none]",
		"revocation_endpoint_auth_methods_supported":    "[client_secret_basic client_secret_post none]",
		"introspection_endpoint_auth_methods_supported": "[client_secret_basic client_secret_post]",
	} {
		if list := fmt.Sprint(openID.body[member]); list != want {
			t.Errorf("%s is %s, want %s", member, list, want)
		}
	}
}

// What a tenant does not offer is not announced.
func TestTheMetadataFollowsTheConfigurationOfTheTenant(t *testing.T) {
	r := start(t)
	offers := func(host, member, want string) {
		t.Helper()
		got := r.send(http.MethodGet, host, "/v3/oauth2/.well-known/oauth-authorization-server", nil, "").want(t, 200, "")
		if list := fmt.Sprint(got.body[member]); list != want {
			t.Errorf("%s is %s, want %s", member, list, want)
		}
	}
	admin := "127.0.0.1:" + r.port // where nobody gets tokens
	offers(admin, "grant_types_supported", "[]")
	offers(admin, "response_types_supported", "[]")
	offers(admin, "device_authorization_endpoint", "<nil>")
	r.configure(`{"allowable_grant_types":["password","implicit","client_credentials"]}`).want(t, 200, "")
	offers(r.ada.host, "grant_types_supported", "[password implicit client_credentials]")
	offers(r.ada.host, "response_types_supported", "[token]")
	for _, elsewhere := range []string{
		`{"mfa_config":{"tacc":{"privacy_idea_url":"https://mfa.example.org","privacy_idea_jwt":"` + secret(t, seal.NewSecret()) + `"}}}`,
		`{"mfa_config":{},"custom_idp_configuration":{"github":{"client_id":"a","client_secret":"` + secret(t, seal.NewSecret()) + `"}}}`,
	} {
		r.configure(elsewhere).want(t, 200, "")
		offers(r.ada.host, "grant_types_supported", "[implicit client_credentials]")
	}
}
