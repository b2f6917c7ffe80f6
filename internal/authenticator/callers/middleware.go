package callers

import (
	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/tenancy"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
)

// InTenant returns the middlewares of a service's endpoints that are about one
// tenant of this site: the caller is a user of the tenant at the request's
// host, or a service that acts for someone in the tenant that it names, at
// whatever host. They put the caller (authn.From) and the tenant
// (tenancy.From) into the context.
func (s *Service) InTenant(service string) []gin.HandlerFunc {
	return []gin.HandlerFunc{authn.Require(s.For(service)), httpapi.Handle(s.tenant)}
}

func (s *Service) tenant(c *gin.Context) error {
	ctx := c.Request.Context()
	caller, err := authn.From(ctx)
	if err != nil {
		return err
	}
	var tenant tenancy.Tenant
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
	c.Request = c.Request.WithContext(tenancy.With(ctx, tenant))
	return nil
}
