package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/glebarez/sqlite"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// Dialect names, equal to the folders of migrations.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// DB is one service's database. It is safe for concurrent use.
type DB struct {
	gorm    *gorm.DB
	sql     *sql.DB
	dialect string
}

// Open connects to the database that dsn names:
//
//	sqlite:///var/lib/gatehouse/tenants.db   a file (sqlite:relative.db works too)
//	postgres://user:password@host:5432/name  a Postgres database
//
// It fails when the database does not answer before ctx ends.
func Open(ctx context.Context, dsn string, log *slog.Logger) (*DB, error) {
	dialector, dialect, err := dialectorFor(dsn)
	if err != nil {
		return nil, err
	}
	g, err := gorm.Open(dialector, &gorm.Config{
		Logger:                 logger.NewSlogLogger(log, logger.Config{SlowThreshold: time.Second, LogLevel: logger.Error, IgnoreRecordNotFoundError: true, ParameterizedQueries: true}),
		NowFunc:                func() time.Time { return time.Time{} }, // times come from the stores' clocks, never from GORM
		SkipDefaultTransaction: true,
		// GORM's statement cache lets a transaction that holds a connection wait
		// for a statement that another caller can only prepare when a connection
		// comes free: on SQLite, with its one, both hang. pgx has its own cache.
		PrepareStmt:          false,
		TranslateError:       true,
		DisableAutomaticPing: true,
	})
	if err != nil {
		return nil, fmt.Errorf("open %s database: %w", dialect, withoutPassword(err, dsn))
	}
	pool, err := g.DB()
	if err != nil {
		return nil, fmt.Errorf("open %s database: %w", dialect, err)
	}
	if dialect == SQLite {
		// One connection queues writers fairly in Go; several would spin in
		// SQLite's busy handler.
		pool.SetMaxOpenConns(1)
	} else {
		pool.SetMaxOpenConns(16)
		pool.SetMaxIdleConns(16)
		pool.SetConnMaxIdleTime(5 * time.Minute)
		pool.SetConnMaxLifetime(30 * time.Minute)
	}
	db := &DB{gorm: g, sql: pool, dialect: dialect}
	if err := db.Ping(ctx); err != nil {
		_ = pool.Close()
		return nil, fmt.Errorf("open %s database: %w", dialect, withoutPassword(err, dsn))
	}
	return db, nil
}

func dialectorFor(dsn string) (gorm.Dialector, string, error) {
	switch {
	case strings.HasPrefix(dsn, "postgres://"), strings.HasPrefix(dsn, "postgresql://"):
		return postgres.New(postgres.Config{DSN: dsn}), Postgres, nil
	case strings.HasPrefix(dsn, "sqlite:"):
		path := strings.TrimPrefix(strings.TrimPrefix(dsn, "sqlite:"), "//")
		if path == "" {
			return nil, "", errors.New("database URL names no SQLite file")
		}
		file := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
		query := url.Values{"_txlock": {"immediate"}, "_pragma": {
			"foreign_keys(1)", "journal_mode(WAL)", "synchronous(NORMAL)", "busy_timeout(5000)", "cache_size(-8000)",
		}}
		file.RawQuery = query.Encode()
		return sqlite.Open(file.String()), SQLite, nil
	}
	return nil, "", errors.New("database URL must begin with sqlite: or postgres://")
}

// withoutPassword keeps a data source name's password out of error texts.
func withoutPassword(err error, dsn string) error {
	u, parseErr := url.Parse(dsn)
	if parseErr != nil || u.User == nil {
		return err
	}
	password, has := u.User.Password()
	if !has || password == "" || !strings.Contains(err.Error(), password) {
		return err
	}
	return errors.New(strings.ReplaceAll(err.Error(), password, "xxxxx"))
}

// Dialect returns SQLite or Postgres.
func (db *DB) Dialect() string { return db.dialect }

// Ping reports whether the database answers.
func (db *DB) Ping(ctx context.Context) error { return db.sql.PingContext(ctx) }

// Close closes all connections.
func (db *DB) Close() error { return db.sql.Close() }

type txKey struct{ db *DB }

// Conn returns a session for ctx: the surrounding transaction's when ctx came
// from InTx of this database, a plain one otherwise.
func (db *DB) Conn(ctx context.Context) *gorm.DB {
	if tx, ok := ctx.Value(txKey{db}).(*gorm.DB); ok {
		return tx.WithContext(ctx)
	}
	return db.gorm.WithContext(ctx)
}

// InTx runs fn in a transaction, or in the surrounding one if there is one.
// It commits when fn returns nil and rolls back otherwise.
func (db *DB) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if _, ok := ctx.Value(txKey{db}).(*gorm.DB); ok {
		return fn(ctx)
	}
	return db.gorm.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		return fn(context.WithValue(ctx, txKey{db}, tx))
	})
}

// Micros is a time in UTC microseconds since 1970; 0 means never.
type Micros int64

// At converts a time.
func At(t time.Time) Micros {
	if t.IsZero() {
		return 0
	}
	return Micros(t.UnixMicro())
}

// Time converts back; 0 is the zero time.
func (m Micros) Time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(m)).UTC()
}

// IsNotFound reports whether err says that a row does not exist.
func IsNotFound(err error) bool { return errors.Is(err, gorm.ErrRecordNotFound) }

// IsDuplicate reports whether err says that a unique constraint was violated.
func IsDuplicate(err error) bool { return errors.Is(err, gorm.ErrDuplicatedKey) }
