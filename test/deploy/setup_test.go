package deploy

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// top is the folder of the sources.
var top = func() string {
	path, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return path
}()

// drain is how long the programs may go on after a stop signal: two seconds to
// take leave of proxies, and fifteen for what they are serving.
const drain = 17 * time.Second

// routes are the prefixes of paths and the program that serves each.
var routes = map[string]string{
	"/v3/tenants": "tenants", "/v3/sites": "tenants",
	"/v3/oauth2": "authenticator", "/v3/tokens": "authenticator", "/v3/security": "authenticator",
	"/v3/site-router": "authenticator",
	"/.well-known/oauth-authorization-server/v3/oauth2": "authenticator",
}

// need skips the test for a reason that must not exist under CI=true.
func need(t testing.TB, met bool, what string) {
	t.Helper()
	switch {
	case met:
	case os.Getenv("CI") == "true":
		t.Fatalf("this test needs %s", what)
	default:
		t.Skipf("this test needs %s", what)
	}
}

func needProgram(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		_, err := exec.LookPath(name)
		need(t, err == nil, name)
	}
}

func needRoot(t testing.TB) {
	t.Helper()
	need(t, os.Getuid() == 0, "root, for namespaces and users")
	needProgram(t, "unshare", "setpriv", "chroot", "mount")
}

// tempDir returns a folder that other users can reach.
func tempDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func read(t testing.TB, path string) string {
	t.Helper()
	if !filepath.IsAbs(path) {
		path = filepath.Join(top, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// write makes a file and the folders above it, for everybody to read.
func write(t testing.TB, path, text string) string {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// replaced returns text with every old in it, which must be there, replaced.
func replaced(t testing.TB, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("there is no %q in:\n%s", pairs[i], text)
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// copied writes a file that is made of another one with every old in it
// replaced.
func copied(t testing.TB, to, from string, pairs ...string) {
	t.Helper()
	write(t, to, replaced(t, read(t, from), pairs...))
}

// succeed runs a command to its end and returns what it prints.
func succeed(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v\n%s%s", cmd.Args, err, out.String(), errs.String())
	}
	return out.String()
}

// process is a program that runs until the test ends.
type process struct {
	cmd  *exec.Cmd
	logs *os.File
	done chan error
}

func start(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	logs, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, logs: logs, done: make(chan error, 1)}
	cmd.Stdout, cmd.Stderr = logs, logs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // nginx has workers, which must not outlive it
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		err := <-p.done
		_ = logs.Close()
		if t.Failed() {
			t.Logf("%v ended with %v and said:\n%s", cmd.Args, err, p.said())
		}
	})
	return p
}

func (p *process) said() string {
	text, _ := os.ReadFile(p.logs.Name())
	return string(text)
}

// stop ends the program as an operator does and returns its error.
func (p *process) stop(t testing.TB, signal syscall.Signal) error {
	t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-p.done:
		p.done <- err
		return err
	case <-time.After(drain + 5*time.Second):
		t.Fatalf("%v does not stop", p.cmd.Args)
		return nil
	}
}

// await waits until what holds.
func await(t testing.TB, p *process, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-p.done:
			p.done <- err
			t.Fatalf("%v ended: %v\n%s", p.cmd.Args, err, p.said())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s; %v said:\n%s", what, p.cmd.Args, p.said())
		}
	}
}

// freeAddr returns a loopback address where nobody listens at the moment.
func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func answers(addr string) bool {
	c, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp", addr)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}
