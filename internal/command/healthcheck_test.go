package command_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/command"
)

// healthcheck runs the command against an address.
func healthcheck(t *testing.T, listen string, err error) error {
	t.Helper()
	c := command.Healthcheck(func(std command.IO, args []string) (string, error) {
		if len(std.Environ) != 1 || len(args) != 1 {
			t.Errorf("the address is asked with %q and %q, want one each", std.Environ, args)
		}
		return listen, err
	})
	return c.Run(t.Context(), command.IO{Environ: []string{"A=b"}}, []string{"x"})
}

func TestHealthcheckTellsReadyFromNotReady(t *testing.T) {
	const notReady = "not ready: the server answers "
	for name, tt := range map[string]struct {
		status int
		body   string
		want   string // empty: ready
	}{
		"ready":             {200, "", ""},
		"not ready":         {503, `{"message":"Not yet."}`, notReady + "503 Service Unavailable: Not yet."},
		"no envelope":       {502, "<html>", notReady + "502 Bad Gateway"},
		"a hostile message": {503, `{"message":"a\u001b[2J"}`, notReady + "503 Service Unavailable"},
		"another page":      {302, "", notReady + "302 Found"},
		"an empty answer":   {204, "", notReady + "204 No Content"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || r.URL.Path != "/readyz" {
				t.Errorf("got %s %s, want GET /readyz", r.Method, r.URL.Path)
			}
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(tt.status)
			if tt.body != "" {
				_, _ = w.Write([]byte(tt.body))
			}
		}))
		if got := text(healthcheck(t, server.Listener.Addr().String(), nil)); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
		server.Close()
	}
}

func TestHealthcheckKnowsEveryWayToListen(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", ":0", "0.0.0.0:0", "[::]:0", "localhost:0", "[::1]:0"} {
		t.Run(listen, func(t *testing.T) {
			l, err := net.Listen("tcp", listen)
			if err != nil && strings.HasPrefix(listen, "[::1]") {
				return // a machine without IPv6; the other five must work there too
			}
			if err != nil {
				t.Fatal(err)
			}
			_, port, _ := net.SplitHostPort(l.Addr().String())
			server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if r.Host == "" || strings.HasPrefix(r.Host, ":") {
					t.Errorf("the Host header is %q", r.Host)
				}
			})}
			go func() { _ = server.Serve(l) }()
			defer server.Close()
			if err := healthcheck(t, strings.TrimSuffix(listen, "0")+port, nil); err != nil {
				t.Errorf("healthcheck = %v, want nil", err)
			}
		})
	}
}

func TestHealthcheckIgnoresAProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	if err := healthcheck(t, server.Listener.Addr().String(), nil); err != nil {
		t.Errorf("healthcheck = %v, want nil", err)
	}
}

func TestHealthcheckGivesUpAfterThreeSeconds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	start := time.Now()
	err = healthcheck(t, l.Addr().String(), nil)
	if took := time.Since(start); err == nil || took < 2*time.Second || took > 10*time.Second {
		t.Errorf("healthcheck = %v after %v, want an error after 3 s", err, took)
	}
}

func TestHealthcheckSaysWhyItCannotAsk(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	if got := text(healthcheck(t, closed.Addr().String(), nil)); !strings.Contains(got, "refused") {
		t.Errorf("healthcheck = %q, want a refused connection", got)
	}
	if got := text(healthcheck(t, "no port", nil)); !strings.Contains(got, "listen address") {
		t.Errorf("healthcheck = %q, want a fault of the address", got)
	}
	cause := errors.New("no configuration")
	if err := healthcheck(t, "", cause); !errors.Is(err, cause) {
		t.Errorf("healthcheck = %v, want %v", err, cause)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
