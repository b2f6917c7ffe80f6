// Package server listens, serves and drains. It knows HTTP servers and
// signals; what is served comes from its caller.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

// DrainTimeout is how long requests in flight may take after a stop signal.
const DrainTimeout = 15 * time.Second

// Linger is how long a server behind a proxy goes on after a stop signal:
// longer than the proxy keeps an idle connection (deploy/nginx: one second),
// so that none that is closed at last can be in use.
const Linger = 2 * time.Second

// Listen listens on a TCP address. It leaves out multipath TCP, which Go has on
// by default: no proxy needs it, and Linux cannot filter its sockets.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	return config.Listen(ctx, "tcp", addr)
}

// Serve answers requests on l until ctx ends, then lets the requests in
// flight finish. It returns nil after a clean stop.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	return ServeBehindProxy(ctx, l, h, log, 0)
}

// ServeBehindProxy is Serve with a farewell: after ctx has ended it goes on
// for linger and closes each connection with the answer to its next request,
// so that a proxy finds out without losing one. On Linux, and if l comes from
// Listen, it then accepts what has reached it before it stops listening.
func ServeBehindProxy(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger, linger time.Duration) error {
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if linger > 0 && ctx.Err() != nil {
				w.Header().Set("Connection", "close")
			}
			h.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	settle()
	listening := listener{l}
	var failure error
	served := make(chan struct{})
	go func() {
		failure = srv.Serve(listening)
		close(served)
	}()
	select {
	case <-served:
		return fmt.Errorf("serve: %w", failure)
	case <-ctx.Done():
	}
	select {
	case <-served:
		return fmt.Errorf("serve: %w", failure)
	case <-time.After(linger):
	}
	if linger > 0 && listening.drain() == nil {
		<-served // srv knows of every connection now, and waits for it
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), DrainTimeout)
	defer cancel()
	if err := srv.Shutdown(drain); err != nil {
		_ = srv.Close()
		return fmt.Errorf("drain: %w", err)
	}
	if <-served; !errors.Is(failure, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", failure)
	}
	return nil
}

// Loopback reports whether addr ("host:port") can only be reached from this
// machine.
func Loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && (host == "localhost" || loopbackIP(host))
}

// LoopbackName reports whether a host, without a port, is a name of this machine
// for everybody who resolves it (RFC 6761), or a loopback address.
func LoopbackName(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || loopbackIP(strings.Trim(host, "[]"))
}

func loopbackIP(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
