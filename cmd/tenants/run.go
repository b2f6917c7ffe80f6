package main

import (
	"context"
	"io"
	"net/http"
	"slices"
	"time"

	"gatehouse/internal/command"
	"gatehouse/internal/metrics"
	"gatehouse/internal/program"
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
				program.Migrate(migrations.Tenants, func(environ []string) (program.Settings, error) {
					s, err := load(environ)
					return s.Settings, err
				}),
				{
					Name: "apply", Usage: "-f FILE [--dry-run]", Run: apply,
					Summary: "Make the registry hold what a YAML file says; nothing is deleted.",
				},
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
	log := set.Log(std.Stderr)
	db, err := set.Open(ctx, migrations.Tenants, log)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	service, err := tenants.New(tenants.Deps{DB: db, Log: log, Now: time.Now, Authenticator: tenants.Authenticator{
		URL: set.Authenticator.URL, ServicePassword: set.Authenticator.ServicePassword, HTTP: &http.Client{Timeout: 10 * time.Second},
	}})
	if err != nil {
		return err
	}
	defer func() { _ = service.Close() }()
	if set.Bootstrap.SiteID != "" {
		records, err := set.Bootstrap.records()
		if err != nil {
			return err
		}
		if err := service.Bootstrap(ctx, records); err != nil {
			return err
		}
	}
	return program.Server{
		Name: "tenants", Version: version, Settings: set.Settings, Log: log, DB: db, Metrics: metrics.New("tenants", version),
		IsSecure: service.IsSecure,
	}.Serve(ctx, service)
}
