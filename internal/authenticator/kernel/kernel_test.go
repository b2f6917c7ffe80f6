package kernel_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/authn"
	"gatehouse/internal/database"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/registryclient/registrytest"
	"gatehouse/internal/throttle"
)

// fixture is the security kernel of a site behind authentication, where a
// token is the caller's name, tenant and, for services, "!".
type fixture struct {
	*authtest.Fixture
	*kernel.Service

	registry *registryclient.Client
	server   *authtest.Server
}

// newKernel starts the kernel of a site, whose tenants dev and tacc have the
// administrator ada, and whose administrative ones root. Beside the site edge,
// which runs no security kernel, is the site west, which runs one.
func newKernel(t *testing.T, db *database.DB, siteID string) *fixture {
	t.Helper()
	k := &fixture{Fixture: authtest.New(t, db)}
	k.Service = k.Kernel()
	registry := registrytest.New(t)
	registry.ChangeSite("west", object{"site_admin_tenant_id": "west-admin", "services": []string{"security"}})
	for _, id := range []string{"west-admin", "wild"} {
		registry.Change(id, object{"site_id": "west"})
	}
	deps := registry.Deps(t, db, k.Clock.Now)
	deps.SiteID = siteID
	k.registry = registryclient.New(deps)
	if err := k.registry.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := kernel.NewHandler(kernel.HandlerDeps{
		MayAdminister: authtest.Administers("portal"),
		Service:       k.Service, Registry: k.registry, SiteID: siteID, Ready: func(context.Context) error { return db.Ping(t.Context()) },
		Guard: throttle.NewGuard(k.Clock.Now),
	})
	k.server = authtest.Serve(t, func(r *gin.Engine) { h.Mount(r.Group("/v3/security"), k.check) }, "security")
	ensure(t, k.Service, registryclient.Site{ID: "main", AdminTenant: "admin", Primary: true},
		registryclient.Record{ID: "admin", AdminUser: "root"}, registryclient.Record{ID: "tacc", AdminUser: "ada"},
		registryclient.Record{ID: "dev", AdminUser: "ada", TokenGenServices: []string{"jobs"}})
	ensure(t, k.Service, registryclient.Site{ID: "edge", AdminTenant: "edge-admin"},
		registryclient.Record{ID: "edge-admin", AdminUser: "root"}, registryclient.Record{ID: "far", AdminUser: "eva"})
	return k
}

func (k *fixture) check(ctx context.Context, raw string, behalf authn.Subject) (authn.Caller, error) {
	name, tenantID, _ := strings.Cut(raw, "@")
	tenantID, service := strings.CutSuffix(tenantID, "!")
	tenant, found, err := k.registry.Tenant(ctx, tenantID)
	if err != nil || !found {
		return authn.Caller{}, authn.ErrTenant
	}
	caller := authn.Caller{Username: name, TenantID: tenantID, SiteID: tenant.SiteID, AccountType: authn.UserAccount}
	if service {
		caller.AccountType, caller.OnBehalfOf = authn.ServiceAccount, behalf
	}
	return caller, nil
}

func primary(t *testing.T) *fixture {
	t.Helper()
	return newKernel(t, onlyDB(t), "main")
}

// ask sends a request with a token, if it is not empty. Services ask for
// themselves unless a header says otherwise ("name@tenant").
func (k *fixture) ask(token, method, path, body string, behalf ...string) authtest.Reply {
	k.T.Helper()
	var headers []string
	if token != "" {
		headers = append(headers, "X-Tapis-Token", token)
	}
	if who, service := strings.CutSuffix(token, "!"); service {
		if len(behalf) > 0 {
			who = behalf[0]
		}
		name, tenantID, _ := strings.Cut(who, "@")
		headers = append(headers, "X-Tapis-User", name, "X-Tapis-Tenant", tenantID)
	}
	return k.server.Send(method, "http://inside:8000/v3/security"+path, body, headers...)
}

// want fails the test unless a request is answered with a status and, when
// result is not empty, with that result as JSON.
func (k *fixture) want(token, method, path, body string, status int, result string, behalf ...string) authtest.Reply {
	k.T.Helper()
	a := k.ask(token, method, path, body, behalf...)
	got, _ := json.Marshal(a.At("result"))
	if a.Status != status || result != "" && string(got) != result {
		k.T.Errorf("%s: %s %s %s\n got %d %s\nwant %d %s", token, method, path, body, a.Status, a.Raw, status, result)
	}
	return a
}

// has asks in process, as other parts of the authenticator do.
func (k *fixture) has(tenantID, username, role string, want bool) {
	k.T.Helper()
	wantRole(k.T, k.Service, tenantID, username, role, want)
}

const yes, no = `{"isAuthorized":true}`, `{"isAuthorized":false}`

func TestRolesOnTheWire(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		k := newKernel(t, db, "main")
		body := `{"roleTenant":"dev","roleName":"staff","description":"People.","unknown":1}`
		url := `{"url":"https://dev.tapis.io/v3/security/role/staff?tenant=dev"}`
		k.want("ada@dev", "POST", "/role", body, 201, url)
		k.want("ada@dev", "POST", "/role", body, 200, url)
		k.want("ada@dev", "GET", "/role?tenant=dev", "", 200, `{"names":["$!tenant_admin","staff"]}`)
		k.want("bob@dev", "GET", "/role/staff?tenant=dev", "", 200,
			`{"created":"2026-11-21T12:00:00.000000Z","description":"People.","name":"staff","owner":"ada",`+
				`"ownerTenant":"dev","tenant":"dev","type":"USER","updated":"2026-11-21T12:00:00.000000Z"}`)
		k.want("bob@dev", "GET", "/role/$!tenant_admin?tenant=dev", "", 200, "")
		k.want("bob@dev", "GET", "/role/nothing?tenant=dev", "", 404, "null")

		k.want("ada@dev", "POST", "/user/grantRole", `{"tenant":"dev","user":"bob","roleName":"staff"}`, 200, `{"changes":1}`)
		k.want("ada@dev", "POST", "/user/grantRole", `{"tenant":"dev","user":"bob","roleName":"staff"}`, 200, `{"changes":0}`)
		k.want("ada@dev", "POST", "/user/grantRole", `{"tenant":"dev","user":"bob","roleName":"nothing"}`, 404, "null")
		k.want("ada@dev", "POST", "/user/revokeUserRole", `{"tenant":"dev","user":"bob","roleName":"nothing"}`, 404, "null")
		for question, want := range map[string]string{
			`isAdmin {"tenant":"dev","user":"ada"}`:                                                   yes,
			`isAdmin {"tenant":"dev","user":"bob"}`:                                                   no,
			`hasRole {"tenant":"dev","user":"bob","roleName":"staff"}`:                                yes,
			`hasRole {"tenant":"dev","user":"ada","roleName":"staff"}`:                                no,
			`hasRole {"tenant":"dev","user":"ada","roleName":"staff","orAdmin":true}`:                 yes,
			`hasRole {"tenant":"dev","user":"cat","roleName":"staff","orAdmin":true}`:                 no,
			`hasRole {"tenant":"dev","user":"cat","roleName":"nothing"}`:                              no,
			`hasRole {"tenant":"dev","user":"cat","roleName":"$$cat"}`:                                yes,
			`hasRole {"tenant":"dev","user":"cat","roleName":"$$bob"}`:                                no,
			`hasRoleAny {"tenant":"dev","user":"bob","roleNames":["x","staff"]}`:                      yes,
			`hasRoleAny {"tenant":"dev","user":"bob","roleNames":["x","y"]}`:                          no,
			`hasRoleAny {"tenant":"dev","user":"ada","roleNames":["x"],"orAdmin":true}`:               yes,
			`hasRoleAll {"tenant":"dev","user":"bob","roleNames":["x","staff"]}`:                      no,
			`hasRoleAll {"tenant":"dev","user":"bob","roleNames":["$$bob","staff"]}`:                  yes,
			`hasRoleAll {"tenant":"dev","user":"bob","roleNames":["x"],"orAdmin":true}`:               no,
			`hasRoleAll {"tenant":"dev","user":"ada","roleNames":["x","staff"],"orAdmin":true}`:       yes,
			`hasRoleAll {"tenant":"dev","user":"ada","roleNames":["$!tenant_admin"],"orAdmin":false}`: yes,
		} {
			operation, body, _ := strings.Cut(question, " ")
			k.want("bob@dev", "POST", "/user/"+operation, body, 200, want)
			k.want("files@admin!", "POST", "/user/"+operation, body, 200, want)
		}
		k.want("bob@dev", "GET", "/user/withRole/staff?tenant=dev", "", 200, `{"names":["bob"]}`)
		k.want("bob@dev", "GET", "/user/withRole/nothing?tenant=dev", "", 404, "null")
		k.want("bob@dev", "GET", "/user/roles/bob?tenant=dev", "", 200, `{"names":["staff"]}`)
		k.want("bob@dev", "GET", "/user/roles/nobody?tenant=dev", "", 200, `{"names":[]}`)
		k.want("bob@dev", "GET", "/user/admins/dev", "", 200, `{"names":["ada"]}`)

		k.want("ada@dev", "POST", "/user/revokeUserRole", `{"tenant":"dev","user":"bob","roleName":"staff"}`, 200, `{"changes":1}`)
		k.want("ada@dev", "POST", "/user/revokeRole", `{"tenant":"dev","user":"bob","roleName":"staff"}`, 200, `{"changes":0}`)
		k.want("bob@dev", "GET", "/user/withRole/staff?tenant=dev", "", 200, `{"names":[]}`)
		k.want("ada@dev", "DELETE", "/role/staff?tenant=dev", "", 200, `{"changes":1}`)
		k.want("ada@dev", "DELETE", "/role/staff?tenant=dev", "", 200, `{"changes":0}`)
	})
}

func TestAdministratorsNameEachOtherAndOneRemains(t *testing.T) {
	k := primary(t)
	bob, ada := `{"tenant":"dev","user":"bob"}`, `{"tenant":"dev","user":"ada"}`
	k.want("bob@dev", "POST", "/user/grantAdminRole", bob, 403, "null")
	k.want("ada@dev", "POST", "/user/revokeAdminRole", ada, 409, "null")
	k.want("ada@dev", "POST", "/user/grantAdminRole", bob, 200, `{"changes":1}`)
	k.want("bob@dev", "POST", "/user/revokeAdminRole", ada, 200, `{"changes":1}`)
	k.want("ada@dev", "POST", "/user/grantAdminRole", ada, 403, "null")
	k.want("bob@dev", "POST", "/user/revokeAdminRole", bob, 409, "null")
	k.want("bob@dev", "DELETE", "/role/$!tenant_admin?tenant=dev", "", 409, "null")
	k.want("bob@dev", "POST", "/user/grantRole", `{"tenant":"dev","user":"ada","roleName":"$!tenant_admin"}`, 200, `{"changes":1}`)
	k.want("bob@dev", "GET", "/user/admins/dev", "", 200, `{"names":["ada","bob"]}`)
	k.want("bob@dev", "GET", "/user/admins/tacc", "", 403, "null")
	k.has("tacc", "bob", kernel.AdminRole, false)
}

func TestWhatCannotBeUnderstoodIsNamed(t *testing.T) {
	k := primary(t)
	makeRole(t, k.Service, "dev", "staff")
	for request, field := range map[string]string{
		`POST /role {"roleName":"x","description":""}`:                                    "roleTenant",
		`POST /role {"roleTenant":"dev","description":""}`:                                "roleName",
		`POST /role {"roleTenant":"dev","roleName":"x"}`:                                  "description",
		`POST /role {"roleTenant":"dev","roleName":"1x","description":""}`:                "roleName",
		`POST /role {"roleTenant":"dev","roleName":1,"description":""}`:                   "roleName",
		`POST /user/grantRole {"user":"bob","roleName":"staff"}`:                          "tenant",
		`POST /user/grantRole {"tenant":"dev","roleName":"staff"}`:                        "user",
		`POST /user/grantRole {"tenant":"dev","user":"bob"}`:                              "roleName",
		`POST /user/grantRole {"tenant":"dev","user":"b\nb","roleName":"staff"}`:          "user",
		`POST /user/grantRole {"tenant":"dev","user":"b\u0000b","roleName":"staff"}`:      "user",
		`POST /user/revokeUserRole {"tenant":"dev","user":"bob"}`:                         "roleName",
		`POST /user/grantAdminRole {"tenant":"dev"}`:                                      "user",
		`POST /user/isAdmin {"user":"bob"}`:                                               "tenant",
		`POST /user/hasRole {"tenant":"dev","user":"bob"}`:                                "roleName",
		`POST /user/hasRole {"tenant":"dev","user":"bob","roleName":"x","orAdmin":"yes"}`: "orAdmin",
		`POST /user/hasRoleAny {"tenant":"dev","user":"bob","roleNames":[]}`:              "roleNames",
		`POST /user/hasRoleAll {"tenant":"dev","user":"bob","roleName":"x"}`:              "roleNames",
		`POST /user/hasRoleAll {"tenant":"dev","user":"bob","roleNames":"x"}`:             "roleNames",
		`GET /role`:                "tenant",
		`GET /user/withRole/staff`: "tenant",
		`GET /user/roles/bob?tenant=dev&tenant=tacc`:                                                     "tenant",
		`DELETE /role/staff`:                                                                             "tenant",
		`GET /vault/secret/user/x?user=ada`:                                                              "tenant",
		`GET /vault/secret/user/x?tenant=dev`:                                                            "user",
		`GET /vault/secret/other/x?tenant=dev&user=ada`:                                                  "secretType",
		`GET /vault/secret/user/x+?tenant=dev&user=ada`:                                                  "secretName",
		`GET /vault/secret/user/ä?tenant=dev&user=ada`:                                                   "secretName",
		`GET /vault/secret/user/..?tenant=dev&user=ada`:                                                  "secretName",
		`GET /vault/secret/user/x?tenant=dev&user=ada&version=-1`:                                        "version",
		`GET /vault/secret/user/x?tenant=dev&user=ada&version=a`:                                         "version",
		`POST /vault/secret/user/x {"tenant":"dev","user":"ada"}`:                                        "data",
		`POST /vault/secret/user/x {"tenant":"dev","user":"ada","data":{}}`:                              "data",
		`POST /vault/secret/user/x {"tenant":"dev","user":"ada","data":{"":"x"}}`:                        "data",
		`POST /vault/secret/user/x {"tenant":"dev","user":"ada","data":{"a":1}}`:                         "data",
		`POST /vault/secret/user/x {"tenant":"dev","user":"ada","data":{"a":"x"},"options":{"cas":"1"}}`: "cas",
		`POST /vault/secret/delete/user/x {"tenant":"dev","user":"ada"}`:                                 "versions",
	} {
		method, rest, _ := strings.Cut(request, " ")
		path, body, _ := strings.Cut(rest, " ")
		a := k.ask("ada@dev", method, path, body)
		if a.Status != 400 || !strings.Contains(a.Raw, field) {
			t.Errorf("%s: got %d %s; want a message that names %s", request, a.Status, a.Raw, field)
		}
	}
	for _, tenantID := range []string{"nowhere", "", "DEV"} {
		if a := k.ask("files@admin!", "POST", "/user/isAdmin", `{"tenant":"`+tenantID+`","user":"bob"}`); a.Status != 400 ||
			!strings.Contains(a.Raw, "The field tenant ") {
			t.Errorf("a service about tenant %q: got %d %s", tenantID, a.Status, a.Raw)
		}
	}
}

// mutations are the requests that change roles of a tenant, by ROLE.
func mutations(tenantID, role string) []string {
	return []string{
		`POST /role {"roleTenant":"` + tenantID + `","roleName":"` + role + `","description":""}`,
		`POST /user/grantRole {"tenant":"` + tenantID + `","user":"eve","roleName":"` + role + `"}`,
		`POST /user/revokeUserRole {"tenant":"` + tenantID + `","user":"bob","roleName":"` + role + `"}`,
		`POST /user/revokeRole {"tenant":"` + tenantID + `","user":"bob","roleName":"` + role + `"}`,
		`DELETE /role/` + role + `?tenant=` + tenantID,
	}
}

// refused sends requests of which each must be answered with the status.
func (k *fixture) refused(token string, status int, requests []string, behalf ...string) {
	k.T.Helper()
	for _, request := range requests {
		method, rest, _ := strings.Cut(request, " ")
		path, body, _ := strings.Cut(rest, " ")
		k.want(token, method, path, body, status, "null", behalf...)
	}
}

func TestOnlyTheHealthChecksNeedNoToken(t *testing.T) {
	k := primary(t)
	requests := append(mutations("dev", "staff"),
		"GET /role?tenant=dev", "GET /role/staff?tenant=dev", "GET /user/withRole/staff?tenant=dev", "GET /user/roles/bob?tenant=dev",
		"GET /user/admins/dev",
		"POST /user/isAdmin {}", "POST /user/hasRole {}", "POST /user/hasRoleAny {}", "POST /user/hasRoleAll {}",
		"POST /user/grantAdminRole {}", "POST /user/revokeAdminRole {}",
		"POST /vault/secret/validateServicePassword/password {}", "GET /vault/secret/user/x?tenant=dev&user=bob",
		"POST /vault/secret/user/x {}",
		"GET /vault/secret/read/meta/user/x", "GET /vault/secret/list/meta/user", "POST /vault/secret/delete/user/x {}",
		"POST /vault/secret/undelete/user/x {}",
		"POST /vault/secret/destroy/user/x {}", "DELETE /vault/secret/destroy/meta/user/x")
	k.refused("", 401, requests)
	k.refused("bob@nowhere", 401, requests)
	k.want("", "GET", "/healthcheck", "", 200, "")
	k.want("", "GET", "/readycheck", "", 200, "")
	k.want("", "GET", "/role/addPerm", "", 401, "null") // a role of that name, for all we know
	k.want("bob@dev", "POST", "/user/isPermitted", "{}", 404, "null")
	k.want("bob@dev", "PUT", "/role", "{}", 405, "null")
}
