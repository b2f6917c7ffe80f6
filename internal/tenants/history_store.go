package tenants

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
)

// historyStore is the table of the changes of tenants.
type historyStore struct {
	db *database.DB
}

type historyRow struct {
	ID         int64 `gorm:"primaryKey"`
	TenantID   string
	UpdateTime database.Micros
	UpdatedBy  string
	Updates    string
}

// TableName implements GORM's Tabler.
func (historyRow) TableName() string { return "tenant_history" }

// fieldChange is a change of one field as history keeps it.
type fieldChange struct {
	Prev any `json:"prev"`
	New  any `json:"new"`
}

// add notes which fields of a tenant were changed, when and by whom.
func (s historyStore) add(ctx context.Context, tenantID string, at time.Time, by string, differences []Difference) error {
	updates := make(map[string]fieldChange, len(differences))
	for _, d := range differences {
		u := fieldChange{Prev: d.Prev, New: d.New}
		if d.Field == "status" { // upper case, as answers have it
			u = fieldChange{Prev: strings.ToUpper(d.Prev.(string)), New: strings.ToUpper(d.New.(string))}
		}
		updates[d.Field] = u
	}
	text, err := json.Marshal(updates)
	if err != nil {
		return apierr.Wrap(err, "encode tenant history")
	}
	row := historyRow{TenantID: tenantID, UpdateTime: database.At(at), UpdatedBy: by, Updates: string(text)}
	if err := s.db.Conn(ctx).Create(&row).Error; err != nil {
		return apierr.Wrap(err, "insert tenant history")
	}
	return nil
}
