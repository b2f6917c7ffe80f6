package tokens

import (
	"context"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
)

// LastExpiry returns when the last of the access and ID tokens of a tenant
// expires that were issued between two times; zero when there is none. ID
// tokens are not recorded: there may be one beside every access token.
func (s *Service) LastExpiry(ctx context.Context, tenantID string, from, to time.Time) (time.Time, error) {
	l, err := s.store.lastIssued(ctx, tenantID, database.At(from), database.At(to))
	if err != nil || l.Issued == 0 {
		return time.Time{}, apierr.DatabaseAway(err)
	}
	expiry := l.Issued.Time().Add(idTokenTTL)
	if access := l.Expiry.Time(); access.After(expiry) {
		expiry = access
	}
	return expiry, nil
}
