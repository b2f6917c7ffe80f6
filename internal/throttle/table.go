package throttle

import (
	"math/rand/v2"
	"time"
)

const (
	sample  = 16   // buckets compared when one must go; doc.go says why
	looks   = 2    // buckets a sweep looks at
	maxFree = 1024 // dropped buckets kept for the next, to spare the collector
)

// table holds the buckets: by id, and in a slice in random order, so that any
// stretch of the slice is a random sample.
type table struct {
	limit   int
	buckets map[id]*bucket
	slots   []*bucket
	free    []*bucket
}

func newTable(limit int) table { return table{limit: limit, buckets: make(map[id]*bucket)} }

// add makes an empty bucket, in the place of another when the table is full.
// It returns nil when all buckets are pinned.
func (t *table) add(name id, now time.Duration) *bucket {
	if len(t.slots) >= t.limit && !t.evict(now) {
		return nil
	}
	var b *bucket
	if last := len(t.free) - 1; last >= 0 {
		b, t.free = t.free[last], t.free[:last]
	} else {
		b = &bucket{}
	}
	*b = bucket{id: name, slot: len(t.slots), emptyAt: now}
	t.buckets[name] = b
	t.slots = append(t.slots, b)
	t.swap(b.slot, rand.IntN(len(t.slots))) //nolint:gosec // a shuffle, not a secret
	return b
}

// drop forgets a bucket that is not pinned.
func (t *table) drop(b *bucket) {
	delete(t.buckets, b.id)
	last := len(t.slots) - 1
	t.swap(b.slot, last)
	t.slots[last] = nil
	t.slots = t.slots[:last]
	if len(t.free) < maxFree {
		t.free = append(t.free, b)
	}
}

func (t *table) swap(i, j int) {
	t.slots[i], t.slots[j] = t.slots[j], t.slots[i]
	t.slots[i].slot, t.slots[j].slot = i, j
}

// sweep drops what has leaked empty among a few random buckets. Called once
// for every attempt that needs a new bucket, it empties the table as fast as
// the attempts of quieter days come.
func (t *table) sweep(now time.Duration) {
	for range min(looks, len(t.slots)) {
		if b := t.slots[rand.IntN(len(t.slots))]; b.idle(now) { //nolint:gosec // a sample, not a secret
			t.drop(b)
		}
	}
}

// evict drops the least telling of a random sample of buckets. It looks
// further than the sample only as long as all it has seen are pinned.
func (t *table) evict(now time.Duration) bool {
	var victim *bucket
	start := rand.IntN(len(t.slots)) //nolint:gosec // a sample, not a secret
	for i := range t.slots {
		if i >= sample && victim != nil {
			break
		}
		b := t.slots[(start+i)%len(t.slots)]
		if !b.pinned() && (victim == nil || less(b, victim, now)) {
			victim = b
		}
	}
	if victim == nil {
		return false
	}
	t.drop(victim)
	return true
}

// less reports whether a says less than b: fewer failures or, of as many, sooner gone.
func less(a, b *bucket, now time.Duration) bool {
	if m, n := a.failures(now), b.failures(now); m != n {
		return m < n
	}
	return a.emptyAt < b.emptyAt
}
