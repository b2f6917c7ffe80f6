package sites

import (
	"context"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/tenants/field"
	"gatehouse/internal/tenants/history"
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
	past   history.Store
}

// Mount registers the reads of sites.
func (s *Service) Mount(r gin.IRoutes, source Source) {
	h := handler{source: source, past: s.history}
	httpapi.Get(r, "/v3/sites/:site_id/history", h.history)
	httpapi.Get(r, "/v3/sites", h.list)
	httpapi.Get(r, "/v3/sites/:site_id", h.get)
}

// list answers GET /v3/sites. Every SDK asks it at start, without parameters.
func (h handler) list(c *gin.Context) error {
	find, window := h.source.CurrentSites, httpapi.Window{Limit: -1}
	if c.Request.URL.RawQuery == "" {
		find = h.source.RecentSites
	} else {
		var err error
		if window, err = httpapi.QueryWindow(c); err != nil {
			return err
		}
	}
	ctx := c.Request.Context()
	v, err := find(ctx)
	if err != nil {
		return err
	}
	answer, err := v.answers.List(ctx, window, listed)
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
	answer, found, err := v.answers.Get(ctx, id, "Site "+id+" retrieved.")
	if err != nil {
		return err
	}
	if !found {
		return Unknown(id)
	}
	answer.Write(c)
	return nil
}

// history answers GET /v3/sites/{site_id}/history, oldest first.
func (h handler) history(c *gin.Context) error {
	ctx, id := c.Request.Context(), c.Param("site_id")
	window, err := httpapi.QueryWindow(c)
	if err != nil {
		return err
	}
	v, err := h.source.CurrentSites(ctx)
	if err != nil {
		return err
	}
	if _, found := v.Get(id); !found {
		return Unknown(id)
	}
	return h.past.Reply(c, id, window, "History of site "+id+" retrieved.")
}

// Unknown says that there is no site with the id. It names the site only when
// it could be one: what else people put in an address is not repeated.
func Unknown(id string) error {
	if !field.IsSiteID(id) {
		return apierr.New(apierr.NotFound, "There is no such site.")
	}
	return apierr.New(apierr.NotFound, "The site %s does not exist.", id)
}
