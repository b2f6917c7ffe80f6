package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/testlog"
)

const (
	readyWithin = 20 * time.Second // generous: shared machines are slow at times
	stopWithin  = 30 * time.Second
)

// gatehouse is a running server.
type gatehouse struct {
	port    string
	dataDir string
	took    time.Duration // from start to ready
	cmd     *exec.Cmd
	stdout  output
	stderr  output
	exited  chan struct{} // closed when the process has ended
}

// url is the base URL of the tenant dev.
func (g *gatehouse) url() string { return "http://localhost:" + g.port }

// adminURL is the base URL of the tenant admin.
func (g *gatehouse) adminURL() string { return "http://127.0.0.1:" + g.port }

// start runs gatehouse with a new data folder on a free port, until the test ends.
func start(t *testing.T) *gatehouse {
	t.Helper()
	return startIn(t, filepath.Join(t.TempDir(), "data"), freePort(t))
}

// startIn runs gatehouse on the given data folder and port.
func startIn(t *testing.T, dataDir, port string) *gatehouse {
	t.Helper()
	began := time.Now()
	g := launch(t, dataDir, "127.0.0.1:"+port)
	g.port = port
	t.Cleanup(func() { g.stop(t) })
	for !g.ready(t) {
		switch {
		case g.ended():
			t.Fatalf("gatehouse ended before it was ready:\n%s", g.stderr.String())
		case time.Since(began) > readyWithin:
			t.Fatalf("gatehouse is not ready after %v:\n%s", readyWithin, g.stderr.String())
		}
		time.Sleep(10 * time.Millisecond)
	}
	g.took = time.Since(began)
	g.rememberSecrets(t)
	return g
}

// launch starts the process and does not wait for anything.
func launch(t *testing.T, dataDir, listen string) *gatehouse {
	t.Helper()
	if testing.Short() {
		t.Skip("the end-to-end tests are not short")
	}
	g := &gatehouse{dataDir: dataDir, exited: make(chan struct{})}
	g.stderr.log = testlog.File(t, "stderr")
	g.keepStdout(t)
	g.cmd = exec.Command(binary)
	g.cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "GATEHOUSE_LOG_LEVEL=debug", "GORACE=atexit_sleep_ms=0",
		"GATEHOUSE_DATA_DIR=" + dataDir, "GATEHOUSE_LISTEN=" + listen,
	}
	g.cmd.Dir = t.TempDir() // nothing is to be written where it is started
	g.cmd.Stdout, g.cmd.Stderr = &g.stdout, &g.stderr
	if err := g.cmd.Start(); err != nil {
		t.Fatalf("start gatehouse: %v", err)
	}
	go func() {
		_ = g.cmd.Wait() // the tests read ProcessState
		close(g.exited)
	}()
	return g
}

// keepStdout hands what was printed to the log scan when the test ends,
// without the service password, which the first start says once.
func (g *gatehouse) keepStdout(t *testing.T) {
	t.Helper()
	file := testlog.File(t, "stdout")
	t.Cleanup(func() {
		text := g.stdout.String()
		if password, err := os.ReadFile(filepath.Join(g.dataDir, "service-password")); err == nil {
			text = strings.Replace(text, strings.TrimSpace(string(password)), "(the service password)", 1)
		}
		if _, err := file.WriteString(text); err != nil {
			t.Errorf("keep standard output: %v", err)
		}
	})
}

// stop interrupts the server and wants a clean end. Stopping twice is harmless.
func (g *gatehouse) stop(t *testing.T) {
	t.Helper()
	if !g.ended() {
		g.interrupt(t)
		g.wait(t)
	}
	if code := g.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("gatehouse ended with exit code %d, want 0:\n%s", code, g.stderr.String())
	}
	if strings.Contains(g.stderr.String(), "WARNING: DATA RACE") {
		t.Errorf("the race detector spoke:\n%s", g.stderr.String())
	}
}

// interrupt does what Ctrl-C does.
func (g *gatehouse) interrupt(t *testing.T) {
	t.Helper()
	if err := g.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatalf("interrupt gatehouse: %v", err)
	}
}

// wait waits until the process has ended, and kills it when it does not.
func (g *gatehouse) wait(t *testing.T) {
	t.Helper()
	select {
	case <-g.exited:
	case <-time.After(stopWithin):
		_ = g.cmd.Process.Kill()
		<-g.exited
		t.Errorf("gatehouse did not end within %v", stopWithin)
	}
}

func (g *gatehouse) ended() bool {
	select {
	case <-g.exited:
		return true
	default:
		return false
	}
}

func (g *gatehouse) ready(t *testing.T) bool {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url()+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// rememberSecrets registers the secrets that the server made for itself: the
// small files of its data folder, but for the one that says where its directory
// listens.
func (g *gatehouse) rememberSecrets(t *testing.T) {
	t.Helper()
	found := false
	err := filepath.WalkDir(g.dataDir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == "directory-address" {
			return err
		}
		if info, err := entry.Info(); err != nil || info.Size() > 256 {
			return err
		}
		text, err := os.ReadFile(path)
		if secret := strings.TrimSpace(string(text)); len(secret) >= testlog.MinSecret {
			testlog.Secret(t, secret)
			found = true
		}
		return err
	})
	if err != nil || !found {
		t.Fatalf("no secret found in the data folder (%v)", err)
	}
}

// answer is a decoded reply.
type answer struct {
	status int
	header http.Header
	body   []byte
	Result json.RawMessage `json:"result"`
	Error  string          `json:"error"`
	Text   string          `json:"message"`
}

// into decodes the result.
func (a answer) into(t *testing.T, dst any) {
	t.Helper()
	if err := json.Unmarshal(a.Result, dst); err != nil {
		t.Fatalf("decode result of status %d: %v", a.status, err)
	}
}

// want fails the test unless the status is the given one.
func (a answer) want(t *testing.T, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d; message %q", a.status, status, a.Text)
	}
	return a
}

// call sends a request to the tenant dev.
func (g *gatehouse) call(t *testing.T, method, path string, body any, headers ...string) answer {
	t.Helper()
	return callAt(t, g.url(), method, path, body, headers...)
}

// callAt sends a request to a base URL. A body that is not nil goes as JSON;
// headers are pairs, and "Host" is the host that the server is told.
func callAt(t *testing.T, base, method, path string, body any, headers ...string) answer {
	t.Helper()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), method, base+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = res.Body.Close() }()
	return read(t, res)
}

// read decodes an envelope, whose content type must be the exact one.
func read(t *testing.T, res *http.Response) answer {
	t.Helper()
	a := answer{status: res.StatusCode, header: res.Header}
	var err error
	if a.body, err = io.ReadAll(res.Body); err != nil {
		t.Fatalf("read answer: %v", err)
	}
	if got := res.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %q, want exactly application/json", got)
	}
	if err := json.Unmarshal(a.body, &a); err != nil {
		t.Fatalf("the answer is not JSON: %v", err)
	}
	return a
}

// tokens are what a token request results in.
type tokens struct {
	Access struct {
		Token string `json:"access_token"`
	} `json:"access_token"`
	Refresh struct {
		Token string `json:"refresh_token"`
	} `json:"refresh_token"`
}

// token sends a token request, wants success, and registers what it got.
func (g *gatehouse) token(t *testing.T, request map[string]string, headers ...string) tokens {
	t.Helper()
	var got tokens
	g.call(t, http.MethodPost, "/v3/oauth2/tokens", request, headers...).want(t, http.StatusOK).into(t, &got)
	testlog.Secret(t, got.Access.Token)
	if got.Refresh.Token != "" {
		testlog.Secret(t, got.Refresh.Token)
	}
	return got
}

// password is a password grant of a seeded person, whose password is the name.
func password(name string) map[string]string {
	return map[string]string{"grant_type": "password", "username": name, "password": name}
}

// person returns an access token of a seeded person.
func (g *gatehouse) person(t *testing.T, name string) string {
	t.Helper()
	return g.token(t, password(name)).Access.Token
}

// client is an OAuth client.
type client struct {
	ID  string `json:"client_id"`
	Key string `json:"client_key"`
}

// client registers an OAuth client for a seeded person; key may be empty.
func (g *gatehouse) client(t *testing.T, owner, key string) client {
	t.Helper()
	request := map[string]string{}
	if key != "" {
		request["client_key"] = key
	}
	var got client
	g.call(t, http.MethodPost, "/v3/oauth2/clients", request, "X-Tapis-Token", g.person(t, owner)).
		want(t, http.StatusCreated).into(t, &got)
	testlog.Secret(t, got.Key)
	return got
}

// username is whom the userinfo endpoint takes the bearer of a token for.
func (g *gatehouse) username(t *testing.T, token string) string {
	t.Helper()
	var person struct {
		Username string `json:"username"`
	}
	g.call(t, http.MethodGet, "/v3/oauth2/userinfo", nil, "X-Tapis-Token", token).want(t, http.StatusOK).into(t, &person)
	return person.Username
}

// publicKey is the public key that the registry shows for a tenant.
func (g *gatehouse) publicKey(t *testing.T, tenant string) string {
	t.Helper()
	var got struct {
		Key string `json:"public_key"`
	}
	g.call(t, http.MethodGet, "/v3/tenants/"+tenant, nil).want(t, http.StatusOK).into(t, &got)
	return got.Key
}

// output collects what a process prints.
type output struct {
	log  io.Writer // also gets it at once, unless nil
	lock sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.lock.Lock()
	defer o.lock.Unlock()
	o.text.Write(p)
	if o.log == nil {
		return len(p), nil
	}
	return o.log.Write(p)
}

// String returns all that was printed so far.
func (o *output) String() string {
	o.lock.Lock()
	defer o.lock.Unlock()
	return o.text.String()
}

// freePort returns a loopback port that nobody listens on.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}

// python is the interpreter that has the SDK.
func python(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(".venv", "bin", "python"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v; make e2e installs it", err)
	}
	return path
}
