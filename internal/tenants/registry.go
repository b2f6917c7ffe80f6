package tenants

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
	"gatehouse/internal/tenants/sites"
)

const (
	// pollEvery is how often another replica's writes are looked for.
	pollEvery = time.Second
	// loadTimeout bounds one look into the database.
	loadTimeout = 5 * time.Second
	// loadTries is how often a copy is begun anew when a write comes between.
	loadTries = 20
)

// registry keeps the newest view and is the only way to write.
//
// Two counts tell whether a view is still good. The database's counter grows
// in the transaction of every change, whoever makes it. The generation grows
// after every write of this process, before that write returns: a view that
// was begun earlier is not used again, even when the database cannot be
// reached at that moment.
type registry struct {
	db      *database.DB
	changes changeStore
	tables  tables
	log     *slog.Logger

	view       atomic.Pointer[view]
	generation atomic.Int64
	loading    chan struct{} // holds a value while a view is being made
}

func newRegistry(db *database.DB, t tables, log *slog.Logger) *registry {
	return &registry{db: db, changes: changeStore{db: db}, tables: t, log: log, loading: make(chan struct{}, 1)}
}

// recent returns the view in memory. It has every write of this process, and
// those of others as soon as watch has seen them.
func (r *registry) recent(ctx context.Context) (*view, error) {
	if v := r.view.Load(); v != nil && v.generation == r.generation.Load() {
		return v, nil
	}
	return r.load(ctx, func(*view) bool { return true })
}

// current returns the registry as the database has it now. It costs one small
// query when nothing has changed.
func (r *registry) current(ctx context.Context) (*view, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	counter, err := r.changes.counter(ctx)
	if err != nil {
		return nil, away(err)
	}
	same := func(v *view) bool { return v.counter == counter }
	if v := r.view.Load(); v != nil && v.generation == r.generation.Load() && same(v) {
		return v, nil
	}
	return r.load(ctx, same)
}

// load makes a new view and publishes it, unless another caller just
// published one that will do. Loads follow one another, so that an older view
// never replaces a newer one.
func (r *registry) load(ctx context.Context, good func(*view) bool) (*view, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	select {
	case r.loading <- struct{}{}:
		defer func() { <-r.loading }()
	case <-ctx.Done():
		return nil, away(ctx.Err())
	}
	if v := r.view.Load(); v != nil && v.generation == r.generation.Load() && good(v) {
		return v, nil
	}
	for range loadTries {
		v, err := r.read(ctx)
		if err != nil {
			return nil, away(err)
		}
		if v != nil {
			r.view.Store(v)
			return v, nil
		}
	}
	return nil, away(errors.New("the registry changed at every attempt to read it"))
}

// read copies the registry, or returns nil when a change came between. The
// counter stands still around the copy exactly when the copy is of one
// moment; that holds on every database, without a transaction.
func (r *registry) read(ctx context.Context) (*view, error) {
	generation := r.generation.Load()
	before, err := r.changes.counter(ctx)
	if err != nil {
		return nil, err
	}
	content, err := r.tables.content(ctx)
	if err != nil {
		return nil, err
	}
	after, err := r.changes.counter(ctx)
	if err != nil {
		return nil, err
	}
	if before != after {
		return nil, nil // documented: no error, and no copy either
	}
	return newView(after, generation, content), nil
}

// change runs fn in a transaction that keeps all other writers of the
// registry out, in every replica, so that fn may look before it writes. When
// change returns, no read of this process shows the state before it.
func (r *registry) change(ctx context.Context, fn func(ctx context.Context) error) error {
	err := r.db.InTx(ctx, func(ctx context.Context) error {
		if err := r.changes.lock(ctx); err != nil {
			return err
		}
		return fn(ctx)
	})
	// After a failed commit nobody knows what was stored: look again then, too.
	r.generation.Add(1)
	if err != nil {
		return err
	}
	if _, err := r.recent(context.WithoutCancel(ctx)); err != nil {
		r.log.WarnContext(ctx, "registry not read after a change; the next read will", slog.String("error", err.Error()))
	}
	return nil
}

// watch looks for writes of other replicas until ctx ends.
func (r *registry) watch(ctx context.Context) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	failing := false
	for {
		_, err := r.current(ctx)
		if ctx.Err() != nil {
			return
		}
		switch {
		case err != nil && !failing:
			r.log.WarnContext(ctx, "registry database away; answering from memory", slog.String("error", err.Error()))
		case err == nil && failing:
			r.log.InfoContext(ctx, "registry database back")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// RecentSites implements sites.Source.
func (r *registry) RecentSites(ctx context.Context) (*sites.View, error) {
	v, err := r.recent(ctx)
	if err != nil {
		return nil, err
	}
	return v.sites, nil
}

// CurrentSites implements sites.Source.
func (r *registry) CurrentSites(ctx context.Context) (*sites.View, error) {
	v, err := r.current(ctx)
	if err != nil {
		return nil, err
	}
	return v.sites, nil
}

var _ sites.Source = (*registry)(nil)

func away(err error) error { return apierr.Away(err, "The registry's database") }
