package throttle_test

import (
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/testclock"
	"gatehouse/internal/throttle"
)

func TestTheNumberOfBucketsIsBounded(t *testing.T) {
	for _, limit := range []int{1, 3, 100} {
		c := testclock.New()
		l := throttle.New(c.Now, limit)
		for i := range 5000 {
			acquire(t, l, charge(account, strconv.Itoa(i))).Fail()
			c.Advance(time.Millisecond)
			if l.Held() > limit {
				t.Fatalf("the limiter holds %d buckets, want at most %d", l.Held(), limit)
			}
		}
		if l.Held() != limit {
			t.Errorf("the limiter holds %d buckets, want %d", l.Held(), limit)
		}
		check(t, l)
	}
}

func TestSprayedNamesDoNotEvictAHotBucket(t *testing.T) {
	c := testclock.New()
	l := throttle.New(c.Now, 200)
	hot := charge(account, "alice")
	for range account.Burst {
		acquire(t, l, hot).Fail()
	}
	alone := throttle.Rule{Name: "alone", Burst: 1, Interval: time.Hour} // full after one failure
	for i := range 20000 {
		acquire(t, l, charge(account, "spray "+strconv.Itoa(i)), charge(alone, strconv.Itoa(i))).Fail()
		c.Advance(time.Millisecond)
	}
	if r := refusal(t, l, hot); r.RetryAfter != time.Minute-20*time.Second {
		t.Errorf("RetryAfter = %v, want 40s", r.RetryAfter)
	}
	check(t, l)
}

func TestOfEqualBucketsTheOldestGoes(t *testing.T) {
	c := testclock.New()
	l := throttle.New(c.Now, 3)
	for _, name := range []string{"first", "second", "third"} {
		acquire(t, l, charge(account, name)).Fail()
		c.Advance(time.Second)
	}
	acquire(t, l, charge(account, "fourth")).Fail()
	for name, want := range map[string]int{"first": 0, "second": 1, "third": 1, "fourth": 1} {
		if got := l.Failures(charge(account, name)); got != want {
			t.Errorf("%s has %d failures, want %d", name, got, want)
		}
	}
}

func TestABucketWithAttemptsInFlightIsNeverEvicted(t *testing.T) {
	c := testclock.New()
	l := throttle.New(c.Now, 50)
	var open []*throttle.Attempt
	for i := range 49 {
		open = append(open, acquire(t, l, charge(account, "open "+strconv.Itoa(i))))
	}
	for i := range 1000 { // all pass through the one place that is left
		acquire(t, l, charge(account, strconv.Itoa(i))).Fail()
	}
	open = append(open, acquire(t, l, charge(account, "the last")))
	r := refusal(t, l, charge(account, "open 0"), charge(account, "one too many"))
	if r != (throttle.Refusal{Rule: "account", RetryAfter: time.Second}) {
		t.Errorf("refusal = %+v, want account after 1s", r)
	}
	if got := l.InFlight(); got != len(open) {
		t.Errorf("%d charges are in flight, want %d", got, len(open))
	}
	check(t, l)
	for _, a := range open {
		a.Fail()
	}
	for i := range 49 {
		if got := l.Failures(charge(account, "open "+strconv.Itoa(i))); got != 1 {
			t.Errorf("bucket %d has %d failures, want 1", i, got)
		}
	}
	check(t, l)
}

func TestTheOtherChargesOfAnAttemptAreNotEvictedForIt(t *testing.T) {
	c := testclock.New()
	l := throttle.New(c.Now, 3)
	for range 100 {
		a := acquire(t, l, charge(account, "a"), charge(account, "b"), charge(account, "c"))
		check(t, l)
		a.Succeed()
		acquire(t, l, charge(account, "c")).Fail()
		acquire(t, l, charge(account, "d")).Fail()
		c.Advance(10 * time.Minute)
	}
}

func TestBucketsThatLeakedEmptyAreForgotten(t *testing.T) {
	c := testclock.New()
	l := throttle.New(c.Now, 1000)
	for i := range 1000 {
		acquire(t, l, charge(account, strconv.Itoa(i))).Fail()
	}
	c.Advance(time.Hour)
	for i := range 10000 {
		acquire(t, l, charge(account, "later "+strconv.Itoa(i%10))).Succeed()
	}
	if l.Held() > 10 {
		t.Errorf("the limiter holds %d buckets an hour after the attack, want nearly none", l.Held())
	}
	check(t, l)
}

func TestMemoryDoesNotGrowWithTheKeys(t *testing.T) {
	c := testclock.New()
	l := throttle.New(c.Now, 20000)
	long := strings.Repeat("x", 10000)
	before := heap()
	for i := range 20000 {
		acquire(t, l, charge(account, long+strconv.Itoa(i))).Fail()
	}
	perBucket := (heap() - before) / 20000
	runtime.KeepAlive(l)
	if perBucket > 250 {
		t.Errorf("a bucket takes %d bytes, want about 150", perBucket)
	}
	t.Logf("%d bytes a bucket", perBucket)
}

func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// The uncontended way, as a login takes it: three charges, nothing failed.
func BenchmarkAcquireAndSucceed(b *testing.B) {
	rules := []throttle.Rule{
		account,
		{Name: "address", Burst: 50, Interval: time.Minute},
		{Name: "tenant", Burst: 1000, Interval: time.Second},
	}
	run := func(b *testing.B, failed int) {
		l := throttle.New(time.Now, 100000)
		for i := range failed {
			a, err := l.Acquire(b.Context(), charge(rules[0], "failed "+strconv.Itoa(i)))
			if err != nil {
				b.Fatal(err)
			}
			a.Fail()
		}
		b.ReportAllocs()
		for b.Loop() {
			a, err := l.Acquire(b.Context(), charge(rules[0], "dev alice"), charge(rules[1], "192.0.2.1"), charge(rules[2], "dev"))
			if err != nil {
				b.Fatal(err)
			}
			a.Succeed()
		}
	}
	b.Run("empty", func(b *testing.B) { run(b, 0) })
	b.Run("full", func(b *testing.B) { run(b, 100000) })
}

func BenchmarkRefusal(b *testing.B) {
	l := throttle.New(time.Now, 1000)
	alone := charge(throttle.Rule{Name: "alone", Burst: 1, Interval: time.Hour}, "alice")
	a, err := l.Acquire(b.Context(), alone)
	if err != nil {
		b.Fatal(err)
	}
	a.Fail()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Acquire(b.Context(), alone); err == nil {
			b.Fatal("not refused")
		}
	}
}
