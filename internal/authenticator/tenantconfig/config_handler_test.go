package tenantconfig_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apitest"
	"gatehouse/internal/authenticator/tenancy"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/authn"
	"gatehouse/internal/database"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/seal"
	"gatehouse/internal/testlog"
)

// kernel is who administers tenants: ada does dev.
type kernel struct{ away bool }

func (k *kernel) IsAdmin(_ context.Context, tenantID, username string) (bool, error) {
	if k.away {
		return true, errors.New("gone") // a yes that comes with an error is none
	}
	return tenantID == "dev" && username == "ada", nil
}

// The tokens of these tests and whose they are.
func callers() map[string]authn.Caller {
	service := func(name, tenant string) authn.Caller {
		return authn.Caller{Username: name, TenantID: tenant, AccountType: authn.ServiceAccount, OnBehalfOf: authn.Subject{TenantID: "dev", Username: "ada"}}
	}
	return map[string]authn.Caller{
		"ada":                   {Username: "ada", TenantID: "dev", AccountType: authn.UserAccount},
		"bob":                   {Username: "bob", TenantID: "dev", AccountType: authn.UserAccount},
		"ada of lab":            {Username: "ada", TenantID: "lab", AccountType: authn.UserAccount},
		"authenticator":         service("authenticator", "admin"),
		"files":                 service("files", "admin"),
		"a foreign one":         service("authenticator", "edge-admin"),
		"somebody of that name": {Username: "authenticator", TenantID: "dev", AccountType: authn.UserAccount},
	}
}

// serve mounts the configuration of dev, behind authentication.
func serve(t *testing.T, s *tenantconfig.Service, k *kernel) http.Handler {
	t.Helper()
	engine, err := httpapi.New(httpapi.Options{Version: "test", Log: testlog.New(t)})
	if err != nil {
		t.Fatal(err)
	}
	check := func(_ context.Context, raw string, _ authn.Subject) (authn.Caller, error) {
		if caller, ok := callers()[raw]; ok {
			return caller, nil
		}
		return authn.Caller{}, authn.ErrSignature
	}
	dev := func(c *gin.Context) {
		c.Request = c.Request.WithContext(tenancy.With(c.Request.Context(), registryclient.Tenant{ID: "dev"}))
	}
	own := func(c authn.Caller) (bool, error) { return c.Username == "authenticator" && c.TenantID == "admin", nil }
	tenantconfig.NewHandler(s, k, own).Mount(engine.Group("/v3/oauth2", httpapi.OAuthErrors, httpapi.NoStore, authn.Require(check), dev))
	return apitest.New(t, engine, "authenticator")
}

func call(t *testing.T, h http.Handler, token, method, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "/v3/oauth2/admin/config", strings.NewReader(body))
	r.Header.Set("X-Tapis-Token", token)
	r.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	return answer.Code, answer.Body.String()
}

func TestOnlyAdministratorsAndTheServiceItselfMaySeeAndChangeAConfiguration(t *testing.T) {
	k := &kernel{}
	h := serve(t, onSQLite(t), k)
	for token, want := range map[string]int{
		"ada": 200, "bob": 403, "ada of lab": 403, "authenticator": 200, "files": 403, "a foreign one": 403, "somebody of that name": 403, "nobody": 401,
	} {
		for _, method := range []string{http.MethodGet, http.MethodPut} {
			if status, body := call(t, h, token, method, `{}`); status != want {
				t.Errorf("%s by %s: got %d %s", method, token, status, body)
			}
		}
	}
	k.away = true
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		if status, body := call(t, h, "ada", method, `{"use_ldap":false}`); status != 503 || strings.Contains(body, "gone") {
			t.Errorf("%s without a security kernel: got %d %s", method, status, body)
		}
	}
}

func TestAConfigurationOnTheWire(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		h := serve(t, newService(t, db, newClock()), &kernel{})
		const head = `{"result":{"tenant_id":"dev",`
		want := func(status int, body, settings, message string) {
			t.Helper()
			settings = head + strings.ReplaceAll(settings, "\n", "") + `},"status":"success","message":"Tenant config object ` + message + ` successfully.","version":"test","metadata":{}}`
			if status != 200 || body != settings {
				t.Errorf("\n got %d %s\nwant %s", status, body, settings)
			}
		}
		status, body := call(t, h, "ada", http.MethodGet, "")
		want(status, body, `"allowable_grant_types":["password","authorization_code","refresh_token","device_code"],"use_ldap":true,"use_token_webapp":true,
"mfa_config":{},"default_access_token_ttl":14400,"default_refresh_token_ttl":31536000,"max_access_token_ttl":31536000,"max_refresh_token_ttl":63072000,
"custom_idp_configuration":{},"token_url":null,"impers_oauth_client_id":null,"impers_oauth_client_secret":null,"impersadmin_username":null,"impersadmin_password":null,
"rotate_refresh_tokens":false,"profile_visibility":"full","implicit_response_mode":"fragment","password_grant_without_mfa":false,"strict_revoke":false,"site_admin_users":false,
"device_refresh_ttl":2592000,"device_authentication":false,"last_update_time":null,"last_update_by":null`, "retrieved")

		secret := seal.NewSecret()
		testlog.Secret(t, secret)
		changed := `"allowable_grant_types":["password"],"use_ldap":false,"use_token_webapp":false,
"mfa_config":{"tacc":{"privacy_idea_jwt":"********","privacy_idea_url":"https://a.example"}},"default_access_token_ttl":60,"default_refresh_token_ttl":61,"max_access_token_ttl":62,"max_refresh_token_ttl":63,
"custom_idp_configuration":{"github":{"client_id":"a","client_secret":"********"}},"token_url":"https://b.example","impers_oauth_client_id":"********","impers_oauth_client_secret":"********","impersadmin_username":"********","impersadmin_password":"********",
"rotate_refresh_tokens":true,"profile_visibility":"basic","implicit_response_mode":"query","password_grant_without_mfa":true,"strict_revoke":true,"site_admin_users":true,
"device_refresh_ttl":0,"device_authentication":true`
		times := `,"last_update_time":"Sat, 21 Nov 2026 12:00:00 GMT","last_update_by":"ada"`
		status, body = call(t, h, "ada", http.MethodPut, "{"+strings.ReplaceAll(changed, "********", secret)+"}")
		want(status, body, changed+times, "updated")
		status, body = call(t, h, "authenticator", http.MethodPut, "{"+changed+"}") // what was read, sent back
		want(status, body, changed+times, "updated")
		status, body = call(t, h, "ada", http.MethodGet, "")
		want(status, body, changed+times, "retrieved")
	})
}

func TestABadConfigurationIsRefusedClearly(t *testing.T) {
	h := serve(t, onSQLite(t), &kernel{})
	for body, want := range map[string]string{
		``:                                  "the body is empty",
		`[]`:                                "must be a JSON object",
		`{"use_ldap":`:                      "ends too early",
		`{"use_ldap":1}`:                    "The field use_ldap must be of type",
		`{"use_ldap":true,"use_ldap":true}`: "more than once",
		`{"token_url":"\u0000"}`:            "NUL",
		`{"mfa_config":{"a\"b":1}}`:         "The field mfa_config has the unknown member a",
	} {
		if status, answer := call(t, h, "ada", http.MethodPut, body); status != 400 || !strings.Contains(answer, want) {
			t.Errorf("%s: got %d %s", body, status, answer)
		}
	}
}
