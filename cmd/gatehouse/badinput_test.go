package main

import (
	"cmp"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func TestBadTokenRequestsAreRefusedClearly(t *testing.T) {
	r := start(t)
	c := r.client(r.ada)
	form := "grant_type=password&username=ada&password=" + r.ada.password
	const noPassword = `{"grant_type": "password", "username": "ada"}`
	as := func(name, password string) string {
		return fmt.Sprintf(`{"grant_type": "password", "username": "%s", "password": %q}`, name, password)
	}
	good := as("ada", r.ada.password)
	with := func(members string) string { return "{" + members + ", " + good[1:] }
	code := func(members string) string { return `{"grant_type": "authorization_code"` + members + `}` }
	basic := func(value string) header { return header{"Authorization": "Basic " + value} }
	noColon := base64.StdEncoding.EncodeToString([]byte("x"))
	const refused, bothRequired = "invalid_grant", "username and password are required"
	for name, test := range map[string]struct {
		path, media, body string // media: JSON, unless another or "none"
		headers           header
		status            int    // 400, unless another
		code              string // invalid_request, unless another
		names             string
	}{
		"empty body":               {body: "", names: "empty"},
		"no content type":          {body: good, media: "none", status: 415, names: "Content-Type"},
		"another content type":     {body: good, media: "text/plain", status: 415, names: "text/plain"},
		"truncated JSON":           {body: good[:len(good)-5]},
		"not an object":            {body: `["grant_type"]`, names: "object"},
		"number for a string":      {body: `{"grant_type": 5}`, names: "grant_type"},
		"doubled in JSON":          {body: `{"grant_type": "password", "grant_type": "password"}`, names: "grant_type"},
		"doubled in the form":      {body: form + "&username=bob", media: asForm, names: "username"},
		"oversized":                {body: `{"x": "` + strings.Repeat("x", 1<<20) + `"}`, status: 413},
		"no grant_type":            {body: `{"username": "ada"}`, names: "grant_type"},
		"unknown grant_type":       {body: `{"grant_type": "magic"}`, code: "unsupported_grant_type", names: "Invalid grant_type"},
		"no password":              {body: noPassword, names: bothRequired},
		"empty password":           {body: as("ada", ""), names: bothRequired},
		"password in the URL":      {path: "?password=" + r.ada.password, body: noPassword, names: "password"},
		"grant_type in the URL":    {path: "?grant_type=password", body: good, names: "grant_type"},
		"NUL in the user name":     {body: as(`ada\u0000`, "x"), names: "username"},
		"invalid UTF-8":            {body: "{\"grant_type\": \"password\", \"username\": \"\xff\"}"},
		"4 KB user name":           {body: as(strings.Repeat("a", 4096), "x"), code: refused},
		"LDAP star":                {body: as("ad*", "x"), code: refused},
		"LDAP filter":              {body: as("ada)(uid=*", "x"), code: refused},
		"LDAP DN":                  {body: as("bob,ou=dev,dc=tapis+uid=ada", r.bob.password), code: refused},
		"look-alike":               {body: as("аda", r.ada.password), code: refused},
		"fullwidth":                {body: as("ａda", r.ada.password), code: refused},
		"trailing space":           {body: as("ada ", r.ada.password), code: refused},
		"Basic without colon":      {headers: basic(noColon), body: good, names: "Authorization"},
		"Basic not base64":         {headers: basic("%%%"), body: good, names: "Authorization"},
		"Basic and another client": {headers: c.basic(), body: with(`"client_id": "x"`), names: "differ"},
		"key and secret differ":    {body: with(`"client_id": "x", "client_key": "a", "client_secret": "b"`), names: "client_secret"},
		"key without client":       {body: with(`"client_key": "a"`), names: "client_id"},
		"refresh without token":    {headers: c.basic(), body: `{"grant_type": "refresh_token"}`, names: "refresh_token"},
		"code without code":        {headers: c.basic(), body: code(``), names: "code"},
		"code without client":      {body: code(`, "code": "x"`), status: 401, code: "invalid_client"},
		"unknown code":             {headers: c.basic(), body: code(`, "code": "x"`), code: refused},
		"code in the URL":          {path: "?code=x", headers: c.basic(), body: code(``), names: "code"},
		"short verifier":           {headers: c.basic(), body: code(`, "code": "x", "code_verifier": "y"`), names: "code_verifier"},
		"device without code":      {headers: c.basic(), body: `{"grant_type": "device_code"}`, names: "device_code"},
		"unknown device code": {
			headers: c.basic(), code: refused,
			body: `{"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": "x"}`,
		},
		"client for itself": {headers: c.basic(), body: `{"grant_type": "client_credentials"}`, code: "unauthorized_client"},
	} {
		t.Run(name, func(t *testing.T) {
			h := header{"Content-Type": cmp.Or(test.media, asJSON)}
			if test.media == "none" {
				h = header{}
			}
			maps.Copy(h, test.headers)
			got := r.send(http.MethodPost, r.ada.host, tokenPath+test.path, h, test.body).
				want(t, cmp.Or(test.status, 400), cmp.Or(test.code, "invalid_request"))
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
		got := r.tokens(r.ada.host, nil, passwordGrant(typed, r.ada.password)).want(t, 200, "")
		if sub := claims(t, got.access())["sub"]; sub != "ada@dev" {
			t.Errorf("%s became %v", typed, sub)
		}
	}
}

// A-B06 to A-B08: the host selects the tenant exactly, and nothing else does.
func TestOnlyTheHostSelectsTheTenant(t *testing.T) {
	r := start(t)
	for _, host := range []string{
		"localhost", "localhost:1", "localhost:" + r.port + ".evil.example", "evil.localhost:" + r.port, "xlocalhost:" + r.port,
		"lab.localhost.:" + r.port, "tapis.example.org", "dev.localhost.example.org:" + r.port, "nowhere.localhost:" + r.port,
	} {
		r.tokens(host, nil, r.ada.grant()).want(t, 404, "not_found")
	}
	for name, value := range map[string]string{
		"X-Tapis-Tenant": "lab", "X-Forwarded-Host": r.labAda.host, "Forwarded": "host=" + r.labAda.host, "X-Tapis-Local-Tenant": "lab",
	} {
		got := r.tokens(r.ada.host, header{name: value}, r.ada.grant()).want(t, 200, "")
		if id := claims(t, got.access())["tapis/tenant_id"]; id != "dev" {
			t.Errorf("%s selected %v", name, id)
		}
	}
	for host, base := range map[string]string{ // the template's host names a tenant, too
		"localhost:": "localhost:", "LOCALHOST:": "localhost:", "dev.localhost:": "localhost:",
		"127.0.0.1:": "127.0.0.1:", "admin.localhost:": "127.0.0.1:",
	} {
		metadata := r.get(host+r.port, "/v3/oauth2/.well-known/oauth-authorization-server", "").want(t, 200, "")
		if issuer := metadata.body["issuer"]; issuer != "http://"+base+r.port+"/v3/oauth2" {
			t.Errorf("the issuer at %s is %v", host, issuer)
		}
	}
	// People of one tenant are unknown in another, whoever shares their name.
	r.tokens(r.labAda.host, nil, passwordGrant("ada", r.ada.password)).want(t, 400, "invalid_grant")
	r.tokens(r.labAda.host, nil, r.bob.grant()).want(t, 400, "invalid_grant")
}

func TestForgedAndForeignAccessTokensAreRefused(t *testing.T) {
	r := start(t)
	good := r.login(r.ada)
	c := r.register(r.ada, good, `{}`)
	refresh := r.tokens(r.ada.host, c.basic(), r.ada.grant()).refresh()
	body, kid := claims(t, good), kidOf(t, good)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]string{
		"empty segments":    "..",
		"garbage":           "x",
		"tampered":          tamper(good),
		"cut":               good[:len(good)-3],
		"refresh token":     refresh,
		"alg none":          forge(t, body, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil),
		"HS256, public key": forge(t, body, jwt.SigningMethodHS256, []byte(r.publishedKey("dev")), kid),
		"own RSA key":       forge(t, body, jwt.SigningMethodRS256, key, kid),
		"unknown kid":       forge(t, body, jwt.SigningMethodRS256, key, "forged"),
		"huge":              good + strings.Repeat("A", 20<<10),
	}
	ask := func(token string) reply {
		return r.get(r.ada.host, "/v3/oauth2/userinfo", token)
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
		got := ask("").want(t, 401, "invalid_token").header.Get("WWW-Authenticate")
		if got != `Bearer realm="tapis"` {
			t.Errorf("challenge %q", got)
		}
	})
	t.Run("as Bearer", func(t *testing.T) {
		r.send(http.MethodGet, r.ada.host, "/v3/oauth2/userinfo", header{"Authorization": "Bearer " + good}, "").want(t, 200, "")
	})
	t.Run("on behalf of somebody", func(t *testing.T) {
		for name, value := range map[string]string{"X-Tapis-User": "bob", "X-Tapis-Tenant": "admin"} {
			h := header{"X-Tapis-Token": good, name: value}
			r.send(http.MethodGet, r.ada.host, "/v3/oauth2/userinfo", h, "").want(t, 401, "invalid_token")
		}
	})
	t.Run("expired", func(t *testing.T) {
		r.clock.Advance(4*time.Hour + time.Second)
		ask(good).want(t, 401, "invalid_token")
	})
}

func kidOf(t *testing.T, token string) any {
	t.Helper()
	return unverified(t, token).Header["kid"]
}

// forge signs claims with another key, or none.
func forge(t *testing.T, claims map[string]any, method jwt.SigningMethod, key, kid any) string {
	t.Helper()
	token := jwt.NewWithClaims(method, jwt.MapClaims(claims))
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
	r.get("10.0.0.1", "/v3/tenants", "").want(t, 200, "")
	r.get("10.0.0.1", "/v3/oauth2/hello", "").want(t, 200, "")
	r.get("10.0.0.1", "/v3/oauth2/jwks", "").want(t, 404, "not_found")
}

// A-B19: the metadata names what is served, for the tenant that is asked.
func TestTheMetadataDescribesWhatIsServed(t *testing.T) {
	r := start(t)
	got := r.get(r.ada.host, "/v3/oauth2/.well-known/oauth-authorization-server", "").want(t, 200, "")
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
	const types = "[password authorization_code refresh_token device_code urn:ietf:params:oauth:grant-type:device_code]"
	if got := fmt.Sprint(got.body["grant_types_supported"]); got != types {
		t.Errorf("grant types %s", got)
	}
	// The same at the path that RFC 8414 makes of the issuer, and, without the
	// envelope, for OpenID Connect clients: every endpoint that is named is there.
	root := r.get(r.ada.host, "/.well-known/oauth-authorization-server/v3/oauth2", "").want(t, 200, "")
	if root.raw != got.raw {
		t.Errorf("the root says %s", root.raw)
	}
	openID := r.get(r.ada.host, "/v3/oauth2/.well-known/openid-configuration", "").want(t, 200, "")
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
		got := r.get(host, "/v3/oauth2/.well-known/oauth-authorization-server", "").want(t, 200, "")
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
	for _, elsewhere := range []string{secondFactor(t), peopleElsewhere(t)} {
		r.configure(elsewhere).want(t, 200, "")
		offers(r.ada.host, "grant_types_supported", "[implicit client_credentials]")
		r.configure(`{"mfa_config":{}}`).want(t, 200, "")
	}
}
