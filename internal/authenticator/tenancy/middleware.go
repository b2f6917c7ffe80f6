package tenancy

import (
	"context"
	"errors"
	"log/slog"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/registryclient"
)

type tenantKey struct{}

// Middleware puts the tenant that the request's host names into its context,
// or answers that there is none.
func Middleware(registry *registryclient.Client) gin.HandlerFunc {
	return httpapi.Handle(func(c *gin.Context) error {
		ctx := c.Request.Context()
		tenant, err := registry.ForHost(ctx, c.Request.Host)
		if err != nil {
			return err
		}
		httpapi.Annotate(ctx, slog.String("tenant", tenant.ID))
		c.Request = c.Request.WithContext(With(ctx, tenant))
		return nil
	})
}

// With puts the tenant of a request into its context.
func With(ctx context.Context, tenant registryclient.Tenant) context.Context {
	return context.WithValue(ctx, tenantKey{}, tenant)
}

// From returns the tenant of the request. Without one it fails as an internal
// error, so that nothing is ever done in no tenant.
func From(ctx context.Context) (registryclient.Tenant, error) {
	t, ok := ctx.Value(tenantKey{}).(registryclient.Tenant)
	if !ok {
		return registryclient.Tenant{}, apierr.Wrap(errors.New("no tenant resolution in front of this route"), "find tenant")
	}
	return t, nil
}

// InTenant returns the middlewares of a service's endpoints that are about one
// tenant of this site: the caller is a user of the tenant at the request's
// host, or a service that acts for someone in the tenant that it names, at
// whatever host. They put the caller (authn.From) and the tenant
// (From) into the context.
func (s *Callers) InTenant(service string) []gin.HandlerFunc {
	return []gin.HandlerFunc{authn.Require(s.For(service)), httpapi.Handle(s.tenant)}
}

func (s *Callers) tenant(c *gin.Context) error {
	ctx := c.Request.Context()
	caller, err := authn.From(ctx)
	if err != nil {
		return err
	}
	var tenant registryclient.Tenant
	if caller.Service() {
		tenant, err = s.registry.Served(ctx, caller.OnBehalfOf.TenantID)
	} else {
		tenant, err = s.registry.ForHost(ctx, c.Request.Host)
	}
	if err != nil {
		return err
	}
	if !caller.Service() && tenant.ID != caller.TenantID {
		return apierr.New(apierr.Forbidden, "The token belongs to another tenant than the host of this request.")
	}
	c.Request = c.Request.WithContext(With(ctx, tenant))
	return nil
}
