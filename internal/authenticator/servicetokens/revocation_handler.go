package servicetokens

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
)

// routers lets the services pass that upstream lets revoke at the site router.
func (h *Handler) routers(c *gin.Context) error {
	caller, err := authn.From(c.Request.Context())
	if err != nil {
		return err
	}
	admin, err := h.service.admin()
	if err != nil {
		return err
	}
	if !caller.Service() || caller.TenantID != admin.ID || (caller.Username != "tokens" && caller.Username != "tenants") {
		return apierr.New(apierr.Forbidden,
			"Only the services tokens and tenants of this site revoke here; everybody else at /v3/tokens/revoke.")
	}
	return nil
}

// revoke ends the token in the body: whoever holds it may.
func (h *Handler) revoke(c *gin.Context) error {
	ctx := c.Request.Context()
	var body struct {
		Token string `json:"token"`
	}
	if err := httpapi.DecodeJSON(c, &body); err != nil {
		return err
	}
	if body.Token == "" {
		return apierr.Invalidf("The field token is missing.")
	}
	found, err := h.service.find(ctx, body.Token)
	switch {
	case errors.Is(err, authn.ErrExpired):
		return apierr.Invalidf("The token has expired; there is nothing to revoke.").Because(err)
	case authn.IsRefusal(err):
		return apierr.Invalidf("The field token is not a token of this site.").Because(err)
	case err != nil:
		return err
	}
	if err := h.service.Tokens.Revoke(ctx, found); err != nil {
		return err
	}
	httpapi.Annotate(ctx, slog.String("jti", found.ID))
	return httpapi.Reply(c, http.StatusOK, "", "Token "+found.ID+" has been revoked.")
}

func (s *Service) find(ctx context.Context, raw string) (tokens.Recorded, error) {
	claimed, err := authn.ClaimedTenant(raw)
	if err != nil {
		return tokens.Recorded{}, err
	}
	tenant, err := s.own(ctx, claimed)
	if errors.Is(err, errElsewhere) {
		err = authn.ErrTenant
	}
	if err != nil {
		return tokens.Recorded{}, err
	}
	return s.Tokens.Find(ctx, tenant, raw)
}

// errElsewhere means that a tenant belongs to another site.
var errElsewhere = errors.New("the tenant belongs to another site")

// own returns an active tenant of this site.
func (s *Service) own(ctx context.Context, id string) (tokens.Tenant, error) {
	tenant, found, err := s.Registry.Active(ctx, id)
	switch {
	case err != nil:
		return tokens.Tenant{}, err
	case !found:
		return tokens.Tenant{}, authn.ErrTenant
	case !tenant.OwnedByThisOne:
		return tokens.Tenant{}, errElsewhere
	}
	return tokenTenant(tenant), nil
}
