package tenantconfig

import (
	"context"
	"fmt"

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
	r := row{TenantID: tenantID, Settings: "{}"}
	_, err := s.db.QueryRow(ctx, `SELECT settings, last_update_time, last_update_by FROM tenant_configs WHERE tenant_id = ?`,
		[]any{tenantID}, &r.Settings, &r.LastUpdateTime, &r.LastUpdateBy)
	if err != nil {
		return row{}, fmt.Errorf("read settings of tenant %s: %w", tenantID, err)
	}
	return r, nil
}

// lock returns the row of a tenant, made if there is none, and keeps others
// from it until the transaction of ctx ends.
func (s store) lock(ctx context.Context, tenantID string) (row, error) {
	err := s.db.Conn(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&row{TenantID: tenantID, Settings: "{}"}).Error
	if err != nil {
		return row{}, fmt.Errorf("make settings of tenant %s: %w", tenantID, err)
	}
	var r row
	if err := s.db.Conn(ctx).Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Where("tenant_id = ?", tenantID).Take(&r).Error; err != nil {
		return row{}, fmt.Errorf("read settings of tenant %s: %w", tenantID, err)
	}
	return r, nil
}

// save replaces the row that lock returned.
func (s store) save(ctx context.Context, r row) error {
	err := s.db.Conn(ctx).Model(&row{}).Where("tenant_id = ?", r.TenantID).
		Updates(map[string]any{"settings": r.Settings, "last_update_time": r.LastUpdateTime, "last_update_by": r.LastUpdateBy}).Error
	if err != nil {
		return fmt.Errorf("store settings of tenant %s: %w", r.TenantID, err)
	}
	return nil
}
