package keys

import (
	"context"
	"log/slog"
	"net/http"
	"regexp"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
)

// updaterRole is what a caller must hold to have keys rotated.
const updaterRole = "tenant_definition_updater"

var tenantID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,49}$`)

// Roles knows who holds a role.
type Roles interface {
	HasRole(ctx context.Context, tenantID, username, role string) (bool, error)
}

// Owners knows whose a tenant is, drafts included.
type Owners interface {
	// SiteOf returns the id of a tenant's site, asked of the registry now. It
	// fails with apierr.NotFound and apierr.Unavailable.
	SiteOf(ctx context.Context, tenantID string) (string, error)
}

// Handler serves /v3/tokens/keys.
type Handler struct {
	rotator *Rotator
	roles   Roles
	owners  Owners
	siteID  string
}

// NewHandler returns a Handler for the tenants of a site.
func NewHandler(r *Rotator, roles Roles, owners Owners, siteID string) *Handler {
	return &Handler{rotator: r, roles: roles, owners: owners, siteID: siteID}
}

// Mount registers the route on r, below which only callers with an access
// token come.
func (h *Handler) Mount(r gin.IRouter) {
	r.PUT("/keys", httpapi.Handle(h.rotate))
}

type rotatedJSON struct {
	PublicKey string `json:"public_key"`
}

// rotate replaces a tenant's key at once, as callers have always expected of
// it; docs/keys.md says what readers of the JWK Set see.
func (h *Handler) rotate(c *gin.Context) error {
	ctx := c.Request.Context()
	caller, err := authn.From(ctx)
	if err != nil {
		return err
	}
	var req struct {
		TenantID *string `json:"tenant_id"`
	}
	if err := httpapi.DecodeJSON(c, &req); err != nil {
		return err
	}
	switch {
	case req.TenantID == nil || *req.TenantID == "":
		return apierr.Invalidf("The field tenant_id is required.")
	case !tenantID.MatchString(*req.TenantID):
		return apierr.Invalidf("The field tenant_id must be the id of a tenant: letters, digits and hyphens.")
	}
	target := *req.TenantID
	if err := h.allow(ctx, caller, target); err != nil {
		return err
	}
	httpapi.Annotate(ctx, slog.String("rotated_tenant", target))
	done, err := h.rotator.Rotate(ctx, target, Now)
	if err != nil {
		return err
	}
	return httpapi.Reply(c, http.StatusOK, rotatedJSON{PublicKey: done.PublicKey},
		"Signing key of tenant "+target+" rotated successfully.")
}

// allow holds for services of this site's administrative tenant and for who
// belongs to the target tenant, provided that they hold the role there, where
// they belong: a role in another tenant was granted by that tenant's admins.
func (h *Handler) allow(ctx context.Context, caller authn.Caller, target string) error {
	ours := caller.SiteID == h.siteID && (caller.Service() || caller.TenantID == target)
	if ours {
		var err error
		if ours, err = h.roles.HasRole(ctx, caller.TenantID, caller.Username, updaterRole); err != nil {
			return err
		}
	}
	if !ours {
		return apierr.New(apierr.Forbidden, "The signing key of a tenant is rotated by services of its site's administrative tenant, "+
			"and by those who belong to the tenant, that hold the role %s in their own tenant.", updaterRole)
	}
	site, err := h.owners.SiteOf(ctx, target)
	switch {
	case err != nil:
		return err
	case site != h.siteID:
		return apierr.New(apierr.Forbidden, "The tenant %s belongs to another site, which keeps its signing key.", target)
	}
	return nil
}
