package tenancy

import (
	"context"
	"errors"
	"log/slog"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/httpapi"
)

type tenantKey struct{}

// Middleware puts the tenant that the request's host names into its context,
// or answers that there is none.
func (r *Registry) Middleware() gin.HandlerFunc {
	return httpapi.Handle(func(c *gin.Context) error {
		ctx := c.Request.Context()
		tenant, err := r.ForHost(ctx, c.Request.Host)
		if err != nil {
			return err
		}
		httpapi.Annotate(ctx, slog.String("tenant", tenant.ID))
		c.Request = c.Request.WithContext(With(ctx, tenant))
		return nil
	})
}

// With puts the tenant of a request into its context.
func With(ctx context.Context, tenant Tenant) context.Context {
	return context.WithValue(ctx, tenantKey{}, tenant)
}

// From returns the tenant of the request. Without one it fails as an internal
// error, so that nothing is ever done in no tenant.
func From(ctx context.Context) (Tenant, error) {
	t, ok := ctx.Value(tenantKey{}).(Tenant)
	if !ok {
		return Tenant{}, apierr.Wrap(errors.New("no tenant resolution in front of this route"), "find tenant")
	}
	return t, nil
}
