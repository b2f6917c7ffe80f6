package program

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/errgroup"

	"gatehouse/internal/command"
	"gatehouse/internal/database"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/metrics"
	"gatehouse/internal/server"
)

// Service is what a program serves.
type Service interface {
	Mount(r gin.IRouter)
	Start(ctx context.Context) error
	Ready(ctx context.Context) error
	Close() error
}

// Server serves one Service until a signal comes.
type Server struct {
	Name, Version string
	Settings      Settings
	Log           *slog.Logger
	DB            *database.DB
	Metrics       *metrics.Registry
	IsPage        func(path string) bool // see httpapi.Options; may be nil
	IsSecure      func(host string) bool // the same
}

// Serve starts the service, answers requests, and drains when ctx ends.
func (s Server) Serve(ctx context.Context, service Service) error {
	ctx, stop := command.Signals(ctx)
	defer stop()
	engine, err := httpapi.New(httpapi.Options{
		Version: s.Version, Log: s.Log, TrustedProxies: s.Settings.TrustedProxies,
		LegacyErrorCodes: s.Settings.LegacyErrorCodes, Observe: s.Metrics.Request, IsPage: s.IsPage, IsSecure: s.IsSecure,
	})
	if err != nil {
		return err
	}
	if err := s.Metrics.Database(s.Name, s.DB.Pool()); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	service.Mount(engine)
	httpapi.MountProbes(engine, service.Ready)
	if err := service.Start(ctx); err != nil {
		return err
	}
	serving, ctx := errgroup.WithContext(ctx)
	listener, err := server.Listen(ctx, s.Settings.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	serving.Go(func() error { return server.ServeBehindProxy(ctx, listener, engine, s.Log, server.Linger) })
	if address := s.Settings.Metrics.Listen; address != "" {
		measured, err := server.Listen(ctx, address)
		if err != nil {
			_ = listener.Close()
			return fmt.Errorf("listen for metrics: %w", err)
		}
		serving.Go(func() error { return server.Serve(ctx, measured, s.Metrics.Handler(), s.Log) })
	}
	s.Log.InfoContext(ctx, "listening", slog.String("address", listener.Addr().String()), slog.String("version", s.Version))
	return serving.Wait()
}
