package tenantconfig_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/authenticator/tenancy"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/seal"
	"gatehouse/internal/testlog"
)

// service is a service that acts for ada of dev.
func service(name, tenantID string) authn.Caller {
	c := authtest.ServiceAccount(name, tenantID, "main")
	c.OnBehalfOf = authn.Subject{TenantID: "dev", Username: "ada"}
	return c
}

// The tokens of these tests and whose they are.
var callers = authtest.Callers{
	"ada":                   authtest.Person("ada", "dev"),
	"bob":                   authtest.Person("bob", "dev"),
	"ada of lab":            authtest.Person("ada", "lab"),
	"authenticator":         service("authenticator", "admin"),
	"files":                 service("files", "admin"),
	"a foreign one":         service("authenticator", "edge-admin"),
	"somebody of that name": authtest.Person("authenticator", "dev"),
}

// serve mounts the configuration of dev, which ada administers, behind
// authentication.
func serve(f *authtest.Fixture) *authtest.Server {
	f.T.Helper()
	f.Grant("dev", "ada", kernel.AdminRole)
	dev := func(c *gin.Context) {
		c.Request = c.Request.WithContext(tenancy.With(c.Request.Context(), registryclient.Tenant{ID: "dev"}))
	}
	own := func(c authn.Caller) (bool, error) { return c.Username == "authenticator" && c.TenantID == "admin", nil }
	return authtest.Serve(f.T, func(r *gin.Engine) {
		tenantconfig.NewHandler(f.Settings(), f.Kernel(), own, authtest.Administers("portal")).
			Mount(r.Group("/v3/oauth2", httpapi.OAuthErrors, httpapi.NoStore, authn.Require(callers.Check), dev))
	}, "authenticator")
}

func call(s *authtest.Server, token, method, body string) authtest.Reply {
	return s.Send(method, "/v3/oauth2/admin/config", body, "X-Tapis-Token", token)
}

func TestOnlyAdministratorsAndTheServiceItselfMaySeeAndChangeAConfiguration(t *testing.T) {
	f := fixture{authtest.OnSQLite(t)}
	s := serve(f.Fixture)
	for token, want := range map[string]int{
		"ada": 200, "bob": 403, "ada of lab": 403, "authenticator": 200, "files": 403, "a foreign one": 403,
		"somebody of that name": 403, "nobody": 401,
	} {
		for _, method := range []string{http.MethodGet, http.MethodPut} {
			if got := call(s, token, method, `{}`); got.Status != want {
				t.Errorf("%s by %s: got %d %s", method, token, got.Status, got.Raw)
			}
		}
	}
	f.Exec(`DROP TABLE role_grants`)
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		got := call(s, "ada", method, `{"use_ldap":false}`).Want(503, "The security kernel")
		if strings.Contains(got.Raw, "role_grants") {
			t.Errorf("%s without a security kernel: %s", method, got.Raw)
		}
	}
}

func TestAConfigurationOnTheWire(t *testing.T) {
	each(t, func(t *testing.T, f fixture) {
		s := serve(f.Fixture)
		const head = `{"result":{"tenant_id":"dev",`
		want := func(got authtest.Reply, settings, message string) {
			t.Helper()
			settings = head + strings.ReplaceAll(settings, "\n", "") + `},"status":"success","message":"Tenant config object ` + message +
				` successfully.","version":"test","metadata":{}}`
			if got.Status != 200 || got.Raw != settings {
				t.Errorf("\n got %d %s\nwant %s", got.Status, got.Raw, settings)
			}
		}
		want(call(s, "ada", http.MethodGet, ""),
			`"allowable_grant_types":["password","authorization_code","refresh_token","device_code"],"use_ldap":true,
"use_token_webapp":true,"mfa_config":{},"default_access_token_ttl":14400,"default_refresh_token_ttl":31536000,
"max_access_token_ttl":31536000,
"max_refresh_token_ttl":63072000,
"custom_idp_configuration":{},"token_url":null,"impers_oauth_client_id":null,"impers_oauth_client_secret":null,
"impersadmin_username":null,"impersadmin_password":null,
"rotate_refresh_tokens":false,"profile_visibility":"full","implicit_response_mode":"fragment",
"password_grant_without_mfa":false,"strict_revoke":false,"site_admin_users":false,
"device_refresh_ttl":2592000,"device_authentication":false,"third_party_administration":false,"last_update_time":null,"last_update_by":null`, "retrieved")

		secret := seal.NewSecret()
		testlog.Secret(t, secret)
		changed := `"allowable_grant_types":["password"],"use_ldap":false,"use_token_webapp":false,
"mfa_config":{"tacc":{"privacy_idea_jwt":"********","privacy_idea_url":"https://a.example"}},"default_access_token_ttl":60,
"default_refresh_token_ttl":61,"max_access_token_ttl":62,"max_refresh_token_ttl":63,
"custom_idp_configuration":{"github":{"client_id":"a","client_secret":"********"}},"token_url":"https://b.example",
"impers_oauth_client_id":"********","impers_oauth_client_secret":"********","impersadmin_username":"********",
"impersadmin_password":"********",
"rotate_refresh_tokens":true,"profile_visibility":"basic","implicit_response_mode":"query","password_grant_without_mfa":true,
"strict_revoke":true,"site_admin_users":true,
"device_refresh_ttl":0,"device_authentication":true,"third_party_administration":true`
		times := `,"last_update_time":"Sat, 21 Nov 2026 12:00:00 GMT","last_update_by":"ada"`
		want(call(s, "ada", http.MethodPut, "{"+strings.ReplaceAll(changed, "********", secret)+"}"), changed+times, "updated")
		want(call(s, "authenticator", http.MethodPut, "{"+changed+"}"), changed+times, "updated")
		want(call(s, "ada", http.MethodGet, ""), changed+times, "retrieved")
	})
}

func TestABadConfigurationIsRefusedClearly(t *testing.T) {
	s := serve(authtest.OnSQLite(t))
	for body, want := range map[string]string{
		``:                                  "the body is empty",
		`[]`:                                "must be a JSON object",
		`{"use_ldap":`:                      "ends too early",
		`{"use_ldap":1}`:                    "The field use_ldap must be of type",
		`{"use_ldap":true,"use_ldap":true}`: "more than once",
		`{"token_url":"\u0000"}`:            "NUL",
		`{"mfa_config":{"a\"b":1}}`:         "The field mfa_config has the unknown member a",
	} {
		if got := call(s, "ada", http.MethodPut, body); got.Status != 400 || !strings.Contains(got.Raw, want) {
			t.Errorf("%s: got %d %s", body, got.Status, got.Raw)
		}
	}
}
