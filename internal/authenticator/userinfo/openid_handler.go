package userinfo

import (
	"maps"
	"net/http"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/authenticator/oauth2"
	"gatehouse/internal/authenticator/tenancy"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
)

// MountOpenID registers the UserInfo endpoint (OpenID Connect Core section 5.3)
// on r, below which the tenant and its user are known.
func (h *Handler) MountOpenID(r gin.IRouter) {
	httpapi.Get(r, "/userinfo/oidc", h.openID)
	r.POST("/userinfo/oidc", httpapi.Handle(h.openID))
}

// openID answers without the envelope, as OpenID Connect clients expect. A
// token that was made without the scope openid, as those of Tapis clients, is
// told everything that /userinfo tells it anyway.
func (h *Handler) openID(c *gin.Context) error {
	ctx := c.Request.Context()
	caller, err := authn.From(ctx)
	if err != nil {
		return err
	}
	tenant, err := tenancy.From(ctx)
	if err != nil {
		return err
	}
	scope, err := h.claims.tokens.GrantedScope(ctx, tenant.ID, caller.TokenID, caller.TokenExpiry)
	if err != nil {
		return err
	}
	if !oauth2.HasScope(scope, oauth2.OpenID) {
		scope = oauth2.Profile + " " + oauth2.Email
	}
	answer, err := h.claims.claims(ctx, tenant, caller.Username, scope)
	if err != nil {
		return err
	}
	maps.Copy(answer, map[string]any{
		"sub": caller.Username + "@" + caller.TenantID, "preferred_username": caller.Username,
		"username": caller.Username, "tapis/tenant_id": caller.TenantID,
	})
	return httpapi.JSON(c, http.StatusOK, answer)
}
