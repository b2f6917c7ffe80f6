package testdb_test

import (
	"database/sql"
	"slices"
	"testing"

	"gatehouse/internal/database"
	"gatehouse/internal/testdb"
	"gatehouse/migrations"
)

func TestDatabasesInUseAtOnceAreDifferent(t *testing.T) {
	var inUse []string
	for range 4 {
		dsn := testdb.PostgresDSN(t)
		if slices.Contains(inUse, dsn) {
			t.Errorf("%s is given twice", dsn)
		}
		inUse = append(inUse, dsn)
	}
}

func TestADatabaseThatWasUsedIsEmptyAgain(t *testing.T) {
	testdb.PostgresDSN(t) // skips the whole test where there is no Postgres
	var lingering *sql.DB
	var used string
	t.Run("first", func(t *testing.T) {
		used = testdb.PostgresDSN(t)
		var err error
		if lingering, err = sql.Open("pgx", used); err != nil {
			t.Fatal(err)
		}
		_, err = lingering.Exec("CREATE TABLE left_over (id INT); CREATE FUNCTION f() RETURNS INT LANGUAGE SQL AS 'SELECT 1'")
		if err != nil {
			t.Fatal(err)
		}
	})
	defer func() { _ = lingering.Close() }()
	lingering.SetMaxOpenConns(1)
	tx, err := lingering.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("INSERT INTO left_over VALUES (1)"); err != nil { // holds a lock on the table
		t.Fatal(err)
	}
	for range 20 { // other processes may have it for a while
		found := false
		t.Run("again", func(t *testing.T) {
			dsn := testdb.PostgresDSN(t)
			if found = dsn == used; !found {
				return
			}
			db, err := sql.Open("pgx", dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			var objects int
			err = db.QueryRow(`SELECT (SELECT count(*) FROM pg_class WHERE relname = 'left_over') +
				(SELECT count(*) FROM pg_proc WHERE proname = 'f')`).Scan(&objects)
			if err != nil || objects != 0 {
				t.Errorf("%d objects are left over, %v", objects, err)
			}
		})
		if found {
			return
		}
	}
	t.Errorf("%s was not given again", used)
}

func TestEachTestHasADatabaseOfItsOwn(t *testing.T) {
	for range 2 {
		testdb.Each(t, migrations.Tenants, func(t *testing.T, db *database.DB) {
			conn := db.Conn(t.Context())
			var owners int64
			if err := conn.Table("owners").Count(&owners).Error; err != nil || owners != 0 {
				t.Errorf("%d owners, %v", owners, err)
			}
			err := conn.Exec("INSERT INTO owners (email, name, institution, create_time, last_update_time) " +
				"VALUES ('a@b', 'a', 'b', 1, 1)").Error
			if err != nil {
				t.Error(err)
			}
		})
	}
}
