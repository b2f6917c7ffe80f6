package tenants

import (
	"context"

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

func (s ownerStore) exists(ctx context.Context, email string) (bool, error) {
	var n int64
	if err := s.db.Conn(ctx).Model(&ownerRow{}).Where("email = ?", email).Count(&n).Error; err != nil {
		return false, apierr.Wrap(err, "read owner")
	}
	return n > 0, nil
}

// ensure inserts the owner unless one with this address exists, and leaves
// that one as it is.
func (s ownerStore) ensure(ctx context.Context, o Owner) error {
	row := ownerRow{
		Email: o.Email, Name: o.Name, Institution: o.Institution,
		CreateTime: database.At(o.CreateTime), LastUpdateTime: database.At(o.LastUpdateTime),
	}
	if err := s.db.Conn(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&row).Error; err != nil {
		return apierr.Wrap(err, "insert owner")
	}
	return nil
}
