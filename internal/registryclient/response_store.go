package registryclient

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm/clause"

	"gatehouse/internal/database"
)

type response struct {
	Resource  string
	ETag      string `gorm:"column:etag"`
	Body      string
	FetchTime database.Micros
}

// TableName names the table for GORM.
func (response) TableName() string { return "registry_views" }

type store struct{ db *database.DB }

func (s store) load(ctx context.Context) (map[string]response, error) {
	var rows []response
	if err := s.db.Conn(ctx).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read remembered registry snapshot: %w", err)
	}
	byResource := map[string]response{}
	for _, r := range rows {
		byResource[r.Resource] = r
	}
	return byResource, nil
}

// one returns what is remembered of one resource; its Body is empty when
// nothing is.
func (s store) one(ctx context.Context, resource string) (response, error) {
	var rows []response
	if err := s.db.Conn(ctx).Where("resource = ?", resource).Limit(1).Find(&rows).Error; err != nil {
		return response{}, fmt.Errorf("read remembered registry answer: %w", err)
	}
	if len(rows) == 0 {
		return response{}, nil
	}
	return rows[0], nil
}

func (s store) save(ctx context.Context, resource, etag, body string, now time.Time) error {
	r := response{Resource: resource, ETag: etag, Body: body, FetchTime: database.At(now)}
	err := s.db.Conn(ctx).Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "resource"}}, UpdateAll: true,
	}).Create(&r).Error
	if err != nil {
		return fmt.Errorf("remember registry snapshot: %w", err)
	}
	return nil
}
