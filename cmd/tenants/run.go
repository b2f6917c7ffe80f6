package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"time"

	"gatehouse/internal/command"
	"gatehouse/internal/database"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/server"
	"gatehouse/internal/tenants"
	"gatehouse/migrations"
)

// version is set by the build.
var version = "dev"

// run is the program: arguments, environment and output in, exit code out.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	return command.Program{
		Name: "tenants", Summary: "The registry of sites and tenants of a Tapis installation.",
		Commands: slices.Concat(
			[]command.Command{
				{Name: "serve", Summary: "Serve the registry; the schema must be the newest.", Run: serve},
				{Name: "migrate", Summary: "Bring the database to the newest schema and stop.", Run: migrate},
				{Name: "apply", Usage: "-f FILE [--dry-run]", Summary: "Make the registry hold what a YAML file says; nothing is deleted.", Run: apply},
				{Name: "export", Summary: "Print the registry as such a YAML file.", Run: export},
			},
			command.Config(load),
			[]command.Command{
				command.Version("tenants", version),
				command.Healthcheck(func(std command.IO, _ []string) (string, error) {
					s, err := load(std.Environ)
					return s.Listen, err
				}),
			},
		),
	}.Run(ctx, args, environ, stdout, stderr)
}

func serve(ctx context.Context, std command.IO, args []string) error {
	if len(args) > 0 {
		return command.Usagef("serve takes no arguments")
	}
	set, err := load(std.Environ)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(std.Stderr, &slog.HandlerOptions{Level: set.level()}))
	ctx, stop := command.Signals(ctx)
	defer stop()
	db, err := database.Open(ctx, set.Database.URL, log)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if err := db.Verify(ctx, migrations.Tenants); err != nil {
		return err
	}
	service, err := tenants.New(tenants.Deps{DB: db, Log: log, Now: time.Now})
	if err != nil {
		return err
	}
	defer func() { _ = service.Close() }()
	if set.Bootstrap.SiteID != "" {
		rows, err := set.Bootstrap.rows()
		if err != nil {
			return err
		}
		if err := service.Bootstrap(ctx, rows); err != nil {
			return err
		}
	}
	engine, err := httpapi.New(httpapi.Options{
		Version: version, Log: log, TrustedProxies: set.TrustedProxies, LegacyErrorCodes: set.LegacyErrorCodes,
	})
	if err != nil {
		return err
	}
	service.Mount(engine)
	httpapi.MountProbes(engine, service.Ready)
	if err := service.Start(ctx); err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", set.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	return server.Serve(ctx, listener, engine, log)
}

func migrate(ctx context.Context, std command.IO, args []string) error {
	if len(args) > 0 {
		return command.Usagef("migrate takes no arguments")
	}
	set, err := load(std.Environ)
	if err != nil {
		return err
	}
	db, err := database.Open(ctx, set.Database.URL, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	at, err := db.Migrate(ctx, migrations.Tenants)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Stdout, "The tenants database is at schema version %d.\n", at)
	return err
}
