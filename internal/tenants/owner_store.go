package tenants

import (
	"cmp"
	"context"
	"slices"

	"gorm.io/gorm/clause"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
)

// ownerStore is the table of owners.
type ownerStore struct {
	db *database.DB
}

type ownerRow struct {
	Email          string `gorm:"primaryKey"`
	Name           string
	Institution    string
	CreateTime     database.Micros
	LastUpdateTime database.Micros
}

// TableName implements GORM's Tabler.
func (ownerRow) TableName() string { return "owners" }

// all returns the owners, ordered by e-mail address.
func (s ownerStore) all(ctx context.Context) ([]Owner, error) {
	var rows []ownerRow
	if err := s.db.Conn(ctx).Find(&rows).Error; err != nil {
		return nil, apierr.Wrap(err, "read owners")
	}
	owners := make([]Owner, len(rows))
	for i, r := range rows {
		owners[i] = Owner{
			Email: r.Email, Name: r.Name, Institution: r.Institution,
			CreateTime: r.CreateTime.Time(), LastUpdateTime: r.LastUpdateTime.Time(),
		}
	}
	// Sorted here, because databases differ in how they order letters.
	slices.SortFunc(owners, func(a, b Owner) int { return cmp.Compare(a.Email, b.Email) })
	return owners, nil
}

// ensure inserts the owner unless one with this address exists, and leaves
// that one as it is.
func (s ownerStore) ensure(ctx context.Context, o Owner) error {
	row := newOwnerRow(o)
	if err := s.db.Conn(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&row).Error; err != nil {
		return apierr.Wrap(err, "insert owner")
	}
	return nil
}

// put inserts the owner, or overwrites the name and institution of the one
// who has the address.
func (s ownerStore) put(ctx context.Context, o Owner) error {
	row := newOwnerRow(o)
	err := s.db.Conn(ctx).Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "email"}},
		DoUpdates: clause.AssignmentColumns([]string{"name", "institution", "last_update_time"}),
	}).Create(&row).Error
	if err != nil {
		return apierr.Wrap(err, "write owner")
	}
	return nil
}

func (s ownerStore) remove(ctx context.Context, email string) error {
	if err := s.db.Conn(ctx).Delete(&ownerRow{Email: email}).Error; err != nil {
		return apierr.Wrap(err, "delete owner")
	}
	return nil
}

func newOwnerRow(o Owner) ownerRow {
	return ownerRow{
		Email: o.Email, Name: o.Name, Institution: o.Institution,
		CreateTime: database.At(o.CreateTime), LastUpdateTime: database.At(o.LastUpdateTime),
	}
}
