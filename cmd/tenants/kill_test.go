package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"gatehouse/internal/authn"
)

// registryToken returns a token of the service tenants, which may update
// every tenant without a role.
func registryToken(t testing.TB) string {
	t.Helper()
	unsigned := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"jti": "1", "sub": "tenants@admin", "exp": time.Now().Add(time.Hour).Unix(), "iss": "https://admin.tapis.example.org/v3/tokens",
		"tapis/tenant_id": "admin", "tapis/token_type": "access", "tapis/account_type": "service", "tapis/username": "tenants",
		"tapis/target_site": "main",
	})
	unsigned.Header["kid"] = authn.Thumbprint(&adminKey().PublicKey)
	raw, err := unsigned.SignedString(adminKey())
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// written is an update that the registry has acknowledged.
type written struct{ worker, number int }

func (w written) text() string { return fmt.Sprintf("w%d-%d", w.worker, w.number) }

// TestAKilledRegistryKeepsWhatItAcknowledged kills the program, as a process
// of its own, in the middle of writes, again and again: each acknowledged
// update is there afterwards, with its history, and none is there by half.
func TestAKilledRegistryKeepsWhatItAcknowledged(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds a program and kills it")
	}
	program := filepath.Join(t.TempDir(), "tenants")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	each(t, func(t *testing.T, environ []string) {
		environ = bootstrap(t, append(environ, "GATEHOUSE_LOG_LEVEL=error"))
		succeed(t, environ, "migrate")
		token, acknowledged := registryToken(t), map[string]bool{}
		const rounds = 6
		for round := range rounds {
			url, kill := process(t, program, environ)
			for text := range hammer(t, url, token, round, kill) {
				acknowledged[text] = true
			}
		}
		url, kill := process(t, program, environ)
		defer kill()
		history := fetch(t, url+"/v3/tenants/admin/history")
		last, seen := "Administrative tenant of the primary site.", map[string]bool{}
		for i, row := range history {
			change := row["updates"].(map[string]any)["description"].(map[string]any)
			if change["prev"] != last {
				t.Fatalf("row %d of the history begins with %v, the one before ends with %s", i, change["prev"], last)
			}
			last = change["new"].(string)
			seen[last] = true
		}
		now := fetch(t, url+"/v3/tenants?select=tenant_id,description")
		if now[0]["description"] != last {
			t.Errorf("the tenant says %v, its history ends with %s", now[0]["description"], last)
		}
		for text := range acknowledged {
			if !seen[text] {
				t.Errorf("the acknowledged update %s is lost", text)
			}
		}
		if len(acknowledged) < rounds {
			t.Errorf("only %d updates were acknowledged", len(acknowledged))
		}
		t.Logf("%d updates acknowledged, %d in the history", len(acknowledged), len(history))
	})
}

// process starts the program's serve and returns when it is ready. kill ends
// it as kill -9 does.
func process(t *testing.T, program string, environ []string) (url string, kill func()) {
	t.Helper()
	var stderr bytes.Buffer
	return ready(t, environ, &stderr, func(environ []string) (kill func()) {
		cmd := exec.Command(program, "serve")
		cmd.Env, cmd.Stderr = environ, &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
}

// hammer updates the tenant admin from several sides at once, kills the
// server meanwhile, and returns what was acknowledged.
func hammer(t *testing.T, url, token string, round int, kill func()) map[string]bool {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	var done atomic.Int64
	acknowledged := map[string]bool{}
	var workers sync.WaitGroup
	for worker := range 4 {
		workers.Go(func() {
			for number := 0; ; number++ {
				text := written{round*10 + worker, number}.text()
				status, err := put(ctx, client, url, token, text)
				switch {
				case err != nil:
					return // it was killed; whether this one was written, nobody knows
				case status != http.StatusOK:
					t.Errorf("%s: status %d", text, status)
					return
				}
				mu.Lock()
				acknowledged[text] = true
				mu.Unlock()
				done.Add(1)
			}
		})
	}
	for done.Load() < int64(3+5*round) && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	kill()
	workers.Wait()
	return acknowledged
}

func put(ctx context.Context, client *http.Client, url, token, description string) (int, error) {
	body, err := json.Marshal(map[string]string{"description": description})
	if err != nil {
		return 0, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, url+"/v3/tenants/admin", strings.NewReader(string(body)))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Tapis-Token", token)
	r.Header.Set("X-Tapis-Tenant", "admin")
	r.Header.Set("X-Tapis-User", "tenants")
	w, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	return w.StatusCode, w.Body.Close()
}
