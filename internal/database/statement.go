package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"gorm.io/gorm"
)

// statements keeps the queries of the hot path in the form of the dialect
// and, on SQLite, prepared. pgx prepares by itself.
type statements struct{ known sync.Map } // query as written → *statement

type statement struct {
	text     string
	prepared *sql.Stmt // nil on Postgres, and until it could be prepared
}

// Exec runs a statement without GORM, which costs more than the statement
// itself where it matters: when tokens are recorded and read. Placeholders
// are question marks. It joins the transaction of ctx and returns how many
// rows it touched.
func (db *DB) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	ctx, run, err := db.runner(ctx, query)
	if err != nil {
		return 0, err
	}
	done, err := run.exec(ctx, args...)
	if err != nil {
		return 0, db.translate(err)
	}
	return done.RowsAffected()
}

// QueryRow is Exec for a query with at most one row, whose columns it scans
// into dest; false when there is none.
func (db *DB) QueryRow(ctx context.Context, query string, args []any, dest ...any) (bool, error) {
	ctx, run, err := db.runner(ctx, query)
	if err != nil {
		return false, err
	}
	err = run.queryRow(ctx, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, db.translate(err)
}

// runner is one way to run a statement: prepared or not, in a transaction or
// not.
type runner struct {
	text     string
	prepared *sql.Stmt
	plain    gorm.ConnPool
}

func (r runner) exec(ctx context.Context, args ...any) (sql.Result, error) {
	if r.prepared != nil {
		return r.prepared.ExecContext(ctx, args...)
	}
	return r.plain.ExecContext(ctx, r.text, args...)
}

func (r runner) queryRow(ctx context.Context, args ...any) *sql.Row {
	if r.prepared != nil {
		return r.prepared.QueryRowContext(ctx, args...)
	}
	return r.plain.QueryRowContext(ctx, r.text, args...)
}

func (db *DB) runner(ctx context.Context, query string) (context.Context, runner, error) {
	tx, inTx := ctx.Value(txKey{db}).(*gorm.DB)
	s, err := db.statement(ctx, query, inTx)
	if err != nil {
		return ctx, runner{}, err
	}
	r := runner{text: s.text, prepared: s.prepared, plain: db.sql}
	if inTx {
		r.plain = tx.Statement.ConnPool
		if own, ok := r.plain.(*sql.Tx); ok && s.prepared != nil {
			r.prepared = own.StmtContext(ctx, s.prepared)
		}
	}
	if db.dialect == SQLite {
		if err := ctx.Err(); err != nil {
			return ctx, runner{}, err
		}
		// The driver watches a context with a goroutine for each statement, to
		// interrupt what takes microseconds.
		ctx = context.WithoutCancel(ctx)
	}
	return ctx, r, nil
}

// statement finds or makes the dialect's form of a query. Inside a
// transaction nothing is prepared: SQLite's one connection is taken then, and
// waiting for it would be waiting for oneself.
func (db *DB) statement(ctx context.Context, query string, inTx bool) (*statement, error) {
	if s, ok := db.statements.known.Load(query); ok {
		return s.(*statement), nil // nothing else is stored
	}
	if db.dialect == Postgres {
		s, _ := db.statements.known.LoadOrStore(query, &statement{text: numbered(query)})
		return s.(*statement), nil // nothing else is stored
	}
	if inTx {
		return &statement{text: query}, nil
	}
	prepared, err := db.sql.PrepareContext(context.WithoutCancel(ctx), query)
	if err != nil {
		return nil, fmt.Errorf("prepare statement: %w", err)
	}
	s, there := db.statements.known.LoadOrStore(query, &statement{text: query, prepared: prepared})
	if there {
		_ = prepared.Close() //nolint:sqlclosecheck // only the loser closes: somebody was faster
	}
	return s.(*statement), nil // nothing else is stored
}

// numbered replaces question marks by Postgres' $1, $2 …; the queries contain
// none otherwise.
func numbered(query string) string {
	parts := strings.Split(query, "?")
	var b strings.Builder
	for i, part := range parts {
		if i > 0 {
			b.WriteString("$" + strconv.Itoa(i))
		}
		b.WriteString(part)
	}
	return b.String()
}

// translate makes IsDuplicate work on what did not pass through GORM.
func (db *DB) translate(err error) error {
	if translator, ok := db.gorm.Dialector.(gorm.ErrorTranslator); ok && err != nil {
		return translator.Translate(err)
	}
	return err
}
