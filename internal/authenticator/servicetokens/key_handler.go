package servicetokens

import (
	"context"
	"log/slog"
	"net/http"
	"regexp"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
)

// tenantID is what the id of a tenant looks like.
var tenantID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,49}$`)

type rotatedJSON struct {
	PublicKey string `json:"public_key"`
}

// rotateKey replaces a tenant's key at once, as callers have always expected of
// it; docs/keys.md says what readers of the JWK Set see.
func (h *Handler) rotateKey(c *gin.Context) error {
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
	if err := h.service.mayRotate(ctx, caller, target); err != nil {
		return err
	}
	if err := h.service.MayAdminister(ctx, caller); err != nil {
		return err
	}
	httpapi.Annotate(ctx, slog.String("rotated_tenant", target))
	done, err := h.service.Rotator.Rotate(ctx, target, keys.Now)
	if err != nil {
		return err
	}
	return httpapi.Reply(c, http.StatusOK, rotatedJSON{PublicKey: done.PublicKey},
		"Signing key of tenant "+target+" rotated successfully.")
}

// mayRotate holds for services of this site's administrative tenant and for who
// belongs to the target tenant, provided that they hold the role there, where
// they belong: a role in another tenant was granted by that tenant's admins.
func (s *Service) mayRotate(ctx context.Context, caller authn.Caller, target string) error {
	admin, err := s.admin()
	if err != nil {
		return err
	}
	ours := caller.SiteID == admin.SiteID && (caller.Service() || caller.TenantID == target)
	if ours {
		ours, err = s.Accounts.HasRole(ctx, caller.TenantID, caller.Username, kernel.DefinitionUpdater)
		if err != nil {
			return err
		}
	}
	if !ours {
		return apierr.New(apierr.Forbidden,
			"The signing key of a tenant is rotated by services of its site's administrative tenant, "+
				"and by those who belong to the tenant, that hold the role %s in their own tenant.", kernel.DefinitionUpdater)
	}
	site, err := s.Records.SiteOf(ctx, target)
	switch {
	case err != nil:
		return err
	case site != admin.SiteID:
		return apierr.New(apierr.Forbidden, "The tenant %s belongs to another site, which keeps its signing key.", target)
	}
	return nil
}
