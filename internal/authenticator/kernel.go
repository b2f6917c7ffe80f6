package authenticator

import (
	"context"

	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/throttle"
)

// newKernel builds what serves /v3/security.
func (s *Service) newKernel(siteID string, guard *throttle.Guard) *kernel.Handler {
	return kernel.NewHandler(kernel.HandlerDeps{
		Service: s.accounts, Realm: s.registry, SiteID: siteID, Ready: s.Ready,
		TenantAt: func(host string) (string, bool) {
			tenant, known := s.registry.At(host)
			return tenant.ID, known
		},
		BaseURL: func(ctx context.Context, tenantID string) string {
			tenant, _, _ := s.registry.Active(ctx, tenantID) // none: an address relative to the host that was asked
			return tenant.BaseURL
		},
		Attempt: func(ctx context.Context, tenantID, service, from string) (kernel.Attempt, error) {
			return guard.Service(ctx, tenantID, service, from)
		},
	})
}

// operator is who grants on the command line; in no tenant, so that nobody of
// that name owns what it makes.
const operator = "operator"

// GrantRole gives an account of a tenant a role, which is made if there is
// none of that name; false when the account has it already.
func (s *Service) GrantRole(ctx context.Context, tenantID, username, role string) (bool, error) {
	_, err := s.accounts.CreateRole(ctx, kernel.Role{TenantID: tenantID, Name: role, Owner: operator})
	if err != nil {
		return false, err
	}
	n, err := s.accounts.GrantRole(ctx, tenantID, username, role, operator)
	return n > 0, err
}

// RevokeRole takes a role from an account of a tenant; false when it has it
// not.
func (s *Service) RevokeRole(ctx context.Context, tenantID, username, role string) (bool, error) {
	n, err := s.accounts.RevokeRole(ctx, tenantID, username, role)
	return n > 0, err
}

// Roles returns the roles of a tenant and, for each, who has it.
func (s *Service) Roles(ctx context.Context, tenantID string) (names []string, holders map[string][]string, err error) {
	if names, err = s.accounts.RoleNames(ctx, tenantID); err != nil {
		return nil, nil, err
	}
	holders = map[string][]string{}
	for _, name := range names {
		if holders[name], err = s.accounts.UsersWithRole(ctx, tenantID, name); err != nil {
			return nil, nil, err
		}
	}
	return names, holders, nil
}
