package grants

import (
	"context"
	"errors"
	"math"
	"net/netip"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/throttle"
)

// The limits on failed attempts. One account may be tried from one address
// only a little, from everywhere together somewhat more. The wide limits bind
// strangers only: whoever has signed in from an address before is not locked
// out by others' failures.
var (
	accountAtAddress = throttle.Rule{Name: "account at address", Burst: 10, Interval: 30 * time.Second}
	account          = throttle.Rule{Name: "account", Burst: 100, Interval: 10 * time.Second}
	address          = throttle.Rule{Name: "address", Burst: 100, Interval: 5 * time.Second}
	wholeTenant      = throttle.Rule{Name: "tenant", Burst: 10_000, Interval: 5 * time.Millisecond}
)

const (
	// maxBuckets bounds the memory of throttling.
	maxBuckets = 100_000
	// maxFamiliar bounds how many accounts at addresses are remembered as good.
	maxFamiliar = 50_000
)

// guard throttles the checking of passwords and client secrets.
type guard struct {
	limiter  *throttle.Limiter
	familiar familiar
}

func newGuard(now func() time.Time) *guard {
	return &guard{limiter: throttle.New(now, maxBuckets)}
}

// guarded is an attempt that, when it succeeds, makes its account familiar at
// its address.
type guarded struct {
	*throttle.Attempt

	guard *guard
	key   string
}

// Succeed ends the attempt well.
func (g guarded) Succeed() {
	g.Attempt.Succeed()
	g.guard.familiar.add(g.key)
}

func (g *guard) password(ctx context.Context, tenantID, username, from string) (guarded, error) {
	return g.acquire(ctx, "user", tenantID, strings.ToLower(username), from)
}

func (g *guard) client(ctx context.Context, tenantID, clientID, from string) (guarded, error) {
	return g.acquire(ctx, "client", tenantID, clientID, from)
}

func (g *guard) acquire(ctx context.Context, kind, tenantID, name, from string) (guarded, error) {
	const sep = "\x00"
	from = network(from)
	prefix := kind + sep + tenantID + sep
	key := prefix + name + sep + from
	charges := []throttle.Charge{{Rule: accountAtAddress, Key: key}}
	if !g.familiar.has(key) {
		charges = append(charges,
			throttle.Charge{Rule: account, Key: prefix + name},
			throttle.Charge{Rule: address, Key: prefix + from},
			throttle.Charge{Rule: wholeTenant, Key: prefix})
	}
	attempt, err := g.limiter.Acquire(ctx, charges...)
	var refused throttle.Refusal
	if errors.As(err, &refused) {
		e := apierr.OAuth(apierr.TooMany, "temporarily_unavailable", "Too many failed attempts; please try again in %d seconds.",
			int(math.Ceil(refused.RetryAfter.Seconds()))).Because(err)
		e.RetryAfter = refused.RetryAfter
		return guarded{}, e
	}
	return guarded{Attempt: attempt, guard: g, key: key}, err
}

// network is what counts as one address: all of IPv4's, and of IPv6's the 64
// bits that a single subscriber has to himself.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	prefix, err := ip.Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}

// familiar remembers the accounts that were good at an address lately, in two
// generations: when the younger is full it becomes the older, and the older
// is forgotten.
type familiar struct {
	mu             sync.Mutex
	younger, older map[string]struct{}
}

func (f *familiar) has(key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.younger[key]; ok {
		return true
	}
	_, ok := f.older[key]
	return ok
}

func (f *familiar) add(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.younger[key]; ok {
		return
	}
	if f.younger == nil || len(f.younger) >= maxFamiliar/2 {
		f.younger, f.older = map[string]struct{}{}, f.younger
	}
	f.younger[key] = struct{}{}
}
