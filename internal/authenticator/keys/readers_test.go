package keys_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"gatehouse/internal/authenticator/keys"
)

// keySet serves the JWK Set of a tenant, at each replica in turn, as a load
// balancer does.
func keySet(t *testing.T, tenantID string, replicas ...replica) string {
	t.Helper()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		set, err := replicas[int(asked.Add(1))%len(replicas)].JWKS(req.Context(), tenantID)
		if err != nil {
			t.Error(err)
		}
		if err := json.NewEncoder(w).Encode(map[string]any{"keys": set}); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// Three rotations, while replicas sign without pause and a reader of the JWK
// Set and each replica verify: nothing fails.
func TestRotationsCostNoVerification(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		one := f.started("dev")
		two := f.replica()
		reader := oidc.NewRemoteKeySet(t.Context(), keySet(t, "dev", one, two))
		var verified atomic.Int64
		var kids sync.Map
		stop := make(chan struct{})
		var running sync.WaitGroup
		defer running.Wait()
		defer close(stop)
		for i, signer := range []replica{one, two, one} {
			running.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					key, err := signer.Active(t.Context(), "dev")
					if err != nil {
						t.Error(err)
						return
					}
					signed, err := key.Sign(map[string]string{"sub": "ada@dev"})
					if err != nil {
						t.Error(err)
						return
					}
					_, err = reader.VerifySignature(t.Context(), signed)
					_, ownErr := []replica{two, one, two}[i].PublicKey(t.Context(), "dev", key.ID)
					if err := errors.Join(err, ownErr); err != nil {
						t.Errorf("a token of key %s: %v", key.ID, err)
						return
					}
					kids.Store(key.ID, true)
					verified.Add(1)
				}
			})
		}
		ctx := t.Context()
		running.Go(func() { // as Run does
			every := time.NewTicker(50 * time.Millisecond)
			defer every.Stop()
			for {
				select {
				case <-stop:
					return
				case <-every.C:
				}
				for _, r := range []replica{one, two} {
					if err := r.Refresh(ctx); err != nil {
						t.Error(err)
					}
					r.Tick(ctx)
				}
			}
		})
		used := func(kid string) { // returns when tokens of a key were verified
			t.Helper()
			for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
				if _, seen := kids.Load(kid); seen {
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("no token of key %s was verified", kid)
				}
			}
		}
		used(active(t, one, "dev").ID)
		for _, r := range []replica{one, two, one} {
			if r == two {
				done := rotate(t, r, "dev", keys.Graceful)
				f.Clock.Advance(done.SwitchTime.Sub(f.Clock.Now()))
				used(done.KeyID)
			} else {
				used(rotate(t, r, "dev", keys.Now).KeyID)
			}
		}
		time.Sleep(200 * time.Millisecond) // some more of the last one
		t.Logf("%d tokens verified", verified.Load())
		f.wantConsistent(one, "dev")
	})
}
