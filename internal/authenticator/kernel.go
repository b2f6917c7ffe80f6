package authenticator

import (
	"context"

	"gatehouse/internal/authenticator/attempts"
	"gatehouse/internal/authenticator/security"
)

// newKernel builds what serves /v3/security.
func (s *Service) newKernel(siteID string, guard *attempts.Guard) *security.Handler {
	return security.NewHandler(security.HandlerDeps{
		Service: s.accounts, Realm: s.registry, SiteID: siteID, Ready: s.Ready,
		TenantAt: func(host string) (string, bool) {
			tenant, known := s.registry.At(host)
			return tenant.ID, known
		},
		BaseURL: func(ctx context.Context, tenantID string) string {
			tenant, _, _ := s.registry.Active(ctx, tenantID) // none: an address relative to the host that was asked
			return tenant.BaseURL
		},
		Attempt: func(ctx context.Context, tenantID, service, from string) (security.Attempt, error) {
			return guard.Service(ctx, tenantID, service, from)
		},
	})
}
