package keys_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/authenticator/keys"
)

// prepared returns a tenant's replica whose readers have long seen a standby
// key, and the keys in its JWK Set.
func prepared(t *testing.T, w *world) (r replica, active, standby string) {
	t.Helper()
	r = w.started("dev")
	reconcile := func() {
		t.Helper()
		if err := r.Reconcile(t.Context(), "dev", w.registry.published("dev")); err != nil {
			t.Fatal(err)
		}
	}
	reconcile()
	if set := published(t, r, "dev"); len(set) != 1 {
		t.Fatalf("a new tenant has a standby key at once: %v", set)
	}
	w.clock.advance(2 * keys.JWKSMaxAge)
	reconcile()
	reconcile()
	set := published(t, r, "dev")
	if len(set) != 2 {
		t.Fatalf("the set is %v, want the active and one standby key", set)
	}
	w.clock.advance(2 * keys.JWKSMaxAge)
	r.Tick(t.Context())
	return r, set[0], set[1]
}

func TestAStandbyKeyIsPublishedAndWaitsUntilItIsNeeded(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r, first, standby := prepared(t, w)
		w.clock.advance(1000 * time.Hour)
		r.Tick(t.Context())
		if got := active(t, r, "dev"); got.ID != first || w.registry.published("dev") != pemOf(t, got) {
			t.Errorf("%s signs, want %s, and the registry should know it", got.ID, first)
		}
		if !slices.Equal(published(t, r, "dev"), []string{first, standby}) {
			t.Error("the standby key is not published")
		}
	})
}

func TestARotationAtOnceTakesTheKeyThatReadersKnow(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r, first, standby := prepared(t, w)
		var (
			all  sync.WaitGroup
			mu   sync.Mutex
			seen = map[string]bool{}
		)
		for range 10 {
			all.Go(func() {
				done, err := r.Rotate(t.Context(), "dev", keys.Now)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				seen[done.KeyID] = true
				mu.Unlock()
			})
		}
		all.Wait()
		if len(seen) != 1 || !seen[standby] || active(t, r, "dev").ID != standby {
			t.Errorf("rotated to %v, want %s alone", seen, standby)
		}
		if !slices.Equal(published(t, r, "dev"), []string{first, standby}) {
			t.Error("a reader of the set from before does not know all keys")
		}
		w.wantConsistent(r, "dev")
	})
}

func TestAGracefulRotationNeedNotWaitForAStandbyKeyThatReadersKnow(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r, _, standby := prepared(t, w)
		if done := rotate(t, r, "dev", keys.Graceful); done.KeyID != standby || !done.SwitchTime.IsZero() {
			t.Errorf("got %+v, want %s at once", done, standby)
		}
		w.wantConsistent(r, "dev")
	})
}

func TestAnEmergencyEndsTheStandbyKeyToo(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r, first, standby := prepared(t, w)
		done := rotate(t, r, "dev", keys.Emergency)
		if done.KeyID == standby || verifies(t, r, "dev", standby) || verifies(t, r, "dev", first) {
			t.Errorf("rotated to %s; the thief may have read %s as well", done.KeyID, standby)
		}
		w.wantConsistent(r, "dev")
	})
}
