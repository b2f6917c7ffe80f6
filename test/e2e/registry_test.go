package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"gatehouse/internal/testlog"
)

// service returns the headers of a service of the admin tenant that acts for
// itself.
func (g *gatehouse) service(t *testing.T, name string) []string {
	t.Helper()
	return []string{"X-Tapis-Token", g.serviceToken(t, name), "X-Tapis-Tenant", "admin", "X-Tapis-User", name}
}

// associate is another site, which signs its own tokens.
type associate struct {
	key    *rsa.PrivateKey
	public string
}

func newAssociate(t *testing.T) associate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return associate{key, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}
}

// service returns the headers of a service of its admin tenant.
func (a associate) service(t *testing.T, name string) []string {
	t.Helper()
	raw, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"jti": name, "sub": name + "@eastadmin", "exp": time.Now().Add(time.Hour).Unix(),
		"iss":             "https://eastadmin.east.example.org/v3/tokens",
		"tapis/tenant_id": "eastadmin", "tapis/token_type": "access", "tapis/account_type": "service",
		"tapis/username": name, "tapis/target_site": "main",
	}).SignedString(a.key)
	if err != nil {
		t.Fatal(err)
	}
	testlog.Secret(t, raw)
	return []string{"X-Tapis-Token", raw, "X-Tapis-Tenant", "eastadmin", "X-Tapis-User", name}
}

type fields = map[string]any

// tenantAt is the least that a tenant needs.
func tenantAt(id, site, base string) fields {
	return fields{
		"tenant_id": id, "site_id": site, "base_url": base,
		"token_service": base + "/v3/tokens", "security_kernel": base + "/v3/security",
		"authenticator": base + "/v3/oauth2", "owner": "ada@example.org", "admin_user": "ada", "token_gen_services": []string{},
	}
}

// changed returns a copy of f with members changed: names and values.
func changed(f fields, members ...any) fields {
	other := maps.Clone(f)
	for i := 0; i < len(members); i += 2 {
		other[members[i].(string)] = members[i+1]
	}
	return other
}

func (g *gatehouse) ids(t *testing.T, path, member string) []string {
	t.Helper()
	var rows []fields
	g.call(t, http.MethodGet, path, nil).want(t, http.StatusOK).into(t, &rows)
	var ids []string
	for _, row := range rows {
		id, _ := row[member].(string)
		ids = append(ids, id)
	}
	return ids
}

// What every registry of a Tapis installation must do, asked of a running
// one, with the tokens that its authenticator issues.
func TestTheRegistryDoesWhatAnInstallationNeeds(t *testing.T) {
	g := start(t)
	tenants := g.service(t, "tenants")
	east := newAssociate(t)
	send := func(status int, method, path string, body any, headers []string) answer {
		t.Helper()
		a := g.call(t, method, path, body, headers...)
		if a.status != status {
			t.Errorf("%s %s: %d (%s), want %d", method, path, a.status, a.Text, status)
		}
		return a
	}
	create := func(status int, path string, body any) { t.Helper(); send(status, "POST", path, body, tenants) }
	put := func(status int, path string, body any, headers []string) answer {
		t.Helper()
		return send(status, "PUT", path, body, headers)
	}
	var row fields
	person := []string{"X-Tapis-Token", g.person(t, "testuser1")}
	admin := []string{"X-Tapis-Token", g.person(t, "testadmin")}

	// What is made.
	owner := fields{"email": "ada@example.org", "name": "Ada", "institution": "Example"}
	ldap := fields{
		"ldap_id": "people", "url": "ldaps://l.example.org", "port": 636, "use_ssl": true, "user_dn": "ou=p", "bind_dn": "cn=r",
		"bind_credential": "l", "account_type": "service",
	}
	site := fields{
		"site_id": "east", "primary": false, "base_url": "east.example.org", "site_admin_tenant_id": "eastadmin",
		"services":           []string{"security", "tokens", "authenticator"},
		"site_dev_tenant_id": "eastdev", "admin_public_key": "x", "dev_public_key": "y", // existing tools send these
	}
	plan := tenantAt("plan", "main", "https://plan.example.org")
	eastAdmin := tenantAt("eastadmin", "east", "https://eastadmin.east.example.org")
	eastOne := tenantAt("eastone", "east", "https://eastone.east.example.org")
	bodies := map[string]fields{"/v3/sites": site, "/v3/tenants": plan, "/v3/tenants/owners": owner, "/v3/tenants/ldaps": ldap}
	for _, headers := range [][]string{nil, person, admin, tenants[:2], {"X-Tapis-Token", "x.y.z"}} {
		for path, body := range bodies {
			if status := g.call(t, "POST", path, body, headers...).status; status != 401 && status != 403 {
				t.Errorf("POST %s: %d", path, status)
			}
		}
	}
	create(201, "/v3/tenants/owners", owner)
	create(409, "/v3/tenants/owners", owner)
	create(201, "/v3/tenants/ldaps", ldap)
	create(409, "/v3/tenants/ldaps", ldap)
	create(400, "/v3/sites", changed(site, "tenant_base_url_template", "https://${tenant_id}.east.example.org"))
	create(409, "/v3/sites", changed(site, "primary", true, "base_url", "https://e.example.org",
		"tenant_base_url_template", "https://${tenant_id}.e.example.org"))
	create(400, "/v3/sites", changed(site, "services", []string{""}))
	create(201, "/v3/sites", site)
	create(409, "/v3/sites", site)
	for name, value := range map[string]any{
		"site_id": "nowhere", "owner": "nobody@example.org", "user_ldap_connection_id": "nowhere",
		"service_ldap_connection_id": "nowhere", "tenant_id": "OWNERS", "base_url": "https://plan.example.org/",
		"status": "active", "public_key": "no key", "token_gen_services": []string{""}, "admin_user": nil,
	} {
		create(400, "/v3/tenants", changed(plan, name, value))
	}
	create(201, "/v3/tenants", changed(plan, "service_ldap_connection_id", "people", "is_owned_by_associate_site", true))
	create(409, "/v3/tenants", changed(plan, "tenant_id", "PLAN"))
	create(409, "/v3/tenants", changed(plan, "tenant_id", "other"))
	create(201, "/v3/tenants", changed(eastAdmin, "status", "active", "public_key", east.public))
	create(201, "/v3/tenants", changed(eastOne, "status", "active", "public_key", strings.ReplaceAll(east.public, "\n", `\n`)))

	// What is read, by nobody and with an expired token.
	const expired = "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjEsInRhcGlzL3RlbmFudF9pZCI6ImRldiJ9.AAAA"
	paths := []string{"/v3/tenants/plan", "/v3/tenants/plan/history", "/v3/sites/main/history"}
	for _, path := range slices.AppendSeq(paths, maps.Keys(bodies)) {
		g.call(t, "GET", path, nil).want(t, 200)
		g.call(t, "GET", path, nil, "X-Tapis-Token", expired).want(t, 200)
	}
	active := []string{"admin", "dev", "eastadmin", "eastone"}
	withDrafts := append(slices.Clone(active), "plan")
	for query, want := range map[string][]string{
		"": active, "?show_draft=false": active, "?show_inactive=false": active, "?show_draft=true": withDrafts,
		"?show_draft=true&show_inactive=true": withDrafts,
		"?limit=1&offset=1":                   {"dev"}, "?limit=-1": active, "?select=tenant_id,status": active,
	} {
		if got := g.ids(t, "/v3/tenants"+query, "tenant_id"); !slices.Equal(got, want) {
			t.Errorf("tenants%s: %v, want %v", query, got, want)
		}
	}
	for _, query := range []string{"?limit=-2", "?offset=-1", "?show_draft=perhaps"} {
		g.call(t, "GET", "/v3/tenants"+query, nil).want(t, 400)
	}
	g.call(t, "GET", "/v3/tenants/eastone", nil).want(t, 200).into(t, &row)
	key, _ := row["public_key"].(string)
	if lines := strings.Split(key, "\n"); len(lines) != 3 || row["status"] != "ACTIVE" || row["user_ldap_connection_id"] != nil ||
		row["is_owned_by_associate_site"] != true {
		t.Errorf("an active tenant: %v", row)
	}

	// Who may update what.
	authenticator := g.service(t, "authenticator")
	text := fields{"description": "Updated."}
	put(200, "/v3/tenants/dev", text, admin)
	put(403, "/v3/tenants/dev", fields{"status": "inactive"}, admin)
	put(403, "/v3/tenants/dev", fields{"user_ldap_connection_id": "people"}, admin)
	put(403, "/v3/tenants/dev", text, person)
	put(403, "/v3/tenants/plan", text, admin)
	put(403, "/v3/tenants/admin", text, admin)
	put(200, "/v3/tenants/plan", text, tenants)
	put(200, "/v3/tenants/plan", fields{"description": "Of the site."}, authenticator)
	put(403, "/v3/tenants/eastone", text, authenticator)
	put(403, "/v3/tenants/plan", text, g.service(t, "files"))
	put(403, "/v3/tenants/dev", fields{"public_key": east.public}, east.service(t, "authenticator"))
	put(403, "/v3/tenants/eastone", text, east.service(t, "authenticator"))
	put(403, "/v3/tenants/eastone", fields{"public_key": newAssociate(t).public}, east.service(t, "files"))
	put(200, "/v3/tenants/eastone", fields{"public_key": newAssociate(t).public}, east.service(t, "authenticator"))
	put(200, "/v3/sites/east", fields{"services": []string{"security"}}, tenants)
	put(403, "/v3/sites/main", fields{"services": []string{}}, east.service(t, "tokens"))
	put(404, "/v3/tenants/nobody", text, tenants)

	// A draft becomes active with its key, and that is remembered.
	past := func() (updates []fields) {
		var rows []struct {
			By      string `json:"updated_by"`
			Updates fields `json:"updates"`
		}
		g.call(t, "GET", "/v3/tenants/eastone/history", nil).want(t, 200).into(t, &rows)
		for _, row := range rows {
			updates = append(updates, row.Updates)
		}
		return updates
	}
	put(200, "/v3/tenants/eastone", fields{"status": "inactive"}, tenants)
	put(400, "/v3/tenants/eastone", fields{"status": "draft"}, tenants)
	put(200, "/v3/tenants/eastone", fields{"status": "active"}, tenants)
	put(200, "/v3/tenants/eastone", fields{"status": "active"}, tenants) // changes nothing
	updates := past()
	if len(updates) != 3 || updates[0]["public_key"] == nil || updates[1]["status"].(fields)["new"] != "INACTIVE" {
		t.Errorf("history: %v", updates)
	}
	for name, value := range map[string]string{"tenant_id": "x", "site_id": "main", "base_url": "https://x.org"} {
		put(400, "/v3/tenants/eastone", fields{name: value}, tenants)
	}

	// What is in use stays.
	for path, status := range map[string]int{
		"/v3/tenants/ldaps/people": 409, "/v3/tenants/owners/ada@example.org": 409, "/v3/sites/east": 409, "/v3/sites/main": 409,
		"/v3/tenants/plan": 405,
	} {
		send(status, "DELETE", path, nil, tenants)
	}
	put(200, "/v3/tenants/plan", fields{"service_ldap_connection_id": nil}, tenants)
	send(200, "DELETE", "/v3/tenants/ldaps/people", nil, tenants)

	// A revoked token is void here, too.
	send(200, "POST", "/v3/tokens/revoke", fields{"token": authenticator[1]}, nil)
	put(401, "/v3/tenants/plan", text, authenticator)
}

// Every operation of the Tenants API in the specification that the Python SDK
// carries, by the SDK.
func TestThePythonSDKWritesTheRegistry(t *testing.T) {
	g := start(t)
	runSuite(t, "", []string{"GATEHOUSE_URL=" + g.adminURL(), "GATEHOUSE_SERVICE_PASSWORD=" + g.servicePassword(t)},
		python(t), "registry_test.py", "--verbose")
}
