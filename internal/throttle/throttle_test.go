package throttle_test

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/testclock"
	"gatehouse/internal/throttle"
)

var account = throttle.Rule{Name: "account", Burst: 5, Interval: time.Minute}

func charge(rule throttle.Rule, key string) throttle.Charge {
	return throttle.Charge{Rule: rule, Key: key}
}

// acquire takes charges that must be free.
func acquire(t *testing.T, l *throttle.Limiter, charges ...throttle.Charge) *throttle.Attempt {
	t.Helper()
	a, err := l.Acquire(t.Context(), charges...)
	if err != nil {
		t.Fatalf("Acquire: %v", err)
	}
	return a
}

// refusal asks for charges that must be refused.
func refusal(t *testing.T, l *throttle.Limiter, charges ...throttle.Charge) throttle.Refusal {
	t.Helper()
	a, err := l.Acquire(t.Context(), charges...)
	var r throttle.Refusal
	if !errors.As(err, &r) || a != nil {
		t.Fatalf("Acquire = %v, %v, want a Refusal", a, err)
	}
	return r
}

func check(t *testing.T, l *throttle.Limiter) {
	t.Helper()
	if err := l.Check(); err != nil {
		t.Fatalf("the limiter contradicts itself: %v", err)
	}
}

func TestFailuresFillABucketAndLeakOutOneAnInterval(t *testing.T) {
	c := testclock.New()
	l := throttle.New(c.Now, 100)
	alice := charge(account, "alice")
	for range account.Burst {
		acquire(t, l, alice).Fail()
		c.Advance(time.Second)
	}
	// The first failure was 5 s ago and leaks out a minute after it happened.
	if r := refusal(t, l, alice); r != (throttle.Refusal{Rule: "account", RetryAfter: 55 * time.Second}) {
		t.Errorf("refusal = %+v, want account after 55s", r)
	}
	c.Advance(55*time.Second - 1)
	if r := refusal(t, l, alice); r.RetryAfter != 1 {
		t.Errorf("RetryAfter = %v, want 1ns", r.RetryAfter)
	}
	c.Advance(1)
	acquire(t, l, alice).Fail()
	if r := refusal(t, l, alice); r.RetryAfter != time.Minute {
		t.Errorf("RetryAfter = %v, want 1m", r.RetryAfter)
	}
	acquire(t, l, charge(account, "bob")).Succeed()
	c.Advance(5 * time.Minute)
	for range account.Burst {
		acquire(t, l, alice).Fail()
	}
	if r := refusal(t, l, alice); r.RetryAfter != time.Minute {
		t.Errorf("RetryAfter = %v, want 1m", r.RetryAfter)
	}
	check(t, l)
}

func TestOnlyFailStaysCounted(t *testing.T) {
	tests := []struct {
		name string
		end  func(*throttle.Attempt)
		want int
	}{
		{"succeed", (*throttle.Attempt).Succeed, 0},
		{"cancel", (*throttle.Attempt).Cancel, 0},
		{"fail", (*throttle.Attempt).Fail, 1},
		{"fail after succeed", func(a *throttle.Attempt) { a.Succeed(); a.Fail() }, 0},
		{"succeed after fail", func(a *throttle.Attempt) { a.Fail(); a.Succeed(); a.Cancel() }, 1},
		{"fail twice", func(a *throttle.Attempt) { a.Fail(); a.Fail() }, 1},
		{"fail after cancel", func(a *throttle.Attempt) { a.Cancel(); a.Fail() }, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := throttle.New(testclock.New().Now, 100)
			alice := charge(account, "alice")
			tt.end(acquire(t, l, alice))
			if got := l.Failures(alice); got != tt.want {
				t.Errorf("failures = %d, want %d", got, tt.want)
			}
			if l.Held() != tt.want {
				t.Errorf("the limiter holds %d buckets, want %d", l.Held(), tt.want)
			}
			check(t, l)
		})
	}
}

func TestASuccessDoesNotForgetEarlierFailures(t *testing.T) {
	l := throttle.New(testclock.New().Now, 100)
	alice := charge(account, "alice")
	for range 3 {
		acquire(t, l, alice).Fail()
	}
	acquire(t, l, alice).Succeed()
	if got := l.Failures(alice); got != 3 {
		t.Errorf("failures = %d, want 3", got)
	}
}

func TestARefusalGivesEveryChargeBackAndNamesTheLongestWait(t *testing.T) {
	l := throttle.New(testclock.New().Now, 100)
	address := throttle.Rule{Name: "address", Burst: 2, Interval: time.Hour}
	tenant := throttle.Rule{Name: "tenant", Burst: 1, Interval: time.Second}
	acquire(t, l, charge(address, "192.0.2.1"), charge(tenant, "dev")).Fail()
	acquire(t, l, charge(address, "192.0.2.1")).Fail()
	r := refusal(t, l, charge(account, "alice"), charge(tenant, "dev"), charge(address, "192.0.2.1"))
	if r != (throttle.Refusal{Rule: "address", RetryAfter: time.Hour}) {
		t.Errorf("refusal = %+v, want address after 1h", r)
	}
	if l.Held() != 2 {
		t.Errorf("the limiter holds %d buckets, want the 2 with failures", l.Held())
	}
	for range account.Burst { // would wait without end if the refused attempt still stood here
		acquire(t, l, charge(account, "alice"))
	}
	check(t, l)
}

func TestRulesKeepTheirKeysApart(t *testing.T) {
	l := throttle.New(testclock.New().Now, 100)
	one := throttle.Rule{Name: "one", Burst: 1, Interval: time.Minute}
	two := throttle.Rule{Name: "two", Burst: 1, Interval: time.Minute}
	acquire(t, l, charge(one, "x")).Fail()
	if r := refusal(t, l, charge(one, "x")); r.Rule != "one" {
		t.Errorf("refused by %q, want one", r.Rule)
	}
	acquire(t, l, charge(two, "x")).Fail()
	acquire(t, l, charge(one, "y")).Fail()
}

func TestTheSameBucketTwiceCountsOnce(t *testing.T) {
	l := throttle.New(testclock.New().Now, 100)
	alone := throttle.Rule{Name: "alone", Burst: 1, Interval: time.Minute}
	acquire(t, l, charge(alone, "x"), charge(alone, "x")).Succeed()
	acquire(t, l, charge(account, "x"), charge(account, "x")).Fail()
	if got := l.Failures(charge(account, "x")); got != 1 {
		t.Errorf("failures = %d, want 1", got)
	}
}

func TestManyChargesAndNoneWork(t *testing.T) {
	l := throttle.New(testclock.New().Now, 100)
	var charges []throttle.Charge
	for i := range 9 {
		charges = append(charges, charge(account, strconv.Itoa(i)))
	}
	acquire(t, l, charges...).Fail()
	if l.Held() != 9 {
		t.Errorf("the limiter holds %d buckets, want 9", l.Held())
	}
	acquire(t, l).Succeed()
	check(t, l)
}

func TestAnUnusableRuleIsAnError(t *testing.T) {
	l := throttle.New(testclock.New().Now, 100)
	for _, rule := range []throttle.Rule{
		{Name: "no burst", Interval: time.Second},
		{Name: "negative burst", Burst: -1, Interval: time.Second},
		{Name: "no interval", Burst: 1},
		{Name: "negative interval", Burst: 1, Interval: -1},
		{Name: "overflow", Burst: 1 << 40, Interval: 365 * 24 * time.Hour},
	} {
		a, err := l.Acquire(t.Context(), charge(account, "x"), charge(rule, "x"))
		if a != nil || err == nil || !strings.Contains(err.Error(), rule.Name) {
			t.Errorf("%s: Acquire = %v, %v, want an error that names the rule", rule.Name, a, err)
		}
	}
	if l.Held() != 0 {
		t.Errorf("the limiter holds %d buckets, want 0", l.Held())
	}
}

func TestARefusalDoesNotNameTheKey(t *testing.T) {
	l := throttle.New(testclock.New().Now, 100)
	alone := throttle.Rule{Name: "account", Burst: 1, Interval: time.Minute}
	acquire(t, l, charge(alone, "alice")).Fail()
	text := refusal(t, l, charge(alone, "alice")).Error()
	if strings.Contains(text, "alice") || !strings.Contains(text, "account") || !strings.Contains(text, "1m0s") {
		t.Errorf("the refusal reads %q", text)
	}
}

func TestABackwardClockDoesNotLockAnybody(t *testing.T) {
	c := testclock.New()
	l := throttle.New(c.Now, 100)
	c.Advance(-time.Hour)
	acquire(t, l, charge(account, "alice")).Fail()
	if got := l.Failures(charge(account, "alice")); got != 1 {
		t.Errorf("failures = %d, want 1", got)
	}
}

// TestTheLimiterAgreesWithASimpleModel compares random histories with a list
// of the moments at which each failure leaks out.
func TestTheLimiterAgreesWithASimpleModel(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	c := testclock.New()
	l := throttle.New(c.Now, 100)
	alice := charge(account, "alice")
	var leaks []time.Time
	for step := range 20000 {
		for len(leaks) > 0 && !leaks[0].After(c.Now()) {
			leaks = leaks[1:]
		}
		if len(leaks) == account.Burst {
			want := throttle.Refusal{Rule: "account", RetryAfter: leaks[0].Sub(c.Now())}
			if got := refusal(t, l, alice); got != want {
				t.Fatalf("step %d: refusal = %+v, want %+v", step, got, want)
			}
		} else {
			a := acquire(t, l, alice)
			if random.IntN(3) == 0 {
				a.Succeed()
			} else {
				a.Fail()
				last := c.Now()
				if len(leaks) > 0 {
					last = leaks[len(leaks)-1]
				}
				leaks = append(leaks, last.Add(account.Interval))
			}
		}
		c.Advance(time.Duration(random.Int64N(int64(50 * time.Second))))
	}
	check(t, l)
}
