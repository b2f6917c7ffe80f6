package keys_test

import (
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/authenticator/keys"
)

// prepared returns a tenant's replica whose readers have long seen a standby
// key, and the keys in its JWK Set.
func prepared(t *testing.T, f *fixture) (r replica, active, standby string) {
	t.Helper()
	r = f.started("dev")
	reconcile := func() {
		t.Helper()
		if err := r.Reconcile(t.Context(), "dev", f.registry.PublicKey("dev")); err != nil {
			t.Fatal(err)
		}
	}
	reconcile()
	if set := published(t, r, "dev"); len(set) != 1 {
		t.Fatalf("a new tenant has a standby key at once: %v", set)
	}
	f.Clock.Advance(2 * keys.JWKSMaxAge)
	reconcile()
	reconcile()
	set := published(t, r, "dev")
	if len(set) != 2 {
		t.Fatalf("the set is %v, want the active and one standby key", set)
	}
	f.Clock.Advance(2 * keys.JWKSMaxAge)
	r.Tick(t.Context())
	return r, set[0], set[1]
}

func TestAStandbyKeyIsPublishedAndWaitsUntilItIsNeeded(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		r, first, standby := prepared(t, f)
		f.Clock.Advance(1000 * time.Hour)
		r.Tick(t.Context())
		if got := active(t, r, "dev"); got.ID != first || f.registry.PublicKey("dev") != pemOf(t, got) {
			t.Errorf("%s signs, want %s, and the registry should know it", got.ID, first)
		}
		if !slices.Equal(published(t, r, "dev"), []string{first, standby}) {
			t.Error("the standby key is not published")
		}
	})
}

// At once are ten replicas of which each has begun before the registry answers
// any: whoever asks after the switch gets another key.
func TestARotationAtOnceTakesTheKeyThatReadersKnow(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		r, first, standby := prepared(t, f)
		const replicas = 10
		var all, begun sync.WaitGroup
		begun.Add(replicas)
		var asked atomic.Int64
		f.registry.Before(func(*http.Request) int {
			if asked.Add(1) <= replicas {
				begun.Done()
			}
			begun.Wait()
			return 0
		})
		for range replicas {
			all.Go(func() {
				if done, err := f.replica().Rotate(t.Context(), "dev", keys.Now); err != nil || done.KeyID != standby {
					t.Errorf("rotated to %s, %v; want %s", done.KeyID, err, standby)
				}
			})
		}
		all.Wait()
		if err := r.Refresh(t.Context()); err != nil || active(t, r, "dev").ID != standby {
			t.Errorf("%s signs, %v; want %s", active(t, r, "dev").ID, err, standby)
		}
		if !slices.Equal(published(t, r, "dev"), []string{first, standby}) {
			t.Error("a reader of the set from before does not know all keys")
		}
		f.wantConsistent(r, "dev")
	})
}

func TestAGracefulRotationNeedNotWaitForAStandbyKeyThatReadersKnow(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		r, _, standby := prepared(t, f)
		if done := rotate(t, r, "dev", keys.Graceful); done.KeyID != standby || !done.SwitchTime.IsZero() {
			t.Errorf("got %+v, want %s at once", done, standby)
		}
		f.wantConsistent(r, "dev")
	})
}

func TestAnEmergencyEndsTheStandbyKeyToo(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		r, first, standby := prepared(t, f)
		done := rotate(t, r, "dev", keys.Emergency)
		if done.KeyID == standby || verifies(t, r, "dev", standby) || verifies(t, r, "dev", first) {
			t.Errorf("rotated to %s; the thief may have read %s as well", done.KeyID, standby)
		}
		f.wantConsistent(r, "dev")
	})
}
