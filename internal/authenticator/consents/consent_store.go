package consents

import (
	"context"
	"fmt"
	"strings"

	"gorm.io/gorm/clause"

	"gatehouse/internal/database"
)

type row struct {
	TenantID    string
	Username    string
	ClientID    string
	Scopes      string // separated by spaces
	Always      bool
	Fingerprint string
	GrantTime   database.Micros
	ExpiryTime  database.Micros
}

// TableName names the table for GORM.
func (row) TableName() string { return "client_authorizations" }

func (r row) scopes() []string { return strings.Fields(r.Scopes) }

type store struct{ db *database.DB }

func (s store) find(ctx context.Context, tenantID, username, clientID string) (row, bool, error) {
	r := row{TenantID: tenantID, Username: username, ClientID: clientID}
	found, err := s.db.QueryRow(ctx, `
SELECT scopes, always, fingerprint, grant_time, expiry_time FROM client_authorizations
 WHERE tenant_id = ? AND username = ? AND client_id = ?`,
		[]any{tenantID, username, clientID}, &r.Scopes, &r.Always, &r.Fingerprint, &r.GrantTime, &r.ExpiryTime)
	if err != nil {
		return row{}, false, fmt.Errorf("read consent: %w", err)
	}
	return r, found, nil
}

func (s store) save(ctx context.Context, r row) error {
	err := s.db.Conn(ctx).Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "tenant_id"}, {Name: "username"}, {Name: "client_id"}}, UpdateAll: true,
	}).Create(&r).Error
	if err != nil {
		return fmt.Errorf("record consent: %w", err)
	}
	return nil
}

func (s store) list(ctx context.Context, tenantID, username string) ([]row, error) {
	var rows []row
	err := s.db.Conn(ctx).Where("tenant_id = ? AND username = ?", tenantID, username).Order("client_id").Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("list consents: %w", err)
	}
	return rows, nil
}

func (s store) remove(ctx context.Context, tenantID, username, clientID string) error {
	err := s.db.Conn(ctx).Where("tenant_id = ? AND username = ? AND client_id = ?", tenantID, username, clientID).Delete(&row{}).Error
	if err != nil {
		return fmt.Errorf("remove consent: %w", err)
	}
	return nil
}

func (s store) sweep(ctx context.Context, now database.Micros) error {
	if err := s.db.Conn(ctx).Where("expiry_time <= ?", now).Delete(&row{}).Error; err != nil {
		return fmt.Errorf("sweep consents: %w", err)
	}
	return nil
}
