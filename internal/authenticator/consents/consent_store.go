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

const oneConsent = "tenant_id = ? AND username = ? AND client_id = ?"

func (s store) find(ctx context.Context, tenantID, username, clientID string) (r row, found bool, err error) {
	found, err = s.db.QueryRow(ctx, `
SELECT tenant_id, username, client_id, scopes, always, fingerprint, grant_time, expiry_time
  FROM client_authorizations WHERE `+oneConsent, []any{tenantID, username, clientID},
		&r.TenantID, &r.Username, &r.ClientID, &r.Scopes, &r.Always, &r.Fingerprint, &r.GrantTime, &r.ExpiryTime)
	if err != nil {
		return row{}, false, fmt.Errorf("read consent: %w", err)
	}
	return r, found, nil
}

func (s store) save(ctx context.Context, r row) error {
	return database.Done("record consent", s.db.Conn(ctx).Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "tenant_id"}, {Name: "username"}, {Name: "client_id"}}, UpdateAll: true,
	}).Create(&r))
}

func (s store) list(ctx context.Context, tenantID, username string) (rows []row, err error) {
	err = database.Done("list consents",
		s.db.Conn(ctx).Order("client_id").Find(&rows, "tenant_id = ? AND username = ?", tenantID, username))
	return rows, err
}

func (s store) remove(ctx context.Context, tenantID, username, clientID string) error {
	return database.Done("remove consent", s.db.Conn(ctx).Delete(&row{}, oneConsent, tenantID, username, clientID))
}

func (s store) sweep(ctx context.Context, now database.Micros) error {
	return database.Done("sweep consents", s.db.Conn(ctx).Delete(&row{}, "expiry_time <= ?", now))
}
