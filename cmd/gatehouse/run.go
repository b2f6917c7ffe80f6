package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"syscall"
	"time"

	"gatehouse/internal/command"
	"gatehouse/internal/server"
)

// version is set by the build.
var version = "dev"

// run is the program: arguments, environment and output in, exit code out.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	return command.Program{
		Name: "gatehouse", Summary: "A Tapis primary site in one process, for first runs and development.", Default: "serve",
		Commands: []command.Command{
			{Name: "serve", Summary: "Start the site (this is what happens without a command).", Run: serve},
			{Name: "migrate", Summary: "Bring the databases to the newest schema and stop.", Run: migrate},
			command.Version("gatehouse", version),
			command.Healthcheck(func(std command.IO, _ []string) (string, error) {
				s, err := load(std.Environ)
				return s.Listen, err
			}),
		},
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
	level, err := parseLevel(set.LogLevel)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(std.Stderr, &slog.HandlerOptions{Level: level}))
	ctx, stop := command.Signals(ctx)
	defer stop()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", set.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("listen: %s is in use by another program; GATEHOUSE_LISTEN=127.0.0.1:9090 sets another port", set.Listen)
	}
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer func() { _ = listener.Close() }()
	site, err := openSite(ctx, dataDir(set.DataDir), development(newAddresses(listener.Addr())), log, time.Now)
	if err != nil {
		return err
	}
	defer site.close()
	site.banner(std.Stdout, isTerminal(std.Stdout))
	if err := server.Serve(ctx, listener, localOnly(site.engine), log); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Stdout, "Stopped. The data is kept in %s.\n", set.DataDir)
	return err
}

// isTerminal reports whether somebody reads what is written, and nothing keeps
// it, as the logs of a container do.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func migrate(ctx context.Context, std command.IO, args []string) error {
	if len(args) > 0 {
		return command.Usagef("migrate takes no arguments")
	}
	set, err := load(std.Environ)
	if err != nil {
		return err
	}
	registry, authenticator, err := openDatabases(ctx, dataDir(set.DataDir), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Stdout, "The databases in %s are at the newest schema.\n", set.DataDir)
	return errors.Join(err, registry.Close(), authenticator.Close())
}

func parseLevel(text string) (slog.Level, error) {
	var level slog.Level
	err := level.UnmarshalText([]byte(text))
	return level, err
}
