package database_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/database"
	"gatehouse/internal/testdb"
)

// Two transactions that each read both notes and then change the other one
// must not both succeed on what they read.
func TestSerializableTransactionsDoNotDecideOnStaleReads(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		if err := errors.Join(insert(t.Context(), db, 1, "on"), insert(t.Context(), db, 2, "also on")); err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		for id := int64(1); id <= 2; id++ {
			group.Go(func() {
				err := db.InSerializableTx(t.Context(), func(ctx context.Context) error {
					var on int64
					if err := db.Conn(ctx).Model(&note{}).Where("at = 0").Count(&on).Error; err != nil {
						return err
					}
					time.Sleep(50 * time.Millisecond) // let the other one read, too
					if on < 2 {
						return nil // the last one stays
					}
					return db.Conn(ctx).Exec("UPDATE notes SET at = 1 WHERE id = ?", id).Error
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		var on int64
		if err := db.Conn(t.Context()).Model(&note{}).Where("at = 0").Count(&on).Error; err != nil || on != 1 {
			t.Errorf("%d notes are left on (%v), want 1", on, err)
		}
	})
}

func TestASerializableTransactionKeepsAllOrNothing(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		err := db.InSerializableTx(t.Context(), func(ctx context.Context) error {
			return db.InTx(ctx, func(ctx context.Context) error { return insert(ctx, db, 1, "inside") })
		})
		if err != nil || count(t, db, t.Context()) != 1 {
			t.Errorf("%v, %d rows", err, count(t, db, t.Context()))
		}
		runs := 0
		err = db.InSerializableTx(t.Context(), func(ctx context.Context) error {
			runs++
			return errors.Join(insert(ctx, db, 2, "undone"), errStop)
		})
		if !errors.Is(err, errStop) || runs != 1 || count(t, db, t.Context()) != 1 {
			t.Errorf("%v, %d runs, %d rows", err, runs, count(t, db, t.Context()))
		}
	})
}

func TestASerializableTransactionCannotBeginInsideAnother(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		never := func(context.Context) error { t.Error("it began"); return nil }
		for name, outer := range map[string]func(context.Context, func(context.Context) error) error{
			"plain": db.InTx, "serializable": db.InSerializableTx,
		} {
			err := outer(t.Context(), func(ctx context.Context) error { return db.InSerializableTx(ctx, never) })
			if err == nil || !strings.Contains(err.Error(), "inside another transaction") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestATransactionThatPostgresGaveUpIsTriedAgain(t *testing.T) {
	db := open(t, testdb.PostgresDSN(t))
	exec(t, db, notesTable)
	for _, code := range []string{"40001", "40P01"} {
		giveUp := "DO $$ BEGIN RAISE EXCEPTION 'given up' USING ERRCODE = '" + code + "'; END $$"
		for name, in := range map[string]func(context.Context, func(context.Context) error) error{
			"plain": db.InTx, "serializable": db.InSerializableTx,
		} {
			exec(t, db, "DELETE FROM notes")
			runs := 0
			err := in(t.Context(), func(ctx context.Context) error {
				runs++
				if err := insert(ctx, db, int64(runs), fmt.Sprint(runs)); err != nil || runs > 2 {
					return err
				}
				return fmt.Errorf("wrapped: %w", db.Conn(ctx).Exec(giveUp).Error)
			})
			if err != nil || runs != 3 || count(t, db, t.Context()) != 1 {
				t.Errorf("%s, %s: %v after %d runs, %d rows", name, code, err, runs, count(t, db, t.Context()))
			}
			runs = 0
			err = in(t.Context(), func(ctx context.Context) error {
				runs++
				return db.Conn(ctx).Exec(giveUp).Error
			})
			if err == nil || !strings.Contains(err.Error(), "given up") || runs != 5 {
				t.Errorf("%s, %s, for ever: %v after %d runs", name, code, err, runs)
			}
			ctx, cancel := context.WithCancel(t.Context())
			runs = 0
			err = in(ctx, func(ctx context.Context) error {
				runs++
				err := db.Conn(ctx).Exec(giveUp).Error
				cancel()
				return err
			})
			if !errors.Is(err, context.Canceled) || runs != 1 {
				t.Errorf("%s, %s, cancelled: %v after %d runs", name, code, err, runs)
			}
		}
	}
}

func TestOtherFailuresAreNotTriedAgain(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		if err := insert(t.Context(), db, 1, "a"); err != nil {
			t.Fatal(err)
		}
		runs := 0
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			runs++
			return insert(ctx, db, 1, "a")
		})
		if !database.IsDuplicate(err) || runs != 1 {
			t.Errorf("%v after %d runs", err, runs)
		}
	})
}

func TestTransactionsThatLockCrosswiseBothSucceed(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		if err := errors.Join(insert(t.Context(), db, 1, "a"), insert(t.Context(), db, 2, "b")); err != nil {
			t.Fatal(err)
		}
		add := func(ctx context.Context, id int) error {
			return db.Conn(ctx).Exec("UPDATE notes SET at = at + 1 WHERE id = ?", id).Error
		}
		var group sync.WaitGroup
		for _, order := range [][]int{{1, 2}, {2, 1}} {
			group.Go(func() {
				err := db.InTx(t.Context(), func(ctx context.Context) error {
					if err := add(ctx, order[0]); err != nil {
						return err
					}
					time.Sleep(100 * time.Millisecond)
					return add(ctx, order[1])
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		var sum int64
		if err := db.Conn(t.Context()).Raw("SELECT sum(at) FROM notes").Scan(&sum).Error; err != nil || sum != 4 {
			t.Errorf("the sum is %d (%v), want 4", sum, err)
		}
	})
}

// With a cache of prepared statements, a transaction that holds SQLite's one
// connection waits for a statement whose preparation waits for a connection.
func TestReadersAndTransactionsDoNotBlockEachOther(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		var group sync.WaitGroup
		for worker := range 8 {
			group.Go(func() {
				for round := range 30 {
					// Every round has a statement that nobody prepared yet.
					query := fmt.Sprintf("SELECT %d FROM notes", round)
					read := func(ctx context.Context) error { return db.Conn(ctx).Raw(query).Scan(new([]int)).Error }
					var err error
					if worker%2 == 0 {
						err = read(ctx)
					} else {
						err = db.InTx(ctx, read)
					}
					if err != nil {
						t.Errorf("worker %d, round %d: %v", worker, round, err)
						return
					}
				}
			})
		}
		group.Wait()
	})
}
