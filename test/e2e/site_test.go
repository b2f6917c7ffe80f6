package e2e

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver for creating databases

	"gatehouse/internal/slapdtest"
	"gatehouse/internal/testlog"
)

// program is one of our programs, or nginx, as a process.
type program struct {
	t    testing.TB
	path string
	args []string
	env  []string
	dir  string // to run in; empty: anywhere
	cmd  *exec.Cmd
	done chan struct{}
}

// run starts a program that lives until the test ends.
func (p *program) run() *program {
	p.t.Helper()
	p.cmd = exec.Command(p.path, p.args...)
	p.cmd.Dir = p.dir
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0"}, p.env...)
	log := testlog.File(p.t, filepath.Base(p.path))
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // nginx' workers go with it
	if err := p.cmd.Start(); err != nil {
		p.t.Fatalf("start %s: %v", p.path, err)
	}
	done := make(chan struct{})
	p.done = done
	go func(cmd *exec.Cmd) {
		_ = cmd.Wait()
		close(done)
	}(p.cmd)
	p.t.Cleanup(func() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-done
	})
	return p
}

// signal sends a signal and, if it ends processes, waits for the end.
func (p *program) signal(s syscall.Signal) {
	_ = p.cmd.Process.Signal(s)
	if s == syscall.SIGKILL || s == syscall.SIGTERM {
		<-p.done
	}
}

// site is the arrangement of a centre: both programs on Postgres, people in a
// slapd that speaks TLS, nginx in front.
type services struct {
	t                      testing.TB
	port                   string
	registry, issuer       *program
	directory              *slapdtest.Server
	registryAt, issuerAt   string
	metricsAt              string
	cluster                string // folder of the Postgres cluster
	dir                    string // of everything else
	nginx                  *program
	registryEnv, issuerEnv []string
}

// call runs one command of a program to its end.
func (s *services) call(name string, env []string, args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), s.built(name), args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("%s %v: %v\n%s", name, args, err, complaint.String())
	}
	return string(out)
}

var builds sync.Map // name → *sync.Once

// built returns the path of a program, built beside gatehouse.
func (s *services) built(name string) string {
	s.t.Helper()
	path := filepath.Join(filepath.Dir(binary), name)
	once, _ := builds.LoadOrStore(name, &sync.Once{})
	once.(*sync.Once).Do(func() {
		if out, err := exec.Command("go", "build", "-o", path, "gatehouse/cmd/"+name).CombinedOutput(); err != nil {
			s.t.Fatalf("build %s: %v\n%s", name, err, out)
		}
	})
	return path
}

// startServices makes a site as an operator would, and waits for a login.
func startServices(t testing.TB, through func(ldaps string) string) *services {
	t.Helper()
	s := prepareServices(t, through)
	s.call("authenticator", s.issuerEnv, "migrate")
	s.file("admin.pem", s.call("authenticator", s.issuerEnv, "keys", "init", "admin"))
	s.file("dev.pem", s.call("authenticator", s.issuerEnv, "keys", "init", "dev"))
	s.call("authenticator", s.issuerEnv, "secret", "set", "ldap.people", filepath.Join(s.dir, "password-file"))
	s.call("tenants", s.registryEnv, "migrate")
	// The authenticator first: the order must not matter.
	s.issuer = (&program{t: t, path: s.built("authenticator"), args: []string{"serve"}, env: s.issuerEnv}).run()
	s.registry = (&program{t: t, path: s.built("tenants"), args: []string{"serve"}, env: s.registryEnv}).run()
	s.eventually("the registry is ready", func() bool { return s.status("http://"+s.registryAt+"/readyz") == http.StatusOK })
	s.call("tenants", s.registryEnv, "apply", "-f", filepath.Join(s.dir, "site.yaml"))
	s.eventually("the authenticator is ready", func() bool { return s.status("http://"+s.issuerAt+"/readyz") == http.StatusOK })
	s.startNginx(s.dir)
	s.eventually("people can sign in", func() bool { return s.login() == http.StatusOK })
	return s
}

// file writes a file of the site.
func (s *services) file(name, content string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// prepareServices makes what an operator has before the first command: the
// databases, the directory, and the settings of both programs. The programs
// reach the directory, host:port, at what through makes of it.
func prepareServices(t testing.TB, through func(ldaps string) string) *services {
	t.Helper()
	if testing.Short() {
		t.Skip("the end-to-end tests are not short")
	}
	dir := t.TempDir()
	s := &services{t: t, dir: dir, port: freePort(t)}
	for _, addr := range []*string{&s.registryAt, &s.issuerAt, &s.metricsAt} {
		*addr = "127.0.0.1:" + freePort(t)
	}
	people := []slapdtest.Person{{Username: "testadmin", Password: "testadmin"}}
	for i := range 10 {
		name := fmt.Sprintf("testuser%d", i+1)
		people = append(people, slapdtest.Person{
			Username: name, Password: name, GivenName: "Test", LastName: name, Email: name + "@example.org",
		})
	}
	cluster := s.startPostgres()
	s.directory = slapdtest.Start(t, slapdtest.Options{People: people})
	authority := s.file("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.directory.Certificate.Raw})))
	master := make([]byte, 32)
	_, _ = rand.Read(master)
	testlog.Secret(t, hex.EncodeToString(master))

	dev, admin := "http://localhost:"+s.port, "http://127.0.0.1:"+s.port
	s.issuerEnv = []string{
		"GATEHOUSE_LISTEN=" + s.issuerAt, "GATEHOUSE_DATABASE_URL=" + cluster("authenticator"), "GATEHOUSE_SITE_ID=main",
		"GATEHOUSE_MASTER_KEY_FILE=" + s.file("master-key", hex.EncodeToString(master)),
		"GATEHOUSE_REGISTRY_URL=http://" + s.registryAt, "GATEHOUSE_REGISTRY_POLL=1s",
		"GATEHOUSE_LDAP_CA_FILE=" + authority, "GATEHOUSE_TRUSTED_PROXIES=127.0.0.1",
		"GATEHOUSE_METRICS_LISTEN=" + s.metricsAt,
	}
	s.file("password-file", s.directory.BindPassword)
	s.registryEnv = []string{
		"GATEHOUSE_LISTEN=" + s.registryAt, "GATEHOUSE_DATABASE_URL=" + cluster("tenants"), "GATEHOUSE_SITE_ID=main",
		"GATEHOUSE_SITE_BASE_URL=" + dev, "GATEHOUSE_TENANT_BASE_URL_TEMPLATE=http://${tenant_id}.localhost:" + s.port,
		"GATEHOUSE_ADMIN_BASE_URL=" + admin, "GATEHOUSE_ADMIN_PUBLIC_KEY_FILE=" + filepath.Join(dir, "admin.pem"),
		"GATEHOUSE_TRUSTED_PROXIES=127.0.0.1",
		"GATEHOUSE_OWNER_EMAIL=ops@example.org", "GATEHOUSE_OWNER_NAME=Operators", "GATEHOUSE_OWNER_INSTITUTION=Example centre",
	}
	host, port, _ := strings.Cut(through(strings.TrimPrefix(s.directory.TLSURL(), "ldaps://")), ":")
	s.file("site.yaml", fmt.Sprintf(`
ldaps:
  - {ldap_id: people, url: "ldaps://%s", port: %s, use_ssl: true, user_dn: "uid=${username},%s", bind_dn: "%s",
     bind_credential: ldap.people, account_type: user}
tenants:
  - {tenant_id: dev, base_url: "%s", site_id: main, owner: ops@example.org, admin_user: testadmin, status: active,
     public_key_file: dev.pem, token_gen_services: [authenticator], user_ldap_connection_id: people, description: Test people.}
`, host, port, s.directory.PeopleDN(), s.directory.BindDN, dev))
	return s
}

// postgres runs a verb of test/postgres.sh on the site's own cluster.
func (s *services) postgres(verb string) string {
	s.t.Helper()
	out, err := exec.Command(filepath.Join("..", "postgres.sh"), verb, s.cluster).CombinedOutput()
	if err != nil {
		s.t.Fatalf("postgres.sh %s: %v\n%s", verb, err, out)
	}
	return strings.TrimSpace(string(out))
}

// startPostgres makes a cluster that the test may stop, and returns how to
// make a database in it.
func (s *services) startPostgres() func(name string) string {
	s.t.Helper()
	dir, err := os.MkdirTemp("", "gatehouse-e2e-postgres-") // another user must get through
	if err != nil {
		s.t.Fatal(err)
	}
	s.cluster = dir
	server := s.postgres("start")
	s.t.Cleanup(func() {
		s.freezePostgres(syscall.SIGCONT)
		s.postgres("stop")
		_ = os.RemoveAll(dir)
	})
	return func(name string) string {
		db, err := sql.Open("pgx", server)
		if err != nil {
			s.t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		if _, err := db.Exec("CREATE DATABASE " + name); err != nil {
			s.t.Fatal(err)
		}
		return strings.Replace(server, "/postgres?", "/"+name+"?", 1)
	}
}

// freezePostgres stops or continues the server and all its backends.
func (s *services) freezePostgres(signal syscall.Signal) {
	pidFile, err := os.ReadFile(filepath.Join(s.cluster, "data", "postmaster.pid"))
	if err != nil {
		return
	}
	master, _, _ := strings.Cut(string(pidFile), "\n")
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		pid := filepath.Base(filepath.Dir(path))
		rest := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if n, err := strconv.Atoi(pid); err == nil && (pid == master || (len(rest) > 1 && rest[1] == master)) {
			_ = syscall.Kill(n, signal)
		}
	}
}

// startNginx runs nginx with the configuration of deploy/nginx, but for the
// addresses.
func (s *services) startNginx(dir string) {
	s.t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		path = "/usr/sbin/nginx"
	}
	if _, err := os.Stat(path); err != nil {
		s.t.Fatalf("%v; make test installs it", err)
	}
	source := filepath.Join("..", "..", "deploy", "nginx")
	write := func(name, content string) {
		to := filepath.Join(dir, "nginx", name)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(to, []byte(content), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, name := range []string{"nginx.conf", "gatehouse.conf", "gatehouse/upstreams.conf", "gatehouse/checked.conf"} {
		content, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			s.t.Fatal(err)
		}
		write(name, strings.NewReplacer("server tenants:5000", "server "+s.registryAt,
			"server authenticator:5000", "server "+s.issuerAt).Replace(string(content)))
	}
	write("gatehouse/listen.conf", "listen 127.0.0.1:"+s.port+" default_server;\naccess_log off;\nerror_log stderr crit;\n")
	args := []string{"-e", "stderr", "-p", dir, "-c", filepath.Join(dir, "nginx", "nginx.conf"), "-g", "daemon off; user root;"}
	s.nginx = (&program{t: s.t, path: path, args: args}).run()
}

// status asks for a page and returns the status; 0: nobody answered.
func (s *services) status(url string) int { return s.send(http.MethodGet, url, "") }

// login asks nginx for a token of testuser1 and returns the status.
func (s *services) login() int {
	return s.send(http.MethodPost, "http://localhost:"+s.port+"/v3/oauth2/tokens",
		"grant_type=password&username=testuser1&password=testuser1")
}

func (s *services) send(method, url, form string) int {
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(form))
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Close = true // a connection for each: nginx' own reload closes idle ones of its callers
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// eventually waits until something is so, as it must be within seconds
// without anybody's hands.
func (s *services) eventually(what string, is func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !is() {
		if time.Now().After(deadline) {
			s.t.Fatalf("%s: not within 30 s", what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// upstreams changes a line of nginx' upstreams.conf and has it taken.
func (s *services) upstreams(from, to string) {
	s.t.Helper()
	path := filepath.Join(s.dir, "nginx", "gatehouse", "upstreams.conf")
	text, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if !strings.Contains(string(text), from) {
		s.t.Fatalf("no %q in upstreams.conf", from)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), from, to, 1)), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.nginx.signal(syscall.SIGHUP)
	time.Sleep(time.Second) // nginx tells nobody when it has taken a configuration
}
