package sessions

import (
	"context"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"gatehouse/internal/database"
)

type sessionRow struct {
	TenantID   string
	CookieHash string
	Username   string
	AuthTime   database.Micros
	AMR        string // separated by spaces
	IDPID      string `gorm:"column:idp_id"`
	Kept       string // sealed
	CreateTime database.Micros
	SeenTime   database.Micros
	ExpiryTime database.Micros
}

// TableName names the table for GORM.
func (sessionRow) TableName() string { return "sessions" }

type flowRow struct {
	TenantID   string
	ID         string
	CookieHash string
	Kind       string
	Content    string // sealed
	CreateTime database.Micros
	ExpiryTime database.Micros
}

// TableName names the table for GORM.
func (flowRow) TableName() string { return "flows" }

// flowKey names a flow that is live now.
type flowKey struct {
	tenantID, cookieHash, kind, id string
	now                            database.Micros
}

type store struct{ db *database.DB }

// ofCookie holds for the session of a browser and for its flows.
const ofCookie = "tenant_id = ? AND cookie_hash = ?"

// session returns a session; false when there is none.
func (s store) session(ctx context.Context, tenantID, cookieHash string) (r sessionRow, found bool, err error) {
	found, err = s.db.QueryRow(ctx, `
SELECT tenant_id, cookie_hash, username, auth_time, amr, idp_id, kept, create_time, seen_time, expiry_time
  FROM sessions WHERE `+ofCookie, []any{tenantID, cookieHash},
		&r.TenantID, &r.CookieHash, &r.Username, &r.AuthTime, &r.AMR, &r.IDPID, &r.Kept, &r.CreateTime, &r.SeenTime, &r.ExpiryTime)
	if err != nil {
		return sessionRow{}, false, fmt.Errorf("read session: %w", err)
	}
	return r, found, nil
}

func (s store) insertSession(ctx context.Context, r sessionRow) error {
	return database.Done("record session", s.db.Conn(ctx).Create(&r))
}

func (s store) seen(ctx context.Context, tenantID, cookieHash string, now database.Micros) error {
	return database.Done("note use of session", s.db.Conn(ctx).Model(&sessionRow{}).
		Where(ofCookie+" AND seen_time < ?", tenantID, cookieHash, now).Update("seen_time", now))
}

func (s store) deleteSession(ctx context.Context, tenantID, cookieHash string) error {
	return database.Done("end session", s.db.Conn(ctx).Delete(&sessionRow{}, ofCookie, tenantID, cookieHash))
}

func (s store) deleteSessions(ctx context.Context, tenantID, username string) error {
	return database.Done("end sessions",
		s.db.Conn(ctx).Delete(&sessionRow{}, "tenant_id = ? AND username = ?", tenantID, username))
}

func (s store) keep(ctx context.Context, tenantID, cookieHash, sealed string) error {
	return database.Done("keep with session",
		s.db.Conn(ctx).Model(&sessionRow{}).Where(ofCookie, tenantID, cookieHash).Update("kept", sealed))
}

func (s store) insertFlow(ctx context.Context, r flowRow) error {
	return database.Done("record flow", s.db.Conn(ctx).Create(&r))
}

// trimFlows deletes all flows of a browser but the newest.
func (s store) trimFlows(ctx context.Context, tenantID, cookieHash string, newest int) error {
	old := s.db.Conn(ctx).Model(&flowRow{}).Select("id").Where(ofCookie, tenantID, cookieHash).
		Order("create_time DESC, id").Limit(1000).Offset(newest)
	return database.Done("trim flows",
		s.db.Conn(ctx).Delete(&flowRow{}, ofCookie+" AND id IN (?)", tenantID, cookieHash, old))
}

// live is a statement about a flow that is live.
func (s store) live(ctx context.Context, k flowKey) *gorm.DB {
	return s.db.Conn(ctx).Model(&flowRow{}).Where("tenant_id = ? AND id = ? AND cookie_hash = ? AND kind = ? AND expiry_time > ?",
		k.tenantID, k.id, k.cookieHash, k.kind, k.now)
}

func (s store) flow(ctx context.Context, k flowKey) (content string, found bool, err error) {
	found, err = database.One("read flow", s.live(ctx, k).Select("content").Limit(1).Scan(&content))
	return content, found, err
}

func (s store) changeFlow(ctx context.Context, k flowKey, content string) (there bool, err error) {
	return database.One("change flow", s.live(ctx, k).Update("content", content))
}

// takeFlow deletes a flow and returns it, in one statement.
func (s store) takeFlow(ctx context.Context, k flowKey) (content string, found bool, err error) {
	var r flowRow
	found, err = database.One("take flow", s.live(ctx, k).Clauses(clause.Returning{}).Delete(&r))
	return r.Content, found, err
}

// moveFlows binds the flows of a browser to its new cookie.
func (s store) moveFlows(ctx context.Context, tenantID, from, to string) error {
	return database.Done("move flows",
		s.db.Conn(ctx).Model(&flowRow{}).Where(ofCookie, tenantID, from).Update("cookie_hash", to))
}

func (s store) deleteFlows(ctx context.Context, tenantID, cookieHash string) error {
	return database.Done("end flows", s.db.Conn(ctx).Delete(&flowRow{}, ofCookie, tenantID, cookieHash))
}

// sweep deletes what has expired by now, and sessions unused since unseen.
func (s store) sweep(ctx context.Context, now, unseen database.Micros) error {
	err := database.Done("sweep sessions",
		s.db.Conn(ctx).Delete(&sessionRow{}, "expiry_time <= ? OR seen_time <= ?", now, unseen))
	if err != nil {
		return err
	}
	return database.Done("sweep flows", s.db.Conn(ctx).Delete(&flowRow{}, "expiry_time <= ?", now))
}
