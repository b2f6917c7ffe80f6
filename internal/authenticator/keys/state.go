package keys

import (
	"time"

	"gatehouse/internal/database"
)

// State is where a key is in its life; docs/keys.md tells it.
type State string

// The states, in their order.
const (
	Next     State = "next"     // published, does not sign yet
	Active   State = "active"   // signs
	Retiring State = "retiring" // signs no more, still published
	Retired  State = "retired"  // not published; verifies refresh tokens unless it has ended
)

// JWKSMaxAge is how long readers may keep a JWK Set.
const JWKSMaxAge = 5 * time.Minute

const (
	// lead is how long a key is published before it signs.
	lead = 2 * JWKSMaxAge
	// settle is how long after a switch a replica may still sign with the old
	// key, or a request that it began may still record a token, with a wide
	// margin for clocks that differ.
	settle = time.Minute
)

func find(rows []row, wanted func(r row) bool) *row {
	for i := range rows {
		if wanted(rows[i]) {
			return &rows[i]
		}
	}
	return nil
}

func inState(rows []row, s State) *row {
	return find(rows, func(r row) bool { return r.State == s })
}

func withID(rows []row, kid string) *row {
	return find(rows, func(r row) bool { return r.KID == kid })
}

// ended returns r as a key that verifies nothing.
func (r row) ended(now database.Micros) row {
	if r.State == Active {
		r.RetireTime = now
	}
	r.State, r.EndTime, r.PrivateKey, r.Emergency = Retired, now, "", false
	return r
}

// request is one for a rotation, which decides what it changes. seen is the id
// of the key that was active when it was asked for, and fresh the key made for
// it; nil when none was needed.
type request struct {
	mode  Mode
	asked database.Micros
	seen  string
	fresh *row
	now   database.Micros
}

// begin returns the rows that change: none when somebody else has rotated
// since the caller looked, or is about to.
func (q request) begin(rows []row) []row {
	active, next := inState(rows, Active), inState(rows, Next)
	if active == nil {
		return nil
	}
	if q.mode == Emergency {
		return q.beginEmergency(rows, next)
	}
	switch {
	case active.KID != q.seen, active.ActivateTime > q.asked:
		return nil
	case next == nil && q.fresh != nil:
		fresh := *q.fresh
		fresh.SwitchTime = q.switchTime(fresh)
		return []row{fresh}
	case next != nil && next.SwitchTime > q.switchTime(*next):
		sooner := *next
		sooner.SwitchTime = q.switchTime(*next)
		return []row{sooner}
	}
	return nil
}

func (q request) beginEmergency(rows []row, next *row) []row {
	seen := withID(rows, q.seen)
	shared := find(rows, func(r row) bool {
		return r.EndTime != 0 && (r.KID == q.seen || r.ActivateTime != 0 && r.EndTime > q.asked)
	})
	if shared != nil || (next != nil && next.Emergency) || q.fresh == nil {
		return nil
	}
	var changed []row
	if seen != nil && seen.State != Active { // rotated meanwhile, but not for what the caller knows
		changed = append(changed, seen.ended(q.now))
	}
	if next != nil { // whoever has the active key may have this one
		changed = append(changed, next.ended(q.now))
	}
	fresh := *q.fresh
	fresh.SwitchTime, fresh.Emergency = q.now, true
	return append(changed, fresh)
}

// switchTime is when a key may begin to sign: with grace not before every
// reader of the JWK Set must have seen it.
func (q request) switchTime(next row) database.Micros {
	if q.mode == Graceful {
		return max(q.now, database.At(next.CreateTime.Time().Add(lead)))
	}
	return q.now
}

// activate returns the rows of a switch to the key kid, or none when it is
// not the next one any more. publicHalf seals what is kept of the old key.
func activate(rows []row, kid string, now database.Micros, publicHalf func(r row) string) []row {
	next, active := inState(rows, Next), inState(rows, Active)
	if next == nil || next.KID != kid {
		return nil
	}
	signs := *next
	signs.State, signs.ActivateTime, signs.Emergency = Active, now, false
	if active == nil {
		return []row{signs}
	}
	if next.Emergency {
		return []row{active.ended(now), signs}
	}
	old := *active
	old.State, old.RetireTime, old.PrivateKey = Retiring, now, publicHalf(old)
	return []row{old, signs}
}
