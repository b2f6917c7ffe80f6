package kernel_test

import (
	"strings"
	"testing"

	"gatehouse/internal/authenticator/kernel"
)

// reads are the requests that ask about the roles of a tenant.
func reads(tenantID string) []string {
	return []string{
		"GET /role?tenant=" + tenantID, "GET /role/staff?tenant=" + tenantID, "GET /user/withRole/staff?tenant=" + tenantID,
		"GET /user/roles/bob?tenant=" + tenantID, "GET /user/admins/" + tenantID,
		`POST /user/isAdmin {"tenant":"` + tenantID + `","user":"bob"}`, `POST /user/hasRole {"tenant":"` + tenantID +
			`","user":"bob","roleName":"staff"}`,
		`POST /user/hasRoleAny {"tenant":"` + tenantID + `","user":"bob","roleNames":["staff"]}`,
		`POST /user/hasRoleAll {"tenant":"` + tenantID + `","user":"bob","roleNames":["staff"]}`,
	}
}

// allowed sends requests of which each must succeed.
func (k *fixture) allowed(token string, requests []string, behalf ...string) {
	k.T.Helper()
	for _, request := range requests {
		method, rest, _ := strings.Cut(request, " ")
		path, body, _ := strings.Cut(rest, " ")
		if a := k.ask(token, method, path, body, behalf...); a.Status/100 != 2 {
			k.T.Errorf("%s: %s: got %d %s", token, request, a.Status, a.Raw)
		}
	}
}

// staffed gives tenants a role staff that bob has, owned by cat.
func (k *fixture) staffed(tenants ...string) {
	k.T.Helper()
	for _, tenantID := range tenants {
		_, err := k.CreateRole(k.T.Context(), kernel.Role{TenantID: tenantID, Name: "staff", Owner: "cat", OwnerTenant: tenantID})
		if err != nil {
			k.T.Fatal(err)
		}
		grantRole(k.T, k.Service, tenantID, "bob", "staff")
	}
}

func TestAUserAsksAboutTheTenantOfTheTokenOnly(t *testing.T) {
	k := primary(t)
	k.staffed("dev", "tacc", "admin", "far")
	k.allowed("bob@dev", reads("dev"))
	k.allowed("eva@far", reads("far")) // whose site runs no kernel
	for _, tenantID := range []string{"tacc", "admin", "far", "wild", "nowhere", "DEV"} {
		k.refused("ada@dev", 403, reads(tenantID))
		k.refused("ada@dev", 403, mutations(tenantID, "staff"))
	}
	k.refused("wes@wild", 403, reads("wild")) // whose site runs its own
	k.has("tacc", "bob", "staff", true)
}

func TestAnOrdinaryUserChangesNoRole(t *testing.T) {
	k := primary(t)
	k.staffed("dev", "tacc")
	for _, user := range []string{"bob@dev", "eve@dev", "tenants@dev", "tokens@dev", "security@dev"} {
		k.refused(user, 403, mutations("dev", "staff"))
		k.refused(user, 403, mutations("dev", "$!tenant_admin"))
		k.refused(user, 403, []string{
			`POST /user/grantAdminRole {"tenant":"dev","user":"eve"}`,
			`POST /user/revokeAdminRole {"tenant":"dev","user":"ada"}`,
		})
	}
	k.has("dev", "bob", "staff", true)
	k.has("dev", "eve", "staff", false)
}

func TestTheOwnerOfARoleHasASayInThatRoleAlone(t *testing.T) {
	k := primary(t)
	k.staffed("dev", "tacc")
	makeRole(t, k.Service, "dev", "other")
	k.refused("cat@dev", 403, append(mutations("dev", "other")[1:], mutations("tacc", "staff")...))
	k.refused("cat@dev", 403, mutations("dev", "new")[:1])
	k.allowed("cat@dev", mutations("dev", "staff")[1:])
	k.has("tacc", "bob", "staff", true)
}

func TestAServiceOwnsWhatItMakesForItself(t *testing.T) {
	k := primary(t)
	k.want("files@admin!", "POST", "/role", `{"roleTenant":"dev","roleName":"own","description":""}`, 201, "")
	k.want("files@admin!", "POST", "/role", `{"roleTenant":"dev","roleName":"bobs","description":""}`, 201, "", "bob@dev")
	k.want("files@admin!", "POST", "/role", `{"roleTenant":"dev","roleName":"not_bobs","description":""}`, 201, "", "bob@tacc")
	for role, owner := range map[string]string{"own": "files@admin", "bobs": "bob@dev", "not_bobs": "files@admin"} {
		r, err := k.Role(t.Context(), "dev", role)
		if err != nil || r.Owner+"@"+r.OwnerTenant != owner {
			t.Errorf("%s: %+v, %v", role, r, err)
		}
	}
	k.allowed("bob@dev", mutations("dev", "bobs")[1:2])
	k.refused("files@dev", 403, mutations("dev", "own")[1:]) // another files
	k.refused("bob@dev", 403, mutations("dev", "not_bobs")[1:])
}

func TestTheNameOfWhoRunsTheSiteOwnsNothing(t *testing.T) {
	k := primary(t)
	_, err := k.CreateRole(t.Context(), kernel.Role{TenantID: "dev", Name: "staff", Owner: "operator"}) // as on the command line
	if err != nil {
		t.Fatal(err)
	}
	k.refused("operator@dev", 403, mutations("dev", "staff"))
	k.refused("security@admin!", 403, mutations("admin", kernel.GeneratorRole("dev"))) // who is said to own the built-in ones
}

func TestATokenGeneratorRoleMadeInAnotherTenantGainsNothing(t *testing.T) {
	k := primary(t)
	generator := kernel.GeneratorRole("tacc")
	k.refused("ada@dev", 403, mutations("dev", generator))
	k.refused("jobs@admin!", 403, mutations("dev", generator))
	k.refused("ada@dev", 403, mutations("admin", generator))
	// Where the role counts, in the administrative tenant, nobody got it.
	for _, name := range []string{"eve", "ada", "jobs"} {
		k.has("admin", name, generator, false)
		k.has("dev", name, generator, false)
	}
}

func TestTheAdministratorOfATenantCannotTouchBuiltInRoles(t *testing.T) {
	k := primary(t)
	for _, role := range []string{
		kernel.TenantCreator, kernel.DefinitionUpdater, "dev_token_generator", "x_token_generator",
		"$$bob", "$!other", "$x",
	} {
		k.refused("ada@dev", 403, mutations("dev", role))
		k.has("dev", "eve", role, false)
	}
	if names, err := k.RoleNames(t.Context(), "dev"); err != nil || len(names) != 1 {
		t.Errorf("roles of dev: %v, %v", names, err)
	}
}

func TestAServiceCannotGiveItselfABuiltInRole(t *testing.T) {
	k := primary(t)
	before := strings.Join(held(t, k.DB), ";")
	for _, role := range []string{
		kernel.TenantCreator, kernel.DefinitionUpdater, kernel.GeneratorRole("dev"),
		kernel.GeneratorRole("tacc"), kernel.AdminRole,
	} {
		for _, tenantID := range []string{"admin", "dev", "far", "edge-admin"} {
			for _, behalf := range []string{"files@admin", "root@admin", "ada@dev", "tokens@admin"} {
				k.refused("files@admin!", 403, mutations(tenantID, role), behalf)
			}
		}
	}
	if after := strings.Join(held(t, k.DB), ";"); after != before {
		t.Errorf("\n got %s\nwant %s", after, before)
	}
}

func TestAServiceGainsNothingByThePersonItActsFor(t *testing.T) {
	k := primary(t)
	k.staffed("admin")
	admin := []string{
		`POST /user/grantAdminRole {"tenant":"dev","user":"eve"}`, `POST /user/revokeAdminRole {"tenant":"dev","user":"ada"}`,
		`POST /user/grantAdminRole {"tenant":"admin","user":"eve"}`,
	}
	for _, behalf := range []string{"ada@dev", "root@admin", "tenants@admin"} {
		k.refused("files@admin!", 403, admin, behalf)
		k.refused("files@admin!", 403, mutations("admin", "staff")[1:], behalf) // cat's
		k.refused("files@edge-admin!", 403, append(mutations("dev", "staff"), reads("admin")...), behalf)
	}
	k.refused("files@admin!", 403, mutations("admin", "staff")[1:], "cat@admin")
	k.refused("files@admin!", 403, []string{
		"GET /vault/secret/user/x?tenant=dev&user=ada", "GET /vault/secret/service/x?tenant=dev&user=jobs",
		`POST /vault/secret/user/x {"tenant":"dev","user":"ada","data":{"a":"b"}}`,
	}, "ada@dev")
}

func TestAServiceActsForTheTenantsOfItsSite(t *testing.T) {
	k := primary(t)
	k.staffed("dev", "far")
	k.allowed("files@admin!", append(reads("dev"), mutations("dev", "staff")...))
	k.allowed("files@admin!", append(reads("far"), mutations("far", "other")[:1]...)) // the primary's act for all
	k.allowed("files@edge-admin!", append(reads("far"), mutations("far", "staff")...))
	k.refused("files@edge-admin!", 403, append(reads("dev"), mutations("dev", "staff")...))
	k.refused("files@edge-admin!", 403, append(reads("admin"), mutations("admin", "staff")...))
	// West keeps its own roles; here are those that matter to services here.
	k.refused("files@west-admin!", 403, append(reads("wild"), mutations("wild", "staff")...))
	k.allowed("tenants@admin!", []string{
		`POST /user/hasRole {"tenant":"west-admin","user":"tokens","roleName":"tenant_definition_updater"}`,
	})
	k.refused("tenants@admin!", 403, mutations("west-admin", kernel.DefinitionUpdater))
	k.refused("files@admin!", 403, mutations("west-admin", "staff"))
}

func TestInAnAdministrativeTenantServicesHaveASayInTheirOwnRolesAlone(t *testing.T) {
	k := primary(t)
	k.allowed("files@admin!", mutations("admin", "filers")[:2])
	k.refused("systems@admin!", 403, mutations("admin", "filers")[1:])
	k.refused("files@edge-admin!", 403, mutations("admin", "filers"))
	k.refused("files@admin!", 403, mutations("edge-admin", "filers"))
	k.allowed("files@admin!", mutations("admin", "filers")[2:])
}

func TestTheAdministratorsOfASiteHaveASayInItsBuiltInRoles(t *testing.T) {
	k := primary(t)
	grant := []string{`POST /user/grantRole {"tenant":"admin","user":"pods","roleName":"dev_token_generator"}`}
	k.refused("ops@admin!", 403, grant)
	grantRole(t, k.Service, "admin", "ops", kernel.AdminRole)
	k.allowed("ops@admin!", grant)
	k.allowed("ops@admin!", []string{
		`POST /user/grantAdminRole {"tenant":"dev","user":"bob"}`, `POST /user/revokeAdminRole {"tenant":"dev","user":"ada"}`,
		`POST /role {"roleTenant":"dev","roleName":"tenant_definition_updater","description":""}`,
	})
	k.has("admin", "pods", kernel.GeneratorRole("dev"), true)
	k.has("dev", "bob", kernel.AdminRole, true)
	// As a person, an administrator there stays there.
	k.allowed("root@admin", []string{`POST /user/grantRole {"tenant":"admin","user":"abaco","roleName":"dev_token_generator"}`})
	k.refused("root@admin", 403, []string{`POST /user/grantAdminRole {"tenant":"dev","user":"eve"}`})
	// And one of another site gains nothing here.
	k.refused("root@edge-admin!", 403, []string{`POST /user/grantAdminRole {"tenant":"dev","user":"eve"}`, grant[0]})
	k.allowed("root@edge-admin!", []string{`POST /user/grantAdminRole {"tenant":"far","user":"eve"}`})
}

func TestAPersonWhoSharesAServicesNameGainsNothing(t *testing.T) {
	k := primary(t)
	k.allowed("files@admin!", mutations("admin", "filers")[:1])
	k.want("authenticator@admin!", "POST", "/vault/secret/user/ldap.dev",
		`{"tenant":"admin","user":"authenticator","data":{"password":"p"}}`, 200, "")
	k.refused("files@admin", 403, append(mutations("admin", "filers"), mutations("admin", kernel.GeneratorRole("dev"))...))
	for _, person := range []string{"authenticator@admin", "root@admin", "authenticator@dev", "tokens@admin"} {
		name, tenantID, _ := strings.Cut(person, "@")
		k.refused(person, 403, []string{
			"GET /vault/secret/user/ldap.dev?tenant=admin&user=authenticator",
			"GET /vault/secret/list/meta/user?tenant=admin&user=authenticator",
			`POST /vault/secret/user/ldap.dev {"tenant":"admin","user":"authenticator","data":{"password":"q"}}`,
			`DELETE /vault/secret/destroy/meta/user/ldap.dev?tenant=admin&user=authenticator`,
			`GET /vault/secret/service/x?tenant=` + tenantID + `&user=` + name,
			`GET /vault/secret/system/x?sysid=s&sysuser=u&tenant=` + tenantID + `&user=` + name,
			`GET /vault/secret/dbcred/x?dbhost=h&dbname=n&dbservice=s&tenant=` + tenantID + `&user=` + name,
			`POST /vault/secret/validateServicePassword/password {"tenant":"` + tenantID + `","user":"` + name + `","password":"x"}`,
		})
	}
}

func TestAtAnAssociateSiteOnlyItsOwnServicesAsk(t *testing.T) {
	k := newKernel(t, onlyDB(t), "west")
	k.staffed("wild")
	k.allowed("files@west-admin!", append(reads("wild"), mutations("wild", "other")[:1]...))
	k.allowed("wes@wild", reads("wild"))
	k.refused("files@admin!", 403, append(reads("wild"), mutations("wild", "staff")...))
	k.refused("files@west-admin!", 403, append(reads("dev"), mutations("dev", "staff")...))
	k.refused("ada@dev", 403, reads("dev"))
}

func TestATokenAtTheHostOfAnotherTenantIsRefused(t *testing.T) {
	k := primary(t)
	for host, want := range map[string]int{"dev.tapis.io": 200, "tacc.tapis.io": 403, "10.1.2.3": 200, "security": 200} {
		for token, want := range map[string]int{"bob@dev": want, "files@admin!": 200} {
			headers := []string{"X-Tapis-Token", token}
			if strings.HasSuffix(token, "!") {
				headers = append(headers, "X-Tapis-User", "files", "X-Tapis-Tenant", "admin")
			}
			if a := k.server.Send("GET", "http://"+host+"/v3/security/user/admins/dev", nil, headers...); a.Status != want {
				t.Errorf("%s at %s: got %d, want %d", token, host, a.Status, want)
			}
		}
	}
}
