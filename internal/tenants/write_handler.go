package tenants

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/tenants/field"
	"gatehouse/internal/tenants/sites"
)

// writeHandler answers everything that changes the registry. Who asks is
// known before the body is read, so that strangers learn nothing and cost
// little.
type writeHandler struct {
	access access
	write  func(ctx context.Context, by string, decide func(p *plan)) (*plan, error)
}

// mount registers the routes on r, which is behind authn.Require.
func (h writeHandler) mount(r gin.IRoutes) {
	for _, route := range []struct {
		method, path string
		handle       httpapi.Handler
	}{
		{http.MethodPost, "/v3/sites", h.createSite},
		{http.MethodPut, "/v3/sites/:site_id", h.updateSite},
		{http.MethodDelete, "/v3/sites/:site_id", h.deleteSite},
		{http.MethodPost, "/v3/tenants", h.createTenant},
		{http.MethodPut, "/v3/tenants/:tenant_id", h.updateTenant},
		{http.MethodPost, "/v3/tenants/owners", h.createOwner},
		{http.MethodDelete, "/v3/tenants/owners/:email", h.deleteOwner},
		{http.MethodPost, "/v3/tenants/ldaps", h.createLDAP},
		{http.MethodDelete, "/v3/tenants/ldaps/:ldap_id", h.deleteLDAP},
	} {
		r.Handle(route.method, route.path, httpapi.Handle(route.handle))
	}
}

// absent are the terms of a row that is to be made.
func absent(kind, id string, found bool, _ []Difference) error {
	if found {
		return apierr.New(apierr.Conflict, "The %s %s exists already.", titles[kind], id)
	}
	return nil
}

func (h writeHandler) createSite(c *gin.Context) error {
	ctx := c.Request.Context()
	who, err := h.access.creator(ctx)
	if err != nil {
		return err
	}
	patch, err := readNew(c, Sites(), "tenant_base_url_template")
	if err != nil {
		return err
	}
	p, err := h.write(ctx, who.String(), func(p *plan) {
		weigh(p, Sites(), p.known.sites, []Patch[sites.Site]{patch}, absent, p.site)
	})
	if err != nil {
		return err
	}
	id := patch.Values.ID
	return httpapi.Reply(c, http.StatusCreated, sites.Answer(p.known.sites[id]), "Site "+id+" created.")
}

func (h writeHandler) updateSite(c *gin.Context) error {
	ctx, id := c.Request.Context(), c.Param("site_id")
	who, err := h.access.asker(ctx)
	if err != nil {
		return err
	}
	if _, found := who.view.sites.Get(id); !found {
		return sites.Unknown(id)
	}
	allowed, err := h.access.site(ctx, who, id)
	if err != nil {
		return err
	}
	patch, err := readUpdate(c, Sites(), id)
	if err != nil {
		return err
	}
	p, err := h.write(ctx, who.String(), func(p *plan) {
		weigh(p, Sites(), p.known.sites, []Patch[sites.Site]{patch}, allowed.terms, p.site)
	})
	if err != nil {
		return err
	}
	return httpapi.Reply(c, http.StatusOK, sites.Answer(p.known.sites[id]), "Site "+id+" updated.")
}

func (h writeHandler) deleteSite(c *gin.Context) error {
	id := c.Param("site_id")
	if !field.IsSiteID(id) {
		return h.refuse(c, sites.Unknown(id))
	}
	return h.remove(c, "Site "+id+" deleted.", func(p *plan) { p.dropSite(id) })
}

func (h writeHandler) createTenant(c *gin.Context) error {
	ctx := c.Request.Context()
	who, err := h.access.creator(ctx)
	if err != nil {
		return err
	}
	patch, err := readNew(c, Tenants(), "status", "public_key", "service_ldap_connection_id", "user_ldap_connection_id", "description")
	if err != nil {
		return err
	}
	if err := readTenant(&patch); err != nil {
		return err
	}
	if err := checkEndpoints(patch); err != nil {
		return err
	}
	p, err := h.write(ctx, who.String(), func(p *plan) {
		weigh(p, Tenants(), p.known.tenants, []Patch[Tenant]{patch}, absent, p.tenant)
	})
	if err != nil {
		return err
	}
	id := patch.Values.ID
	return httpapi.Reply(c, http.StatusCreated, p.known.answer(id), "Tenant "+id+" created.")
}

// checkEndpoints refuses endpoints that are given empty: the API has always
// asked for them, where the documents of apply may leave them out.
func checkEndpoints(p Patch[Tenant]) error {
	for _, f := range []struct{ name, url string }{
		{"token_service", p.Values.TokenService}, {"security_kernel", p.Values.SecurityKernel}, {"authenticator", p.Values.Authenticator},
	} {
		if err := field.Endpoint(f.name, f.url); err != nil {
			return err
		}
	}
	return nil
}

func (h writeHandler) updateTenant(c *gin.Context) error {
	ctx, id := c.Request.Context(), c.Param("tenant_id")
	who, err := h.access.asker(ctx)
	if err != nil {
		return err
	}
	tenant, _, found := who.view.tenant(id)
	if !found {
		return unknownTenant(id)
	}
	patch, err := readUpdate(c, Tenants(), id)
	if err != nil {
		return err
	}
	allowed, err := h.access.tenant(ctx, who, tenant, patch.Given)
	if err != nil {
		return err
	}
	if err := readTenant(&patch); err != nil {
		return err
	}
	p, err := h.write(ctx, who.String(), func(p *plan) {
		weigh(p, Tenants(), p.known.tenants, []Patch[Tenant]{patch}, allowed.terms, p.tenant)
	})
	if err != nil {
		return err
	}
	return httpapi.Reply(c, http.StatusOK, p.known.answer(id), "Tenant "+id+" updated.")
}

func (h writeHandler) createOwner(c *gin.Context) error {
	ctx := c.Request.Context()
	who, err := h.access.creator(ctx)
	if err != nil {
		return err
	}
	patch, err := readNew(c, Owners())
	if err != nil {
		return err
	}
	p, err := h.write(ctx, who.String(), func(p *plan) {
		weigh(p, Owners(), p.known.owners, []Patch[Owner]{patch}, absent, p.owner)
	})
	if err != nil {
		return err
	}
	email := patch.Values.Email
	return httpapi.Reply(c, http.StatusCreated, newOwnerAnswer(p.known.owners[email]), "Owner "+email+" created.")
}

func (h writeHandler) deleteOwner(c *gin.Context) error {
	email := c.Param("email")
	if field.Email("email", email) != nil {
		return h.refuse(c, unknownOwner(email))
	}
	return h.remove(c, "Owner "+email+" deleted.", func(p *plan) { p.dropOwner(email) })
}

func (h writeHandler) createLDAP(c *gin.Context) error {
	ctx := c.Request.Context()
	who, err := h.access.creator(ctx)
	if err != nil {
		return err
	}
	patch, err := readNew(c, LDAPs())
	if err != nil {
		return err
	}
	p, err := h.write(ctx, who.String(), func(p *plan) {
		weigh(p, LDAPs(), p.known.ldaps, []Patch[LDAPConnection]{patch}, absent, p.ldap)
	})
	if err != nil {
		return err
	}
	id := patch.Values.ID
	return httpapi.Reply(c, http.StatusCreated, newLDAPAnswer(p.known.ldaps[id], true), "LDAP connection "+id+" created.")
}

func (h writeHandler) deleteLDAP(c *gin.Context) error {
	id := c.Param("ldap_id")
	if field.ConnectionID("ldap_id", id) != nil {
		return h.refuse(c, unknownLDAP(id))
	}
	return h.remove(c, "LDAP connection "+id+" deleted.", func(p *plan) { p.dropLDAP(id) })
}

// remove carries out a deletion.
func (h writeHandler) remove(c *gin.Context, message string, decide func(p *plan)) error {
	ctx := c.Request.Context()
	who, err := h.access.creator(ctx)
	if err != nil {
		return err
	}
	if _, err := h.write(ctx, who.String(), decide); err != nil {
		return err
	}
	return httpapi.Reply(c, http.StatusOK, nil, message)
}

// refuse returns reason to those who may know it.
func (h writeHandler) refuse(c *gin.Context, reason error) error {
	if _, err := h.access.creator(c.Request.Context()); err != nil {
		return err
	}
	return reason
}
