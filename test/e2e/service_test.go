package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/testlog"
)

// service is a running service on the unmodified tapisservice library.
type service struct {
	url string
	log output
}

// startService runs service.py as the service account files of g's site.
func startService(t *testing.T, g *gatehouse) *service {
	t.Helper()
	port := freePort(t)
	ctx, stop := context.WithCancel(context.Background())
	s := &service{url: "http://localhost:" + port}
	s.log.log = testlog.File(t, "service")
	cmd := exec.CommandContext(ctx, python(t), "service.py", port)
	cmd.Env = append(os.Environ(), serviceSettings(t, g)...)
	cmd.Stdout, cmd.Stderr = &s.log, &s.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil && err.Error() != "signal: killed" {
			t.Errorf("the service ended by itself: %v", err)
		}
	})
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if status, _ := s.ask(t, http.MethodGet, "/ready", ""); status == http.StatusOK {
			return s
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("the service ended before it was ready: %v\n%s", err, s.log.String())
		default:
		}
		if time.Since(began) > readyWithin {
			t.Fatalf("the service is not ready after %v:\n%s", readyWithin, s.log.String())
		}
	}
}

// settingsOf are the settings of the service files.
func settingsOf(t *testing.T, g *gatehouse) string {
	t.Helper()
	settings, err := json.Marshal(map[string]any{
		"service_name": "files", "service_password": g.servicePassword(t), "python_framework_type": "flask",
		"primary_site_admin_tenant_base_url": g.adminURL(), "service_site_id": "main", "service_tenant_id": "admin",
		"tenants": []string{"*"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(settings)
}

// ask returns the status, 0 when nobody answered, and the trimmed body.
func (s *service) ask(t *testing.T, method, path, token string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("X-Tapis-Token", token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(body))
}

// want asks and fails unless the answer is this JSON.
func (s *service) want(t *testing.T, method, path, token, want string) {
	t.Helper()
	status, body := s.ask(t, method, path, token)
	var got, wanted bytes.Buffer
	_ = json.Compact(&got, []byte(body))
	_ = json.Compact(&wanted, []byte(want))
	if status != http.StatusOK || got.String() != wanted.String() {
		t.Errorf("%s %s: %d %s\nwant %s\n%s", method, path, status, body, want, s.log.String())
	}
}

// A service as centres write them: it gets its tokens when it starts, checks
// those of people, asks the registry and the security kernel on their behalf,
// refreshes, and follows a rotation of a tenant's key by the documented step.
func TestAServiceOnTheUnmodifiedLibraryWorks(t *testing.T) {
	g := start(t)
	s := startService(t, g)
	s.want(t, http.MethodGet, "/ready", "", `["admin"]`)
	person := g.person(t, "testuser1")
	asks := func(token string) {
		t.Helper()
		s.want(t, http.MethodGet, "/whoami", token, `{"for":"testuser1","tenant":"dev","username":"testuser1"}`)
		s.want(t, http.MethodGet, "/directory?ldap_id=tapis-dev", token, `{"bind_dn":"cn=reader,dc=tapis"}`)
		s.want(t, http.MethodGet, "/admins", token, `["testadmin"]`)
	}
	asks(person)
	s.want(t, http.MethodPost, "/refresh", person, `true`)
	asks(person)

	g.rotate(t, "dev")
	person = g.person(t, "testuser1")
	if status, _ := s.ask(t, http.MethodGet, "/whoami", person); status == http.StatusOK {
		t.Error("the library knows the new key by itself; docs/keys.md can be shorter")
	}
	// The documented step: one request with a token of a tenant that it does
	// not know makes the library read the registry again.
	s.ask(t, http.MethodGet, "/whoami", "e30."+"eyJ0YXBpcy90ZW5hbnRfaWQiOiJ1bmtub3duIn0"+".e30")
	asks(person)
}

// servicePassword is the one that all service accounts of the site share.
func (g *gatehouse) servicePassword(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(g.dataDir, "service-password"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// serviceToken gets a service account its access token, by its password.
func (g *gatehouse) serviceToken(t *testing.T, name string) string {
	t.Helper()
	return serviceTokenAt(t, g.url(), "admin", name, g.servicePassword(t), "")
}

// serviceTokenAt does so at a base URL, for an account of a tenant, to be used
// at the target, a site; empty: its own.
func serviceTokenAt(t *testing.T, base, tenant, name, password, target string, headers ...string) string {
	t.Helper()
	request := fields{"account_type": "service", "token_tenant_id": tenant, "token_username": name, "access_token_ttl": 3600}
	if target != "" {
		request["target_site_id"] = target
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
	var got tokens
	callAt(t, base, http.MethodPost, "/v3/tokens", request, append(headers, "Authorization", basic)...).
		want(t, http.StatusOK).into(t, &got)
	testlog.Secret(t, got.Access.Token)
	return got.Access.Token
}

// rotate gives a tenant a new signing key, as the service tokens may.
func (g *gatehouse) rotate(t *testing.T, tenant string) {
	t.Helper()
	g.call(t, http.MethodPut, "/v3/tokens/keys", fields{"tenant_id": tenant}, g.service(t, "tokens")...).want(t, http.StatusOK)
}
