package keys

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
)

// never is the switch time of a standby key: one that is published so that
// every reader of the JWK Set knows it when a rotation needs it at once.
const never database.Micros = math.MaxInt64

// standby reports whether the key waits for a rotation that nobody has asked
// for yet.
func (r row) standby() bool { return r.State == Next && r.SwitchTime == never }

// standbysAtOnce is how many standby keys a process makes in standbyWindow, so
// that a site with many tenants goes on serving meanwhile.
const (
	standbysAtOnce = 20
	standbyWindow  = time.Minute
)

// limiter lets so much happen in a window of time.
type limiter struct {
	mu    sync.Mutex
	since time.Time
	taken int
}

func (l *limiter) allow(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.since) >= standbyWindow {
		l.since, l.taken = now, 0
	}
	l.taken++
	return l.taken <= standbysAtOnce
}

// prepare makes the tenant's standby key if it has none and its active one has
// signed for a while: a tenant that was just rotated may be rotated again
// before readers could know another key in any case.
func (r *Rotator) prepare(ctx context.Context, active row) error {
	now := r.keys.now()
	if now.Sub(active.ActivateTime.Time()) < lead || !r.standbys.allow(now) {
		return nil
	}
	fresh, err := r.keys.generate(active.TenantID)
	if err != nil {
		return apierr.Wrap(err, "make a standby key")
	}
	fresh.SwitchTime = never
	made := false
	err = r.change(ctx, active.TenantID, func(rows []row) []row {
		current := inState(rows, Active)
		if current == nil || current.KID != active.KID || inState(rows, Next) != nil {
			return nil
		}
		made = true
		return []row{*fresh}
	})
	if err == nil && made {
		r.log.InfoContext(ctx, "standby key made", slog.String("tenant", active.TenantID), slog.String("kid", fresh.KID))
	}
	return err
}
