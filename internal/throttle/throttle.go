package throttle

import (
	"context"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"sync"
	"time"
)

// Rule says how many failures a bucket holds and how fast it forgets them.
// All charges with one Name should carry the same numbers.
type Rule struct {
	Name     string        // keeps the keys of different rules apart and names the rule in a Refusal
	Burst    int           // failures and attempts in flight that fit, at least 1
	Interval time.Duration // time in which one failure is forgotten, above 0
	NoLine   bool          // who finds only attempts in flight in the way is refused too
}

// Validate says what is wrong with r, if anything.
func (r Rule) Validate() error {
	if r.Burst < 1 {
		return fmt.Errorf("throttle rule %q has a burst of %d, want at least 1", r.Name, r.Burst)
	}
	if r.Interval <= 0 || r.Interval > math.MaxInt64/4/time.Duration(r.Burst) {
		return fmt.Errorf("throttle rule %q has an unusable interval of %v", r.Name, r.Interval)
	}
	return nil
}

// Charge names one bucket: a rule and the key that it is applied to, for
// example an account. A key may be of any length and is not kept.
type Charge struct {
	Rule Rule
	Key  string
}

// Refusal is the error of an attempt that failures forbid. The callers use
// errors.As with a Refusal value.
type Refusal struct {
	Rule       string        // name of the rule that stands in the way the longest
	RetryAfter time.Duration // until that rule has room for one attempt, above 0
}

// Error implements error. It names the rule and no key.
func (r Refusal) Error() string {
	return fmt.Sprintf("too many failed attempts (%s), the next is possible in %v", r.Rule, r.RetryAfter)
}

// fullRetry is the RetryAfter of an attempt for which there is no memory.
const fullRetry = time.Second

// Limiter counts failures in memory. It is safe for concurrent use.
type Limiter struct {
	now      func() time.Time
	epoch    time.Time
	ruleSeed maphash.Seed
	keySeed  maphash.Seed

	mu    sync.Mutex
	table table
}

// New returns a Limiter that reads the time from now and keeps at most
// maxBuckets buckets (at least 1). 100000 buckets take about 15 MB.
func New(now func() time.Time, maxBuckets int) *Limiter {
	return &Limiter{
		now: now, epoch: now(),
		ruleSeed: maphash.MakeSeed(), keySeed: maphash.MakeSeed(),
		table: newTable(max(maxBuckets, 1)),
	}
}

// target is a charge that has become a bucket's name.
type target struct {
	id   id
	rule Rule
}

// Acquire charges every bucket with an attempt in flight, before its caller
// looks at the secret. The caller then says how it went with Succeed, Fail or
// Cancel; a deferred Cancel covers every way out. Charges that name the same
// bucket count once.
//
// It returns a Refusal when failures alone fill one of the buckets. When only
// other attempts in flight stand in the way it waits until one ends, and
// returns ctx's error when ctx ends first. A Rule that cannot work is
// reported as its Validate does.
func (l *Limiter) Acquire(ctx context.Context, charges ...Charge) (*Attempt, error) {
	var room [5]target
	targets := room[:0]
	for _, c := range charges {
		if err := c.Rule.Validate(); err != nil {
			return nil, err
		}
		t := target{id{maphash.String(l.ruleSeed, c.Rule.Name), maphash.String(l.keySeed, c.Key)}, c.Rule}
		if !slices.ContainsFunc(targets, func(u target) bool { return u.id == t.id }) {
			targets = append(targets, t)
		}
	}
	var place *waiter
	for {
		attempt, next, err := l.try(targets, place)
		if next == nil {
			return attempt, err
		}
		place = next
		select {
		case <-place.ready:
		case <-ctx.Done():
			l.leave(place)
			return nil, ctx.Err()
		}
	}
}

// try takes all targets, or refuses, or queues at one bucket that is in the
// way. place is where the caller has waited so far: its slot there is kept for
// it until now and goes to the next in line if it is not taken.
func (l *Limiter) try(targets []target, place *waiter) (*Attempt, *waiter, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock()
	if place != nil { // until the end the slot pins its bucket
		defer func() {
			place.bucket.called--
			l.settle(place.bucket, now)
		}()
	}
	var refusal Refusal
	var busy *bucket
	for i := range targets {
		b := l.table.buckets[targets[i].id]
		if b == nil {
			continue
		}
		rule := &targets[i].rule
		b.burst, b.interval = rule.Burst, rule.Interval
		mine := 0
		if place != nil && place.bucket == b {
			mine = 1 // the slot kept for this very attempt
		} else {
			b.call(now) // those in line come first, also to a slot that has leaked free
		}
		taken := b.inFlight + b.called - mine
		switch failures := b.failures(now); {
		case failures >= b.burst:
			if wait := b.regained(now); wait > refusal.RetryAfter {
				refusal = Refusal{Rule: rule.Name, RetryAfter: wait}
			}
		case failures+taken >= b.burst && rule.NoLine:
			refusal = Refusal{Rule: rule.Name, RetryAfter: max(refusal.RetryAfter, rule.Interval)}
		case failures+taken >= b.burst && busy == nil:
			busy = b
		}
	}
	if refusal.RetryAfter > 0 {
		return nil, nil, refusal
	}
	if busy != nil {
		return nil, busy.queue(), nil
	}
	return l.take(targets, now)
}

// take charges every target. The buckets that exist are pinned by their
// charge before room is made for the others, so that none of them is evicted.
func (l *Limiter) take(targets []target, now time.Duration) (*Attempt, *waiter, error) {
	a := &Attempt{limiter: l}
	a.buckets = a.room[:0]
	for i := range targets {
		if b := l.table.buckets[targets[i].id]; b != nil {
			b.inFlight++
			a.buckets = append(a.buckets, b)
		}
	}
	if len(a.buckets) == len(targets) {
		return a, nil, nil
	}
	l.table.sweep(now)
	for i := range targets {
		if l.table.buckets[targets[i].id] != nil {
			continue
		}
		b := l.table.add(targets[i].id, now)
		if b == nil {
			a.finish(false, now)
			return nil, nil, Refusal{Rule: targets[i].rule.Name, RetryAfter: fullRetry}
		}
		b.burst, b.interval = targets[i].rule.Burst, targets[i].rule.Interval
		b.inFlight++
		a.buckets = append(a.buckets, b)
	}
	return a, nil, nil
}

// leave gives up a place in line, and with it a slot that has been kept for it.
func (l *Limiter) leave(place *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock()
	if place.called {
		place.bucket.called--
	} else {
		place.bucket.waiting.Remove(place.element)
	}
	l.settle(place.bucket, now)
}

// settle calls those who now fit into b and drops b if it holds nothing.
func (l *Limiter) settle(b *bucket, now time.Duration) {
	b.call(now)
	if b.idle(now) {
		l.table.drop(b)
	}
}

// clock is the time since the limiter was made: monotonic when now() is, so
// that a step of the wall clock neither locks nor unlocks anyone. It is read
// under the lock, so that it never runs backwards between two holders.
func (l *Limiter) clock() time.Duration { return l.now().Sub(l.epoch) }

// Attempt is one try at a secret, charged to its buckets until its outcome is
// known. The first call of Succeed, Fail or Cancel counts, further ones do
// nothing. It is safe for concurrent use.
type Attempt struct {
	limiter *Limiter
	buckets []*bucket // nil once the outcome is known
	room    [5]*bucket

	succeeded func() // nil, or what a Guard does then
}

// Succeed says that the secret was right: the charges are given back. Failures
// counted earlier stay.
func (a *Attempt) Succeed() {
	a.end(false)
	if a.succeeded != nil {
		a.succeeded()
	}
}

// Fail says that the secret was wrong: every charge becomes a failure.
func (a *Attempt) Fail() { a.end(true) }

// Cancel says that nobody knows, because a dependency was away or the caller
// went: the charges are given back.
func (a *Attempt) Cancel() { a.end(false) }

func (a *Attempt) end(failed bool) {
	a.limiter.mu.Lock()
	defer a.limiter.mu.Unlock()
	a.finish(failed, a.limiter.clock())
}

// finish is end for a caller that holds the lock.
func (a *Attempt) finish(failed bool, now time.Duration) {
	for _, b := range a.buckets {
		b.inFlight--
		if failed {
			b.fail(now)
		}
		a.limiter.settle(b, now)
	}
	a.buckets = nil
}
