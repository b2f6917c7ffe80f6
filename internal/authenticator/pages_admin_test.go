package authenticator_test

import (
	"net/http"
	"net/url"
	"testing"

	"gatehouse/internal/authenticator/kernel"
)

func (w *world) grantSiteAdminUser(tenant, username string) {
	w.t.Helper()
	ctx, role := w.t.Context(), kernel.Role{TenantID: tenant, Name: kernel.SiteAdminUser, Owner: "test"}
	if _, err := w.Kernel.CreateRole(ctx, role); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.Kernel.GrantRole(ctx, tenant, username, role.Name, "test"); err != nil {
		w.t.Fatal(err)
	}
}

func password(username, password string) url.Values {
	return url.Values{"grant_type": {"password"}, "username": {username}, "password": {password}}
}

func TestNobodySignsInToTheAdministrativeTenant(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.grantSiteAdminUser("admin", "ada") // which is not enough
		b := w.browser()
		for _, path := range []string{"/login?flow=x", "/device", "/authorizations"} {
			b.get(admin+path).want(http.StatusForbidden, "people cannot sign in to it")
		}
		b.get(admin+"/webapp").want(http.StatusNotFound, "no token web application")
		p := b.do(http.MethodPost, admin+"/login", url.Values{"username": {"ada"}, "password": {w.admins}, "flow": {"x"}})
		if p.status != http.StatusForbidden {
			t.Errorf("status %d", p.status)
		}
		w.token(admin, password("ada", w.admins)).want(t, http.StatusBadRequest)
	})
}

func TestWhomItNamesSignInToTheAdministrativeTenantThatPermitsIt(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.configureTenant("admin", `{"site_admin_users":true,
			"allowable_grant_types":["password","authorization_code","refresh_token","device_code","client_credentials"]}`)
		w.grantSiteAdminUser("admin", "ada")
		w.grantSiteAdminUser("tacc", "bob")

		// Everybody else is told what somebody with a wrong password is told.
		wrong := w.token(admin, password("bob", "wrong")).want(t, http.StatusBadRequest)
		if other := w.token(admin, password("bob", w.admins)).want(t, http.StatusBadRequest); other.body != wrong.body {
			t.Errorf("told apart:\n%s\n%s", other.body, wrong.body)
		}
		w.browser().visit(admin+"/authorizations").submit("username", "bob", "password", w.admins).
			want(http.StatusUnauthorized, "Invalid username/password combination.")

		ops := w.register(admin, w.admins, `{"client_id":"ops","callback_url":"https://ops.example.com/cb"}`)
		acting := url.Values{"grant_type": {"client_credentials"}, "client_id": {ops.id}, "client_key": {ops.key}}
		w.token(admin, acting).want(t, http.StatusBadRequest) // clients are no people

		b := w.browser()
		b.visit(admin+"/webapp").logIn("ada", w.admins).follow().want(http.StatusOK, "ada")
		code := func() string {
			p := b.visit(ops.request(admin))
			if !ours(p.location) && p.location != "" {
				return p.answer(ops.redirect).Get("code")
			}
			return p.submit("decision", "allow").answer(ops.redirect).Get("code")
		}
		redeem := func(code string) reply {
			return w.token(admin, url.Values{
				"grant_type": {"authorization_code"}, "client_id": {ops.id}, "client_key": {ops.key}, "code": {code},
				"redirect_uri": {ops.redirect},
			})
		}
		got := redeem(code()).want(t, http.StatusOK)
		if name, status := w.whose(admin, got.access(t)); name != "ada" || status != http.StatusOK {
			t.Errorf("the token is %q's: %d", name, status)
		}
		left := code()
		if _, err := w.Kernel.RevokeRole(t.Context(), "admin", "ada", "site_admin_user"); err != nil {
			t.Fatal(err)
		}
		redeem(left).want(t, http.StatusBadRequest)
		w.token(admin, password("ada", w.admins)).want(t, http.StatusBadRequest)

		// Nobody may be taken for a service.
		w.grantSiteAdminUser("admin", "ada")
		w.token(admin, password("ada", w.admins)).want(t, http.StatusOK)
		if err := w.Kernel.SetPassword(t.Context(), "admin", "ada", secret(t)); err != nil {
			t.Fatal(err)
		}
		w.token(admin, password("ada", w.admins)).want(t, http.StatusBadRequest)
	})
}
