package security

import (
	"context"
	"fmt"

	"gatehouse/internal/database"
)

type secretRow struct {
	TenantID   string
	SecretType string
	Account    string
	Name       string
	Version    int
	Content    string // sealed JSON object of strings
	CreateTime database.Micros
}

// TableName names the table for GORM.
func (secretRow) TableName() string { return "secrets" }

// insertSecret stores a version; a version that exists already is a conflict.
func (s store) insertSecret(ctx context.Context, r secretRow) error {
	if err := s.db.Conn(ctx).Create(&r).Error; err != nil {
		return fmt.Errorf("store secret: %w", err)
	}
	return nil
}

// newestSecret returns the newest version; false when there is none.
func (s store) newestSecret(ctx context.Context, a SecretAddress) (secretRow, bool, error) {
	var rows []secretRow
	err := s.db.Conn(ctx).Where("tenant_id = ? AND secret_type = ? AND account = ? AND name = ?", a.TenantID, a.Type, a.Account, a.Name).
		Order("version DESC").Limit(1).Find(&rows).Error
	if err != nil {
		return secretRow{}, false, fmt.Errorf("read secret: %w", err)
	}
	if len(rows) == 0 {
		return secretRow{}, false, nil
	}
	return rows[0], true, nil
}
