package tenants

import (
	"context"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/responsecache"
	"gatehouse/internal/tenants/field"
	"gatehouse/internal/tenants/history"
)

type tenantHandler struct {
	registry *registry
	past     history.Store
}

func (h tenantHandler) mount(r gin.IRoutes) {
	httpapi.Get(r, "/v3/tenants", h.list)
	httpapi.Get(r, "/v3/tenants/:tenant_id", h.get)
	httpapi.Get(r, "/v3/tenants/:tenant_id/history", h.history)
}

const tenantsListed = "Tenants retrieved."

// list answers GET /v3/tenants. Every SDK and service asks it at start,
// without parameters: then the answer lies ready.
func (h tenantHandler) list(c *gin.Context) error {
	if c.Request.URL.RawQuery != "" {
		return h.listFiltered(c)
	}
	ctx := c.Request.Context()
	v, err := h.registry.recent(ctx)
	if err != nil {
		return err
	}
	answer, err := v.list.Get(func() any {
		return responsecache.Page(ctx, v.filter(false, false), httpapi.Window{Limit: -1}, tenantsListed)
	})
	if err != nil {
		return err
	}
	answer.Write(c)
	return nil
}

// tenantQuery is what a list of tenants can be asked for.
type tenantQuery struct {
	drafts, inactive bool
	window           httpapi.Window
	members          []string // nil: all
}

func (h tenantHandler) listFiltered(c *gin.Context) error {
	q, err := readTenantQuery(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	v, err := h.registry.current(ctx)
	if err != nil {
		return err
	}
	answer, err := q.answer(ctx, v)
	if err != nil {
		return err
	}
	answer.Write(c)
	return nil
}

func readTenantQuery(c *gin.Context) (q tenantQuery, err error) {
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

func (q tenantQuery) answer(ctx context.Context, v *view) (*responsecache.Response, error) {
	rows := v.filter(q.drafts, q.inactive)
	if q.members == nil {
		return responsecache.NewResponse(responsecache.Page(ctx, rows, q.window, tenantsListed))
	}
	selected := make([]map[string]any, len(rows))
	for i := range rows {
		selected[i] = rows[i].selected(q.members)
	}
	return responsecache.NewResponse(responsecache.Page(ctx, selected, q.window, tenantsListed))
}

// get answers GET /v3/tenants/{tenant_id} for a tenant of any status.
func (h tenantHandler) get(c *gin.Context) error {
	ctx, id := c.Request.Context(), c.Param("tenant_id")
	v, err := h.registry.current(ctx)
	if err != nil {
		return err
	}
	answer, found, err := v.tenants.Get(ctx, id, "Tenant "+id+" retrieved.")
	if err != nil {
		return err
	}
	if !found {
		return unknownTenant(id)
	}
	answer.Write(c)
	return nil
}

// unknownTenant names the tenant only when it could be one: what else people
// put in an address is not repeated.
func unknownTenant(id string) error {
	if !field.IsTenantID(id) || isReserved(id) {
		return apierr.New(apierr.NotFound, "There is no such tenant.")
	}
	return missing("tenant", id)
}

// history answers GET /v3/tenants/{tenant_id}/history, oldest first.
func (h tenantHandler) history(c *gin.Context) error {
	ctx, id := c.Request.Context(), c.Param("tenant_id")
	window, err := httpapi.QueryWindow(c)
	if err != nil {
		return err
	}
	v, err := h.registry.current(ctx)
	if err != nil {
		return err
	}
	if _, _, found := v.tenant(id); !found {
		return unknownTenant(id)
	}
	return h.past.Reply(c, id, window, "History of tenant "+id+" retrieved.")
}
