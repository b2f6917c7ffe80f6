// Package recent remembers for a moment what was found out about something
// that is asked about again and again. How long a moment may be, and what has
// to be asked all the same, is its users' to know. Libraries for this read the
// system's clock, let one reader wait for another, or keep what was looked up
// before everything was forgotten.
package recent

import (
	"math"
	"sync"
	"time"
)

// Map holds at most a number of values, each for a span of time. It keeps two
// generations: when the current one is full or old it becomes the previous one,
// which is forgotten, so that keeping never costs a search. It is safe for
// concurrent use.
type Map[K comparable, V any] struct {
	span  time.Duration
	limit int

	mu                sync.RWMutex
	turn              uint64    // how often everything was forgotten
	began             time.Time // of the current generation
	current, previous map[K]entry[V]
}

type entry[V any] struct {
	value V
	at    time.Time
}

// Unlimited is the span of values that only newer ones replace.
const Unlimited time.Duration = math.MaxInt64

// New returns a Map of at most limit values, each good for a span.
func New[K comparable, V any](limit int, span time.Duration) *Map[K, V] {
	return &Map[K, V]{limit: limit, span: span}
}

// Find returns what is remembered; false when nothing is, when it is older
// than the span, and when the clock was set back meanwhile.
func (m *Map[K, V]) Find(key K, now time.Time) (V, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	e, ok := m.current[key]
	if !ok {
		e, ok = m.previous[key]
	}
	age := now.Sub(e.at)
	return e.value, ok && age >= 0 && age < m.span
}

// Turn counts how often everything was forgotten. It is read before something
// is looked up, for Keep.
func (m *Map[K, V]) Turn() uint64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.turn
}

// Keep remembers what was true at a time, unless everything has been forgotten
// since the turn.
func (m *Map[K, V]) Keep(key K, value V, at time.Time, turn uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.turn != turn {
		return
	}
	_, again := m.current[key]
	full := !again && len(m.current) >= m.limit/2
	if age := at.Sub(m.began); m.current == nil || full || age < 0 || age >= m.span {
		m.current, m.previous, m.began = map[K]entry[V]{}, m.current, at
	}
	m.current[key] = entry[V]{value: value, at: at}
}

// Drop forgets one value.
func (m *Map[K, V]) Drop(key K) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.current, key)
	delete(m.previous, key)
}

// Forget forgets everything, because something may not be true any more.
func (m *Map[K, V]) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn++
	m.current, m.previous = nil, nil
}
