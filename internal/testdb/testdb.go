// Package testdb gives tests a migrated, throw-away database: SQLite always,
// and Postgres where GATEHOUSE_TEST_POSTGRES names a cluster in which
// databases may be created. Production code never imports it.
package testdb

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"gatehouse/internal/database"
	"gatehouse/migrations"
)

// New returns a migrated SQLite database that goes away with the test.
func New(t testing.TB, set migrations.Set) *database.DB {
	t.Helper()
	return open(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"), set)
}

// Each runs test once on SQLite and once on Postgres. Without a Postgres
// cluster the second is skipped, which under CI=true is a failure.
func Each(t *testing.T, set migrations.Set, test func(t *testing.T, db *database.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, New(t, set)) })
	t.Run("postgres", func(t *testing.T) { test(t, open(t, PostgresDSN(t), set)) })
}

// PostgresDSN reserves an empty Postgres database for the length of the test
// and returns its URL.
func PostgresDSN(t testing.TB) string {
	t.Helper()
	cluster := os.Getenv("GATEHOUSE_TEST_POSTGRES")
	if cluster == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("GATEHOUSE_TEST_POSTGRES is not set; make test starts a cluster")
		}
		t.Skip("GATEHOUSE_TEST_POSTGRES is not set; make test starts a cluster")
	}
	dsn, err := reserve(t, cluster)
	if err != nil {
		t.Fatalf("reserve a test database: %v", err)
	}
	return dsn
}

func open(t testing.TB, dsn string, set migrations.Set) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), dsn, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("open test database: %v", err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.Migrate(t.Context(), set); err != nil {
		t.Fatalf("migrate test database: %v", err)
	}
	return db
}
