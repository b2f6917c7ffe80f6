package kernel

import "context"

// CanonicalName is canonicalName.
var CanonicalName = canonicalName

// Generate makes a key pair for an owner.
func (s *Service) Generate(ctx context.Context, owner string) error {
	_, err := s.generated(ctx, owner, map[string]string{privateHalf: generate})
	return err
}

// HoldGeneration keeps everybody from making a key pair until release.
func (s *Service) HoldGeneration(ctx context.Context) (release func(), err error) {
	return s.generating.Take(ctx)
}
