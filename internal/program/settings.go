package program

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"gatehouse/internal/command"
	"gatehouse/internal/config"
	"gatehouse/internal/database"
	"gatehouse/migrations"
)

// Settings are those of every server; a program embeds them in its own.
type Settings struct {
	Listen           string   `key:"listen" env:"GATEHOUSE_LISTEN" default:"127.0.0.1:5000" doc:"Address and port to listen on."`
	LogLevel         string   `key:"log_level" env:"GATEHOUSE_LOG_LEVEL" default:"info" doc:"Least level that is logged: debug, info, warn or error."`
	TrustedProxies   []string `key:"trusted_proxies" env:"GATEHOUSE_TRUSTED_PROXIES" doc:"Addresses or networks of proxies whose X-Forwarded-For is believed."`
	LegacyErrorCodes bool     `key:"legacy_error_codes" env:"GATEHOUSE_LEGACY_ERROR_CODES" default:"false" doc:"Answer 400 in place of every other 4xx of the Tapis JSON endpoints, for old tooling."`

	Database DatabaseSettings `key:"database"`
	Metrics  MetricsSettings  `key:"metrics"`
}

// DatabaseSettings say where the service keeps its state.
type DatabaseSettings struct {
	URL string `key:"url" env:"GATEHOUSE_DATABASE_URL" secret:"true" required:"true" doc:"Database: postgres://user:password@host:5432/name or sqlite:path."`
}

// MetricsSettings say where Prometheus finds the metrics.
type MetricsSettings struct {
	Listen string `key:"listen" env:"GATEHOUSE_METRICS_LISTEN" doc:"Address and port of /metrics; empty: no metrics are served."`
}

// Faults says what is wrong with the settings.
func (s Settings) Faults() []config.Fault {
	if _, err := level(s.LogLevel); err != nil {
		return []config.Fault{{Key: "log_level", Problem: "must be debug, info, warn or error"}}
	}
	return nil
}

// Log returns the program's log: one JSON object a line.
func (s Settings) Log(w io.Writer) *slog.Logger {
	least, err := level(s.LogLevel)
	if err != nil {
		least = slog.LevelInfo // Faults has refused it before
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: least}))
}

func level(text string) (slog.Level, error) {
	var l slog.Level
	err := l.UnmarshalText([]byte(text))
	return l, err
}

// Open opens the database and fails unless its schema is the one that this
// program needs.
func (s Settings) Open(ctx context.Context, set migrations.Set, log *slog.Logger) (*database.DB, error) {
	db, err := database.Open(ctx, s.Database.URL, log)
	if err != nil {
		return nil, err
	}
	if err := db.Verify(ctx, set); err != nil {
		_ = db.Close()
		return nil, err
	}
	return db, nil
}

// Migrate returns the command that brings the database to the newest schema.
func Migrate(set migrations.Set, load func(environ []string) (Settings, error)) command.Command {
	return command.Command{
		Name: "migrate", Summary: "Bring the database to the newest schema and stop.",
		Run: func(ctx context.Context, std command.IO, args []string) error {
			if len(args) > 0 {
				return command.Usagef("migrate takes no arguments")
			}
			s, err := load(std.Environ)
			if err != nil {
				return err
			}
			db, err := database.Open(ctx, s.Database.URL, slog.New(slog.DiscardHandler))
			if err != nil {
				return err
			}
			defer func() { _ = db.Close() }()
			at, err := db.Migrate(ctx, set)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(std.Stdout, "The %s database is at schema version %d.\n", set.Service, at)
			return err
		},
	}
}
