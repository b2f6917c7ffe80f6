package tokens

import (
	"sync"
	"time"
)

const (
	// believedFor is how long a token that was found standing is believed to
	// stand: so long may a revocation by another replica go unnoticed. One by
	// this process is noticed at once.
	believedFor = time.Second
	// maxRecent bounds how many tokens are remembered.
	maxRecent = 20_000
)

type tokenKey struct{ tenantID, jti string }

// believed is what is remembered of an access token that stands.
type believed struct {
	clientID string
	at       time.Time
}

// holds reports whether it is believed now; not either when the clock was set
// back.
func (b believed) holds(now time.Time) bool {
	age := now.Sub(b.at)
	return age >= 0 && age < believedFor
}

// recent remembers the access tokens that were found standing a moment ago, so
// that a burst of requests with one token costs one look into the database.
// It keeps two generations: when the younger is full or old it becomes the
// elder, and the elder is forgotten.
type recent struct {
	mu             sync.RWMutex
	turns          uint64    // how often everything was forgotten
	turned         time.Time // when the younger began
	younger, elder map[tokenKey]believed
}

// find returns what is believed of a token now.
func (r *recent) find(key tokenKey, now time.Time) (clientID string, found bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	b, ok := r.younger[key]
	if !ok {
		b, ok = r.elder[key]
	}
	return b.clientID, ok && b.holds(now)
}

// turn is read before a token is looked up, for keep.
func (r *recent) turn() uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.turns
}

// keep remembers a token that stood at a time, unless something was revoked
// since the turn.
func (r *recent) keep(key tokenKey, clientID string, at time.Time, turn uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.turns != turn {
		return
	}
	if r.younger == nil || len(r.younger) >= maxRecent/2 || at.Sub(r.turned) >= believedFor {
		r.younger, r.elder, r.turned = map[tokenKey]believed{}, r.younger, at
	}
	r.younger[key] = believed{clientID: clientID, at: at}
}

// forget ends all belief, because something was revoked.
func (r *recent) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turns++
	r.younger, r.elder = nil, nil
}
