package keys

import (
	"context"
	"fmt"

	"gorm.io/gorm/clause"

	"gatehouse/internal/database"
)

// The states of a key's life.
const (
	stateActive  = "active"
	stateRetired = "retired"
)

type row struct {
	TenantID     string
	KID          string `gorm:"column:kid"`
	State        string
	PrivateKey   string // sealed PEM of PKCS #8
	PublicKey    string
	CreateTime   database.Micros
	ActivateTime database.Micros
	RetireTime   database.Micros
}

// TableName names the table for GORM.
func (row) TableName() string { return "signing_keys" }

type store struct{ db *database.DB }

// insertIfNoneActive stores r unless the tenant has an active key already;
// several processes may try at once and one wins.
func (s store) insertIfNoneActive(ctx context.Context, r row) error {
	if err := s.db.Conn(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&r).Error; err != nil {
		return fmt.Errorf("store signing key: %w", err)
	}
	return nil
}

// usable returns the keys of one tenant that may still verify something.
func (s store) usable(ctx context.Context, tenantID string) ([]row, error) {
	var rows []row
	err := s.db.Conn(ctx).Where("tenant_id = ? AND state <> ?", tenantID, stateRetired).
		Order("create_time, kid").Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	return rows, nil
}
