package clients

import (
	"context"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
	"gatehouse/internal/seal"
)

// How long the key before a rotation stays good, so that a client can be
// given its new one without a gap.
const (
	DefaultOverlap = 24 * time.Hour
	MaxOverlap     = 7 * 24 * time.Hour
)

// RotateKey gives owner's client another key, made here unless one is given,
// and returns the client with it. The key that was good until now stays so for
// the overlap; one from an earlier rotation ends at once. Of several rotations
// at the same time one succeeds.
func (s *Service) RotateKey(ctx context.Context, tenantID, owner, clientID, key string, overlap time.Duration) (Client, error) {
	if err := validateKey(key); err != nil {
		return Client{}, err
	}
	r, err := s.changeable(ctx, tenantID, owner, clientID)
	switch {
	case err != nil:
		return Client{}, err
	case r.TokenEndpointAuthMethod == AuthNone:
		return Client{}, apierr.New(apierr.Conflict, "The client is a public one and has no key.")
	}
	if key == "" {
		key = seal.NewSecret()
	}
	before, now := r.KeyHash, s.now()
	r.KeyHash, r.KeySealed = s.keep(tenantID, clientID, key)
	if r.KeyHash == before {
		return Client{}, apierr.Invalidf("The field client_key must be another key than the present one.")
	}
	r.PreviousKeyHash, r.PreviousKeyExpiry, r.LastUpdateTime = "", 0, database.At(now)
	if overlap > 0 {
		r.PreviousKeyHash, r.PreviousKeyExpiry = before, database.At(now.Add(overlap))
	}
	defer s.authentic.Forget()
	done, err := s.store.replaceKey(ctx, r, before)
	switch {
	case err != nil:
		return Client{}, apierr.DatabaseAway(err)
	case !done:
		return Client{}, apierr.New(apierr.Conflict,
			"The client was changed by another request at the same time; please look at it again.")
	}
	return s.client(r, true)
}
