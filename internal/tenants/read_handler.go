package tenants

import (
	"context"
	"encoding/json"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/responsecache"
	"gatehouse/internal/tenants/history"
)

// readHandler answers everything that shows the registry.
type readHandler struct {
	snapshots *snapshots
	access    access
	tables    tables
}

// reads are the routes that show one resource; T is a record of it on the wire.
type reads[R, T any] struct {
	Resource[R]

	find func(c *gin.Context) (*snapshot, error)
	// cache returns what the caller in ctx may see. id is what is asked for,
	// empty for all.
	cache func(ctx context.Context, s *snapshot, id string) *responsecache.Cache[T]
	vary  []string // headers that tell who asks, where that makes a difference
}

func (h readHandler) mount(r gin.IRoutes) {
	sites := reads[Site, siteResponse]{Resource: Sites(), find: h.listed}
	sites.cache = func(_ context.Context, s *snapshot, _ string) *responsecache.Cache[siteResponse] { return s.sites }
	httpapi.Get(r, "/v3/sites", sites.list)
	httpapi.Get(r, "/v3/sites/:site_id", sites.get)
	httpapi.Get(r, "/v3/sites/:site_id/history", sites.history(h.tables.siteHistory))

	tenants := reads[Tenant, tenantResponse]{Resource: Tenants(), find: h.current}
	tenants.cache = func(_ context.Context, s *snapshot, _ string) *responsecache.Cache[tenantResponse] { return s.tenants }
	httpapi.Get(r, "/v3/tenants", h.listTenants)
	httpapi.Get(r, "/v3/tenants/:tenant_id", tenants.get)
	httpapi.Get(r, "/v3/tenants/:tenant_id/history", tenants.history(h.tables.tenantHistory))

	owners := reads[Owner, ownerResponse]{Resource: Owners(), find: h.current}
	owners.cache = func(_ context.Context, s *snapshot, _ string) *responsecache.Cache[ownerResponse] { return s.owners }
	httpapi.Get(r, "/v3/tenants/owners", owners.list)
	httpapi.Get(r, "/v3/tenants/owners/:email", owners.get)
}

// mountLDAPs registers the reads of LDAP connections on r, which is behind
// authn.Optional.
func (h readHandler) mountLDAPs(r gin.IRoutes) {
	ldaps := reads[LDAPConnection, ldapResponse]{
		Resource: LDAPs(), find: h.current, cache: h.visibleLDAPs,
		vary: []string{"X-Tapis-Token", "Authorization", "X-Tapis-Tenant", "X-Tapis-User"},
	}
	httpapi.Get(r, "/v3/tenants/ldaps", ldaps.list)
	httpapi.Get(r, "/v3/tenants/ldaps/:ldap_id", ldaps.get)
}

func (h readHandler) current(c *gin.Context) (*snapshot, error) {
	return h.snapshots.current(c.Request.Context())
}

// listed is current, but for a list without parameters, which every SDK and
// service asks for at start: that lies ready.
func (h readHandler) listed(c *gin.Context) (*snapshot, error) {
	if c.Request.URL.RawQuery == "" && len(c.Params) == 0 {
		return h.snapshots.recent(c.Request.Context())
	}
	return h.current(c)
}

// window reads which part of a list is asked for, and then the registry.
func (r reads[R, T]) window(c *gin.Context) (window httpapi.Window, now *snapshot, err error) {
	if window, err = httpapi.QueryWindow(c); err == nil {
		now, err = r.find(c)
	}
	return window, now, err
}

// list answers with the records that the query's window asks for.
func (r reads[R, T]) list(c *gin.Context) error {
	window, now, err := r.window(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	response, err := r.cache(ctx, now, "").List(ctx, window, r.heading()+"s retrieved.")
	if err != nil {
		return err
	}
	r.write(c, response)
	return nil
}

// get answers with the record whose id is in the path.
func (r reads[R, T]) get(c *gin.Context) error {
	now, err := r.find(c)
	if err != nil {
		return err
	}
	ctx, id := c.Request.Context(), r.pathID(c)
	response, found, err := r.cache(ctx, now, id).Get(ctx, id, r.heading()+" "+id+" retrieved.")
	if err != nil {
		return err
	}
	if !found {
		return r.unknown(id)
	}
	r.write(c, response)
	return nil
}

func (r reads[R, T]) write(c *gin.Context, response *responsecache.Response) {
	if r.vary == nil {
		response.Write(c)
		return
	}
	response.WritePrivate(c, r.vary...)
}

// history returns the handler that answers with the updates of the record
// whose id is in the path, oldest first.
func (r reads[R, T]) history(past history.Store) httpapi.Handler {
	return func(c *gin.Context) error {
		window, now, err := r.window(c)
		if err != nil {
			return err
		}
		id := r.pathID(c)
		if !r.cache(c.Request.Context(), now, id).Has(id) {
			return r.unknown(id)
		}
		return past.Reply(c, id, window, "History of "+r.title+" "+id+" retrieved.")
	}
}

// pathID returns the id in the path of a request.
func (r Resource[R]) pathID(c *gin.Context) string { return c.Param(r.Fields[0].Name) }

// visibleLDAPs returns the LDAP connections as the caller in ctx may see them.
// Everybody sees how a directory is reached; bind_dn and bind_credential, the
// account that looks people up and the name of its secret, are shown to
// services, and to the administrators of a tenant those of the connections
// that it names. Whether somebody is an administrator is asked for only where
// it matters.
func (h readHandler) visibleLDAPs(ctx context.Context, s *snapshot, id string) *responsecache.Cache[ldapResponse] {
	caller, known := authn.Known(ctx)
	switch {
	case !known:
		return s.ldaps
	case caller.Service():
		return s.secrets
	}
	t, _, _ := s.tenant(caller.TenantID)
	concerned := t.names(id) || (id == "" && t.UserLDAPConnectionID+t.ServiceLDAPConnectionID != "")
	if !concerned || !h.access.administers(ctx, caller) {
		return s.ldaps
	}
	return s.connections(func(l LDAPConnection) bool { return t.names(l.ID) })
}

const tenantsListed = "Tenants retrieved."

// listTenants answers GET /v3/tenants.
func (h readHandler) listTenants(c *gin.Context) error {
	q, err := readTenantQuery(c)
	if err != nil {
		return err
	}
	now, err := h.listed(c)
	if err != nil {
		return err
	}
	response, err := q.response(c.Request.Context(), now)
	if err != nil {
		return err
	}
	response.Write(c)
	return nil
}

// tenantQuery is what a list of tenants can be asked for.
type tenantQuery struct {
	plain            bool // nothing
	drafts, inactive bool
	window           httpapi.Window
	members          []string // nil: all
}

func readTenantQuery(c *gin.Context) (q tenantQuery, err error) {
	if c.Request.URL.RawQuery == "" {
		return tenantQuery{plain: true, window: httpapi.Window{Limit: -1}}, nil
	}
	if q.window, err = httpapi.QueryWindow(c); err != nil {
		return q, err
	}
	if q.drafts, err = httpapi.QueryBool(c, "show_draft"); err != nil {
		return q, err
	}
	if q.inactive, err = httpapi.QueryBool(c, "show_inactive"); err != nil {
		return q, err
	}
	names, err := httpapi.QueryText(c, "select")
	q.members = parseSelect(names)
	return q, err
}

func (q tenantQuery) response(ctx context.Context, s *snapshot) (*responsecache.Response, error) {
	all := func() any { return responsecache.Page(ctx, s.filter(q.drafts, q.inactive), q.window, tenantsListed) }
	switch {
	case q.plain:
		return s.list.Get(all)
	case q.members == nil:
		return responsecache.NewResponse(all())
	}
	records := s.filter(q.drafts, q.inactive)
	selected := make([]map[string]json.RawMessage, len(records))
	for i, r := range records {
		var err error
		if selected[i], err = r.selected(q.members); err != nil {
			return nil, err
		}
	}
	return responsecache.NewResponse(responsecache.Page(ctx, selected, q.window, tenantsListed))
}
