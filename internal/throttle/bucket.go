package throttle

import (
	"container/list"
	"time"
)

// id names a bucket: the seeded hashes of its rule's name and of its key.
type id struct{ rule, key uint64 }

// bucket counts for one id. All times are since the limiter's epoch.
type bucket struct {
	id       id
	slot     int           // where the table keeps it
	burst    int           // of the rule that charged it last
	interval time.Duration // of the rule that charged it last
	emptyAt  time.Duration // when the last failure will have leaked out
	inFlight int           // attempts whose outcome is open
	called   int           // waiters that have been called and not yet come
	waiting  *list.List    // of *waiter in order of arrival; nil until somebody waits
}

// waiter stands in line at a bucket. Its fields are guarded by the limiter's lock.
type waiter struct {
	bucket  *bucket
	element *list.Element
	called  bool          // its turn has come, a slot is kept
	ready   chan struct{} // closed when it is called
}

// failures returns how many failures have not leaked out by now.
func (b *bucket) failures(now time.Duration) int {
	if b.emptyAt <= now {
		return 0
	}
	return int((b.emptyAt - now + b.interval - 1) / b.interval)
}

// fail adds one failure.
func (b *bucket) fail(now time.Duration) { b.emptyAt = max(b.emptyAt, now) + b.interval }

// regained returns the time until failures leave room for one attempt.
func (b *bucket) regained(now time.Duration) time.Duration {
	return b.emptyAt - now - time.Duration(b.burst-1)*b.interval
}

// pinned reports whether somebody relies on the bucket.
func (b *bucket) pinned() bool {
	return b.inFlight > 0 || b.called > 0 || (b.waiting != nil && b.waiting.Len() > 0)
}

// idle reports whether the bucket says no more than a missing one would.
func (b *bucket) idle(now time.Duration) bool { return b.emptyAt <= now && !b.pinned() }

// queue adds a waiter at the end of the line.
func (b *bucket) queue() *waiter {
	if b.waiting == nil {
		b.waiting = list.New()
	}
	w := &waiter{bucket: b, ready: make(chan struct{})}
	w.element = b.waiting.PushBack(w)
	return w
}

// call calls as many waiters as there are free slots and keeps these for
// them; when failures fill the bucket it calls all, to be refused.
func (b *bucket) call(now time.Duration) {
	if b.waiting == nil || b.waiting.Len() == 0 {
		return
	}
	failures := b.failures(now)
	free := b.burst - failures - b.inFlight - b.called
	if failures >= b.burst {
		free = b.waiting.Len()
	}
	for ; free > 0 && b.waiting.Len() > 0; free-- {
		w, ok := b.waiting.Remove(b.waiting.Front()).(*waiter)
		if !ok {
			continue // cannot happen: queue puts only waiters in
		}
		w.called = true
		b.called++
		close(w.ready)
	}
}
