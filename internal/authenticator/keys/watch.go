package keys

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"gatehouse/internal/database"
)

const (
	// refreshEvery is how soon a replica learns what another has changed.
	refreshEvery = time.Second
	// tickEvery is how often keys whose time has come are looked for.
	tickEvery = 5 * time.Second
)

// Run keeps this replica's keys current and moves those of all tenants on when
// their time comes, until ctx ends.
func (r *Rotator) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { // apart, because a tick may have to wait for the registry
		away := false
		every(ctx, refreshEvery, func() {
			err := r.keys.Refresh(ctx)
			if err != nil && !away && ctx.Err() == nil {
				r.log.WarnContext(ctx, "changes of signing keys cannot be seen", slog.Any("error", err))
			}
			away = err != nil
		})
	})
	every(ctx, tickEvery, func() { r.Tick(ctx) })
}

// every calls do at once and then again and again until ctx ends.
func every(ctx context.Context, pause time.Duration, do func()) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		do()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Tick does what is due now, for one tenant after the other; what fails is
// logged and tried again.
func (r *Rotator) Tick(ctx context.Context) {
	r.ticking.Lock()
	defer r.ticking.Unlock()
	for _, err := range r.keys.takeFaults() {
		r.log.ErrorContext(ctx, "signing key not usable", slog.Any("error", err))
	}
	now := r.keys.now()
	due, err := r.keys.store.due(ctx, database.At(now), database.At(now.Add(-settle)))
	if err != nil {
		if ctx.Err() == nil {
			r.log.WarnContext(ctx, "signing keys that are due cannot be seen", slog.Any("error", err))
		}
		return
	}
	for _, found := range due {
		if err := r.step(ctx, found); err != nil && ctx.Err() == nil {
			r.log.ErrorContext(ctx, "signing key not moved on", slog.String("tenant", found.TenantID), slog.String("kid", found.KID),
				slog.String("state", string(found.State)), slog.Any("error", err))
		}
	}
}

// step moves one key on. Of found only the members that due reads are set.
func (r *Rotator) step(ctx context.Context, found row) error {
	ctx, cancel := context.WithTimeout(ctx, rotateTimeout)
	defer cancel()
	switch {
	case found.State == Next:
		return r.tryAgain(ctx, found.TenantID)
	case found.LeaveTime == 0:
		last, err := r.lastExpiry(ctx, found.TenantID, found.ActivateTime.Time().Add(-settle),
			found.RetireTime.Time().Add(settle))
		if err != nil {
			return err
		}
		leave := last
		if signed := found.RetireTime.Time(); leave.Before(signed) {
			leave = signed
		}
		return r.set(ctx, found, func(key *row) { key.LeaveTime = database.At(leave.Add(settle)) })
	}
	if err := r.set(ctx, found, func(key *row) { key.State = Retired }); err != nil {
		return err
	}
	r.log.InfoContext(ctx, "signing key left the key set", slog.String("tenant", found.TenantID), slog.String("kid", found.KID))
	return nil
}

// set changes a retiring key, unless somebody did already.
func (r *Rotator) set(ctx context.Context, found row, how func(key *row)) error {
	return r.change(ctx, found.TenantID, func(rows []row) []row {
		key := withID(rows, found.KID)
		if key == nil || key.State != Retiring || key.LeaveTime != found.LeaveTime {
			return nil
		}
		changed := *key
		how(&changed)
		return []row{changed}
	})
}

// backoff is how many ticks a tenant's switch rests after it failed.
type backoff struct{ left, length int }

// maxBackoff is a minute of ticks.
const maxBackoff = int(time.Minute / tickEvery)

// tryAgain completes a tenant's switch, less and less often while it fails, so
// that one tenant does not keep the others waiting.
func (r *Rotator) tryAgain(ctx context.Context, tenantID string) error {
	last := r.waiting[tenantID]
	if last.left > 0 {
		last.left--
		r.waiting[tenantID] = last
		return nil
	}
	err := r.complete(ctx, tenantID)
	if err == nil {
		delete(r.waiting, tenantID)
		return nil
	}
	length := min(max(1, 2*last.length), maxBackoff)
	r.waiting[tenantID] = backoff{left: length, length: length}
	return err
}
