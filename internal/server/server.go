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
	"time"
)

// DrainTimeout is how long requests in flight may take after a stop signal.
const DrainTimeout = 15 * time.Second

// Linger is how long a server behind a proxy goes on after a stop signal:
// longer than the proxy keeps an idle connection (deploy/nginx: one second),
// so that none that is closed at last can be in use.
const Linger = 2 * time.Second

// Serve answers requests on l until ctx ends, then lets the requests in
// flight finish. It returns nil after a clean stop.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	return ServeBehindProxy(ctx, l, h, log, 0)
}

// ServeBehindProxy is Serve with a farewell: after ctx has ended it goes on
// for linger and closes each connection with the answer to its next request,
// so that a proxy finds out without losing one.
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
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-time.After(linger):
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), DrainTimeout)
	defer cancel()
	if err := srv.Shutdown(drain); err != nil {
		_ = srv.Close()
		return fmt.Errorf("drain: %w", err)
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// Loopback reports whether addr ("host:port") can only be reached from this
// machine.
func Loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
