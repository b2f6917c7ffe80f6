package consents

import (
	"context"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
)

const (
	// AskAgainAfter is how long "always" lasts.
	AskAgainAfter = 365 * 24 * time.Hour
	// kept is how long a consent is listed: as long as tokens made by it live
	// where a tenant changed nothing.
	kept = 2 * 365 * 24 * time.Hour
)

// Client is an application as consent was given to it. Fingerprint changes
// when anything does that a person was shown, or that decides where tokens go.
type Client struct{ ID, Fingerprint string }

// Consent is what one person allowed one client.
type Consent struct {
	ClientID  string
	Scopes    []string
	Always    bool // the person does not want to be asked again
	GrantTime time.Time
}

// Revoker voids what a client holds of one person.
type Revoker interface {
	RevokeUserClient(ctx context.Context, tenantID, username, clientID string) error
}

// Service keeps the consents of all tenants.
type Service struct {
	store   store
	revoker Revoker
	now     func() time.Time
}

// New returns a Service on db.
func New(db *database.DB, r Revoker, now func() time.Time) *Service {
	return &Service{store: store{db}, revoker: r, now: now}
}

// Covers reports whether a person said that this client, as it is now, may
// always have these scopes.
func (s *Service) Covers(ctx context.Context, tenantID, username string, c Client, scopes []string) (bool, error) {
	r, found, err := s.store.find(ctx, tenantID, username, c.ID)
	if err != nil {
		return false, apierr.DatabaseAway(err)
	}
	return found && s.always(r, c) && subset(scopes, r.scopes()), nil
}

// always reports whether "always" still holds.
func (s *Service) always(r row, c Client) bool {
	return r.Always && r.Fingerprint == c.Fingerprint && s.now().Sub(r.GrantTime.Time()) < AskAgainAfter
}

func subset(part, of []string) bool {
	return !slices.ContainsFunc(part, func(s string) bool { return !slices.Contains(of, s) })
}

// Record notes that a person allowed a client some scopes, this once or
// always. What was always allowed before, to the client as it is now, stays.
func (s *Service) Record(ctx context.Context, tenantID, username string, c Client, scopes []string, always bool) error {
	now := s.now()
	return apierr.DatabaseAway(s.store.db.InTx(ctx, func(ctx context.Context) error {
		r, found, err := s.store.find(ctx, tenantID, username, c.ID)
		if err != nil {
			return err
		}
		if found && s.always(r, c) {
			if !always {
				return nil // it says more than this
			}
			for _, old := range r.scopes() {
				if !slices.Contains(scopes, old) {
					scopes = append(slices.Clone(scopes), old)
				}
			}
		}
		return s.store.save(ctx, row{
			TenantID: tenantID, Username: username, ClientID: c.ID, Scopes: strings.Join(scopes, " "), Always: always,
			Fingerprint: c.Fingerprint, GrantTime: database.At(now), ExpiryTime: database.At(now.Add(kept)),
		})
	}))
}

// List returns what a person allowed, by client.
func (s *Service) List(ctx context.Context, tenantID, username string) ([]Consent, error) {
	rows, err := s.store.list(ctx, tenantID, username)
	if err != nil {
		return nil, apierr.DatabaseAway(err)
	}
	list := make([]Consent, 0, len(rows))
	for _, r := range rows {
		list = append(list, Consent{ClientID: r.ClientID, Scopes: r.scopes(), Always: r.Always, GrantTime: r.GrantTime.Time()})
	}
	return list, nil
}

// Revoke voids the tokens that a client holds of a person and takes it off the
// person's list at once: nobody finds the one done and the other not. What
// is not on the list is left alone, so that nobody can name clients without end.
func (s *Service) Revoke(ctx context.Context, tenantID, username, clientID string) error {
	if _, found, err := s.store.find(ctx, tenantID, username, clientID); err != nil || !found {
		return apierr.DatabaseAway(err)
	}
	return apierr.DatabaseAway(s.store.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.revoker.RevokeUserClient(ctx, tenantID, username, clientID); err != nil {
			return err
		}
		return s.store.remove(ctx, tenantID, username, clientID)
	}))
}

// Sweep deletes what is no longer listed. It is called from time to time.
func (s *Service) Sweep(ctx context.Context) error { return s.store.sweep(ctx, database.At(s.now())) }
