package tenants

import (
	"context"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
)

// changeStore is the one row that counts changes. Triggers on the tables of
// content make it grow, so that changes made by hand count as well.
type changeStore struct {
	db *database.DB
}

type changesRow struct {
	ID      int64 `gorm:"primaryKey"` // always 1
	Counter int64
}

// TableName implements GORM's Tabler.
func (changesRow) TableName() string { return "registry_changes" }

func (s changeStore) counter(ctx context.Context) (int64, error) {
	row := changesRow{ID: 1}
	if err := s.db.Conn(ctx).Take(&row).Error; err != nil {
		return 0, apierr.Wrap(err, "read change counter")
	}
	return row.Counter, nil
}

// lock makes other transactions that want to write wait until the one in ctx
// ends, and returns the counter before it. It counts as a change, and is the
// first statement of every write, so that two writers never wait for each
// other.
func (s changeStore) lock(ctx context.Context) (int64, error) {
	row := changesRow{ID: 1}
	result := s.db.Conn(ctx).Model(&row).Clauses(clause.Returning{}).UpdateColumn("counter", gorm.Expr("counter + 1"))
	if result.Error == nil && result.RowsAffected == 0 {
		result.Error = gorm.ErrRecordNotFound
	}
	if result.Error != nil {
		return 0, apierr.Wrap(result.Error, "lock registry")
	}
	return row.Counter - 1, nil
}
