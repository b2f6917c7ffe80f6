package fair_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/fair"
)

// taker has slots taken under names, without waiting for them.
type taker struct {
	t     *testing.T
	slots *fair.Slots
	mu    sync.Mutex
	got   []string
	give  map[string][]func()
}

func (k *taker) want(who string, path ...string) {
	go func() {
		release, err := k.slots.Take(fair.With(k.t.Context(), path...))
		if err != nil {
			return // the test has ended
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		k.got = append(k.got, who)
		k.give[who] = append(k.give[who], release)
	}()
	synctest.Wait()
}

// end gives one slot of somebody back and returns who got it.
func (k *taker) end(who string) []string {
	k.got = nil
	release := k.give[who][0]
	k.give[who] = k.give[who][1:]
	release()
	synctest.Wait()
	return k.got
}

func with(t *testing.T, n int, test func(t *testing.T, k *taker)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, &taker{t: t, slots: fair.New(n), give: map[string][]func(){}}) })
}

func TestNobodyAloneTakesAllSlots(t *testing.T) {
	with(t, 24, func(t *testing.T, k *taker) {
		for range 48 {
			k.want("mallory", "network", "mallory")
		}
		if n := len(k.got); n != 8 {
			t.Errorf("one person holds %d of 24", n)
		}
		for i := range 48 {
			k.want("neighbour", "network", fmt.Sprint("neighbour", i))
		}
		if n := len(k.got); n != 12 {
			t.Errorf("one network holds %d of 24", n)
		}
		k.got = nil
		k.want("ada", "elsewhere", "ada")
		if !slices.Equal(k.got, []string{"ada"}) {
			t.Errorf("somebody else waits: %v", k.got)
		}
	})
}

func TestOneSlotIsHandedRound(t *testing.T) {
	with(t, 1, func(t *testing.T, k *taker) {
		for range 5 {
			k.want("mallory", "mallory")
		}
		k.want("ada", "ada")
		k.want("bob", "bob")
		var order []string
		last := "mallory"
		for range 6 {
			got := k.end(last)
			if len(got) != 1 {
				t.Fatalf("%v got it after %v", got, order)
			}
			last = got[0]
			order = append(order, last)
		}
		if want := []string{"mallory", "ada", "bob", "mallory", "mallory", "mallory"}; !slices.Equal(order, want) {
			t.Errorf("served %v, want %v", order, want)
		}
	})
}

func TestWhoGivesUpLeavesTheLine(t *testing.T) {
	with(t, 1, func(t *testing.T, k *taker) {
		k.want("ada", "ada")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := k.slots.Take(fair.With(ctx, "bob")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Take = %v", err)
		}
		k.want("cyd", "cyd")
		if got := k.end("ada"); !slices.Equal(got, []string{"cyd"}) {
			t.Errorf("%v got it", got)
		}
		if got := k.end("cyd"); got != nil {
			t.Errorf("%v got it", got)
		}
		if release, err := k.slots.Take(t.Context()); err != nil {
			t.Error(err)
		} else {
			release()
			release() // a second time does nothing
		}
		if left := k.slots.Known(); left != 0 {
			t.Errorf("%d groups are remembered", left)
		}
	})
}

func TestSlotsAreNeverMoreNorLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slots := fair.New(5)
		random := rand.New(rand.NewPCG(1, 2))
		var held, served atomic.Int64
		for range 2000 {
			time.Sleep(time.Duration(random.IntN(3)) * time.Millisecond)
			path := []string{fmt.Sprint(random.IntN(4)), fmt.Sprint(random.IntN(4))}[:random.IntN(3)]
			holds := time.Duration(random.IntN(20)) * time.Millisecond
			patience := time.Duration(random.IntN(100)) * time.Millisecond
			go func() {
				ctx, cancel := context.WithTimeout(fair.With(t.Context(), path...), patience)
				defer cancel()
				release, err := slots.Take(ctx)
				if err != nil {
					return
				}
				defer release()
				served.Add(1)
				if n := held.Add(1); n > 5 {
					t.Errorf("%d slots are held", n)
				}
				time.Sleep(holds)
				held.Add(-1)
			}()
			synctest.Wait()
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if held.Load() != 0 || served.Load() < 100 || slots.Known() != 0 || slots.Free() != 5 {
			t.Errorf("%d held, %d served, %d groups, %d free", held.Load(), served.Load(), slots.Known(), slots.Free())
		}
	})
}
