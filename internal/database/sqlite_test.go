package database_test

import (
	"errors"
	"slices"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"gatehouse/internal/database"
)

func TestAWindowMayHaveALimitAnOffsetOrBoth(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		for id, name := range []string{"zero", "one", "two", "three"} {
			if err := insert(t.Context(), db, int64(id), name); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			limit, offset int
			want          []int64
		}{
			{-1, 0, []int64{0, 1, 2, 3}},
			{-1, 3, []int64{3}},
			{2, 0, []int64{0, 1}},
			{2, 1, []int64{1, 2}},
			{0, 0, nil},
		} {
			var got []int64
			err := db.Conn(t.Context()).Model(&note{}).Order("id").Limit(c.limit).Offset(c.offset).Pluck("id", &got).Error
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("limit %d, offset %d: %v (%v), want %v", c.limit, c.offset, got, err, c.want)
			}
		}
	})
}

func TestAViolatedConstraintIsToldByKind(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		if err := insert(t.Context(), db, 1, "first"); err != nil {
			t.Fatal(err)
		}
		missing := int64(99)
		for name, c := range map[string]struct {
			row  note
			want error
		}{
			"the primary key":       {note{ID: 1, Name: "second"}, gorm.ErrDuplicatedKey},
			"another unique column": {note{ID: 2, Name: "first"}, gorm.ErrDuplicatedKey},
			"a reference":           {note{ID: 3, Name: "third", ParentID: &missing}, gorm.ErrForeignKeyViolated},
		} {
			if err := db.Conn(t.Context()).Create(&c.row).Error; !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
	})
}

func TestARowMayBeLockedWhereRowsCanBe(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		if err := insert(t.Context(), db, 1, "first"); err != nil {
			t.Fatal(err)
		}
		var got note
		err := db.Conn(t.Context()).Clauses(clause.Locking{Strength: "UPDATE"}).Where("notes.id = ?", 1).First(&got).Error
		if err != nil || got.Name != "first" {
			t.Errorf("%q, %v", got.Name, err)
		}
	})
}

func TestNamesThatNeedQuotesAreQuoted(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		exec(t, db, `CREATE TABLE "order" ("select" TEXT NOT NULL, "a ""quoted"" name" TEXT NOT NULL)`)
		row := map[string]any{"select": "x", `a "quoted" name`: "y"}
		if err := db.Conn(t.Context()).Table("order").Create(row).Error; err != nil {
			t.Fatal(err)
		}
		var got string
		err := db.Conn(t.Context()).Table("order").Select("?", clause.Column{Name: `a "quoted" name`}).
			Where(clause.Eq{Column: clause.Column{Table: "order", Name: "select"}, Value: "x"}).Scan(&got).Error
		if err != nil || got != "y" {
			t.Errorf("%q, %v", got, err)
		}
	})
}
