package clients

import (
	"context"

	"gorm.io/gorm"

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
	Trusted                 bool
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
func (s store) find(ctx context.Context, tenantID, clientID string) (r row, found bool, err error) {
	if len(clientID) > maxID || !idPattern.MatchString(clientID) {
		return row{}, false, nil // cannot have been registered, and may be more than the database can take
	}
	found, err = database.One("read client",
		s.db.Conn(ctx).Limit(1).Find(&r, "tenant_id = ? AND client_id = ?", tenantID, clientID))
	return r, found, err
}

// list returns a window over one owner's clients, oldest first, and how many
// there are in all. Limit -1 means no limit.
func (s store) list(ctx context.Context, tenantID, owner string, inactive bool, limit, offset int) ([]row, int, error) {
	query := s.db.Conn(ctx).Model(&row{}).Where("tenant_id = ? AND owner = ?", tenantID, owner)
	if !inactive {
		query = query.Where("active = ?", true)
	}
	var total int64
	if err := database.Done("count clients", query.Count(&total)); err != nil {
		return nil, 0, err
	}
	var rows []row
	err := database.Done("list clients", query.Order("create_time, client_id").Limit(limit).Offset(offset).Find(&rows))
	return rows, int(total), err
}

// count returns how many clients one owner has, active ones and all.
func (s store) count(ctx context.Context, tenantID, owner string) (active, ever int, err error) {
	var counts struct{ Active, Ever int }
	err = database.Done("count clients", s.db.Conn(ctx).Model(&row{}).
		Select("COALESCE(SUM(CASE WHEN active THEN 1 ELSE 0 END), 0) AS active, COUNT(*) AS ever").
		Where("tenant_id = ? AND owner = ?", tenantID, owner).Scan(&counts))
	return counts.Active, counts.Ever, err
}

// active is a statement about a client that is active.
func (s store) active(ctx context.Context, tenantID, clientID string) *gorm.DB {
	return s.db.Conn(ctx).Model(&row{}).Where("tenant_id = ? AND client_id = ? AND active = ?", tenantID, clientID, true)
}

// update changes the given columns of an active client; false when it is not
// there or not active.
func (s store) update(ctx context.Context, tenantID, clientID string, changes map[string]any) (bool, error) {
	return database.One("update client", s.active(ctx, tenantID, clientID).Updates(changes))
}

// replaceKey stores the keys of r if the client is active and still has the
// key of that hash; false otherwise.
func (s store) replaceKey(ctx context.Context, r row, before string) (bool, error) {
	return database.One("replace client key", s.active(ctx, r.TenantID, r.ClientID).Where("key_hash = ?", before).
		Select("key_hash", "key_sealed", "previous_key_hash", "previous_key_expiry", "last_update_time").Updates(r))
}
