package keys

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// looking is how this process learns what others have changed.
type looking struct {
	begun atomic.Int64 // looks that have begun
	mu    sync.Mutex   // held while one looks; guards the rest
	done  int64        // number of the last look that has ended
	err   error        // its error
	known int64        // version of the newest change that was seen
	last  time.Time    // when the last look began, by the machine's own clock
}

// lookEvery bounds how often unknown key ids, which anybody can forge, and
// readers of JWK Sets reach the database: all that ask meanwhile wait for the
// next look and share it.
const (
	lookEvery   = 10 * time.Millisecond
	lookTimeout = 5 * time.Second
)

// look returns when everything that was changed before the call is known.
func (s *Service) look(ctx context.Context) error {
	l := &s.looking
	want := l.begun.Load() + 1
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done >= want {
		return l.err
	}
	if wait := lookEvery - time.Since(l.last); wait > 0 && !l.last.IsZero() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
	return s.lookNow(ctx)
}

// Refresh learns at once what has changed in the database.
func (s *Service) Refresh(ctx context.Context) error {
	s.looking.mu.Lock()
	defer s.looking.mu.Unlock()
	return s.lookNow(ctx)
}

// lookNow is one look, by the holder of the lock.
func (s *Service) lookNow(ctx context.Context) error {
	l := &s.looking
	number := l.begun.Add(1)
	l.last = time.Now()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
	defer cancel()
	changed, err := s.store.changedSince(ctx, l.known)
	l.done, l.err = number, err
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range changed {
		l.known = max(l.known, c.Version)
		if r := s.tenants[c.TenantID]; r == nil || r.version < c.Version {
			// Also for tenants that were not loaded: they may be loading.
			s.tenants[c.TenantID] = &ring{version: c.Version, stale: true}
		}
	}
	return nil
}
