package keys_test

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/keys"
)

func TestAGracefulRotationPublishesTheKeyTwiceAsLongAsReadersKeepTheOldSet(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		r := f.started("dev", "lab")
		old, lab := active(t, r, "dev"), active(t, r, "lab")
		done := rotate(t, r, "dev", keys.Graceful)
		if want := f.Clock.Now().Add(2 * keys.JWKSMaxAge); !done.SwitchTime.Equal(want) || done.KeyID == old.ID {
			t.Fatalf("got %+v; want the switch of a new key at %s", done, want)
		}
		if again := rotate(t, r, "dev", keys.Graceful); again != done {
			t.Errorf("asked again, got %+v instead of %+v", again, done)
		}
		step := func(after time.Duration, signs string, set ...string) {
			t.Helper()
			f.Clock.Advance(after)
			r.Tick(t.Context())
			if got := active(t, r, "dev").ID; got != signs {
				t.Errorf("after %s %s signs; want %s", after, got, signs)
			}
			if got := published(t, r, "dev"); !slices.Equal(got, set) {
				t.Errorf("after %s the set is %v; want %v", after, got, set)
			}
		}
		step(0, old.ID, old.ID, done.KeyID)
		step(2*keys.JWKSMaxAge-time.Second, old.ID, old.ID, done.KeyID)
		if f.registry.PublicKey("dev") != pemOf(t, old) {
			t.Error("the registry knows the new key before it signs")
		}
		step(time.Second, done.KeyID, old.ID, done.KeyID)
		if f.registry.PublicKey("dev") != done.PublicKey {
			t.Error("the registry does not know the new key")
		}
		last := f.Clock.Now().Add(4 * time.Hour)
		f.last = last
		step(2*time.Minute, done.KeyID, old.ID, done.KeyID) // now it is known when the last token expires
		step(4*time.Hour-2*time.Minute, done.KeyID, old.ID, done.KeyID)
		step(time.Minute, done.KeyID, done.KeyID)
		if !verifies(t, r, "dev", old.ID) || !verifies(t, f.replica(), "dev", old.ID) {
			t.Error("a retired key does not verify refresh tokens any more")
		}
		if got := active(t, r, "lab").ID; got != lab.ID || !slices.Equal(published(t, r, "lab"), []string{lab.ID}) ||
			verifies(t, r, "lab", done.KeyID) {
			t.Error("another tenant's keys have changed")
		}
		f.wantConsistent(r, "dev")
	})
}

func TestARotationAtOnceReturnsTheKeyThatSignsFromThenOn(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		r := f.started("dev")
		for range 2 { // the second time with a key that was scheduled
			old := active(t, r, "dev")
			done := rotate(t, r, "dev", keys.Now)
			signs := active(t, r, "dev")
			if signs.ID != done.KeyID || pemOf(t, signs) != done.PublicKey || !done.SwitchTime.IsZero() || signs.ID == old.ID {
				t.Fatalf("got %+v, and %s signs; it was %s", done, signs.ID, old.ID)
			}
			if !verifies(t, r, "dev", old.ID) || !slices.Contains(published(t, r, "dev"), old.ID) {
				t.Error("the old key verifies nothing any more")
			}
			f.wantConsistent(r, "dev")
			scheduled := rotate(t, r, "dev", keys.Graceful)
			if done := rotate(t, r, "dev", keys.Now); done.KeyID != scheduled.KeyID {
				t.Errorf("%s was scheduled and %s signs", scheduled.KeyID, done.KeyID)
			}
		}
	})
}

func TestTheFirstRotationOfATenantMakesItsKey(t *testing.T) {
	f := onSQLite(t)
	r := f.replica()
	done := rotate(t, r, "dev", keys.Now)
	if active(t, r, "dev").ID != done.KeyID {
		t.Errorf("got %+v", done)
	}
	f.wantConsistent(r, "dev")
}

// At once is what begins before the new key signs; whoever asks after that gets
// another.
func TestTwentyRotationsAtOnceAreOne(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.now = time.Now
		f.registry.Before(func(r *http.Request) int {
			if r.Method == http.MethodPut {
				time.Sleep(time.Second / 2)
			}
			return 0
		})
		for _, mode := range []keys.Mode{keys.Now, keys.Emergency, keys.Graceful} {
			tenant := string(mode)
			replicas := []replica{f.started(tenant), f.replica(), f.replica(), f.replica()}
			first := active(t, replicas[0], tenant).ID
			got := make([]keys.Rotation, 20)
			var wg sync.WaitGroup
			start := make(chan struct{})
			for i := range got {
				wg.Go(func() {
					<-start
					var err error
					if got[i], err = replicas[i%len(replicas)].Rotate(t.Context(), tenant, mode); err != nil {
						t.Error(err)
					}
				})
			}
			close(start)
			wg.Wait()
			list, err := replicas[0].List(t.Context(), tenant)
			if err != nil {
				t.Fatal(err)
			}
			if len(list) != 2 {
				t.Errorf("%s: %d keys; want the old and one new", mode, len(list))
			}
			for _, r := range got {
				if r.KeyID == "" || r.KeyID == first {
					t.Errorf("%s: got %+v; the first was %s", mode, r, first)
				}
			}
			if mode != keys.Graceful {
				f.wantConsistent(replicas[0], tenant)
			}
		}
	})
}

// Every crash leaves what the next process completes, and tokens of both keys
// verify all the time.
func TestACrashAtAnyStepIsCompletedByTheNextProcess(t *testing.T) {
	lose := func(f *fixture) int {
		if err := f.DB.Conn(f.T.Context()).Exec("ALTER TABLE signing_key_changes RENAME TO elsewhere").Error; err != nil {
			f.T.Error(err)
		}
		return 0
	}
	for name, c := range map[string]struct {
		arm     func(f *fixture)
		rotated bool // whether the crashed process had got as far as to promise a new key
	}{
		"before the registry is asked":               {func(f *fixture) { f.registry.Fail(http.StatusBadGateway) }, true},
		"before the registry is told":                {func(f *fixture) { f.registry.Before(failing(http.MethodPut)) }, true},
		"when the registry knows, before the switch": {func(f *fixture) { f.registry.After(failing(http.MethodPut)) }, true},
		"when the database goes behind the registry": {func(f *fixture) {
			f.registry.After(func(r *http.Request) int {
				if r.Method == http.MethodPut {
					return lose(f)
				}
				return 0
			})
		}, true},
		"when the database goes before all": {func(f *fixture) { lose(f) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, f *fixture) {
				for _, tenant := range []string{"dev", "admin"} {
					r := f.started(tenant)
					old := active(t, r, tenant)
					c.arm(f)
					if done, err := r.Rotate(t.Context(), tenant, keys.Now); err == nil {
						t.Fatalf("the crash did not come: %+v", done)
					}
					if got := active(t, r, tenant).ID; got != old.ID {
						t.Errorf("the key %s signs after a failed rotation", got)
					}
					f.registry.Fail(0)
					f.registry.Before(nil)
					f.registry.After(nil)
					_ = f.DB.Conn(t.Context()).Exec("ALTER TABLE elsewhere RENAME TO signing_key_changes").Error // where it is gone
					next := f.replica()
					next.Tick(t.Context())
					f.wantConsistent(next, tenant)
					if got := active(t, next, tenant).ID; (got != old.ID) != c.rotated {
						t.Errorf("the key %s signs; it was %s", got, old.ID)
					}
					if !verifies(t, next, tenant, old.ID) || !slices.Contains(published(t, next, tenant), old.ID) {
						t.Error("tokens of the old key verify no more")
					}
				}
			})
		})
	}
}

func TestARotationWithTheRegistryAwayWaitsAndGoesOnByItself(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		r := f.started("dev")
		old := active(t, r, "dev")
		f.registry.Fail(http.StatusBadGateway)
		_, err := r.Rotate(t.Context(), "dev", keys.Now)
		wantAway(t, err)
		for range 5 {
			r.Tick(t.Context())
			f.Clock.Advance(10 * time.Second)
		}
		pending := published(t, r, "dev")
		if active(t, r, "dev").ID != old.ID || len(pending) != 2 {
			t.Fatalf("signing with %s, published %v", active(t, r, "dev").ID, pending)
		}
		f.registry.Fail(0)
		for range 12 { // it rests for a minute of ticks at most
			r.Tick(t.Context())
		}
		if got := active(t, r, "dev").ID; got != pending[1] {
			t.Errorf("%s signs; want %s", got, pending[1])
		}
		f.wantConsistent(r, "dev")
	})
}

func TestATenantThatFailsKeepsNobodyElseWaiting(t *testing.T) {
	f := onSQLite(t)
	r := f.started("bad", "good", "worse")
	old, other := active(t, r, "bad"), active(t, r, "good")
	for _, tenant := range []string{"bad", "good"} {
		rotate(t, r, tenant, keys.Graceful)
	}
	if err := f.DB.Conn(t.Context()).Exec(
		"UPDATE signing_keys SET private_key = 'broken' WHERE tenant_id = 'bad' AND state = 'next'").Error; err != nil {
		t.Fatal(err)
	}
	if err := f.DB.Conn(t.Context()).Exec(
		"UPDATE signing_keys SET private_key = 'broken' WHERE tenant_id = 'worse'").Error; err != nil {
		t.Fatal(err)
	}
	f.Clock.Advance(time.Hour)
	next := f.replica()
	next.Tick(t.Context())
	if active(t, next, "good").ID == other.ID {
		t.Error("the good tenant's key was not rotated")
	}
	if active(t, next, "bad").ID != old.ID || !slices.Equal(published(t, next, "bad"), []string{old.ID}) {
		t.Error("a key that does not open was published or signs")
	}
	if key, err := next.Active(t.Context(), "worse"); err == nil {
		t.Errorf("the tenant whose key is broken signs with %s of %s", key.ID, key.TenantID)
	}
	// An emergency needs nothing of the keys that were there.
	for _, tenant := range []string{"bad", "worse"} {
		rotate(t, next, tenant, keys.Emergency)
		f.wantConsistent(next, tenant)
		active(t, next, tenant)
	}
}

func TestAnEmergencyEndsTheOldKeyAtOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for _, tenant := range []string{"dev", "admin"} {
			r, other := f.started(tenant), f.replica()
			old := active(t, r, tenant)
			active(t, other, tenant)
			scheduled := rotate(t, r, tenant, keys.Graceful)
			done := rotate(t, r, tenant, keys.Emergency)
			if done.KeyID == scheduled.KeyID || done.KeyID == old.ID || !done.SwitchTime.IsZero() {
				t.Fatalf("got %+v; known before were %s and %s", done, old.ID, scheduled.KeyID)
			}
			if err := other.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, r := range []replica{r, other, f.replica()} {
				if verifies(t, r, tenant, old.ID) || verifies(t, r, tenant, scheduled.KeyID) || !verifies(t, r, tenant, done.KeyID) {
					t.Error("the old keys verify, or the new one does not")
				}
				if got := published(t, r, tenant); !slices.Equal(got, []string{done.KeyID}) {
					t.Errorf("published are %v", got)
				}
			}
			f.wantConsistent(r, tenant)
			var sealed string
			err := f.DB.Conn(t.Context()).Raw("SELECT private_key FROM signing_keys WHERE tenant_id = ? AND kid = ?", tenant,
				old.ID).Scan(&sealed).Error
			if err != nil || sealed != "" {
				t.Errorf("the ended key is kept: %.10s, %v", sealed, err)
			}
		}
	})
}

func TestAnEmergencyDoesNotWaitForTheRegistryUnlessItsKeySpeaksToIt(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		r := f.started("dev", "admin")
		dev, admin := active(t, r, "dev"), active(t, r, "admin")
		f.registry.Fail(http.StatusBadGateway)
		done := rotate(t, r, "dev", keys.Emergency)
		if active(t, r, "dev").ID != done.KeyID || verifies(t, r, "dev", dev.ID) {
			t.Error("the old key still counts")
		}
		_, err := r.Rotate(t.Context(), "admin", keys.Emergency)
		wantAway(t, err)
		if active(t, r, "admin").ID != admin.ID {
			t.Error("the site's own key was replaced before the registry knows the new one")
		}
		f.registry.Fail(0)
		next := f.replica()
		next.Tick(t.Context())
		if err := next.Reconcile(t.Context(), "dev", f.registry.PublicKey("dev")); err != nil {
			t.Fatal(err)
		}
		f.wantConsistent(next, "dev")
		f.wantConsistent(next, "admin")
		if verifies(t, next, "admin", admin.ID) {
			t.Error("the old key of the site still counts")
		}
	})
}

func TestKeysAreRetiredByHand(t *testing.T) {
	f := onSQLite(t)
	r := f.started("dev", "lab")
	first := active(t, r, "dev").ID
	second := rotate(t, r, "dev", keys.Now).KeyID
	if err := r.Retire(t.Context(), "dev", first, false); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(published(t, r, "dev"), []string{second}) || !verifies(t, r, "dev", first) {
		t.Error("a retired key is published or verifies no refresh tokens")
	}
	if err := r.Retire(t.Context(), "dev", first, true); err != nil {
		t.Fatal(err)
	}
	if verifies(t, r, "dev", first) {
		t.Error("an ended key verifies")
	}
	next := rotate(t, r, "dev", keys.Graceful).KeyID
	for _, c := range []struct {
		tenant, kid string
		end         bool
		kind        apierr.Kind
	}{
		{"dev", second, false, apierr.Conflict},
		{"dev", second, true, apierr.Conflict},
		{"dev", next, false, apierr.Conflict},
		{"dev", "nobody", true, apierr.NotFound},
		{"lab", first, true, apierr.NotFound},
	} {
		if err := r.Retire(t.Context(), c.tenant, c.kid, c.end); !apierr.Is(err, c.kind) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if err := r.Retire(t.Context(), "dev", next, true); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(published(t, r, "dev"), []string{second}) {
		t.Error("the key that must not sign is still published")
	}
}

func TestReconcileMendsWhatTheRegistryHas(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		r := f.started("dev")
		const put = "PUT /v3/tenants/dev"
		puts := f.registry.Asked(put)
		if err := r.Reconcile(t.Context(), "dev", f.registry.PublicKey("dev")); err != nil || f.registry.Asked(put) != puts {
			t.Errorf("told the registry what it knew: %v", err)
		}
		for _, published := range []string{"", "something else"} { // as after a restored backup
			f.registry.Change("dev", authtest.Object{"public_key": published})
			if err := r.Reconcile(t.Context(), "dev", published); err != nil {
				t.Fatal(err)
			}
			f.wantConsistent(r, "dev")
		}
		// What was read before a rotation does not undo it.
		old := f.registry.PublicKey("dev")
		rotate(t, r, "dev", keys.Now)
		if err := r.Reconcile(t.Context(), "dev", old); err != nil {
			t.Fatal(err)
		}
		f.wantConsistent(r, "dev")
		// A tenant whose key somebody else has is not taken from them.
		f.registry.Change("foreign", authtest.Object{"public_key": old})
		if err := r.Reconcile(t.Context(), "foreign", old); !apierr.Is(err, apierr.Conflict) {
			t.Errorf("got %v", err)
		}
		if f.registry.PublicKey("foreign") != old {
			t.Error("the foreign key was replaced")
		}
	})
}
