package database_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"gatehouse/internal/database"
	"gatehouse/internal/testdb"
)

const (
	insertNote = `INSERT INTO notes (id, name, at) VALUES (?, ?, 1)`
	readNote   = `SELECT name FROM notes WHERE id = ?`
)

func TestStatementsRunOnBothDialectsInAndOutsideOfTransactions(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		// The first use of a statement inside a transaction must not wait for
		// the connection that the transaction holds.
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			_, err := db.Exec(ctx, insertNote, 1, "in a transaction")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := db.Exec(t.Context(), insertNote, 2, "outside"); n != 1 || err != nil {
			t.Fatalf("%d rows, %v", n, err)
		}
		err = db.InTx(t.Context(), func(ctx context.Context) error {
			if _, err := db.Exec(ctx, insertNote, 3, "given up"); err != nil {
				return err
			}
			var name string
			if found, err := db.QueryRow(ctx, readNote, []any{3}, &name); !found || err != nil || name != "given up" {
				t.Errorf("the transaction reads %q, %v, %v", name, found, err)
			}
			return errStop
		})
		if !errors.Is(err, errStop) {
			t.Fatal(err)
		}
		for id, want := range map[int]string{1: "in a transaction", 2: "outside", 3: ""} {
			var name string
			found, err := db.QueryRow(t.Context(), readNote, []any{id}, &name)
			if err != nil || found != (want != "") || name != want {
				t.Errorf("row %d: %q, found %v, %v", id, name, found, err)
			}
		}
		if _, err := db.Exec(t.Context(), insertNote, 1, "again"); !database.IsDuplicate(err) {
			t.Errorf("a second row 1: %v", err)
		}
		if _, err := db.Exec(t.Context(), "NONSENSE ?", 1); err == nil {
			t.Error("nonsense was executed")
		}
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := db.Exec(cancelled, insertNote, 4, "too late"); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled caller: %v", err)
		}
	})
}

func TestManyUseAStatementAtOnce(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				run := func(ctx context.Context) error {
					_, err := db.Exec(ctx, insertNote, i, fmt.Sprint(i))
					return err
				}
				var err error
				if i%2 == 0 {
					err = db.InTx(t.Context(), run)
				} else {
					err = run(t.Context())
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := count(t, db, t.Context()); n != 40 {
			t.Errorf("%d rows", n)
		}
	})
}

// BenchmarkARow compares a row that is written and read with GORM, and
// without it.
func BenchmarkARow(b *testing.B) {
	for dialect, dsn := range map[string]func(testing.TB) string{"sqlite": sqliteDSN, "postgres": testdb.PostgresDSN} {
		b.Run(dialect, func(b *testing.B) {
			db, id := open(b, dsn(b)), int64(0)
			exec(b, db, notesTable)
			b.Run("gorm", func(b *testing.B) {
				for b.Loop() {
					id++
					if err := insert(b.Context(), db, id, fmt.Sprint(id)); err != nil {
						b.Fatal(err)
					}
					if err := db.Conn(b.Context()).Take(&note{}, "id = ?", id).Error; err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("statement", func(b *testing.B) {
				var name string
				for b.Loop() {
					id++
					if _, err := db.Exec(b.Context(), insertNote, id, fmt.Sprint(id)); err != nil {
						b.Fatal(err)
					}
					if _, err := db.QueryRow(b.Context(), readNote, []any{id}, &name); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
