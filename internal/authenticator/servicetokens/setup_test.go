package servicetokens_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"testing"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/servicetokens"
	"gatehouse/internal/authenticator/tenancy"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/throttle"
)

type object = authtest.Object

// fixture is the Tokens API of the site main, whose service portal may make
// tokens for dev. It is asked at a host that no tenant has.
type fixture struct {
	*authtest.Fixture

	password string // of every service
	server   *authtest.Server
}

func each(t *testing.T, test func(f *fixture)) {
	t.Helper()
	authtest.Each(t, func(_ *testing.T, f *authtest.Fixture) { test(newFixture(f)) })
}

func onSQLite(t *testing.T) *fixture {
	t.Helper()
	return newFixture(authtest.OnSQLite(t))
}

func newFixture(stand *authtest.Fixture) *fixture {
	f := &fixture{Fixture: stand, password: stand.Password("tenants", "tokens", "files", "portal")}
	f.Grant("admin", "portal", "dev_token_generator")
	f.serve(httpapi.Options{}, tenancy.NewCallers(f.Client(), f.Keys(), f.Tokens(), "main", f.Clock.Now).For("tokens"))
	return f
}

// serve begins to answer callers that check finds.
func (f *fixture) serve(o httpapi.Options, check authn.Check) {
	service := servicetokens.New(servicetokens.Deps{
		Registry: f.Client(), Records: f.Records(), Accounts: f.Kernel(), Settings: f.Settings(), Tokens: f.Tokens(),
		Rotator: f.Rotator(), Guard: throttle.NewGuard(f.Clock.Now), Log: f.Log, MayAdminister: authtest.Administers("stranger"),
		ThirdParty: func(_ context.Context, c authn.Caller) (string, error) {
			if c.ClientID == "stranger" {
				return c.ClientID, nil
			}
			return "", nil
		},
	})
	f.server = authtest.ServeWith(f.T, o, func(r *gin.Engine) { servicetokens.NewHandler(service, check).Mount(r) }, "tokens")
	f.server.Host = "authenticator-api:5000"
}

// limit changes the lifetimes of dev's tokens, in seconds.
func (f *fixture) limit(access, refresh int) {
	f.T.Helper()
	f.Configure("dev", fmt.Sprintf(`{"default_access_token_ttl":%[1]d,"max_access_token_ttl":%[1]d,
		"default_refresh_token_ttl":%[2]d,"max_refresh_token_ttl":%[2]d}`, access, refresh))
}

// Where the tokens of an answer are.
var (
	accessToken  = []string{"result", "access_token", "access_token"}
	refreshToken = []string{"result", "refresh_token", "refresh_token"}
)

type headers map[string]string

// send sends a request with headers, which may be nil.
func (f *fixture) send(method, path string, h headers, body any) authtest.Reply {
	f.T.Helper()
	var list []string
	for name, value := range h {
		list = append(list, name, value)
	}
	return f.server.Send(method, path, body, list...)
}

// basic are a service's credentials, with the headers that the SDK sends along.
func (f *fixture) basic(service string) headers {
	return headers{"Authorization": basicAuth(service, f.password), "X-Tapis-Tenant": "admin", "X-Tapis-User": service}
}

func basicAuth(name, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

// bearing are the headers of a service that has a token.
func bearing(service, token string) headers {
	return headers{"X-Tapis-Token": token, "X-Tapis-Tenant": "admin", "X-Tapis-User": service}
}

// forService is what the SDK sends for a service; changes with a nil value remove.
func forService(service string, changes object) object {
	o := object{
		"account_type": "service", "token_tenant_id": "admin", "token_username": service, "target_site_id": "main",
		"access_token_ttl": 86400, "generate_refresh_token": true, "refresh_token_ttl": 3153600000,
	}
	maps.Copy(o, changes)
	for name, value := range o {
		if value == nil {
			delete(o, name)
		}
	}
	return o
}

// forUser asks for tokens of a person of dev.
func forUser(changes object) object {
	o := object{"account_type": "user", "token_tenant_id": "dev", "token_username": "ada"}
	maps.Copy(o, changes)
	return o
}

// service returns the access token that a service gets with its password.
func (f *fixture) service(name string) string {
	f.T.Helper()
	return f.send("POST", "/v3/tokens", f.basic(name), forService(name, nil)).Need(accessToken...)
}
