package kernel

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"gatehouse/internal/database"
)

type secretRow struct {
	TenantID     string
	SecretType   string
	Account      string
	Name         string
	Version      int
	Content      string // sealed JSON object of strings; empty once destroyed
	CreateTime   database.Micros
	DeletionTime database.Micros
	DestroyTime  database.Micros
}

// TableName names the table for GORM.
func (secretRow) TableName() string { return "secrets" }

// at selects the versions of one secret.
func (s store) at(ctx context.Context, a SecretAddress) *gorm.DB {
	return s.db.Conn(ctx).Model(&secretRow{}).
		Where("tenant_id = ? AND secret_type = ? AND account = ? AND name = ?", a.TenantID, a.Type, a.Account, a.Name)
}

// insertSecret stores a version; a version that exists already is a conflict.
func (s store) insertSecret(ctx context.Context, r secretRow) error {
	if err := s.db.Conn(ctx).Create(&r).Error; err != nil {
		return fmt.Errorf("store secret: %w", err)
	}
	return nil
}

// secretVersion returns one version, the newest when version is 0; false when
// there is none.
func (s store) secretVersion(ctx context.Context, a SecretAddress, version int) (secretRow, bool, error) {
	query := s.at(ctx, a)
	if version > 0 {
		query = query.Where("version = ?", version)
	}
	var rows []secretRow
	if err := query.Order("version DESC").Limit(1).Find(&rows).Error; err != nil {
		return secretRow{}, false, fmt.Errorf("read secret: %w", err)
	}
	if len(rows) == 0 {
		return secretRow{}, false, nil
	}
	return rows[0], true, nil
}

// secretVersions returns all versions without their contents, oldest first.
func (s store) secretVersions(ctx context.Context, a SecretAddress) ([]secretRow, error) {
	var rows []secretRow
	if err := s.at(ctx, a).Omit("content").Order("version").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("list versions of secret: %w", err)
	}
	return rows, nil
}

// secretNames returns the names of an account's secrets of one type.
func (s store) secretNames(ctx context.Context, a SecretAddress) ([]string, error) {
	names := []string{}
	err := s.db.Conn(ctx).Model(&secretRow{}).Distinct("name").
		Where("tenant_id = ? AND secret_type = ? AND account = ?", a.TenantID, a.Type, a.Account).Pluck("name", &names).Error
	if err != nil {
		return nil, fmt.Errorf("list secrets: %w", err)
	}
	return names, nil
}

// updateSecret changes columns of versions that are not destroyed.
func (s store) updateSecret(ctx context.Context, a SecretAddress, versions []int, changes map[string]any) error {
	if err := s.at(ctx, a).Where("version IN ? AND destroy_time = 0", versions).Updates(changes).Error; err != nil {
		return fmt.Errorf("update secret: %w", err)
	}
	return nil
}

// eraseSecret removes the versions up to one, all of them when upTo is 0.
func (s store) eraseSecret(ctx context.Context, a SecretAddress, upTo int) error {
	query := s.at(ctx, a)
	if upTo > 0 {
		query = query.Where("version <= ?", upTo)
	}
	if err := query.Delete(&secretRow{}).Error; err != nil {
		return fmt.Errorf("erase secret: %w", err)
	}
	return nil
}
