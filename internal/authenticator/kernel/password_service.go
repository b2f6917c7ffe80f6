package kernel

import (
	"context"
	"crypto/sha256"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
	"gatehouse/internal/fair"
	"gatehouse/internal/recent"
	"gatehouse/internal/seal"
)

// minPassword is the shortest service password that is taken: they are made
// by machines for machines, so a keyed hash of a long one is enough.
const minPassword = 24

var serviceName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,49}$`)

// Service keeps roles, the passwords of service accounts, and secrets.
type Service struct {
	store store
	box   *seal.Box
	now   func() time.Time

	ensured    *recent.Map[string, [sha256.Size]byte] // by site, what was last found in order
	generating *fair.Slots                            // one, taken while a key pair is generated
}

// New returns a Service on db.
func New(db *database.DB, box *seal.Box, now func() time.Time) *Service {
	return &Service{
		store: store{db}, box: box, now: now, ensured: recent.New[string, [sha256.Size]byte](maxSites, checkEvery),
		generating: fair.New(1),
	}
}

// SetPassword gives a service account of a tenant its password.
func (s *Service) SetPassword(ctx context.Context, tenantID, service, password string) error {
	if !serviceName.MatchString(service) {
		return fmt.Errorf("service name must be lower-case letters, digits and hyphens, beginning with a letter")
	}
	if len(password) < minPassword {
		return fmt.Errorf("service password must have at least %d characters", minPassword)
	}
	return s.store.savePassword(ctx, passwordRow{
		TenantID: tenantID, Service: service, Hash: s.box.Hash(purpose(tenantID, service), password),
		LastUpdateTime: database.At(s.now()),
	})
}

// RemovePassword takes its password from a service account; false when it has
// none. The tokens that it gave are for the caller to revoke.
func (s *Service) RemovePassword(ctx context.Context, tenantID, service string) (bool, error) {
	removed, err := s.store.removePassword(ctx, tenantID, service)
	return removed, apierr.DatabaseAway(err)
}

// PasswordMatches checks a service account's password in constant time.
func (s *Service) PasswordMatches(ctx context.Context, tenantID, service, password string) (bool, error) {
	hash, err := s.passwordHash(ctx, tenantID, service)
	if err != nil {
		return false, err
	}
	matches := s.box.HashMatches(purpose(tenantID, service), password, hash)
	return matches && hash != "", nil
}

// HasPassword reports whether there is a service account of that name that can
// show who it is.
func (s *Service) HasPassword(ctx context.Context, tenantID, service string) (bool, error) {
	hash, err := s.passwordHash(ctx, tenantID, service)
	return hash != "", err
}

// passwordHash returns the hash of an account's password, "" when there is none.
func (s *Service) passwordHash(ctx context.Context, tenantID, service string) (string, error) {
	// Other names cannot have a password, and may be more than the database can take.
	if !serviceName.MatchString(service) || !utf8.ValidString(tenantID) || strings.ContainsRune(tenantID, 0) {
		return "", nil
	}
	hash, err := s.store.passwordHash(ctx, tenantID, service)
	if err != nil {
		return "", apierr.Away(err, "The database")
	}
	return hash, nil
}

// purpose binds a hash to its account, so that rows cannot be exchanged.
func purpose(tenantID, service string) string { return "service password " + tenantID + "/" + service }
