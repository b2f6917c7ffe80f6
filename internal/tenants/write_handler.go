package tenants

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/httpapi"
)

// writeHandler answers everything that changes the registry. Who asks is
// known before the body is read, so that strangers learn nothing and cost
// little.
type writeHandler struct {
	access access
	write  func(ctx context.Context, by string, decide func(p *plan)) (*plan, error)
}

// writes are the routes that change one resource.
type writes[R any] struct {
	writeHandler
	Resource[R]

	of       func(p *plan) *collection[R]
	show     func(p *plan, record R) any // the record on the wire
	optional []string                    // fields that a new record may lack
	complete func(p *Patch[R]) error     // brings what a body says of a new record into the form that is kept
}

// mount registers the routes on r, which is behind authn.Require.
func (h writeHandler) mount(r gin.IRoutes) {
	sites := writes[Site]{
		writeHandler: h, Resource: Sites(), optional: []string{"tenant_base_url_template"},
		of:   func(p *plan) *collection[Site] { return &p.sites },
		show: func(_ *plan, s Site) any { return newSiteResponse(s) },
	}
	tenants := writes[Tenant]{
		writeHandler: h, Resource: Tenants(), complete: completeTenant,
		optional: []string{"status", "public_key", "service_ldap_connection_id", "user_ldap_connection_id", "description"},
		of:       func(p *plan) *collection[Tenant] { return &p.tenants },
		show:     func(p *plan, t Tenant) any { return p.response(t) },
	}
	owners := writes[Owner]{
		writeHandler: h, Resource: Owners(),
		of:   func(p *plan) *collection[Owner] { return &p.owners },
		show: func(_ *plan, o Owner) any { return newOwnerResponse(o) },
	}
	ldaps := writes[LDAPConnection]{
		writeHandler: h, Resource: LDAPs(),
		of:   func(p *plan) *collection[LDAPConnection] { return &p.ldaps },
		show: func(_ *plan, l LDAPConnection) any { return newLDAPResponse(l, true) },
	}
	for _, route := range []struct {
		method, path string
		handle       httpapi.Handler
	}{
		{http.MethodPost, "/v3/sites", sites.create},
		{http.MethodPut, "/v3/sites/:site_id", updateSite(sites)},
		{http.MethodDelete, "/v3/sites/:site_id", sites.remove},
		{http.MethodPost, "/v3/tenants", tenants.create},
		{http.MethodPut, "/v3/tenants/:tenant_id", updateTenant(tenants)},
		{http.MethodPost, "/v3/tenants/owners", owners.create},
		{http.MethodDelete, "/v3/tenants/owners/:email", owners.remove},
		{http.MethodPost, "/v3/tenants/ldaps", ldaps.create},
		{http.MethodDelete, "/v3/tenants/ldaps/:ldap_id", ldaps.remove},
	} {
		r.Handle(route.method, route.path, httpapi.Handle(route.handle))
	}
}

// create makes the record in the body.
func (w writes[R]) create(c *gin.Context) error {
	who, err := w.access.creator(c.Request.Context())
	if err != nil {
		return err
	}
	patch, err := readNew(c, w.Resource, w.optional...)
	if err != nil {
		return err
	}
	if w.complete != nil {
		if err := w.complete(&patch); err != nil {
			return err
		}
	}
	return w.put(c, who, patch, absent, http.StatusCreated, " created.")
}

// put carries out a patch and answers with the record as it is then.
func (w writes[R]) put(
	c *gin.Context, who writer, patch Patch[R], allowed precondition, status int, done string,
) error {
	p, err := w.write(c.Request.Context(), who.String(), func(p *plan) { w.of(p).diff(p, []Patch[R]{patch}, allowed) })
	if err != nil {
		return err
	}
	id := w.ID(&patch.Values)
	return httpapi.Reply(c, status, w.show(p, w.of(p).records[id]), w.heading()+" "+id+done)
}

// remove deletes the record whose id is in the path.
func (w writes[R]) remove(c *gin.Context) error {
	ctx, id := c.Request.Context(), w.pathID(c)
	who, err := w.access.creator(ctx)
	if err != nil {
		return err
	}
	if !w.validID(id) {
		return w.unknown(id)
	}
	if _, err := w.write(ctx, who.String(), func(p *plan) { w.of(p).remove(p, id) }); err != nil {
		return err
	}
	return httpapi.Reply(c, http.StatusOK, nil, w.heading()+" "+id+" deleted.")
}

func updateSite(w writes[Site]) httpapi.Handler {
	return func(c *gin.Context) error {
		ctx, id := c.Request.Context(), w.pathID(c)
		who, err := w.access.writer(ctx)
		if err != nil {
			return err
		}
		if _, found := who.now.site(id); !found {
			return w.unknown(id)
		}
		allowed, err := w.access.site(ctx, who, id)
		if err != nil {
			return err
		}
		patch, err := readUpdate(c, w.Resource, id)
		if err != nil {
			return err
		}
		return w.put(c, who, patch, allowed.precondition, http.StatusOK, " updated.")
	}
}

func updateTenant(w writes[Tenant]) httpapi.Handler {
	return func(c *gin.Context) error {
		ctx, id := c.Request.Context(), w.pathID(c)
		who, err := w.access.writer(ctx)
		if err != nil {
			return err
		}
		tenant, _, found := who.now.tenant(id)
		if !found {
			return w.unknown(id)
		}
		patch, err := readUpdate(c, w.Resource, id)
		if err != nil {
			return err
		}
		allowed, err := w.access.tenant(ctx, who, tenant, patch.Given)
		if err != nil {
			return err
		}
		if err := readTenant(&patch); err != nil {
			return err
		}
		return w.put(c, who, patch, allowed.precondition, http.StatusOK, " updated.")
	}
}
