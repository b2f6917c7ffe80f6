package tenantconfig

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gorm.io/gorm/clause"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
)

type row struct {
	TenantID       string
	Settings       string
	LastUpdateTime database.Micros
}

// TableName names the table for GORM.
func (row) TableName() string { return "tenant_configs" }

// stored is the JSON of a row. Absent members mean the default; lifetimes are
// seconds.
type stored struct {
	GrantTypes    *[]string `json:"allowable_grant_types,omitempty"`
	AccessTTL     *int64    `json:"default_access_token_ttl,omitempty"`
	RefreshTTL    *int64    `json:"default_refresh_token_ttl,omitempty"`
	MaxAccessTTL  *int64    `json:"max_access_token_ttl,omitempty"`
	MaxRefreshTTL *int64    `json:"max_refresh_token_ttl,omitempty"`
	RotateRefresh *bool     `json:"rotate_refresh_tokens,omitempty"`
}

func newStored(s Settings) stored {
	grantTypes := append([]string{}, s.GrantTypes...) // nil would read as the default
	accessTTL, refreshTTL := seconds(s.AccessTTL), seconds(s.RefreshTTL)
	maxAccess, maxRefresh := seconds(s.MaxAccessTTL), seconds(s.MaxRefreshTTL)
	return stored{
		GrantTypes: &grantTypes, AccessTTL: &accessTTL, RefreshTTL: &refreshTTL, MaxAccessTTL: &maxAccess,
		MaxRefreshTTL: &maxRefresh, RotateRefresh: &s.RotateRefresh,
	}
}

func (s stored) settings() Settings {
	settings := Defaults()
	override(&settings.GrantTypes, s.GrantTypes)
	override(&settings.RotateRefresh, s.RotateRefresh)
	overrideSeconds(&settings.AccessTTL, s.AccessTTL)
	overrideSeconds(&settings.RefreshTTL, s.RefreshTTL)
	overrideSeconds(&settings.MaxAccessTTL, s.MaxAccessTTL)
	overrideSeconds(&settings.MaxRefreshTTL, s.MaxRefreshTTL)
	settings.AccessTTL = min(settings.AccessTTL, settings.MaxAccessTTL)
	settings.RefreshTTL = min(settings.RefreshTTL, settings.MaxRefreshTTL)
	return settings
}

func override[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// longest bounds lifetimes, in seconds: the century that the service SDK asks for.
const longest = 100 * 365 * 24 * 3600

func overrideSeconds(to *time.Duration, from *int64) {
	if from != nil {
		*to = time.Duration(min(max(*from, 1), longest)) * time.Second
	}
}

type store struct{ db *database.DB }

func (s store) load(ctx context.Context, tenantID string) (Settings, error) {
	var rows []row
	if err := s.db.Conn(ctx).Where("tenant_id = ?", tenantID).Limit(1).Find(&rows).Error; err != nil {
		return Settings{}, apierr.Away(fmt.Errorf("read settings of tenant %s: %w", tenantID, err), "The database")
	}
	if len(rows) == 0 {
		return Defaults(), nil
	}
	var read stored
	if err := json.Unmarshal([]byte(rows[0].Settings), &read); err != nil {
		return Settings{}, apierr.Wrap(err, "decode settings of tenant "+tenantID)
	}
	return read.settings(), nil
}

func (s store) save(ctx context.Context, tenantID string, settings stored, now time.Time) error {
	text, err := json.Marshal(settings)
	if err != nil {
		return apierr.Wrap(err, "encode settings of tenant "+tenantID)
	}
	r := row{TenantID: tenantID, Settings: string(text), LastUpdateTime: database.At(now)}
	err = s.db.Conn(ctx).Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "tenant_id"}}, UpdateAll: true}).Create(&r).Error
	if err != nil {
		return apierr.Away(fmt.Errorf("store settings of tenant %s: %w", tenantID, err), "The database")
	}
	return nil
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
