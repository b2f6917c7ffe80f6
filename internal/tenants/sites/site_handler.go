package sites

import (
	"context"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/tenants/field"
	"gatehouse/internal/tenants/prepared"
)

// Source tells what the sites are.
type Source interface {
	// RecentSites returns them from memory: every change made by this process
	// and, within two seconds, by others.
	RecentSites(ctx context.Context) (*View, error)
	// CurrentSites returns them as the database has them now.
	CurrentSites(ctx context.Context) (*View, error)
}

const listed = "Sites retrieved."

type handler struct {
	source Source
}

// Mount registers the paths of sites.
func Mount(r gin.IRoutes, source Source) {
	h := handler{source: source}
	httpapi.Get(r, "/v3/sites", h.list)
	httpapi.Get(r, "/v3/sites/:site_id", h.get)
}

// list answers GET /v3/sites. Every SDK asks it at start, without parameters.
func (h handler) list(c *gin.Context) error {
	if c.Request.URL.RawQuery != "" {
		return h.listWindow(c)
	}
	ctx := c.Request.Context()
	v, err := h.source.RecentSites(ctx)
	if err != nil {
		return err
	}
	answer, err := v.list.Get(func() any {
		return prepared.Page(ctx, v.answers, httpapi.Window{Limit: -1}, listed)
	})
	if err != nil {
		return err
	}
	answer.Write(c)
	return nil
}

func (h handler) listWindow(c *gin.Context) error {
	ctx := c.Request.Context()
	if _, err := field.Query(c.Request.URL.RawQuery); err != nil {
		return err
	}
	window, err := httpapi.QueryWindow(c)
	if err != nil {
		return err
	}
	v, err := h.source.CurrentSites(ctx)
	if err != nil {
		return err
	}
	answer, err := prepared.New(prepared.Page(ctx, v.answers, window, listed))
	if err != nil {
		return err
	}
	answer.Write(c)
	return nil
}

// get answers GET /v3/sites/{site_id}.
func (h handler) get(c *gin.Context) error {
	ctx, id := c.Request.Context(), c.Param("site_id")
	v, err := h.source.CurrentSites(ctx)
	if err != nil {
		return err
	}
	i, ok := v.byID[id]
	if !ok {
		return unknown(id)
	}
	answer, err := v.each[i].Get(func() any {
		return httpapi.Success(ctx, v.answers[i], "Site "+id+" retrieved.")
	})
	if err != nil {
		return err
	}
	answer.Write(c)
	return nil
}

// unknown names the site only when it could be one: what else people put in
// an address is not repeated.
func unknown(id string) error {
	if !field.IsSiteID(id) {
		return apierr.New(apierr.NotFound, "There is no such site.")
	}
	return apierr.New(apierr.NotFound, "The site %s does not exist.", id)
}
