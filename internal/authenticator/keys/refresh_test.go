package keys_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/authenticator/keys"
)

func TestReplicasLearnOfARotationWithinTwoSeconds(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		one, two := f.started("dev"), f.replica()
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		defer running.Wait()
		defer stop()
		running.Go(func() { one.Run(ctx) })
		running.Go(func() { two.Run(ctx) })
		old := active(t, two, "dev").ID
		for _, mode := range []keys.Mode{keys.Now, keys.Emergency} {
			done := rotate(t, one, "dev", mode)
			// Whoever meets a token of the new key finds it at once.
			if !verifies(t, two, "dev", done.KeyID) {
				t.Error("the other replica does not know the new key")
			}
			for deadline := time.Now().Add(2 * time.Second); active(t, two, "dev").ID != done.KeyID; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the other replica still signs with the old key")
				}
			}
			if mode == keys.Emergency && verifies(t, two, "dev", old) {
				t.Error("the other replica still believes the old key")
			}
			old = done.KeyID
		}
	})
}

func TestForgedKeyIDsReachTheDatabaseTwentyTimesASecondAtMost(t *testing.T) {
	f := onSQLite(t)
	one, two := f.started("dev"), f.replica()
	active(t, two, "dev")
	done := rotate(t, one, "dev", keys.Now)
	started := time.Now()
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			if verifies(t, two, "dev", "forged"+strconv.Itoa(i)) {
				t.Error("a forged key id was found")
			}
		})
	}
	// Among them is one that has to be found.
	if !verifies(t, two, "dev", done.KeyID) {
		t.Error("the new key was not found among forged ones")
	}
	wg.Wait()
	if took := time.Since(started); took > 5*time.Second { // one after the other they would take ten
		t.Errorf("200 forged key ids took %s", took)
	}
}

func TestADatabaseThatIsAwayLeavesWhatIsKnown(t *testing.T) {
	f := onSQLite(t)
	r := f.started("dev")
	key := active(t, r, "dev")
	if err := f.DB.Close(); err != nil {
		t.Fatal(err)
	}
	if ids := published(t, r, "dev"); len(ids) != 1 || active(t, r, "dev").ID != key.ID || !verifies(t, r, "dev", key.ID) {
		t.Errorf("published are %v", ids)
	}
	_, err := r.PublicKey(t.Context(), "dev", "unknown")
	wantAway(t, err)
	_, err = r.Rotate(t.Context(), "dev", keys.Now)
	wantAway(t, err)
}
