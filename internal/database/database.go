package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
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
	log     *slog.Logger

	prepared sync.Map // SQLite: query → *sql.Stmt
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
		Logger:                 logger.Discard,                          // errors are returned, and logged once by whoever answers
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
		return nil, openError(err, dialect, dsn)
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
	db := &DB{gorm: g, sql: pool, dialect: dialect, log: log}
	if err := db.Ping(ctx); err != nil {
		_ = pool.Close()
		return nil, openError(err, dialect, dsn)
	}
	return db, nil
}

func dialectorFor(dsn string) (gorm.Dialector, string, error) {
	switch {
	case strings.HasPrefix(dsn, "postgres://"), strings.HasPrefix(dsn, "postgresql://"):
		if ambiguous(dsn) {
			return nil, "", errors.New("database URL has a raw @ or / in its user name or password; write them as %40 and %2F")
		}
		return postgres.New(postgres.Config{DSN: dsn}), Postgres, nil
	case strings.HasPrefix(dsn, "sqlite:"):
		path := sqlitePath(dsn)
		if path == "" {
			return nil, "", errors.New("database URL names no SQLite file")
		}
		return newSQLite(path), SQLite, nil
	}
	return nil, "", errors.New("database URL must begin with sqlite: or postgres://")
}

// sqlitePath returns the file that dsn names, or "".
func sqlitePath(dsn string) string {
	path := strings.TrimPrefix(strings.TrimPrefix(dsn, "sqlite:"), "//")
	if path == "" {
		return ""
	}
	return filepath.Clean(path)
}

func openError(err error, dialect, dsn string) error {
	if dialect == SQLite {
		err = withReason(err, sqlitePath(dsn))
	}
	return fmt.Errorf("open %s database: %w", dialect, withoutPassword(err, dsn))
}

// withReason adds why the operating system does not open a file; the driver
// only says that it is out of memory.
func withReason(err error, path string) error {
	f, reason := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // the path is the operator's
	if reason != nil {
		return fmt.Errorf("%w: %w", reason, err)
	}
	_ = f.Close()
	return fmt.Errorf("%s: %w", path, err)
}

// ambiguous reports whether the password in a Postgres URL may end elsewhere
// than the driver thinks, which would then show the rest of it as host name.
func ambiguous(dsn string) bool {
	_, rest, _ := strings.Cut(dsn, "://")
	rest, _, _ = strings.Cut(rest, "?")
	last := strings.LastIndexByte(rest, '@')
	return last >= 0 && strings.ContainsAny(rest[:last], "@/")
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

// Pool returns the connection pool, to be measured; queries go through Conn.
func (db *DB) Pool() *sql.DB { return db.sql }

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
// It commits when fn returns nil and rolls back otherwise. On Postgres fn may
// run again, when a deadlock was resolved against it.
func (db *DB) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if _, ok := ctx.Value(txKey{db}).(*gorm.DB); ok {
		return fn(ctx)
	}
	return db.transaction(ctx, nil, fn)
}

type endKey struct{ db *DB }

// AtEnd calls then when the surrounding transaction has ended, however it did,
// and at once where there is none. Until then others see what was there before.
func (db *DB) AtEnd(ctx context.Context, then func()) {
	if ended, ok := ctx.Value(endKey{db}).(*[]func()); ok {
		*ended = append(*ended, then)
		return
	}
	then()
}

// tries is how often a transaction that lost against others is begun.
const tries = 5

// InSerializableTx is InTx for transactions that decide by what they read: no
// other may change it meanwhile. On SQLite every transaction is like that; on
// Postgres fn may run several times, when others were in the way.
func (db *DB) InSerializableTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if _, ok := ctx.Value(txKey{db}).(*gorm.DB); ok {
		return errors.New("a serializable transaction cannot begin inside another transaction")
	}
	if db.dialect == SQLite {
		return db.transaction(ctx, nil, fn)
	}
	return db.transaction(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable}, fn)
}

// transaction runs fn in a new transaction, and again when the database gave
// it up in favour of another.
func (db *DB) transaction(ctx context.Context, options *sql.TxOptions, fn func(ctx context.Context) error) error {
	var err error
	for try := range tries {
		if try > 0 {
			db.log.DebugContext(ctx, "transaction tried again", slog.Int("try", try+1), slog.Any("error", err))
			select {
			case <-ctx.Done():
				return fmt.Errorf("transaction: %w", ctx.Err())
			case <-time.After(rand.N(time.Duration(try) * 10 * time.Millisecond)): //nolint:gosec // a delay, not a secret
			}
		}
		if err = db.once(ctx, options, fn); !gaveUp(err) {
			return err
		}
	}
	return err
}

// gaveUp reports a serialization failure or a deadlock: nothing was written,
// and trying again helps.
func gaveUp(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

func (db *DB) once(ctx context.Context, options *sql.TxOptions, fn func(ctx context.Context) error) error {
	var ended []func()
	defer func() {
		for _, then := range ended {
			then()
		}
	}()
	err := db.gorm.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		return fn(context.WithValue(context.WithValue(ctx, txKey{db}, tx), endKey{db}, &ended))
	}, options)
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil { // database/sql rolled back because ctx ended
		return fmt.Errorf("transaction: %w", ctx.Err())
	}
	return err
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
