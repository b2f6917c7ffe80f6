package clients

import (
	"context"
	"fmt"

	"gatehouse/internal/database"
)

type row struct {
	TenantID                string
	ClientID                string
	Owner                   string
	KeyHash                 string
	KeySealed               string
	TokenEndpointAuthMethod string
	AuthMethodChosen        bool
	CallbackURL             string
	RedirectURIs            string `gorm:"column:redirect_uris"` // JSON, those beyond the callback URL
	GrantTypes              string // JSON
	PreviousKeyHash         string
	PreviousKeyExpiry       database.Micros
	DisplayName             string
	Description             string
	Active                  bool
	CreateTime              database.Micros
	LastUpdateTime          database.Micros
}

// TableName names the table for GORM.
func (row) TableName() string { return "clients" }

type store struct{ db *database.DB }

func (s store) insert(ctx context.Context, r row) error {
	return s.db.Conn(ctx).Create(&r).Error
}

// find returns one client, active or not; false when there is none.
func (s store) find(ctx context.Context, tenantID, clientID string) (row, bool, error) {
	if len(clientID) > maxID || !idPattern.MatchString(clientID) {
		return row{}, false, nil // cannot have been registered, and may be more than the database can take
	}
	r := row{TenantID: tenantID, ClientID: clientID}
	found, err := s.db.QueryRow(ctx, findQuery, []any{tenantID, clientID}, &r.Owner, &r.KeyHash, &r.KeySealed,
		&r.TokenEndpointAuthMethod, &r.AuthMethodChosen, &r.CallbackURL, &r.RedirectURIs, &r.GrantTypes, &r.PreviousKeyHash,
		&r.PreviousKeyExpiry, &r.DisplayName, &r.Description, &r.Active, &r.CreateTime, &r.LastUpdateTime)
	if err != nil {
		return row{}, false, fmt.Errorf("read client: %w", err)
	}
	return r, found, nil
}

const findQuery = `
SELECT owner, key_hash, key_sealed, token_endpoint_auth_method, auth_method_chosen, callback_url, redirect_uris, grant_types,
       previous_key_hash, previous_key_expiry, display_name, description, active, create_time, last_update_time
  FROM clients WHERE tenant_id = ? AND client_id = ?`

// list returns a window over one owner's clients, oldest first, and how many
// there are in all. Limit -1 means no limit.
func (s store) list(ctx context.Context, tenantID, owner string, inactive bool, limit, offset int) ([]row, int, error) {
	query := s.db.Conn(ctx).Model(&row{}).Where("tenant_id = ? AND owner = ?", tenantID, owner)
	if !inactive {
		query = query.Where("active = ?", true)
	}
	var total int64
	if err := query.Count(&total).Error; err != nil {
		return nil, 0, fmt.Errorf("count clients: %w", err)
	}
	var rows []row
	if err := query.Order("create_time, client_id").Limit(limit).Offset(offset).Find(&rows).Error; err != nil {
		return nil, 0, fmt.Errorf("list clients: %w", err)
	}
	return rows, int(total), nil
}

// count returns how many clients one owner has, active ones and all.
func (s store) count(ctx context.Context, tenantID, owner string) (active, ever int, err error) {
	var counts struct{ Active, Ever int }
	err = s.db.Conn(ctx).Model(&row{}).Select("COALESCE(SUM(CASE WHEN active THEN 1 ELSE 0 END), 0) AS active, COUNT(*) AS ever").
		Where("tenant_id = ? AND owner = ?", tenantID, owner).Scan(&counts).Error
	if err != nil {
		return 0, 0, fmt.Errorf("count clients: %w", err)
	}
	return counts.Active, counts.Ever, nil
}

// update changes the given columns of an active client; false when it is not
// there or not active.
func (s store) update(ctx context.Context, tenantID, clientID string, changes map[string]any) (bool, error) {
	done := s.db.Conn(ctx).Model(&row{}).
		Where("tenant_id = ? AND client_id = ? AND active = ?", tenantID, clientID, true).Updates(changes)
	if done.Error != nil {
		return false, fmt.Errorf("update client: %w", done.Error)
	}
	return done.RowsAffected == 1, nil
}

// replaceKey stores the keys of r if the client is active and still has the
// key of that hash; false otherwise.
func (s store) replaceKey(ctx context.Context, r row, before string) (bool, error) {
	n, err := s.db.Exec(ctx, `
UPDATE clients SET key_hash = ?, key_sealed = ?, previous_key_hash = ?, previous_key_expiry = ?, last_update_time = ?
 WHERE tenant_id = ? AND client_id = ? AND active AND key_hash = ?`,
		r.KeyHash, r.KeySealed, r.PreviousKeyHash, int64(r.PreviousKeyExpiry), int64(r.LastUpdateTime), r.TenantID, r.ClientID, before)
	if err != nil {
		return false, fmt.Errorf("replace client key: %w", err)
	}
	return n == 1, nil
}
