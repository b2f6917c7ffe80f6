package keys

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// refreshing is how this process learns what others have changed.
type refreshing struct {
	begun atomic.Int64 // refreshes that have begun
	mu    sync.Mutex   // held during one; guards the rest
	done  int64        // number of the last that has ended
	err   error        // its error
	known int64        // version of the newest change that was seen
	last  time.Time    // when the last one began, by the machine's own clock
}

// refreshPause bounds how often unknown key ids, which anybody can forge, and
// readers of JWK Sets reach the database: all that ask meanwhile wait for the
// next refresh and share it.
const (
	refreshPause   = 10 * time.Millisecond
	refreshTimeout = 5 * time.Second
)

// refreshShared returns when everything that was changed before the call is
// known.
func (s *Service) refreshShared(ctx context.Context) error {
	r := &s.refreshing
	want := r.begun.Load() + 1
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done >= want {
		return r.err
	}
	if wait := refreshPause - time.Since(r.last); wait > 0 && !r.last.IsZero() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
	return s.refreshLocked(ctx)
}

// Refresh learns at once what has changed in the database.
func (s *Service) Refresh(ctx context.Context) error {
	s.refreshing.mu.Lock()
	defer s.refreshing.mu.Unlock()
	return s.refreshLocked(ctx)
}

// refreshLocked is one refresh, by the holder of the lock.
func (s *Service) refreshLocked(ctx context.Context) error {
	r := &s.refreshing
	number := r.begun.Add(1)
	r.last = time.Now()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshTimeout)
	defer cancel()
	changed, err := s.store.changedSince(ctx, r.known)
	r.done, r.err = number, err
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range changed {
		r.known = max(r.known, c.Version)
		if known := s.tenants[c.TenantID]; known == nil || known.version < c.Version {
			// Also for tenants that were not loaded: they may be loading.
			s.tenants[c.TenantID] = &ring{version: c.Version, stale: true}
		}
	}
	return nil
}
