package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/procfs"
)

// readyTimeout bounds the start of a server, and its end.
const readyTimeout = 30 * time.Second

// process is a running process, as the kernel accounts for it.
type process struct{ pid int }

// cpu returns the CPU time that the process has spent, its own and the
// kernel's for it.
func (p process) cpu() (time.Duration, error) {
	proc, err := procfs.NewProc(p.pid)
	if err != nil {
		return 0, err
	}
	stat, err := proc.Stat()
	return time.Duration(stat.CPUTime() * float64(time.Second)), err
}

// memory returns the resident megabytes of the process and their highest so far.
func (p process) memory() (now, peak float64, err error) {
	proc, err := procfs.NewProc(p.pid)
	if err != nil {
		return 0, 0, err
	}
	status, err := proc.NewStatus()
	return megabytes(status.VmRSS), megabytes(status.VmHWM), err
}

// server is a running server that is measured.
type server struct {
	process
	addr string // to connect to
	host string // to name in requests
	stop func()
}

// as is the server under another name.
func (s *server) as(host string) *server {
	other := *s
	other.host = host
	return &other
}

// build returns the program of a command, built unless it is there.
func (b *bench) build(ctx context.Context, name string) (string, error) {
	if b.server != "" && name == "gatehouse" {
		return b.server, nil
	}
	program := filepath.Join(b.dir, name)
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "gatehouse/cmd/"+name) //nolint:gosec // a name of ours
	build.Stderr = b.log
	if err := build.Run(); err != nil {
		return "", fmt.Errorf("build %s: %w", name, err)
	}
	return program, nil
}

// serve starts a command of the repository that serves what was seeded.
func (b *bench) serve(ctx context.Context, name string, s seed) (*server, error) {
	program, err := b.build(ctx, name)
	if err != nil {
		return nil, err
	}
	addr, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.write(ctx, addr); err != nil {
		return nil, fmt.Errorf("seed %d tenants: %w", s.tenants, err)
	}
	setting := "GATEHOUSE_DATA_DIR=" + s.dir
	if name == "tenants" {
		setting = "GATEHOUSE_DATABASE_URL=" + s.database("tenants")
	}
	return b.start(ctx, addr, setting, nil, program, "serve")
}

// start starts a program that serves at addr, with one more setting, and
// returns when it is ready.
func (b *bench) start(ctx context.Context, addr, setting string, in io.Reader, program string, args ...string) (*server, error) {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	command := exec.CommandContext(running, program, args...) //nolint:gosec // a program of ours
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = readyTimeout
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "GATEHOUSE_") {
			command.Env = append(command.Env, pair)
		}
	}
	command.Env = append(command.Env, "GATEHOUSE_LISTEN="+addr, "GATEHOUSE_LOG_LEVEL=warn", setting)
	command.Stdin, command.Stdout, command.Stderr = in, b.log, b.log
	if err := command.Start(); err != nil {
		stop()
		return nil, fmt.Errorf("start %s: %w", filepath.Base(program), err)
	}
	ended := make(chan struct{})
	go func() {
		_ = command.Wait()
		close(ended)
	}()
	s := &server{process: process{command.Process.Pid}, addr: addr, host: strings.Replace(addr, "127.0.0.1", "localhost", 1)}
	s.stop = func() {
		stop()
		<-ended
	}
	if err := s.awaitReady(ctx, ended); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// awaitReady returns when the server is ready to work, or has ended.
func (s *server) awaitReady(ctx context.Context, ended <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		if _, err := s.fetch(ctx, "/readyz", nil, http.StatusOK); err == nil {
			return nil
		}
		select {
		case <-ended:
			return errors.New("the server ended instead of becoming ready")
		case <-ctx.Done():
			return fmt.Errorf("the server is not ready: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// settle waits until the server does next to nothing by itself: at first it
// gives each tenant its roles and looks at each one's key.
func (s *server) settle(ctx context.Context) error {
	before, err := s.cpu()
	for range 60 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
		now, errNow := s.cpu()
		if err = errors.Join(err, errNow); err != nil || now-before <= 50*time.Millisecond {
			return err
		}
		before = now
	}
	return errors.New("the server does not come to rest")
}

// answer is what fetch reads and a bare server writes.
type answer struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"body"`
}

// check says what is wrong with a reply that is to be this answer.
func (a answer) check(r reply) error {
	if r.status != a.Status || r.contentType != a.Header.Get("Content-Type") || !bytes.Equal(r.body, a.Body) {
		return fmt.Errorf("another answer came: status %d, %d bytes of %q", r.status, len(r.body), r.contentType)
	}
	return nil
}

// fetch reads one answer with net/http's own client, as it came over the wire,
// which is to have the status.
func (s *server) fetch(ctx context.Context, path string, header http.Header, status int) (a answer, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr+path, nil)
	if err != nil {
		return a, err
	}
	req.Host = s.host
	if header != nil {
		req.Header = header
	}
	resp, err := (&http.Transport{DisableCompression: true, DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return a, err
	}
	defer func() { _ = resp.Body.Close() }()
	a = answer{Status: resp.StatusCode, Header: resp.Header}
	a.Header.Del("Date")
	a.Header.Del("Connection")
	if a.Body, err = io.ReadAll(resp.Body); err == nil && a.Status != status {
		err = fmt.Errorf("GET %s of %s: the server answered %d: %.200s", path, s.host, a.Status, a.Body)
	}
	return a, err
}
