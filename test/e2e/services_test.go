package e2e

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/seal"
	"gatehouse/internal/testlog"
)

func TestThePythonSDKWorksThroughNginxWithBothServicesOnPostgresAndSlapd(t *testing.T) {
	s := startServices(t, direct)
	password := seal.NewSecret()
	testlog.Secret(t, password)
	for _, service := range []string{"files", "tokens"} {
		s.call("authenticator", s.issuerEnv, "service-password", "set", service, s.file("service-password", password))
	}
	runSDK(t, "http://localhost:"+s.port, password)
	resp, err := http.Get("http://" + s.metricsAt + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(text), `gatehouse_token_requests_total{grant_type="password",outcome="ok"}`) {
		t.Errorf("the metrics do not count tokens: %v\n%.500s", err, text)
	}
}

// The recipe of docs/deploy.md for services that do not look at revocations.
func TestNginxRefusesRevokedTokensWhereItIsTold(t *testing.T) {
	s := startServices(t, direct)
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"result":"files"}`)
	}))
	t.Cleanup(files.Close)
	if err := os.Mkdir(filepath.Join(s.dir, "nginx", "gatehouse", "services"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.file("nginx/gatehouse/services/files.conf",
		"location ~ ^/v3/files(/|$) {\n  include gatehouse/checked.conf;\n  proxy_pass "+files.URL+";\n}\n")
	s.nginx.signal(syscall.SIGHUP)
	s.eventually("nginx knows the service", func() bool { return s.status("http://localhost:"+s.port+"/v3/files") == http.StatusOK })
	g := &gatehouse{port: s.port}
	ask := func(token string, status int, headers ...string) {
		t.Helper()
		g.call(t, http.MethodGet, "/v3/files/content", nil, append(headers, "X-Tapis-Token", token)...).want(t, status)
	}
	token := g.person(t, "testuser1")
	ask(token, http.StatusOK)
	ask(token, http.StatusOK, "X-Tapis-User", "testuser1")
	ask(token+"x", http.StatusUnauthorized)
	g.call(t, http.MethodPost, "/v3/tokens/revoke", map[string]string{"token": token}).want(t, http.StatusOK)
	ask(token, http.StatusUnauthorized)
	ask(token, http.StatusUnauthorized, "X-Tapis-User", "testuser1", "X-Tapis-Tenant", "dev")
	// On the command line, which is another process.
	token = g.person(t, "testuser2")
	ask(token, http.StatusOK)
	s.call("authenticator", s.issuerEnv, "tokens", "revoke-user", "dev", "testuser2")
	time.Sleep(2 * time.Second)
	ask(token, http.StatusUnauthorized)
	ask(g.person(t, "testuser2"), http.StatusOK)
	s.issuer.signal(syscall.SIGSTOP)
	ask(token, http.StatusServiceUnavailable)
	s.issuer.signal(syscall.SIGCONT)
}

// While something is away people get tokens, or 503 and the truth; when it is
// back they get tokens again, and nobody had to do anything.
func TestWhatIsAwayIsSaidAndWhatIsBackIsUsed(t *testing.T) {
	s := startServices(t, direct)
	answers := map[int]*atomic.Int64{}
	for _, status := range []int{0, 200, 503, 1} {
		answers[status] = &atomic.Int64{}
	}
	load, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for load.Err() == nil {
				status := s.login()
				if answers[status] == nil {
					t.Errorf("under load a login was answered with %d", status)
					status = 1
				}
				answers[status].Add(1)
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	back := func(what string) {
		t.Helper()
		s.eventually(what, func() bool { return s.login() == http.StatusOK })
	}
	// The registry: nobody notices.
	s.registry.signal(syscall.SIGKILL)
	for range 10 {
		if got := s.login(); got != http.StatusOK {
			t.Errorf("without the registry a login was answered with %d", got)
		}
	}
	// Not even after a restart of the authenticator alone.
	s.issuer.signal(syscall.SIGKILL)
	s.issuer.run()
	back("the authenticator is back without the registry")
	s.registry.run()
	s.eventually("the registry is back", func() bool { return s.status("http://localhost:"+s.port+"/v3/tenants") == http.StatusOK })
	// The directory, gone and silent.
	s.directory.Stop()
	s.eventually("the directory's absence is said", func() bool { return s.login() == http.StatusServiceUnavailable })
	s.directory.Restart()
	back("the directory is back")
	s.directory.Suspend()
	if got := s.login(); got != http.StatusServiceUnavailable {
		t.Errorf("while the directory is silent a login was answered with %d", got)
	}
	s.directory.Resume()
	back("the directory speaks again")
	// Postgres, gone and silent.
	s.postgres("halt")
	s.eventually("the database's absence is said", func() bool { return s.login() == http.StatusServiceUnavailable })
	if got := s.status("http://localhost:" + s.port + "/v3/tenants"); got != http.StatusOK {
		t.Errorf("without its database the registry answered %d to the list that everybody reads", got)
	}
	s.postgres("again")
	back("the database is back")
	s.freezePostgres(syscall.SIGSTOP)
	if got := s.login(); got != http.StatusServiceUnavailable {
		t.Errorf("while the database is silent a login was answered with %d", got)
	}
	s.freezePostgres(syscall.SIGCONT)
	back("the database speaks again")
	// The authenticator, silent: nginx says so; nothing is lost afterwards.
	s.issuer.signal(syscall.SIGSTOP)
	if got := s.login(); got == http.StatusOK {
		t.Error("a stopped authenticator answered")
	}
	s.issuer.signal(syscall.SIGCONT)
	back("the authenticator goes on")
	stop()
	wg.Wait()
	if answers[200].Load() == 0 {
		t.Error("no login succeeded under load")
	}
	t.Logf("under load: %d tokens, %d times 503, %d without an answer", answers[200].Load(), answers[503].Load(), answers[0].Load())
}

// second starts another replica of a program, with the same settings.
func (s *services) second(name string, env []string, listen string) *program {
	s.t.Helper()
	var own []string
	for _, v := range env {
		if !strings.HasPrefix(v, "GATEHOUSE_LISTEN=") && !strings.HasPrefix(v, "GATEHOUSE_METRICS_LISTEN=") {
			own = append(own, v)
		}
	}
	p := (&program{t: s.t, path: s.built(name), args: []string{"serve"}, env: append(own, "GATEHOUSE_LISTEN="+listen)}).run()
	s.eventually("a second "+name+" is ready", func() bool { return s.status("http://"+listen+"/readyz") == http.StatusOK })
	return p
}

// Replaced one after the other, some of them taken out of the proxy before and
// some not: that costs no request, as docs/deploy.md says.
func TestARollingRestartLosesNoRequest(t *testing.T) {
	s := startServices(t, direct)
	second := func(name, at string, env []string, listen string) *program {
		p := s.second(name, env, listen)
		line := "server " + at + " max_fails=0;"
		s.upstreams(line, line+"\n  server "+listen+" max_fails=0;")
		return p
	}
	registryAt, issuerAt := "127.0.0.1:"+freePort(t), "127.0.0.1:"+freePort(t)
	registry := second("tenants", s.registryAt, s.registryEnv, registryAt)
	issuer := second("authenticator", s.issuerAt, s.issuerEnv, issuerAt)

	load, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var asked atomic.Int64
	for i := range 4 {
		wg.Go(func() {
			for load.Err() == nil {
				got := 0
				if i%2 == 0 {
					got = s.login()
				} else {
					got = s.status("http://localhost:" + s.port + "/v3/tenants")
				}
				if asked.Add(1); got != http.StatusOK && load.Err() == nil {
					t.Errorf("a request was answered with %d", got)
				}
				time.Sleep(4 * time.Millisecond) // ports are not without number
			}
		})
	}
	for _, replica := range []struct {
		p    *program
		at   string
		told bool // whether nginx is
	}{{s.registry, s.registryAt, true}, {registry, registryAt, false}, {s.issuer, s.issuerAt, true}, {issuer, issuerAt, false}} {
		in, out := "server "+replica.at+" max_fails=0;", "server "+replica.at+" max_fails=0 down;"
		if replica.told {
			s.upstreams(in, out)
		}
		replica.p.signal(syscall.SIGTERM)
		if code := replica.p.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("%s ended with %d", replica.p.path, code)
		}
		replica.p.run()
		s.eventually("the replica is ready again", func() bool { return s.status("http://"+replica.at+"/readyz") == http.StatusOK })
		if replica.told {
			s.upstreams(out, in)
		}
	}
	stop()
	wg.Wait()
	if asked.Load() == 0 {
		t.Error("nothing was asked")
	}
	t.Logf("%d requests during four restarts", asked.Load())
}
