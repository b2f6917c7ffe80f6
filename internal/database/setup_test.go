package database_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"gatehouse/internal/database"
	"gatehouse/internal/testdb"
)

// note is a row of a table that only these tests have.
type note struct {
	ID       int64 `gorm:"primaryKey;autoIncrement:false"`
	Name     string
	At       database.Micros
	ParentID *int64
}

const notesTable = `CREATE TABLE notes (
	id        BIGINT NOT NULL PRIMARY KEY,
	name      TEXT   NOT NULL UNIQUE,
	at        BIGINT NOT NULL,
	parent_id BIGINT REFERENCES notes (id)
)`

// each runs test on both dialects with an empty table of notes.
func each(t *testing.T, test func(t *testing.T, db *database.DB)) {
	t.Helper()
	eachEmpty(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		exec(t, db, notesTable)
		test(t, db)
	})
}

func exec(t testing.TB, db *database.DB, sql string, args ...any) {
	t.Helper()
	if err := db.Conn(t.Context()).Exec(sql, args...).Error; err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func insert(ctx context.Context, db *database.DB, id int64, name string) error {
	return db.Conn(ctx).Create(&note{ID: id, Name: name}).Error
}

func count(t testing.TB, db *database.DB, ctx context.Context) int64 {
	t.Helper()
	var n int64
	if err := db.Conn(ctx).Model(&note{}).Count(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

// open opens dsn for the length of the test.
func open(t testing.TB, dsn string) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), dsn, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("open %s: %v", dsn, err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// eachEmpty runs test on both dialects with the URL of an empty database.
func eachEmpty(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, sqliteDSN(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, testdb.PostgresDSN(t)) })
}

func sqliteDSN(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "test.db") }
