package authenticator

import (
	"context"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/authenticator/provision"
	"gatehouse/internal/authenticator/serviceaccount"
	"gatehouse/internal/registryclient"
)

// provisioning is what keeps keys and roles of the site's tenants in order.
type provisioning struct {
	records     *registryclient.Records
	rotator     *keys.Rotator
	provisioner *provision.Provisioner
}

func (s *Service) newProvisioning(d Deps, self *serviceaccount.Account) provisioning {
	records := s.registry.Records(self.Authorize)
	rotator := keys.NewRotator(s.keys, records, s.tokens.LastExpiry, d.Log)
	return provisioning{
		records: records, rotator: rotator,
		provisioner: provision.New(provision.Deps{Records: records, Keys: rotator, Roles: s.accounts, Poll: d.RegistryPoll, Log: d.Log}),
	}
}

// EnsureKey makes a tenant's first signing key if it has none and returns the
// public half as PEM.
func (s *Service) EnsureKey(ctx context.Context, tenantID string) (string, error) {
	return s.keys.Ensure(ctx, tenantID)
}

// Keys describes the signing keys of a tenant, or of all if it is empty.
func (s *Service) Keys(ctx context.Context, tenantID string) ([]keys.Info, error) {
	return s.keys.List(ctx, tenantID)
}

// PublishedKey returns the public key that the registry has of a tenant.
func (s *Service) PublishedKey(ctx context.Context, tenantID string) (string, error) {
	return s.provisioning.records.PublishedKey(ctx, tenantID)
}

// RotateKey rotates a tenant's signing key. It is for a process that does not
// serve: the registry is asked for what a rotation needs to know.
func (s *Service) RotateKey(ctx context.Context, tenantID string, mode keys.Mode) (keys.Rotation, error) {
	if err := s.registry.Start(ctx); err != nil {
		return keys.Rotation{}, err
	}
	if _, err := s.keys.Active(ctx, tenantID); apierr.Is(err, apierr.NotFound) {
		return keys.Rotation{}, apierr.New(apierr.NotFound, "The tenant %s has no signing key; keys init makes the first.", tenantID)
	}
	return s.provisioning.rotator.Rotate(ctx, tenantID, mode)
}

// RetireKey takes a key that does not sign out of the JWK Set; with end it
// verifies nothing any more.
func (s *Service) RetireKey(ctx context.Context, tenantID, kid string, end bool) error {
	return s.provisioning.rotator.Retire(ctx, tenantID, kid, end)
}
