package grants

import (
	"context"
	"errors"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/throttle"
)

// The limits on failed attempts. One account may be tried from one address
// only a little, from everywhere together somewhat more, so that nobody can
// lock a person out cheaply and nobody can guess at length.
var (
	accountAtAddress = throttle.Rule{Name: "account at address", Burst: 10, Interval: 30 * time.Second}
	account          = throttle.Rule{Name: "account", Burst: 100, Interval: 10 * time.Second}
	address          = throttle.Rule{Name: "address", Burst: 100, Interval: 5 * time.Second}
	wholeTenant      = throttle.Rule{Name: "tenant", Burst: 5000, Interval: 50 * time.Millisecond}
)

// maxBuckets bounds the memory of throttling.
const maxBuckets = 100_000

// guard throttles the checking of passwords and client secrets.
type guard struct{ limiter *throttle.Limiter }

func newGuard(now func() time.Time) *guard {
	return &guard{limiter: throttle.New(now, maxBuckets)}
}

func (g *guard) password(ctx context.Context, tenantID, username, from string) (*throttle.Attempt, error) {
	return g.acquire(ctx, "user", tenantID, strings.ToLower(username), from)
}

func (g *guard) client(ctx context.Context, tenantID, clientID, from string) (*throttle.Attempt, error) {
	return g.acquire(ctx, "client", tenantID, clientID, from)
}

func (g *guard) acquire(ctx context.Context, kind, tenantID, name, from string) (*throttle.Attempt, error) {
	const sep = "\x00"
	prefix := kind + sep + tenantID + sep
	attempt, err := g.limiter.Acquire(ctx,
		throttle.Charge{Rule: accountAtAddress, Key: prefix + name + sep + from},
		throttle.Charge{Rule: account, Key: prefix + name},
		throttle.Charge{Rule: address, Key: prefix + from},
		throttle.Charge{Rule: wholeTenant, Key: prefix})
	var refused throttle.Refusal
	if errors.As(err, &refused) {
		e := apierr.OAuth(apierr.TooMany, "temporarily_unavailable", "Too many failed attempts; please wait before you try again.").Because(err)
		e.RetryAfter = refused.RetryAfter
		return nil, e
	}
	return attempt, err
}
