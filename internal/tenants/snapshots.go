package tenants

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
)

const (
	// pollEvery is how often another replica's writes are looked for.
	pollEvery = time.Second
	// loadTimeout bounds one look into the database.
	loadTimeout = 5 * time.Second
	// loadTries is how often a copy is begun anew when a write comes between.
	loadTries = 20
)

// snapshots keeps the newest snapshot and is the only way to write.
//
// Two counts tell whether a snapshot is still good. The database's counter grows
// in the transaction of every change, whoever makes it. The generation grows
// after every write of this process, before that write returns: a snapshot that
// was begun earlier is not used again, even when the database cannot be
// reached at that moment.
type snapshots struct {
	db      *database.DB
	changes changeStore
	tables  tables
	log     *slog.Logger

	newest     atomic.Pointer[snapshot]
	generation atomic.Int64
	loading    chan struct{} // holds a value while a snapshot is being made
}

func newSnapshots(db *database.DB, t tables, log *slog.Logger) *snapshots {
	return &snapshots{db: db, changes: changeStore{db: db}, tables: t, log: log, loading: make(chan struct{}, 1)}
}

// recent returns the snapshot in memory. It has every write of this process, and
// those of others as soon as watch has seen them.
func (s *snapshots) recent(ctx context.Context) (*snapshot, error) {
	if v := s.newest.Load(); v != nil && v.generation == s.generation.Load() {
		return v, nil
	}
	return s.load(ctx, func(*snapshot) bool { return true })
}

// current returns the registry as the database has it now. It costs one small
// query when nothing has changed.
func (s *snapshots) current(ctx context.Context) (*snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	counter, err := s.changes.counter(ctx)
	if err != nil {
		return nil, away(err)
	}
	same := func(v *snapshot) bool { return v.counter == counter }
	if v := s.newest.Load(); v != nil && v.generation == s.generation.Load() && same(v) {
		return v, nil
	}
	return s.load(ctx, same)
}

// load makes a new snapshot and publishes it, unless another caller just
// published one that will do. Loads follow one another, so that an older snapshot
// never replaces a newer one.
func (s *snapshots) load(ctx context.Context, good func(*snapshot) bool) (*snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	select {
	case s.loading <- struct{}{}:
		defer func() { <-s.loading }()
	case <-ctx.Done():
		return nil, away(ctx.Err())
	}
	if v := s.newest.Load(); v != nil && v.generation == s.generation.Load() && good(v) {
		return v, nil
	}
	for range loadTries {
		v, err := s.read(ctx)
		if err != nil {
			return nil, away(err)
		}
		if v != nil {
			s.newest.Store(v)
			return v, nil
		}
	}
	return nil, away(errors.New("the registry changed at every attempt to read it"))
}

// read copies the registry, or returns nil when a change came between. The
// counter stands still around the copy exactly when the copy is of one
// moment; that holds on every database, without a transaction.
func (s *snapshots) read(ctx context.Context) (*snapshot, error) {
	generation := s.generation.Load()
	before, err := s.changes.counter(ctx)
	if err != nil {
		return nil, err
	}
	content, err := s.tables.content(ctx)
	if err != nil {
		return nil, err
	}
	after, err := s.changes.counter(ctx)
	if err != nil {
		return nil, err
	}
	if before != after {
		return nil, nil // documented: no error, and no copy either
	}
	return newSnapshot(after, generation, content), nil
}

// change runs fn in a transaction that keeps all other writers of the
// registry out, in every replica, so that fn may look before it writes. It is
// given the count of changes before its own. When change returns, no read of
// this process shows the state before it.
func (s *snapshots) change(ctx context.Context, fn func(ctx context.Context, counter int64) error) error {
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		counter, err := s.changes.lock(ctx)
		if err != nil {
			return err
		}
		return fn(ctx, counter)
	})
	// After a failed commit nobody knows what was stored: look again then, too.
	s.generation.Add(1)
	if err != nil {
		return err
	}
	if _, err := s.recent(context.WithoutCancel(ctx)); err != nil {
		s.log.WarnContext(ctx, "registry not read after a change; the next read will", slog.String("error", err.Error()))
	}
	return nil
}

// watch looks for writes of other replicas until ctx ends.
func (s *snapshots) watch(ctx context.Context) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	failing := false
	for {
		_, err := s.current(ctx)
		if ctx.Err() != nil {
			return
		}
		switch {
		case err != nil && !failing:
			s.log.WarnContext(ctx, "registry database away; answering from memory", slog.String("error", err.Error()))
		case err == nil && failing:
			s.log.InfoContext(ctx, "registry database back")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func away(err error) error { return apierr.Away(err, "The registry's database") }
