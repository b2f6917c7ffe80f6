package database

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/migrator"
	"gorm.io/gorm/schema"
	driver "modernc.org/sqlite"
	result "modernc.org/sqlite/lib"
)

// sqliteDialect lets GORM speak SQLite through modernc.org/sqlite, whose
// prepared statements stay compiled. It is as much of a dialect as stores
// need: the schema is made by migrations, never by GORM.
type sqliteDialect struct{ dsn string }

// newSQLite returns the dialect for a file.
func newSQLite(path string) sqliteDialect {
	file := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	file.RawQuery = url.Values{"_txlock": {"immediate"}, "_pragma": {
		"foreign_keys(1)", "journal_mode(WAL)", "synchronous(NORMAL)", "busy_timeout(5000)", "cache_size(-2000)",
		// Each checkpoint waits for the disk and writes every changed page once:
		// four times as seldom as by default, the log being 16 MB at most.
		"wal_autocheckpoint(4000)",
	}}.Encode()
	return sqliteDialect{dsn: file.String()}
}

// Name implements gorm.Dialector.
func (d sqliteDialect) Name() string { return SQLite }

// Initialize implements gorm.Dialector: it opens the pool, which connects when
// it is first used.
func (d sqliteDialect) Initialize(db *gorm.DB) error {
	pool, err := sql.Open("sqlite", d.dsn)
	if err != nil {
		return fmt.Errorf("use the SQLite driver: %w", err)
	}
	db.ConnPool = pool
	callbacks.RegisterDefaultCallbacks(db, &callbacks.Config{
		CreateClauses:        []string{"INSERT", "VALUES", "ON CONFLICT", "RETURNING"},
		UpdateClauses:        []string{"UPDATE", "SET", "FROM", "WHERE", "RETURNING"},
		DeleteClauses:        []string{"DELETE", "FROM", "WHERE", "RETURNING"},
		LastInsertIDReversed: true,
	})
	db.ClauseBuilders["LIMIT"] = buildLimit
	// SQLite locks no rows: a transaction has the whole file.
	db.ClauseBuilders["FOR"] = func(clause.Clause, clause.Builder) {}
	return nil
}

// buildLimit writes a limit, without which SQLite takes no offset.
func buildLimit(c clause.Clause, b clause.Builder) {
	window, ok := c.Expression.(clause.Limit)
	if !ok {
		c.Build(b)
		return
	}
	limit := -1 // all
	if window.Limit != nil {
		limit = *window.Limit
	}
	text := "LIMIT " + strconv.Itoa(limit)
	if window.Offset > 0 {
		text += " OFFSET " + strconv.Itoa(window.Offset)
	}
	_, _ = b.WriteString(text)
}

// BindVarTo implements gorm.Dialector.
func (d sqliteDialect) BindVarTo(w clause.Writer, _ *gorm.Statement, _ any) { _ = w.WriteByte('?') }

// QuoteTo implements gorm.Dialector: a dot divides a table from its column.
func (d sqliteDialect) QuoteTo(w clause.Writer, name string) {
	name = strings.ReplaceAll(name, `"`, `""`)
	_, _ = w.WriteString(`"` + strings.ReplaceAll(name, ".", `"."`) + `"`)
}

// DefaultValueOf implements gorm.Dialector: SQLite fills in its default for
// NULL only where a column is the row's number.
func (d sqliteDialect) DefaultValueOf(*schema.Field) clause.Expression {
	return clause.Expr{SQL: "NULL"}
}

// Explain implements gorm.Dialector, for logs that we do not keep.
func (d sqliteDialect) Explain(query string, vars ...any) string {
	return logger.ExplainSQL(query, nil, `'`, vars...)
}

// DataTypeOf and Migrator implement gorm.Dialector; nothing migrates with them.
func (d sqliteDialect) DataTypeOf(field *schema.Field) string { return string(field.DataType) }

// Migrator is for tests that look at a schema.
func (d sqliteDialect) Migrator(db *gorm.DB) gorm.Migrator {
	return migrator.Migrator{Config: migrator.Config{DB: db, Dialector: d}}
}

// Translate implements gorm.ErrorTranslator.
func (d sqliteDialect) Translate(err error) error {
	var failed *driver.Error
	if !errors.As(err, &failed) {
		return err
	}
	switch failed.Code() {
	case result.SQLITE_CONSTRAINT_UNIQUE, result.SQLITE_CONSTRAINT_PRIMARYKEY:
		return gorm.ErrDuplicatedKey
	case result.SQLITE_CONSTRAINT_FOREIGNKEY:
		return gorm.ErrForeignKeyViolated
	}
	return err
}
