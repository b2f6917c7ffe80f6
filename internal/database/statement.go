package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"gorm.io/gorm"
)

// Exec runs a statement without GORM, which costs some 40 µs for a row that is
// written and read, as much as SQLite itself (BenchmarkARow): too much where
// tokens are recorded and looked up. Placeholders are question marks. It joins
// the transaction of ctx and returns how many rows it touched.
func (db *DB) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	ctx, s, err := db.statement(ctx, query)
	if err != nil {
		return 0, err
	}
	var done sql.Result
	if s.prepared != nil {
		done, err = s.prepared.ExecContext(ctx, args...)
	} else {
		done, err = s.conn.ExecContext(ctx, s.text, args...)
	}
	if err != nil {
		return 0, db.translate(err)
	}
	return done.RowsAffected()
}

// QueryRow is Exec for a query with at most one row, whose columns it scans
// into dest; false when there is none.
func (db *DB) QueryRow(ctx context.Context, query string, args []any, dest ...any) (bool, error) {
	ctx, s, err := db.statement(ctx, query)
	if err != nil {
		return false, err
	}
	var row *sql.Row
	if s.prepared != nil {
		row = s.prepared.QueryRowContext(ctx, args...)
	} else {
		row = s.conn.QueryRowContext(ctx, s.text, args...)
	}
	err = row.Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, db.translate(err)
}

// statement is a query in the form of the dialect, and where it runs.
type statement struct {
	text     string
	conn     gorm.ConnPool // the transaction's, where there is one
	prepared *sql.Stmt     // to be used instead; nil: not prepared
}

// statement finds out how to run a query. On SQLite it is prepared once and
// kept; pgx prepares by itself.
func (db *DB) statement(ctx context.Context, query string) (context.Context, statement, error) {
	s := statement{text: query, conn: db.sql}
	tx, inTx := ctx.Value(txKey{db}).(*gorm.DB)
	if inTx {
		s.conn = tx.Statement.ConnPool
	}
	if db.dialect == Postgres {
		s.text = numbered(query)
		return ctx, s, nil
	}
	if err := ctx.Err(); err != nil {
		return ctx, s, err
	}
	// The driver watches a context with a goroutine for each statement, to
	// interrupt what takes microseconds.
	ctx = context.WithoutCancel(ctx)
	kept, found := db.prepared.Load(query)
	if !found {
		if inTx { // SQLite's one connection is taken: waiting for it would be waiting for oneself
			return ctx, s, nil
		}
		made, err := db.sql.PrepareContext(ctx, query)
		if err != nil {
			return ctx, s, fmt.Errorf("prepare statement: %w", err)
		}
		if kept, found = db.prepared.LoadOrStore(query, made); found {
			_ = made.Close() //nolint:sqlclosecheck // only the loser closes: somebody was faster
		}
	}
	s.prepared = kept.(*sql.Stmt) // nothing else is stored
	if own, ok := s.conn.(*sql.Tx); ok {
		s.prepared = own.StmtContext(ctx, s.prepared)
	}
	return ctx, s, nil
}

// numbered replaces question marks by Postgres' $1, $2 …; the queries contain
// none otherwise.
func numbered(query string) string {
	var b strings.Builder
	for i := 1; ; i++ {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(i))
		query = after
	}
}

// translate makes IsDuplicate work on what did not pass through GORM.
func (db *DB) translate(err error) error {
	if translator, ok := db.gorm.Dialector.(gorm.ErrorTranslator); ok && err != nil {
		return translator.Translate(err)
	}
	return err
}
