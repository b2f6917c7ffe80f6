package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"time"

	"gatehouse/internal/command"
	"gatehouse/internal/database"
	"gatehouse/internal/tenants"
	"gatehouse/internal/tenants/manifest"
	"gatehouse/migrations"
)

// apply makes the registry hold what a file says. It works on the database; a
// registry that is being served sees the change within two seconds.
func apply(ctx context.Context, std command.IO, args []string) error {
	flags := flag.NewFlagSet("apply", flag.ContinueOnError)
	path := flags.String("f", "", "read the YAML `FILE`")
	dry := flags.Bool("dry-run", false, "print what would be changed, with the values, and write nothing")
	if err := command.Parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() > 0 || *path == "" {
		return command.Usagef("apply takes -f FILE and, if wanted, --dry-run")
	}
	wanted, err := manifest.Read(*path)
	if err != nil {
		return err
	}
	return withRegistry(ctx, std, func(registry *tenants.Service) error {
		decide := registry.Apply
		if *dry {
			decide = registry.Plan
		}
		changes, err := decide(ctx, wanted)
		if err != nil {
			return err
		}
		if err := manifest.Report(std.Stdout, changes, *dry); err != nil {
			return err
		}
		if *dry && len(changes) > 0 {
			_, err = fmt.Fprintln(std.Stdout, "dry run: nothing was written")
		}
		return err
	})
}

// export prints the registry in the form that apply reads.
func export(ctx context.Context, std command.IO, args []string) error {
	if len(args) > 0 {
		return command.Usagef("export takes no arguments")
	}
	return withRegistry(ctx, std, func(registry *tenants.Service) error {
		content, err := registry.Content(ctx)
		if err != nil {
			return err
		}
		return manifest.Write(std.Stdout, content)
	})
}

// withRegistry runs do on the registry in the configured database.
func withRegistry(ctx context.Context, std command.IO, do func(registry *tenants.Service) error) error {
	set, err := load(std.Environ)
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	db, err := database.Open(ctx, set.Database.URL, log)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if err := db.Verify(ctx, migrations.Tenants); err != nil {
		return err
	}
	registry, err := tenants.New(tenants.Deps{DB: db, Log: log, Now: time.Now})
	if err != nil {
		return err
	}
	return do(registry)
}
