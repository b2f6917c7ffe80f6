package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/server"
)

var quiet = slog.New(slog.DiscardHandler)

// start serves h on a free port until the returned function is called; what
// Serve returned arrives on the channel.
func start(t *testing.T, h http.HandlerFunc) (url string, stop context.CancelFunc, stopped <-chan error) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- server.Serve(ctx, l, h, quiet) }()
	t.Cleanup(cancel)
	return "http://" + l.Addr().String(), cancel, result
}

func outcome(t *testing.T, stopped <-chan error) error {
	t.Helper()
	select {
	case err := <-stopped:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("Serve does not return")
		return nil
	}
}

func TestRequestsAreServedUntilTheStop(t *testing.T) {
	url, stop, stopped := start(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	for range 3 {
		res, err := http.Post(url, "text/plain", strings.NewReader("echo"))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK || string(body) != "echo" {
			t.Errorf("status %d, body %q", res.StatusCode, body)
		}
	}
	stop() // with a connection kept alive
	if err := outcome(t, stopped); err != nil {
		t.Error(err)
	}
	if _, err := http.Get(url); err == nil {
		t.Error("the stopped server answers")
	}
}

func TestARequestInFlightIsFinishedAfterTheStop(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	url, stop, stopped := start(t, func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-finish
		fmt.Fprintf(w, "finished, %v", r.Context().Err())
	})
	type result struct {
		body string
		err  error
	}
	answered := make(chan result, 1)
	go func() {
		res, err := http.Get(url)
		if err != nil {
			answered <- result{err: err}
			return
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		answered <- result{string(body), err}
	}()
	<-begun
	stop()
	waitUntilRefused(t, url)
	select {
	case err := <-stopped:
		t.Errorf("Serve returned %v before the request was done", err)
	default:
	}
	close(finish)
	if got := <-answered; got.err != nil || got.body != "finished, <nil>" {
		t.Errorf("got %q, %v", got.body, got.err)
	}
	if err := outcome(t, stopped); err != nil {
		t.Error(err)
	}
}

// waitUntilRefused returns when nobody listens at url anymore.
func waitUntilRefused(t *testing.T, url string) {
	t.Helper()
	for range 500 {
		conn, err := net.DialTimeout("tcp", strings.TrimPrefix(url, "http://"), time.Second)
		if err != nil {
			return
		}
		_ = conn.Close()
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("new connections are still accepted after the stop")
}

func TestAServerThatIsStoppedBeforeItStartsStopsCleanly(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := server.Serve(ctx, l, http.NotFoundHandler(), quiet); err != nil {
		t.Error(err)
	}
	if conn, err := l.Accept(); err == nil {
		_ = conn.Close()
		t.Error("the listener is left open")
	}
}

var errBroken = errors.New("the listener is broken")

type brokenListener struct{ net.Listener }

func (brokenListener) Accept() (net.Conn, error) { return nil, errBroken }

func TestAListenerThatFailsEndsTheServerWithItsError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Serve(t.Context(), brokenListener{l}, http.NotFoundHandler(), quiet); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
	_ = l.Close()
	if err := server.Serve(t.Context(), l, http.NotFoundHandler(), quiet); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed listener: %v", err)
	}
}

func TestHeadersAreLimited(t *testing.T) {
	url, _, _ := start(t, func(http.ResponseWriter, *http.Request) {})
	for size, want := range map[int]int{32 << 10: http.StatusOK, 128 << 10: http.StatusRequestHeaderFieldsTooLarge} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Filler", strings.Repeat("x", size))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%d bytes: status %d, want %d", size, res.StatusCode, want)
		}
	}
}

// pipes is a listener in memory, so that tests of timeouts need not wait.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

func (p *pipes) dial() net.Conn {
	client, conn := net.Pipe()
	p.conns <- conn
	return client
}

func TestARequestThatNeverEndsIsCutOffAfterTheDrainTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, never := make(chan struct{}), make(chan struct{})
		l := newPipes()
		ctx, stop := context.WithCancel(t.Context())
		stopped := make(chan error, 1)
		go func() {
			stopped <- server.Serve(ctx, l, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				close(begun)
				<-never
			}), quiet)
		}()
		conn := l.dial()
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		<-begun
		stop()
		before := time.Now()
		err := <-stopped
		if took := time.Since(before); !errors.Is(err, context.DeadlineExceeded) || took != server.DrainTimeout {
			t.Errorf("after %s: %v", took, err)
		}
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Error("the connection is left open")
		}
		close(never)
	})
}

func TestAClientThatDawdlesIsCutOff(t *testing.T) {
	for name, test := range map[string]struct {
		send string
		want time.Duration
	}{
		"says nothing":               {"", 10 * time.Second},
		"never ends its headers":     {"GET / HTTP/1.1\r\nHost: x\r\n", 10 * time.Second},
		"never ends its body":        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc", 30 * time.Second},
		"keeps an idle connection":   {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 2 * time.Minute},
		"never reads what it wanted": {"GET /long HTTP/1.1\r\nHost: x\r\n\r\n", time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := newPipes()
			ctx, stop := context.WithCancel(t.Context())
			stopped := make(chan error, 1)
			done := make(chan struct{}, 1)
			go func() {
				stopped <- server.Serve(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					if r.URL.Path == "/long" {
						_, _ = io.Copy(w, strings.NewReader(strings.Repeat("x", 1<<20)))
						done <- struct{}{}
					}
				}), quiet)
			}()
			conn := l.dial()
			before := time.Now()
			fmt.Fprint(conn, test.send)
			if test.want == time.Minute {
				<-done
			} else {
				_, _ = io.Copy(io.Discard, bufio.NewReader(conn)) // until the server hangs up
			}
			if took := time.Since(before); took < test.want || took > test.want+time.Second {
				t.Errorf("a client that %s is cut off after %s, want %s", name, took, test.want)
			}
			stop()
			if err := <-stopped; err != nil {
				t.Error(err)
			}
			_ = conn.Close()
		})
	}
}

func TestOnlyAddressesOfThisMachineAreLoopback(t *testing.T) {
	for want, addrs := range map[bool][]string{
		true: {
			"localhost:8080", "127.0.0.1:8080", "127.0.0.1:0", "127.255.255.254:80", "[::1]:8080", "[0:0:0:0:0:0:0:1]:8080",
			"[::ffff:127.0.0.1]:8080",
		},
		false: {
			"", ":8080", "localhost", "127.0.0.1", "::1", "0.0.0.0:8080", "[::]:8080", "[::ffff:0.0.0.0]:8080", "10.0.0.1:8080",
			"192.168.1.1:8080", "169.254.1.1:8080", "128.0.0.1:8080", "[::2]:8080", "[fe80::1]:8080", "[fe80::1%lo]:8080",
			"127.0.0.1.example.org:8080", "localhost.example.org:8080", "notlocalhost:8080", "dev.localhost:8080",
			"localhost@example.org:8080", "example.org/localhost:8080", "127.1:8080", "0177.0.0.1:8080", "127.0.0.01:8080",
			"2130706433:8080", "0x7f000001:8080", " 127.0.0.1:8080", "127.0.0.1:8080:8080", "http://127.0.0.1:8080",
			"tenants.example.org:127.0.0.1",
		},
	} {
		for _, addr := range addrs {
			if got := server.Loopback(addr); got != want {
				t.Errorf("%q: %t, want %t", addr, got, want)
			}
		}
	}
}
