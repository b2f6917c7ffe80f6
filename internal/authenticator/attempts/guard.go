// Package attempts throttles the guessing of passwords, client secrets and
// user codes. It is shared by all that check one, so that guesses count
// together wherever they are made.
//
// The arithmetic is throttle's; what a failure is, and what is said of it,
// is decided by whoever checks the secret.
package attempts

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

	// Five wrong user codes in ten minutes; several people may share an address.
	userCodes = throttle.Rule{Name: "user codes", Burst: 5, Interval: 2 * time.Minute}
	// Devices ask before anybody signed in; a classroom may share an address.
	devicesAtAddress   = throttle.Rule{Name: "devices at address", Burst: 100, Interval: 3 * time.Second}
	userCodesAtAddress = throttle.Rule{Name: "user codes at address", Burst: 25, Interval: 24 * time.Second}
	// So do browsers; what each is in the middle of is stored for ten minutes.
	visitsAtAddress = throttle.Rule{Name: "visits at address", Burst: 300, Interval: 200 * time.Millisecond}
)

const (
	// maxBuckets bounds the memory of throttling.
	maxBuckets = 100_000
	// maxFamiliar bounds how many accounts at addresses are remembered as good.
	maxFamiliar = 50_000
)

// Guard throttles the checking of passwords, client secrets and user codes.
type Guard struct {
	limiter  *throttle.Limiter
	familiar familiar
}

// New returns a Guard that reads the time from now.
func New(now func() time.Time) *Guard {
	return &Guard{limiter: throttle.New(now, maxBuckets)}
}

// Attempt is one try at a secret. Whoever has it says how it went with
// Succeed, Fail or Cancel. When it succeeds, its account becomes familiar at
// its address.
type Attempt struct {
	*throttle.Attempt

	guard *Guard
	key   string // empty: nothing becomes familiar
}

// Succeed ends the attempt well.
func (a Attempt) Succeed() {
	a.Attempt.Succeed()
	if a.key != "" {
		a.guard.familiar.add(a.key)
	}
}

// Password begins an attempt at a person's password from an address. It fails
// with an error of kind apierr.TooMany when there were too many.
func (g *Guard) Password(ctx context.Context, tenantID, username, from string) (Attempt, error) {
	return g.acquire(ctx, "user", tenantID, strings.ToLower(username), from)
}

// Client is Password for the secret of a client.
func (g *Guard) Client(ctx context.Context, tenantID, clientID, from string) (Attempt, error) {
	return g.acquire(ctx, "client", tenantID, clientID, from)
}

// Service is Password for the password of a service account.
func (g *Guard) Service(ctx context.Context, tenantID, service, from string) (Attempt, error) {
	attempt, err := g.acquire(ctx, "service", tenantID, service, from)
	var refused *apierr.Error
	if errors.As(err, &refused) {
		refused.Code = "" // no OAuth endpoint asks
	}
	return attempt, err
}

// UserCode is Password for the user code of a device, which a person who is
// signed in types. Here it is the person who must not guess.
func (g *Guard) UserCode(ctx context.Context, tenantID, username, from string) (Attempt, error) {
	return g.begin(ctx, failures, "",
		throttle.Charge{Rule: userCodes, Key: tenantID + sep + username},
		throttle.Charge{Rule: userCodesAtAddress, Key: tenantID + sep + network(from)})
}

// Device begins a request for a device code from an address, which fails with
// an error of kind apierr.TooMany when there were too many. Each one that is
// to count ends with Fail.
func (g *Guard) Device(ctx context.Context, tenantID, from string) (Attempt, error) {
	return g.begin(ctx, "requests", "", throttle.Charge{Rule: devicesAtAddress, Key: tenantID + sep + network(from)})
}

// Visit counts a browser in which nobody is signed in, and which begins
// something that is to be remembered. It fails as Password does.
func (g *Guard) Visit(ctx context.Context, tenantID, from string) error {
	attempt, err := g.begin(ctx, "visits", "", throttle.Charge{Rule: visitsAtAddress, Key: tenantID + sep + network(from)})
	if err == nil {
		attempt.Fail()
	}
	return err
}

// sep stands in no name.
const sep = "\x00"

func (g *Guard) acquire(ctx context.Context, kind, tenantID, name, from string) (Attempt, error) {
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
	return g.begin(ctx, failures, key, charges...)
}

// failures are what most rules count.
const failures = "failed attempts"

func (g *Guard) begin(ctx context.Context, counted, key string, charges ...throttle.Charge) (Attempt, error) {
	attempt, err := g.limiter.Acquire(ctx, charges...)
	var refused throttle.Refusal
	if errors.As(err, &refused) {
		e := apierr.OAuth(apierr.TooMany, "temporarily_unavailable", "Too many %s; please try again in %d seconds.",
			counted, int(math.Ceil(refused.RetryAfter.Seconds()))).Because(err)
		e.RetryAfter = refused.RetryAfter
		return Attempt{}, e
	}
	return Attempt{Attempt: attempt, guard: g, key: key}, err
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
