package tenantconfig

import (
	"context"
	"sync"
	"time"

	"gatehouse/internal/database"
)

// freshFor is how long settings are kept in memory, and so how late a change
// by another replica is noticed.
const freshFor = 2 * time.Second

// Service reads and keeps the settings of all tenants.
type Service struct {
	store store
	now   func() time.Time

	mu   sync.RWMutex
	kept map[string]kept
}

type kept struct {
	settings Settings
	until    time.Time
}

// New returns a Service on db.
func New(db *database.DB, now func() time.Time) *Service {
	return &Service{store: store{db}, now: now, kept: map[string]kept{}}
}

// For returns the settings of a tenant.
func (s *Service) For(ctx context.Context, tenantID string) (Settings, error) {
	now := s.now()
	s.mu.RLock()
	k, ok := s.kept[tenantID]
	s.mu.RUnlock()
	if ok && now.Before(k.until) {
		return k.settings, nil
	}
	settings, err := s.store.load(ctx, tenantID)
	if err != nil {
		return Settings{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept[tenantID].until.Equal(k.until) { // else somebody was faster, perhaps with newer settings
		s.kept[tenantID] = kept{settings: settings, until: now.Add(freshFor)}
	}
	return settings, nil
}

// Put replaces the settings of a tenant, at once in this process and within
// two seconds in others. Lifetimes above their maximum are cut to it.
func (s *Service) Put(ctx context.Context, tenantID string, settings Settings) error {
	now, saved := s.now(), newStored(settings)
	if err := s.store.save(ctx, tenantID, saved, now); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept[tenantID] = kept{settings: saved.settings(), until: now.Add(freshFor)} // what others will read
	return nil
}
