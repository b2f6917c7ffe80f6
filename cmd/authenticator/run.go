package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"gatehouse/internal/authenticator"
	"gatehouse/internal/command"
	"gatehouse/internal/database"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/server"
	"gatehouse/migrations"
)

// version is set by the build.
var version = "dev"

// run is the program: arguments, environment and output in, exit code out.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	return command.Program{
		Name: "authenticator", Summary: "Signs people in and issues the tokens of a site's tenants.",
		Commands: []command.Command{
			{Name: "serve", Summary: "Serve the authenticator; the schema must be the newest.", Run: serve},
			{Name: "migrate", Summary: "Bring the database to the newest schema and stop.", Run: migrate},
			{Name: "keys init", Usage: "TENANT", Summary: "Make a tenant's first signing key and print its public half.", Run: keysInit},
			command.Version("authenticator", version),
			command.Healthcheck(func(std command.IO, _ []string) (string, error) {
				s, err := load(std.Environ)
				return s.Listen, err
			}),
		},
	}.Run(ctx, args, environ, stdout, stderr)
}

// open reads the settings and builds the service on its database.
func open(ctx context.Context, environ []string, stderr io.Writer) (*authenticator.Service, *database.DB, settings, error) {
	set, err := load(environ)
	if err != nil {
		return nil, nil, set, err
	}
	log := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: set.level()}))
	box, err := set.box()
	if err != nil {
		return nil, nil, set, err
	}
	directories, err := set.directories()
	if err != nil {
		return nil, nil, set, err
	}
	db, err := database.Open(ctx, set.Database.URL, log)
	if err != nil {
		return nil, nil, set, err
	}
	if err := db.Verify(ctx, migrations.Authenticator); err != nil {
		_ = db.Close()
		return nil, nil, set, err
	}
	service, err := authenticator.New(authenticator.Deps{
		DB: db, Box: box, Log: log, Now: time.Now, Registry: &http.Client{Timeout: 10 * time.Second},
		RegistryURL: set.Registry.URL, RegistryPoll: set.Registry.Poll, SiteID: set.SiteID,
		TokenRetention: set.TokenRetention, ShowClientKeys: set.ClientKeyDisplay == "owner", Directories: directories,
	})
	if err != nil {
		_ = db.Close()
		return nil, nil, set, err
	}
	return service, db, set, nil
}

func serve(ctx context.Context, std command.IO, args []string) error {
	if len(args) > 0 {
		return command.Usagef("serve takes no arguments")
	}
	ctx, stop := command.Signals(ctx)
	defer stop()
	service, db, set, err := open(ctx, std.Environ, std.Stderr)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	defer func() { _ = service.Close() }()
	log := slog.New(slog.NewJSONHandler(std.Stderr, &slog.HandlerOptions{Level: set.level()}))
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
	at, err := db.Migrate(ctx, migrations.Authenticator)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Stdout, "The authenticator database is at schema version %d.\n", at)
	return err
}

func keysInit(ctx context.Context, std command.IO, args []string) error {
	if len(args) != 1 {
		return command.Usagef("keys init takes the id of one tenant")
	}
	service, db, _, err := open(ctx, std.Environ, std.Stderr)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	defer func() { _ = service.Close() }()
	public, err := service.EnsureKey(ctx, args[0])
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(std.Stdout, public)
	return err
}
