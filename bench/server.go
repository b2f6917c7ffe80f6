package main

import (
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
)

// readyTimeout bounds the start of a server, and its end.
const readyTimeout = 30 * time.Second

// server is a running server that is measured.
type server struct {
	process
	addr string // to connect to
	host string // to name in requests
	stop func()
}

// baseURL is that of the tenant dev, where the people are.
func (s *server) baseURL() string { return "http://" + s.host }

// startGatehouse starts the given program, or a freshly built one, with its
// data below dir and that many tenants beside its own two.
func startGatehouse(ctx context.Context, program, dir string, tenants int, stderr io.Writer) (*server, error) {
	if program == "" {
		program = filepath.Join(dir, "gatehouse")
		build := exec.CommandContext(ctx, "go", "build", "-o", program, "gatehouse/cmd/gatehouse") //nolint:gosec // the file is in a directory of our own
		build.Stderr = stderr
		if err := build.Run(); err != nil {
			return nil, fmt.Errorf("build gatehouse: %w", err)
		}
	}
	addr, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	key, err := newKey() // whose private half is forgotten
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if err := seedTenants(ctx, data, addr, tenants, &key.PublicKey, false); err != nil {
		return nil, fmt.Errorf("seed tenants: %w", err)
	}
	return startServer(ctx, program, addr, []string{"GATEHOUSE_DATA_DIR=" + data}, stderr)
}

// startRegistry builds the registry alone and starts it with n tenants, its
// data below dir.
func startRegistry(ctx context.Context, dir string, n int, stderr io.Writer) (*server, error) {
	program := filepath.Join(dir, "tenants")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "gatehouse/cmd/tenants") //nolint:gosec // the file is in a directory of our own
	build.Stderr = stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("build tenants: %w", err)
	}
	addr, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, fmt.Sprintf("registry-%d", n))
	if err := seedTenants(ctx, data, addr, n, &key.PublicKey, false); err != nil {
		return nil, fmt.Errorf("seed %d tenants: %w", n, err)
	}
	return startServer(ctx, program, addr, []string{"GATEHOUSE_DATABASE_URL=sqlite:" + filepath.Join(data, "tenants.db")}, stderr)
}

// startServer starts a program's serve with settings of its own and returns
// when it is ready.
func startServer(ctx context.Context, program, addr string, settings []string, stderr io.Writer) (*server, error) {
	command := exec.Command(program, "serve") //nolint:noctx // stop ends it, more politely
	command.Env, command.Stderr = append(environment(addr), settings...), stderr
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(program), err)
	}
	s := &server{process: process{command.Process.Pid}, addr: addr, host: strings.Replace(addr, "127.0.0.1", "localhost", 1)}
	ended := make(chan struct{})
	go func() {
		_ = command.Wait()
		close(ended)
	}()
	s.stop = func() {
		_ = command.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(readyTimeout):
			_ = command.Process.Kill()
		}
	}
	if err := s.awaitReady(ctx, ended); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// environment is ours with the server's settings, and no others of it.
func environment(addr string) []string {
	var env []string
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "GATEHOUSE_") {
			env = append(env, pair)
		}
	}
	return append(env, "GATEHOUSE_LISTEN="+addr, "GATEHOUSE_LOG_LEVEL=warn")
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
		if status, _, _, err := s.fetch(ctx, "/readyz", nil); err == nil && status == http.StatusOK {
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

// fetch reads one answer with net/http's own client, as it came over the wire.
func (s *server) fetch(ctx context.Context, path string, header http.Header) (status int, got http.Header, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr+path, nil)
	if err != nil {
		return 0, nil, nil, fmt.Errorf("fetch %s: %w", path, err)
	}
	req.Host = s.host
	if header != nil {
		req.Header = header
	}
	resp, err := (&http.Transport{DisableCompression: true, DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return 0, nil, nil, fmt.Errorf("fetch %s: %w", path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if body, err = io.ReadAll(resp.Body); err != nil {
		return 0, nil, nil, fmt.Errorf("fetch %s: %w", path, err)
	}
	return resp.StatusCode, resp.Header, body, nil
}
