package tenantconfig

import (
	"context"

	"gorm.io/gorm/clause"

	"gatehouse/internal/database"
)

type row struct {
	TenantID       string
	Settings       string // a document
	LastUpdateTime database.Micros
	LastUpdateBy   string
}

// TableName names the table for GORM.
func (row) TableName() string { return "tenant_configs" }

type store struct{ db *database.DB }

// load returns the row of a tenant, empty when there is none.
func (s store) load(ctx context.Context, tenantID string) (row, error) {
	var r row
	found, err := database.One("read settings of tenant "+tenantID, s.db.Conn(ctx).Limit(1).Find(&r, "tenant_id = ?", tenantID))
	if !found {
		r = row{TenantID: tenantID, Settings: "{}"}
	}
	return r, err
}

// lock returns the row of a tenant, made if there is none, and keeps others
// from it until the transaction of ctx ends.
func (s store) lock(ctx context.Context, tenantID string) (row, error) {
	r := row{TenantID: tenantID, Settings: "{}"}
	err := database.Done("make settings of tenant "+tenantID,
		s.db.Conn(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&r))
	if err != nil {
		return row{}, err
	}
	err = database.Done("read settings of tenant "+tenantID,
		s.db.Conn(ctx).Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Take(&r, "tenant_id = ?", tenantID))
	return r, err
}

// save replaces the row that lock returned.
func (s store) save(ctx context.Context, r row) error {
	return database.Done("store settings of tenant "+r.TenantID, s.db.Conn(ctx).Model(&row{}).
		Where("tenant_id = ?", r.TenantID).Select("settings", "last_update_time", "last_update_by").Updates(r))
}
