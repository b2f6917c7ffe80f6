package directory

import (
	"sync"
	"time"
)

// maxKnown bounds how many people are remembered.
const maxKnown = 4096

// cache remembers for a moment whom a look-up found. Its keys are names exactly
// as typed; whom a look-up did not find is not in it.
type cache struct {
	ttl time.Duration
	now func() time.Time

	mu     sync.Mutex
	people map[string]remembered
}

type remembered struct {
	profile Profile
	until   time.Time
}

func newCache(ttl time.Duration, now func() time.Time) *cache {
	return &cache{ttl: ttl, now: now, people: map[string]remembered{}}
}

func (c *cache) get(typed string) (Profile, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.people[typed]
	if !ok || !c.now().Before(r.until) {
		return Profile{}, false
	}
	return r.profile, true
}

func (c *cache) put(typed string, p Profile) {
	if c.ttl <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.people) >= maxKnown {
		c.shrink()
	}
	c.people[typed] = remembered{profile: p, until: c.now().Add(c.ttl)}
}

func (c *cache) drop(typed string) {
	c.mu.Lock()
	delete(c.people, typed)
	c.mu.Unlock()
}

// shrink forgets the outdated, and if there are few, arbitrary others until
// a quarter is free: a full cache must not be swept at each sign-in.
func (c *cache) shrink() {
	now := c.now()
	for typed, r := range c.people {
		if !now.Before(r.until) {
			delete(c.people, typed)
		}
	}
	for typed := range c.people {
		if len(c.people) <= maxKnown*3/4 {
			return
		}
		delete(c.people, typed)
	}
}
