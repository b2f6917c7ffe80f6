package oidc

import (
	"maps"
	"net/http"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/authenticator/tenancy"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
)

// Mount registers the UserInfo endpoint (OpenID Connect Core section 5.3) on
// r, below which the tenant and its user are known.
func (s *Service) Mount(r gin.IRoutes) {
	httpapi.Get(r, "/userinfo/oidc", s.userinfo)
	r.POST("/userinfo/oidc", httpapi.Handle(s.userinfo))
}

// userinfo answers without the envelope, as OpenID Connect clients expect. A
// token that was made without the scope openid, as those of Tapis clients, is
// told everything that /userinfo tells it anyway.
func (s *Service) userinfo(c *gin.Context) error {
	ctx := c.Request.Context()
	caller, err := authn.From(ctx)
	if err != nil {
		return err
	}
	tenant, err := tenancy.From(ctx)
	if err != nil {
		return err
	}
	scope, err := s.mint.GrantedScope(ctx, tenant.ID, caller.TokenID, caller.TokenExpiry)
	if err != nil {
		return err
	}
	if !Granted(scope, OpenID) {
		scope = Profile + " " + Email
	}
	answer, err := s.claims(ctx, tenant, caller.Username, scope)
	if err != nil {
		return err
	}
	maps.Copy(answer, map[string]any{
		"sub": caller.Username + "@" + caller.TenantID, "preferred_username": caller.Username,
		"username": caller.Username, "tapis/tenant_id": caller.TenantID,
	})
	return httpapi.JSON(c, http.StatusOK, answer)
}
