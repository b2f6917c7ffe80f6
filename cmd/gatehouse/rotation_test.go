package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"gatehouse/internal/testlog"
)

// verifier checks a token by the published keys and says why it is not good;
// nil: it is.
type verifier func(token string) error

// piped is a verifier in a process of its own, which answers line by line.
func piped(t *testing.T, name string, args ...string) verifier {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stderr = testlog.File(t, filepath.Base(name))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	lines := bufio.NewReader(out)
	return func(token string) error {
		if _, err := io.WriteString(in, token+"\n"); err != nil {
			return err
		}
		line, err := lines.ReadString('\n')
		if err != nil {
			return err
		}
		if line = strings.TrimSpace(line); line != "ok" {
			return fmt.Errorf("it says %s", line)
		}
		return nil
	}
}

// publishedKeys counts the keys in dev's JWK Set.
func (r *running) publishedKeys() int {
	r.t.Helper()
	set, _ := r.get(r.ada.host, "/v3/oauth2/jwks", "").want(r.t, 200, "").body["keys"].([]any)
	return len(set)
}

// Verifiers that read the JWK Set now and then, and on an unknown key no more
// often than they do by default, never refuse a good token while the key of
// its tenant is rotated three times under load: neither one that was just made
// nor one that an earlier key signed.
func TestNoVerifierFailsThroughThreeRotations(t *testing.T) {
	if testing.Short() {
		t.Skip("the verifiers are not installed for the short tests")
	}
	r := start(t)
	jwks := r.server.URL + "/v3/oauth2/jwks"
	jwks = strings.Replace(jwks, "127.0.0.1", "localhost", 1)
	e2e := filepath.Join("..", "..", "test", "e2e")
	keySet := oidc.NewRemoteKeySet(t.Context(), jwks)
	verifiers := map[string]verifier{
		"go-oidc": func(token string) error {
			_, err := keySet.VerifySignature(context.Background(), token)
			return err
		},
		"jose":  piped(t, "node", filepath.Join(e2e, "node", "verifier.mjs"), jwks),
		"PyJWT": piped(t, filepath.Join(e2e, ".venv", "bin", "python"), filepath.Join(e2e, "verifier.py"), jwks),
	}
	var (
		working sync.WaitGroup
		done    = make(chan struct{})
		mu      sync.Mutex
		checked = map[string]int{}
	)
	first := r.login(r.ada)
	for name, verify := range verifiers {
		working.Go(func() {
			for {
				for age, token := range map[string]string{"the latest": r.login(r.ada), "the first": first} {
					if err := verify(token); err != nil {
						t.Errorf("%s refuses %s token: %v", name, age, err)
						return
					}
				}
				mu.Lock()
				checked[name] += 2
				mu.Unlock()
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range 3 {
		r.clock.Advance(10 * time.Minute)
		// A change in the registry has the authenticator look after its keys.
		change := map[string]string{"description": fmt.Sprintf("rotation %d", i)}
		r.as(r.service("tenants"), http.MethodPut, "/v3/tenants/dev", change).want(t, 200, "")
		eventually(t, fmt.Sprintf("%d keys are published", i+2), func() bool { return r.publishedKeys() == i+2 })
		time.Sleep(700 * time.Millisecond) // the verifiers keep the set for 300
		r.rotateKey(r.service("tokens"), devTenant)
		time.Sleep(300 * time.Millisecond)
	}
	close(done)
	working.Wait()
	for name := range verifiers {
		if checked[name] < 20 {
			t.Errorf("%s checked %d tokens only", name, checked[name])
		}
	}
	t.Logf("tokens checked: %v", checked)
}
