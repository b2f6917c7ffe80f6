package tenants

import (
	"crypto/rsa"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"gatehouse/internal/authn"
)

// reply is an answer as clients see it.
type reply struct {
	status   int
	header   http.Header
	raw      []byte
	message  string
	metadata map[string]int
	result   json.RawMessage
}

// ask sends a request without a body; headers come in pairs.
func ask(t testing.TB, h http.Handler, method, target string, headers ...string) reply {
	t.Helper()
	return exchange(t, h, method, target, "", headers)
}

// send sends JSON, as the service tenants unless headers say otherwise.
func send(t testing.TB, h http.Handler, method, target, body string, headers ...string) reply {
	t.Helper()
	if headers == nil {
		headers = service(t, "tenants@admin")
	}
	return exchange(t, h, method, target, body, append([]string{"Content-Type", "application/json"}, headers...))
}

func exchange(t testing.TB, h http.Handler, method, target, body string, headers []string) reply {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	result := w.Result()
	defer func() { _ = result.Body.Close() }()
	raw, err := io.ReadAll(result.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := reply{status: result.StatusCode, header: result.Header, raw: raw}
	if len(raw) == 0 || result.Header.Get("Content-Encoding") != "" {
		return got
	}
	var envelope struct {
		Result   json.RawMessage `json:"result"`
		Message  string          `json:"message"`
		Metadata json.RawMessage `json:"metadata"`
	}
	if err := json.Unmarshal(raw, &envelope); err != nil {
		t.Fatalf("%s %s answered %d with %q: %v", method, target, got.status, raw, err)
	}
	got.result, got.message = envelope.Result, envelope.Message
	_ = json.Unmarshal(envelope.Metadata, &got.metadata) // of lists
	return got
}

// get asks for target and expects the status.
func get(t testing.TB, h http.Handler, target string, status int, headers ...string) reply {
	t.Helper()
	got := ask(t, h, http.MethodGet, target, headers...)
	if got.status != status {
		t.Fatalf("GET %s: got %d (%s), want %d", target, got.status, got.message, status)
	}
	return got
}

// rows decodes a list.
func (r reply) rows(t testing.TB) []map[string]any {
	t.Helper()
	var rows []map[string]any
	if err := json.Unmarshal(r.result, &rows); err != nil {
		t.Fatalf("result %s: %v", r.result, err)
	}
	return rows
}

// object decodes a single object.
func (r reply) object(t testing.TB) map[string]any {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal(r.result, &object); err != nil {
		t.Fatalf("result %s: %v", r.result, err)
	}
	return object
}

// ids returns one member of every row, for comparison.
func (r reply) ids(t testing.TB, member string) []string {
	t.Helper()
	ids := []string{}
	for _, row := range r.rows(t) {
		id, _ := row[member].(string)
		ids = append(ids, id)
	}
	return ids
}

// members checks some members of an object.
func members(t testing.TB, got, want map[string]any) {
	t.Helper()
	for name, value := range want {
		equal(t, name, got[name], value)
	}
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

// account returns the headers of a token. who is name@tenant; a service acts
// for itself.
func account(t testing.TB, kind, who string, changes map[string]any) []string {
	t.Helper()
	name, tenant, _ := strings.Cut(who, "@")
	issuer := map[string]string{"dev": "http://localhost:8080", "admin": "http://127.0.0.1:8080"}[tenant]
	key := signingKeys()[0]
	if issuer == "" {
		issuer = "https://" + strings.ToLower(tenant) + ".example.org"
	}
	if tenant == "admin" {
		key = signingKeys()[1]
	}
	claims := jwt.MapClaims{
		"jti": "1", "sub": who, "exp": noon.Add(24 * time.Hour).Unix(), "iss": issuer + "/v3/tokens",
		"tapis/tenant_id": tenant, "tapis/token_type": "access", "tapis/account_type": kind, "tapis/username": name,
	}
	if kind == "service" {
		claims["tapis/target_site"] = "main"
	}
	maps.Copy(claims, changes)
	headers := []string{"X-Tapis-Token", signed(t, key, claims)}
	if kind == "service" {
		headers = append(headers, "X-Tapis-Tenant", tenant, "X-Tapis-User", name)
	}
	return headers
}

func user(t testing.TB, who string) []string { t.Helper(); return account(t, "user", who, nil) }

func service(t testing.TB, who string) []string { t.Helper(); return account(t, "service", who, nil) }

// token returns an access token of a person of dev, or of a service of admin;
// changes apply to the claims.
func token(t testing.TB, tenant string, changes map[string]any) string {
	t.Helper()
	if tenant == "admin" {
		return account(t, "service", "authenticator@admin", changes)[1]
	}
	return account(t, "user", "testuser1@"+tenant, changes)[1]
}

func signed(t testing.TB, key *rsa.PrivateKey, claims jwt.MapClaims) string {
	t.Helper()
	unsigned := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	unsigned.Header["kid"] = authn.Thumbprint(&key.PublicKey)
	raw, err := unsigned.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// asService are the headers of a service that acts for itself.
func asService(t testing.TB) []string { t.Helper(); return service(t, "authenticator@admin") }

// wants is send that expects the status, and the text in the message.
func wants(t testing.TB, h http.Handler, status int, says, method, target, body string, headers ...string) reply {
	t.Helper()
	got := send(t, h, method, target, body, headers...)
	if got.status != status || !strings.Contains(got.message, says) {
		t.Errorf("%s %s %s: got %d (%s), want %d and %q", method, target, body, got.status, got.message, status, says)
	}
	return got
}

// body writes an object with changes: nil leaves a member out.
func body(t testing.TB, base, changes map[string]any) string {
	t.Helper()
	object := map[string]any{}
	maps.Copy(object, base)
	for name, value := range changes {
		if value == nil {
			delete(object, name)
		} else {
			object[name] = value
		}
	}
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

type object = map[string]any

// The least that each row needs.
var (
	newTenantBody = object{
		"tenant_id": "new", "base_url": "https://new.example.org", "site_id": "main",
		"token_service":   "https://new.example.org/v3/tokens",
		"security_kernel": "https://new.example.org/v3/security", "authenticator": "https://new.example.org/v3/oauth2",
		"owner": "ops@example.org", "admin_user": "boss", "token_gen_services": []string{},
	}
	newSiteBody = object{
		"site_id": "west", "primary": false, "base_url": "west.example.org", "site_admin_tenant_id": "west-admin",
		"services": []string{"files"},
	}
	newLDAPBody = object{
		"ldap_id": "people", "url": "ldaps://ldap.example.org", "port": 636, "use_ssl": true, "user_dn": "ou=p", "bind_dn": "cn=r",
		"bind_credential": "ldap.people", "account_type": "service",
	}
	newOwnerBody = object{"email": "new@example.org", "name": "New", "institution": "Example"}
)
