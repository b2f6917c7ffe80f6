package database_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/database"
)

var errStop = errors.New("stop")

func TestATransactionKeepsAllOrNothing(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			return errors.Join(insert(ctx, db, 1, "a"), insert(ctx, db, 2, "b"))
		})
		if err != nil || count(t, db, t.Context()) != 2 {
			t.Errorf("%v, %d rows", err, count(t, db, t.Context()))
		}
		err = db.InTx(t.Context(), func(ctx context.Context) error {
			if err := insert(ctx, db, 3, "c"); err != nil {
				return err
			}
			if n := count(t, db, ctx); n != 3 {
				t.Errorf("inside the transaction there are %d rows", n)
			}
			return fmt.Errorf("wrapped: %w", errStop)
		})
		if !errors.Is(err, errStop) || count(t, db, t.Context()) != 2 {
			t.Errorf("%v, %d rows", err, count(t, db, t.Context()))
		}
	})
}

func TestAPanicUndoesItsTransactionAndGoesOn(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		func() {
			defer func() {
				if r := recover(); r != "oh" {
					t.Errorf("recovered %v", r)
				}
			}()
			_ = db.InTx(t.Context(), func(ctx context.Context) error {
				if err := insert(ctx, db, 1, "a"); err != nil {
					t.Error(err)
				}
				panic("oh")
			})
			t.Error("the panic ended in the transaction")
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // a lost connection would hang here
		defer cancel()
		if n := count(t, db, ctx); n != 0 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestATransactionInsideAnotherIsPartOfIt(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		nested := func(outcome error) error {
			return db.InTx(t.Context(), func(ctx context.Context) error {
				if err := insert(ctx, db, 1, "outer"); err != nil {
					return err
				}
				err := db.InTx(ctx, func(ctx context.Context) error {
					if n := count(t, db, ctx); n != 1 {
						t.Errorf("the inner transaction sees %d rows", n)
					}
					return insert(ctx, db, 2, "inner")
				})
				if err != nil {
					return err
				}
				return outcome
			})
		}
		if err := nested(errStop); !errors.Is(err, errStop) || count(t, db, t.Context()) != 0 {
			t.Errorf("undone: %v, %d rows", err, count(t, db, t.Context()))
		}
		if err := nested(nil); err != nil || count(t, db, t.Context()) != 2 {
			t.Errorf("done: %v, %d rows", err, count(t, db, t.Context()))
		}
		// There are no savepoints: who goes on after an inner error keeps the rest.
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			_ = db.InTx(ctx, func(ctx context.Context) error {
				return errors.Join(insert(ctx, db, 3, "inner, failed"), errStop)
			})
			return nil
		})
		if err != nil || count(t, db, t.Context()) != 3 {
			t.Errorf("ignored: %v, %d rows", err, count(t, db, t.Context()))
		}
	})
}

func TestWhatWaitsForTheEndOfATransactionHappensThen(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		var seen []int64
		look := func() { seen = append(seen, count(t, db, t.Context())) }
		run := func(outcome error) {
			t.Helper()
			err := db.InTx(t.Context(), func(ctx context.Context) error {
				return errors.Join(db.InTx(ctx, func(ctx context.Context) error {
					db.AtEnd(ctx, look)
					return insert(ctx, db, 1, "a")
				}), outcome)
			})
			if !errors.Is(err, outcome) {
				t.Fatal(err)
			}
		}
		db.AtEnd(t.Context(), look) // there is none
		run(errStop)
		run(nil)
		if !slices.Equal(seen, []int64{0, 0, 1}) {
			t.Errorf("seen: %v", seen)
		}
	})
}

func TestWhatIsNotYetCommittedIsNotSeenOutside(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		outside := func() (n int64, err error) {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			err = db.Conn(ctx).Model(&note{}).Count(&n).Error
			return n, err
		}
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			if err := insert(ctx, db, 1, "a"); err != nil {
				return err
			}
			n, err := outside()
			waited := db.Dialect() == database.SQLite && errors.Is(err, context.DeadlineExceeded) // it has one connection
			if !waited && (n != 0 || err != nil) {
				t.Errorf("outside there are %d rows, %v", n, err)
			}
			return nil
		})
		if err != nil || count(t, db, t.Context()) != 1 {
			t.Errorf("%v, %d rows", err, count(t, db, t.Context()))
		}
	})
}

func TestTwoDatabasesNeverShareATransaction(t *testing.T) {
	each(t, func(t *testing.T, one *database.DB) {
		two := open(t, "sqlite:"+filepath.Join(t.TempDir(), "two.db"))
		exec(t, two, notesTable)
		err := one.InTx(t.Context(), func(ctx context.Context) error {
			if err := insert(ctx, one, 1, "one"); err != nil {
				return err
			}
			if err := insert(ctx, two, 1, "two, outside of any transaction"); err != nil {
				return err
			}
			err := two.InTx(ctx, func(ctx context.Context) error {
				return errors.Join(insert(ctx, two, 2, "two"), insert(ctx, one, 2, "one again"))
			})
			if err != nil {
				return err
			}
			err = two.InTx(ctx, func(ctx context.Context) error {
				return errors.Join(insert(ctx, two, 3, "two, undone"), errStop)
			})
			if !errors.Is(err, errStop) || count(t, one, ctx) != 2 {
				t.Errorf("%v, %d rows", err, count(t, one, ctx))
			}
			return errStop
		})
		if !errors.Is(err, errStop) || count(t, one, t.Context()) != 0 || count(t, two, t.Context()) != 2 {
			t.Errorf("%v, %d rows in one, %d in two", err, count(t, one, t.Context()), count(t, two, t.Context()))
		}
	})
}

func TestACancelledContextUndoesTheTransaction(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		err := db.InTx(ctx, func(ctx context.Context) error {
			if err := insert(ctx, db, 1, "a"); err != nil {
				return err
			}
			cancel()
			return nil
		})
		if !errors.Is(err, context.Canceled) || count(t, db, t.Context()) != 0 {
			t.Errorf("cancelled inside: %v, %d rows", err, count(t, db, t.Context()))
		}
		ran := false
		err = db.InTx(ctx, func(context.Context) error { ran = true; return nil })
		if !errors.Is(err, context.Canceled) || ran {
			t.Errorf("cancelled before: %v, ran: %t", err, ran)
		}
		if err := db.Conn(ctx).First(&note{}).Error; !errors.Is(err, context.Canceled) {
			t.Errorf("Conn does not heed its context: %v", err)
		}
	})
}

func TestParallelTransactionsAllCount(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		if err := insert(t.Context(), db, 1, "counter"); err != nil {
			t.Fatal(err)
		}
		const workers, rounds = 8, 10
		var group sync.WaitGroup
		for range workers {
			group.Go(func() {
				for range rounds {
					err := db.InTx(t.Context(), func(ctx context.Context) error {
						return db.Conn(ctx).Exec("UPDATE notes SET at = at + 1 WHERE id = ?", 1).Error
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		var got note
		if err := db.Conn(t.Context()).First(&got).Error; err != nil || got.At != workers*rounds {
			t.Errorf("counted %d (%v)", got.At, err)
		}
	})
}

func TestTwoProcessesWriteOneSQLiteFileInTurn(t *testing.T) {
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "shared.db")
	one, two := open(t, dsn), open(t, dsn)
	exec(t, one, notesTable)
	holding := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		err := one.InTx(t.Context(), func(ctx context.Context) error {
			err := insert(ctx, one, 1, "one")
			close(holding)
			time.Sleep(200 * time.Millisecond)
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-holding
	if n := count(t, two, t.Context()); n != 0 {
		t.Errorf("a reader sees %d rows that are not committed", n)
	}
	err := two.InTx(t.Context(), func(ctx context.Context) error {
		if n := count(t, two, ctx); n != 1 {
			t.Errorf("the second writer began before the first ended: %d rows", n)
		}
		return insert(ctx, two, 2, "two")
	})
	if err != nil {
		t.Error(err)
	}
	group.Wait()
}

func TestAMissingRowAndADoubledOneAreTold(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		ctx := t.Context()
		if err := insert(ctx, db, 1, "a"); err != nil {
			t.Fatal(err)
		}
		missing := int64(99)
		for name, test := range map[string]struct {
			err                 error
			notFound, duplicate bool
		}{
			"no row":            {db.Conn(ctx).First(&note{}, 7).Error, true, false},
			"no rows":           {db.Conn(ctx).Find(&[]note{}, 7).Error, false, false},
			"key twice":         {insert(ctx, db, 1, "b"), false, true},
			"unique twice":      {insert(ctx, db, 2, "a"), false, true},
			"unique twice, raw": {db.Conn(ctx).Exec("INSERT INTO notes (id, name, at) VALUES (?, ?, ?)", 3, "a", 0).Error, false, true},
			"wrapped":           {fmt.Errorf("insert: %w", insert(ctx, db, 1, "b")), false, true},
			"in a transaction":  {db.InTx(ctx, func(ctx context.Context) error { return insert(ctx, db, 1, "b") }), false, true},
			"updated to a double": {errors.Join(insert(ctx, db, 4, "d"),
				db.Conn(ctx).Exec("UPDATE notes SET name = ? WHERE id = ?", "a", 4).Error), false, true},
			"a foreign key":          {db.Conn(ctx).Create(&note{ID: 5, Name: "e", ParentID: &missing}).Error, false, false},
			"NULL where none may be": {db.Conn(ctx).Exec("INSERT INTO notes (id, name, at) VALUES (6, NULL, 0)").Error, false, false},
			"nothing":                {nil, false, false},
		} {
			if database.IsNotFound(test.err) != test.notFound || database.IsDuplicate(test.err) != test.duplicate {
				t.Errorf("%s: %v is seen as not found: %t, duplicate: %t", name, test.err, database.IsNotFound(test.err),
					database.IsDuplicate(test.err))
			}
			if succeeds := name == "nothing" || name == "no rows"; (test.err == nil) != succeeds {
				t.Errorf("%s: %v", name, test.err)
			}
		}
	})
}

func TestAParentThatIsReferredToStays(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		parent := int64(1)
		if err := errors.Join(insert(t.Context(), db, 1, "parent"),
			db.Conn(t.Context()).Create(&note{ID: 2, Name: "child", ParentID: &parent}).Error); err != nil {
			t.Fatal(err)
		}
		if err := db.Conn(t.Context()).Delete(&note{}, 1).Error; err == nil || count(t, db, t.Context()) != 2 {
			t.Errorf("%v, %d rows", err, count(t, db, t.Context()))
		}
	})
}

func TestATimeSurvivesTheDatabaseToTheMicrosecond(t *testing.T) {
	zone := time.FixedZone("somewhere", -7*3600)
	each(t, func(t *testing.T, db *database.DB) {
		for i, at := range []time.Time{
			{},
			time.Date(2020, 7, 2, 23, 45, 16, 123456789, time.UTC),
			time.Date(2020, 7, 2, 23, 45, 16, 999999999, zone),
			time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC),
			time.Date(1970, 1, 1, 0, 0, 0, 1000, time.UTC),
			time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
			time.Now(),
		} {
			id := int64(i + 1)
			if err := db.Conn(t.Context()).Create(&note{ID: id, Name: fmt.Sprint(i), At: database.At(at)}).Error; err != nil {
				t.Fatal(err)
			}
			var got note
			if err := db.Conn(t.Context()).First(&got, id).Error; err != nil {
				t.Fatal(err)
			}
			if back := got.At.Time(); !back.Equal(at.Truncate(time.Microsecond)) || back.Location() != time.UTC {
				t.Errorf("%s came back as %s", at, back)
			}
			if (got.At == 0) != at.IsZero() {
				t.Errorf("%s is stored as %d", at, got.At)
			}
		}
		var ids []int64
		if err := db.Conn(t.Context()).Model(&note{}).Order("at, id").Pluck("id", &ids).Error; err != nil ||
			fmt.Sprint(ids) != "[4 1 5 2 3 7 6]" {
			t.Errorf("in order of time the rows are %v (%v)", ids, err)
		}
	})
}
