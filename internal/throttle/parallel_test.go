package throttle_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/testclock"
	"gatehouse/internal/throttle"
)

func TestParallelGuessesSeeNoMoreThanBurstChecks(t *testing.T) {
	l := throttle.New(testclock.New().Now, 100)
	var mu sync.Mutex
	checked, refused := 0, 0
	var group sync.WaitGroup
	for range 200 {
		group.Go(func() {
			a, err := l.Acquire(t.Context(), charge(account, "alice"),
				charge(throttle.Rule{Name: "tenant", Burst: 1000, Interval: time.Minute}, "dev"))
			var r throttle.Refusal
			if errors.As(err, &r) {
				mu.Lock()
				refused++
				mu.Unlock()
				return
			}
			if err != nil {
				t.Errorf("Acquire: %v", err)
				return
			}
			mu.Lock()
			checked++
			mu.Unlock()
			time.Sleep(time.Millisecond)
			a.Fail()
		})
	}
	group.Wait()
	if checked != account.Burst || refused != 200-account.Burst {
		t.Errorf("%d guesses were checked and %d refused, want %d and %d", checked, refused, account.Burst, 200-account.Burst)
	}
	check(t, l)
}

func TestParallelCorrectLoginsAllPass(t *testing.T) {
	l := throttle.New(testclock.New().Now, 100)
	for range account.Burst - 1 {
		acquire(t, l, charge(account, "alice")).Fail()
	}
	var mu sync.Mutex
	passed, now, most := 0, 0, 0
	var group sync.WaitGroup
	for range 200 {
		group.Go(func() {
			a, err := l.Acquire(t.Context(), charge(account, "alice"))
			if err != nil {
				t.Errorf("Acquire: %v", err)
				return
			}
			mu.Lock()
			passed++
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(50 * time.Microsecond)
			mu.Lock()
			now--
			mu.Unlock()
			a.Succeed()
		})
	}
	group.Wait()
	if passed != 200 || most != 1 {
		t.Errorf("%d logins passed, %d at once, want 200 one by one", passed, most)
	}
	if got := l.Failures(charge(account, "alice")); got != account.Burst-1 {
		t.Errorf("failures = %d, want %d", got, account.Burst-1)
	}
	check(t, l)
}

func TestManyKeysInParallelNeitherDeadlockNorExceedTheirBursts(t *testing.T) {
	l := throttle.New(time.Now, 8) // smaller than the number of keys: evictions too
	rules := []throttle.Rule{
		{Name: "a", Burst: 1, Interval: time.Microsecond},
		{Name: "b", Burst: 2, Interval: time.Hour},
		{Name: "c", Burst: 3, Interval: time.Millisecond},
	}
	var group sync.WaitGroup
	for worker := range 16 {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 7))
			for range 2000 {
				var charges []throttle.Charge
				for range random.IntN(4) {
					charges = append(charges, charge(rules[random.IntN(3)], strconv.Itoa(random.IntN(6))))
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(2000))*time.Microsecond)
				a, err := l.Acquire(ctx, charges...)
				var r throttle.Refusal
				switch {
				case err == nil:
					if err := l.Check(); err != nil {
						t.Errorf("the limiter contradicts itself: %v", err)
					}
					[]func(){a.Succeed, a.Succeed, a.Fail, a.Cancel}[random.IntN(4)]()
				case !errors.As(err, &r) && !errors.Is(err, context.DeadlineExceeded):
					t.Errorf("Acquire: %v", err)
				}
				cancel()
			}
		})
	}
	group.Wait()
	check(t, l)
	if l.Waiting() != 0 {
		t.Errorf("%d waiters are left, want 0", l.Waiting())
	}
}

func TestAnEndedContextLeavesTheLine(t *testing.T) {
	l := throttle.New(testclock.New().Now, 100)
	alone := throttle.Rule{Name: "alone", Burst: 1, Interval: time.Minute}
	holder := acquire(t, l, charge(alone, "x"))
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 50)
	for range cap(failed) {
		go func() {
			_, err := l.Acquire(ctx, charge(account, "other"), charge(alone, "x"))
			failed <- err
		}()
	}
	for l.Waiting() != cap(failed) {
		time.Sleep(time.Millisecond)
	}
	cancel()
	for range cap(failed) {
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("Acquire = %v, want context.Canceled", err)
		}
	}
	if l.Waiting() != 0 || l.Held() != 1 {
		t.Errorf("%d waiters and %d buckets are left, want 0 and 1", l.Waiting(), l.Held())
	}
	holder.Succeed()
	if l.Held() != 0 {
		t.Errorf("%d buckets are left, want 0", l.Held())
	}
	acquire(t, l, charge(alone, "x")).Succeed()
	check(t, l)
}

// TestASlotKeptForSomeoneWhoLeftGoesToTheNext ends the context of a waiter at
// the very moment its turn comes, many times over.
func TestASlotKeptForSomeoneWhoLeftGoesToTheNext(t *testing.T) {
	l := throttle.New(testclock.New().Now, 100)
	alone := charge(throttle.Rule{Name: "alone", Burst: 1, Interval: time.Minute}, "x")
	for range 2000 {
		holder := acquire(t, l, alone)
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() {
			if a, err := l.Acquire(ctx, alone); err == nil {
				a.Succeed()
			}
		})
		group.Go(func() { acquire(t, l, alone).Succeed() })
		group.Go(cancel)
		group.Go(holder.Succeed)
		group.Wait()
	}
	if l.Held() != 0 || l.Waiting() != 0 {
		t.Errorf("%d waiters and %d buckets are left, want 0 and 0", l.Waiting(), l.Held())
	}
}

func TestWaitersAreServedInOrderAndNewcomersStandBehindThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := throttle.New(time.Now, 100)
		alone := charge(throttle.Rule{Name: "alone", Burst: 1, Interval: time.Minute}, "x")
		holder := acquire(t, l, alone)
		var order []int
		for i := range 20 {
			go func() {
				a := acquire(t, l, alone)
				order = append(order, i)
				time.Sleep(time.Millisecond)
				a.Succeed()
			}()
			synctest.Wait() // until it stands in line
		}
		holder.Succeed()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.Acquire(gone, alone); !errors.Is(err, context.Canceled) { // looks at the line and leaves
			t.Errorf("Acquire = %v, want context.Canceled", err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if len(order) != 20 {
			t.Fatalf("%d of 20 were served", len(order))
		}
		for i, got := range order {
			if got != i {
				t.Fatalf("served in the order %v", order)
			}
		}
	})
}

func TestASlotThatLeakedFreeGoesToTheFirstInLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := throttle.New(time.Now, 100)
		two := charge(throttle.Rule{Name: "two", Burst: 2, Interval: time.Minute}, "x")
		acquire(t, l, two).Fail()
		holder := acquire(t, l, two)
		var order []string
		come := func(name string) {
			a := acquire(t, l, two)
			order = append(order, name)
			time.Sleep(time.Second)
			a.Succeed()
		}
		go come("first")
		time.Sleep(2 * time.Minute) // nobody is there to notice that the failure has leaked out
		go come("newcomer")
		time.Sleep(time.Minute)
		holder.Succeed()
		synctest.Wait()
		if len(order) != 2 || order[0] != "first" {
			t.Errorf("served in the order %q, want first and newcomer", order)
		}
	})
}

// The end of a context and the turn of its waiter come together.
func TestASlotThatIsLeftIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := throttle.New(time.Now, 100)
		alone := charge(throttle.Rule{Name: "alone", Burst: 1, Interval: time.Minute}, "x")
		left := 0
		for range 100 {
			holder := acquire(t, l, alone)
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				a, err := l.Acquire(ctx, alone)
				if err != nil {
					left++
					return
				}
				a.Succeed()
			}()
			synctest.Wait()
			cancel()
			holder.Succeed() // calls the waiter, most times, before it has left the line
			synctest.Wait()
			if l.Held() != 0 {
				t.Fatalf("%d buckets are left, want 0", l.Held())
			}
		}
		if left != 100 {
			t.Errorf("%d of 100 left, want all", left)
		}
	})
}

func TestAnAttemptThatWaitsHoldsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := throttle.New(time.Now, 100)
		tenant := charge(throttle.Rule{Name: "tenant", Burst: 2, Interval: time.Minute}, "dev")
		slow := charge(throttle.Rule{Name: "account", Burst: 1, Interval: time.Minute}, "slow")
		holder := acquire(t, l, tenant, slow)
		for range 10 {
			go func() { acquire(t, l, tenant, slow).Succeed() }()
		}
		synctest.Wait()
		quick := acquire(t, l, tenant, charge(account, "quick")) // would wait if the ten stood in the tenant's bucket
		quick.Succeed()
		holder.Succeed()
		synctest.Wait()
		if l.Held() != 0 {
			t.Errorf("%d buckets are left, want 0", l.Held())
		}
	})
}

func TestAWaiterThatMovesToAnotherLineHandsItsSlotOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := throttle.New(time.Now, 100)
		one := charge(throttle.Rule{Name: "one", Burst: 1, Interval: time.Minute}, "x")
		two := charge(throttle.Rule{Name: "two", Burst: 1, Interval: time.Minute}, "x")
		first, second := acquire(t, l, one), acquire(t, l, two)
		var both, single bool
		go func() { a := acquire(t, l, one, two); both = true; a.Succeed() }()
		synctest.Wait()
		go func() { a := acquire(t, l, one); single = true; a.Succeed() }()
		synctest.Wait()
		first.Succeed() // the first in line still needs the second bucket
		synctest.Wait()
		if both || !single {
			t.Fatalf("both = %v, single = %v, want only the single one to pass", both, single)
		}
		second.Succeed()
		synctest.Wait()
		if !both {
			t.Fatal("the attempt at both buckets was forgotten")
		}
	})
}

func TestWaitersAreRefusedWhenFailuresFillTheBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := throttle.New(time.Now, 100)
		alone := charge(throttle.Rule{Name: "alone", Burst: 1, Interval: time.Minute}, "x")
		holder := acquire(t, l, alone)
		var refused atomic.Int32
		for range 10 {
			go func() { _ = refusal(t, l, alone); refused.Add(1) }()
			synctest.Wait()
		}
		holder.Fail()
		synctest.Wait()
		if refused.Load() != 10 {
			t.Errorf("%d of 10 waiters were refused", refused.Load())
		}
		time.Sleep(time.Minute)
		acquire(t, l, alone).Succeed()
		check(t, l)
	})
}
