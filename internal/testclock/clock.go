// Package testclock is a time that only tests move. Production code never
// imports it.
package testclock

import (
	"sync/atomic"
	"time"
)

// Clock is such a time, in UTC. It is safe for concurrent use.
type Clock struct{ nanos atomic.Int64 }

// New returns a Clock that stands at noon of a day in 2026.
func New() *Clock { return At(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)) }

// At returns a Clock that stands at a time.
func At(start time.Time) *Clock {
	c := &Clock{}
	c.nanos.Store(start.UnixNano())
	return c
}

// Now returns where the clock stands.
func (c *Clock) Now() time.Time { return time.Unix(0, c.nanos.Load()).UTC() }

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) { c.nanos.Add(int64(d)) }
