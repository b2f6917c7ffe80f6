package throttle

import (
	"context"
	"errors"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/recent"
)

// The limits on failed attempts. One account may be tried from one address
// only a little, from everywhere together somewhat more. The wide limits bind
// strangers only: whoever has signed in from an address before is not locked
// out by others' failures. What all strangers share closes for nobody who did
// no harm: when it is full, each network has a small share of its own.
var (
	accountAtAddress = Rule{Name: "account at address", Burst: 10, Interval: 30 * time.Second}
	account          = Rule{Name: "account", Burst: 100, Interval: 10 * time.Second}
	address          = Rule{Name: "address", Burst: 100, Interval: 5 * time.Second}
	wholeTenant      = Rule{Name: "tenant", Burst: 10_000, Interval: 5 * time.Millisecond, NoLine: true}

	// In the place of wholeTenant when that is full: room for the failures of a
	// hub's users, far less than address has.
	shareOfTenant = Rule{Name: "share of tenant", Burst: 25, Interval: 5 * time.Second}
	// In the place of account when that is full: few attempts, which networks
	// may make that have tried hardly anything like it lately.
	accountForNewcomers = Rule{Name: "account for newcomers", Burst: 10, Interval: 10 * time.Second}
	newcomer            = Rule{Name: "newcomer", Burst: 3, Interval: 20 * time.Minute}

	// Five wrong user codes in ten minutes; several people may share an address.
	userCodes = Rule{Name: "user codes", Burst: 5, Interval: 2 * time.Minute}
	// Devices ask before anybody signed in; a classroom may share an address.
	devicesAtAddress   = Rule{Name: "devices at address", Burst: 100, Interval: 3 * time.Second}
	userCodesAtAddress = Rule{Name: "user codes at address", Burst: 25, Interval: 24 * time.Second}
	// So do browsers; what each is in the middle of is stored for ten minutes.
	visitsAtAddress = Rule{Name: "visits at address", Burst: 300, Interval: 200 * time.Millisecond}

	// What all strangers of a tenant may have stored, and when that is reached,
	// those of one network.
	devices        = Rule{Name: "devices", Burst: 2000, Interval: 250 * time.Millisecond, NoLine: true}
	shareOfDevices = Rule{Name: "share of devices", Burst: 3, Interval: time.Minute}
	visits         = Rule{Name: "visits", Burst: 20_000, Interval: 10 * time.Millisecond, NoLine: true}
	shareOfVisits  = Rule{Name: "share of visits", Burst: 10, Interval: 10 * time.Second}
)

// bySite is how many times the subscribers of one site may do together what
// one of them may.
const bySite = 4

const (
	// maxBuckets bounds the memory of throttling.
	maxBuckets = 100_000
	// maxFamiliar bounds how many accounts at addresses are remembered as good.
	maxFamiliar = 50_000
)

// Guard throttles the guessing of passwords, client secrets and user codes. It
// is shared by all that check one, so that guesses count together wherever
// they are made. What a failure is, is decided by whoever checks the secret.
type Guard struct {
	limiter  *Limiter
	familiar *recent.Map[string, struct{}] // the accounts that were good at an address lately
}

// NewGuard returns a Guard that reads the time from now.
func NewGuard(now func() time.Time) *Guard {
	return &Guard{limiter: New(now, maxBuckets), familiar: recent.New[string, struct{}](maxFamiliar, recent.Unlimited)}
}

// Password begins an attempt at a person's password from an address. It fails
// with an error of kind apierr.TooMany when there were too many. An account
// whose attempt succeeds becomes familiar at its address.
func (g *Guard) Password(ctx context.Context, tenantID, username, from string) (*Attempt, error) {
	return g.acquire(ctx, "user", tenantID, strings.ToLower(username), from)
}

// Client is Password for the secret of a client.
func (g *Guard) Client(ctx context.Context, tenantID, clientID, from string) (*Attempt, error) {
	return g.acquire(ctx, "client", tenantID, clientID, from)
}

// Service is Password for the password of a service account.
func (g *Guard) Service(ctx context.Context, tenantID, service, from string) (*Attempt, error) {
	attempt, err := g.acquire(ctx, "service", tenantID, service, from)
	var refused *apierr.Error
	if errors.As(err, &refused) {
		refused.Code = "" // no OAuth endpoint asks
	}
	return attempt, err
}

// UserCode is Password for the user code of a device, which a person who is
// signed in types. Here it is the person who must not guess.
func (g *Guard) UserCode(ctx context.Context, tenantID, username, from string) (*Attempt, error) {
	charges := append(at(userCodesAtAddress, tenantID+sep, Networks(from)), Charge{Rule: userCodes, Key: tenantID + sep + username})
	return g.begin(ctx, failures, charges)
}

// Device begins a request for a device code from an address, which fails with
// an error of kind apierr.TooMany when there were too many. Each one that is
// to count ends with Fail.
func (g *Guard) Device(ctx context.Context, tenantID, from string) (*Attempt, error) {
	return g.store(ctx, "requests", tenantID, from, devicesAtAddress, devices, shareOfDevices)
}

// Visit counts a browser in which nobody is signed in, and which begins
// something that is to be remembered. It fails as Password does.
func (g *Guard) Visit(ctx context.Context, tenantID, from string) error {
	attempt, err := g.store(ctx, "visits", tenantID, from, visitsAtAddress, visits, shareOfVisits)
	if err == nil {
		attempt.Fail()
	}
	return err
}

// store begins what a stranger has stored.
func (g *Guard) store(ctx context.Context, counted, tenantID, from string, atAddress, inTenant, share Rule) (*Attempt, error) {
	networks := Networks(from)
	charges := append(at(atAddress, tenantID+sep, networks), Charge{Rule: inTenant, Key: tenantID})
	return g.begin(ctx, counted, charges,
		standIn{full: inTenant, charges: []Charge{{Rule: share, Key: tenantID + sep + networks[0]}}})
}

// at applies a rule to an address, and more widely to the site that it is of.
func at(rule Rule, prefix string, networks []string) []Charge {
	widest, narrowest := networks[0], networks[len(networks)-1]
	charges := []Charge{{Rule: rule, Key: prefix + narrowest}}
	if widest != narrowest {
		charges = append(charges, Charge{
			Rule: Rule{Name: rule.Name + ", site", Burst: bySite * rule.Burst, Interval: rule.Interval / bySite}, Key: prefix + widest,
		})
	}
	return charges
}

// sep stands in no name.
const sep = "\x00"

func (g *Guard) acquire(ctx context.Context, kind, tenantID, name, from string) (*Attempt, error) {
	networks := Networks(from)
	prefix := kind + sep + tenantID + sep
	key := prefix + name + sep + networks[len(networks)-1]
	charges := []Charge{{Rule: accountAtAddress, Key: key}}
	isNew := Charge{Rule: newcomer, Key: prefix + networks[0]}
	if _, familiar := g.familiar.Find(key, time.Time{}); !familiar {
		charges = append(charges, at(address, prefix, networks)...)
		charges = append(charges, Charge{Rule: account, Key: prefix + name}, Charge{Rule: wholeTenant, Key: prefix})
	}
	attempt, err := g.begin(ctx, failures, charges,
		standIn{full: account, charges: []Charge{{Rule: accountForNewcomers, Key: prefix + name}, isNew}},
		standIn{full: wholeTenant, charges: []Charge{{Rule: shareOfTenant, Key: prefix + networks[0]}}})
	if refusedBy(err, accountForNewcomers) {
		// Whoever knocks again and again is no newcomer, so that those who
		// are find what leaks out.
		if knock, err := g.limiter.Acquire(ctx, isNew); err == nil {
			knock.Fail()
		}
	}
	if err == nil { // whoever is familiar stays it at any time, so none is said
		attempt.succeeded = func() { g.familiar.Keep(key, struct{}{}, time.Time{}, 0) }
	}
	return attempt, err
}

// refusedBy reports whether err is a Refusal by a rule.
func refusedBy(err error, rule Rule) bool {
	var refused Refusal
	return errors.As(err, &refused) && refused.Rule == rule.Name
}

// failures are what most rules count.
const failures = "failed attempts"

// standIn are the charges in the place of one whose bucket is full.
type standIn struct {
	full    Rule
	charges []Charge
}

func (g *Guard) begin(ctx context.Context, counted string, charges []Charge, standIns ...standIn) (*Attempt, error) {
	attempt, err := g.limiter.Acquire(ctx, charges...)
	for len(standIns) > 0 {
		i := slices.IndexFunc(standIns, func(s standIn) bool { return refusedBy(err, s.full) })
		if i < 0 {
			break
		}
		charges = slices.DeleteFunc(charges, func(c Charge) bool { return c.Rule == standIns[i].full })
		charges = append(charges, standIns[i].charges...)
		standIns = slices.Delete(standIns, i, i+1)
		attempt, err = g.limiter.Acquire(ctx, charges...)
	}
	var refused Refusal
	if errors.As(err, &refused) {
		e := apierr.OAuth(apierr.TooMany, "temporarily_unavailable", "Too many %s; please try again in %d seconds.",
			counted, int(math.Ceil(refused.RetryAfter.Seconds()))).Because(err)
		e.RetryAfter = refused.RetryAfter
		return nil, e
	}
	return attempt, err
}

// Networks are what an address belongs to, the widest first: an address of IPv4
// is alone, of IPv6's a site has 48 bits and a subscriber 64.
func Networks(address string) []string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return []string{address}
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return []string{ip.String()}
	}
	wide, _ := ip.Prefix(48) // no error: an address of IPv6 has so many bits
	narrow, _ := ip.Prefix(64)
	return []string{wide.String(), narrow.String()}
}
