package database_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"gatehouse/internal/database"
	"gatehouse/internal/testdb"
	"gatehouse/migrations"
)

func TestMigratingTwiceChangesNothing(t *testing.T) {
	for _, set := range []migrations.Set{migrations.Tenants, migrations.Authenticator} {
		eachEmpty(t, func(t *testing.T, dsn string) {
			db := open(t, dsn)
			first, err := db.Migrate(t.Context(), set)
			if err != nil || first < 1 {
				t.Fatalf("version %d, %v", first, err)
			}
			again, err := db.Migrate(t.Context(), set)
			if err != nil || again != first {
				t.Errorf("version %d, then %d, %v", first, again, err)
			}
			if err := db.Verify(t.Context(), set); err != nil {
				t.Error(err)
			}
			if err := open(t, dsn).Verify(t.Context(), set); err != nil {
				t.Errorf("after a restart: %v", err)
			}
		})
	}
}

func TestADatabaseWithAnOlderSchemaWantsTheMigrateCommand(t *testing.T) {
	eachEmpty(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		err := db.Verify(t.Context(), migrations.Tenants)
		if err == nil || !strings.Contains(err.Error(), "the tenants database has schema version 0") ||
			!strings.HasSuffix(err.Error(), "run the migrate command first") {
			t.Errorf("got %v", err)
		}
		if _, err := db.Migrate(t.Context(), migrations.Tenants); err != nil {
			t.Errorf("migrating after looking: %v", err)
		}
	})
}

func TestADatabaseWithANewerSchemaWantsANewerProgram(t *testing.T) {
	eachEmpty(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		known, err := db.Migrate(t.Context(), migrations.Authenticator)
		if err != nil {
			t.Fatal(err)
		}
		exec(t, db, "INSERT INTO schema_versions_authenticator (version_id, is_applied) VALUES (?, ?)", 999, true)
		want := fmt.Sprintf("the authenticator database has schema version 999, newer than the %d that this program knows; run a "+
			"newer program", known)
		if err := db.Verify(t.Context(), migrations.Authenticator); err == nil || err.Error() != want {
			t.Errorf("Verify: %v, want %s", err, want)
		}
		if err := db.Usable(t.Context(), migrations.Authenticator); err != nil {
			t.Errorf("a program that serves already stops at a newer schema: %v", err)
		}
		if _, err := db.Migrate(t.Context(), migrations.Authenticator); err == nil || err.Error() != want {
			t.Errorf("Migrate: %v, want %s", err, want)
		}
	})
}

func TestSeveralProcessesMayMigrateOnePostgresAtOnce(t *testing.T) {
	dsn := testdb.PostgresDSN(t)
	const processes = 4
	var group sync.WaitGroup
	begin := make(chan struct{})
	for range processes {
		db := open(t, dsn)
		group.Go(func() {
			<-begin
			version, err := db.Migrate(t.Context(), migrations.Tenants)
			if err != nil || version < 1 {
				t.Errorf("version %d, %v", version, err)
			}
		})
	}
	close(begin)
	group.Wait()
	db := open(t, dsn)
	if err := db.Verify(t.Context(), migrations.Tenants); err != nil {
		t.Error(err)
	}
	var applied int64
	err := db.Conn(t.Context()).Raw("SELECT count(*) - count(DISTINCT version_id) FROM schema_versions_tenants").
		Scan(&applied).Error
	if err != nil || applied != 0 {
		t.Errorf("%d versions were applied twice (%v)", applied, err)
	}
}

func TestTwoServicesMayShareADatabase(t *testing.T) {
	eachEmpty(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		for _, set := range []migrations.Set{migrations.Tenants, migrations.Authenticator} {
			if _, err := db.Migrate(t.Context(), set); err != nil {
				t.Fatal(err)
			}
		}
		for _, table := range []string{"tenants", "clients"} {
			exec(t, db, "SELECT 1 FROM "+table)
		}
	})
}

func TestAMigrationThatCannotReachItsDatabaseSaysWhose(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		_ = db.Close()
		if _, err := db.Migrate(t.Context(), migrations.Tenants); err == nil || !strings.HasPrefix(err.Error(), "migrate tenants: ") {
			t.Errorf("Migrate: %v", err)
		}
		if err := db.Verify(t.Context(), migrations.Tenants); err == nil ||
			!strings.HasPrefix(err.Error(), "read schema version of tenants: ") {
			t.Errorf("Verify: %v", err)
		}
	})
}
