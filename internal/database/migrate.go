package database

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"gatehouse/migrations"
)

// Migrate brings the schema to the newest version and returns that version. It
// fails when the schema is newer than this program. On Postgres an advisory
// lock lets several processes try at once.
func (db *DB) Migrate(ctx context.Context, set migrations.Set) (int64, error) {
	p, err := db.provider(set)
	if err != nil {
		return 0, err
	}
	if _, err := p.Up(ctx); err != nil {
		return 0, fmt.Errorf("migrate %s: %w", set.Service, err)
	}
	version, err := p.GetDBVersion(ctx)
	if err != nil {
		return 0, fmt.Errorf("read schema version of %s: %w", set.Service, err)
	}
	return version, db.Verify(ctx, set)
}

// Verify fails unless the schema has exactly the version that this program
// was built for.
func (db *DB) Verify(ctx context.Context, set migrations.Set) error {
	p, err := db.provider(set)
	if err != nil {
		return err
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read schema version of %s: %w", set.Service, err)
	}
	switch {
	case have < want:
		return fmt.Errorf("the %s database has schema version %d and this program needs %d; run the migrate command first",
			set.Service, have, want)
	case have > want:
		return newerSchema(fmt.Sprintf("the %s database has schema version %d, newer than the %d that this program knows; "+
			"run a newer program", set.Service, have, want))
	}
	return nil
}

// newerSchema is Verify's error after somebody migrated for a newer program.
type newerSchema string

func (e newerSchema) Error() string { return string(e) }

// Usable is Verify for a program that serves already: a schema that became
// newer meanwhile is the next program's, which is about to replace this one,
// and each version keeps what the one before it needs.
func (db *DB) Usable(ctx context.Context, set migrations.Set) error {
	err := db.Verify(ctx, set)
	var newer newerSchema
	if errors.As(err, &newer) {
		return nil
	}
	return err
}

func (db *DB) provider(set migrations.Set) (*goose.Provider, error) {
	files, err := set.For(db.dialect)
	if err != nil {
		return nil, fmt.Errorf("migrations of %s: %w", set.Service, err)
	}
	options := []goose.ProviderOption{
		goose.WithSlog(slog.New(slog.DiscardHandler)),
		goose.WithTableName("schema_versions_" + set.Service), // each service its own, should two share a database
	}
	dialect := goose.DialectSQLite3
	if db.dialect == Postgres {
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300)) // asks every second for 5 minutes
		if err != nil {
			return nil, fmt.Errorf("migration lock: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	p, err := goose.NewProvider(dialect, db.sql, files, options...)
	if err != nil {
		return nil, fmt.Errorf("migrations of %s: %w", set.Service, err)
	}
	return p, nil
}
