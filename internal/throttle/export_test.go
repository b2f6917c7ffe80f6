package throttle

import (
	"fmt"
	"hash/maphash"
)

// Held returns how many buckets the limiter holds.
func (l *Limiter) Held() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.table.buckets)
}

// Failures returns what the bucket of c holds now.
func (l *Limiter) Failures(c Charge) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock()
	b := l.table.buckets[id{maphash.String(l.ruleSeed, c.Rule.Name), maphash.String(l.keySeed, c.Key)}]
	if b == nil {
		return 0
	}
	return b.failures(now)
}

// Waiting returns how many attempts stand in line anywhere.
func (l *Limiter) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, b := range l.table.buckets {
		if b.waiting != nil {
			n += b.waiting.Len()
		}
	}
	return n
}

// InFlight returns how many charges of open attempts stand anywhere.
func (l *Limiter) InFlight() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, b := range l.table.buckets {
		n += b.inFlight
	}
	return n
}

// Check compares the parts of the table with each other and with its limit.
func (l *Limiter) Check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock()
	t := &l.table
	if len(t.slots) > t.limit || len(t.slots) != len(t.buckets) {
		return fmt.Errorf("%d slots, %d buckets, limit %d", len(t.slots), len(t.buckets), t.limit)
	}
	for i, b := range t.slots {
		if b.slot != i || t.buckets[b.id] != b {
			return fmt.Errorf("slot %d holds a bucket that believes in slot %d", i, b.slot)
		}
		if b.inFlight < 0 || b.called < 0 || b.failures(now)+b.inFlight > b.burst {
			return fmt.Errorf("a bucket holds %d failures, %d in flight, %d called, burst %d", b.failures(now), b.inFlight, b.called,
				b.burst)
		}
	}
	return nil
}
