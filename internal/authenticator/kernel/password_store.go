package kernel

import (
	"context"
	"fmt"

	"gorm.io/gorm/clause"

	"gatehouse/internal/database"
)

type passwordRow struct {
	TenantID       string
	Service        string
	Hash           string
	LastUpdateTime database.Micros
}

// TableName names the table for GORM.
func (passwordRow) TableName() string { return "service_passwords" }

type store struct{ db *database.DB }

func (s store) savePassword(ctx context.Context, r passwordRow) error {
	err := s.db.Conn(ctx).Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "tenant_id"}, {Name: "service"}}, UpdateAll: true,
	}).Create(&r).Error
	if err != nil {
		return fmt.Errorf("store service password: %w", err)
	}
	return nil
}

// removePassword reports whether there was one.
func (s store) removePassword(ctx context.Context, tenantID, service string) (bool, error) {
	return database.One("remove service password",
		s.db.Conn(ctx).Delete(&passwordRow{}, "tenant_id = ? AND service = ?", tenantID, service))
}

// passwordHash returns the hash of an account's password, "" when there is none.
func (s store) passwordHash(ctx context.Context, tenantID, service string) (string, error) {
	var hash string
	_, err := s.db.QueryRow(ctx, `SELECT hash FROM service_passwords WHERE tenant_id = ? AND service = ?`,
		[]any{tenantID, service}, &hash)
	if err != nil {
		return "", fmt.Errorf("read service password: %w", err)
	}
	return hash, nil
}
