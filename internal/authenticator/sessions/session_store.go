package sessions

import (
	"context"
	"fmt"

	"gatehouse/internal/database"
)

type sessionRow struct {
	TenantID   string
	CookieHash string
	Username   string
	AuthTime   database.Micros
	AMR        string // separated by spaces
	IDPID      string
	Kept       string // sealed
	CreateTime database.Micros
	SeenTime   database.Micros
	ExpiryTime database.Micros
}

type flowRow struct {
	TenantID   string
	ID         string
	CookieHash string
	Kind       string
	Content    string // sealed
	CreateTime database.Micros
	ExpiryTime database.Micros
}

// flowKey names a flow that is live now.
type flowKey struct {
	tenantID, cookieHash, kind, id string
	now                            database.Micros
}

const liveFlow = ` WHERE tenant_id = ? AND id = ? AND cookie_hash = ? AND kind = ? AND expiry_time > ?`

func (k flowKey) args(first ...any) []any {
	return append(first, k.tenantID, k.id, k.cookieHash, k.kind, int64(k.now))
}

type store struct{ db *database.DB }

// exec runs a statement and says what it was doing when it fails.
func (s store) exec(ctx context.Context, doing, query string, args ...any) error {
	if _, err := s.db.Exec(ctx, query, args...); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

func (s store) session(ctx context.Context, tenantID, cookieHash string) (sessionRow, bool, error) {
	r := sessionRow{TenantID: tenantID, CookieHash: cookieHash}
	found, err := s.db.QueryRow(ctx, `
SELECT username, auth_time, amr, idp_id, seen_time, expiry_time FROM sessions WHERE tenant_id = ? AND cookie_hash = ?`,
		[]any{tenantID, cookieHash}, &r.Username, &r.AuthTime, &r.AMR, &r.IDPID, &r.SeenTime, &r.ExpiryTime)
	if err != nil {
		return sessionRow{}, false, fmt.Errorf("read session: %w", err)
	}
	return r, found, nil
}

func (s store) insertSession(ctx context.Context, r sessionRow) error {
	return s.exec(ctx, "record session", `
INSERT INTO sessions (tenant_id, cookie_hash, username, auth_time, amr, idp_id, kept, create_time, seen_time, expiry_time)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.TenantID, r.CookieHash, r.Username, int64(r.AuthTime), r.AMR, r.IDPID, r.Kept,
		int64(r.CreateTime), int64(r.SeenTime), int64(r.ExpiryTime))
}

func (s store) seen(ctx context.Context, tenantID, cookieHash string, now database.Micros) error {
	return s.exec(ctx, "note use of session", `UPDATE sessions SET seen_time = ? WHERE tenant_id = ? AND cookie_hash = ? AND seen_time < ?`,
		int64(now), tenantID, cookieHash, int64(now))
}

func (s store) deleteSession(ctx context.Context, tenantID, cookieHash string) error {
	return s.exec(ctx, "end session", `DELETE FROM sessions WHERE tenant_id = ? AND cookie_hash = ?`, tenantID, cookieHash)
}

func (s store) deleteSessions(ctx context.Context, tenantID, username string) error {
	return s.exec(ctx, "end sessions", `DELETE FROM sessions WHERE tenant_id = ? AND username = ?`, tenantID, username)
}

func (s store) keep(ctx context.Context, tenantID, cookieHash, sealed string) error {
	return s.exec(ctx, "keep with session", `UPDATE sessions SET kept = ? WHERE tenant_id = ? AND cookie_hash = ?`, sealed, tenantID, cookieHash)
}

func (s store) kept(ctx context.Context, tenantID, cookieHash string) (sealed string, err error) {
	_, err = s.db.QueryRow(ctx, `SELECT kept FROM sessions WHERE tenant_id = ? AND cookie_hash = ?`, []any{tenantID, cookieHash}, &sealed)
	if err != nil {
		return "", fmt.Errorf("read what a session keeps: %w", err)
	}
	return sealed, nil
}

func (s store) insertFlow(ctx context.Context, r flowRow) error {
	return s.exec(ctx, "record flow", `
INSERT INTO flows (tenant_id, id, cookie_hash, kind, content, create_time, expiry_time) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		r.TenantID, r.ID, r.CookieHash, r.Kind, r.Content, int64(r.CreateTime), int64(r.ExpiryTime))
}

// trimFlows deletes all flows of a browser but the newest.
func (s store) trimFlows(ctx context.Context, tenantID, cookieHash string, newest int) error {
	return s.exec(ctx, "trim flows", `
DELETE FROM flows WHERE tenant_id = ? AND cookie_hash = ? AND id IN
  (SELECT id FROM flows WHERE tenant_id = ? AND cookie_hash = ? ORDER BY create_time DESC, id LIMIT 1000 OFFSET ?)`,
		tenantID, cookieHash, tenantID, cookieHash, newest)
}

func (s store) flow(ctx context.Context, k flowKey) (content string, found bool, err error) {
	found, err = s.db.QueryRow(ctx, `SELECT content FROM flows`+liveFlow, k.args(), &content)
	if err != nil {
		return "", false, fmt.Errorf("read flow: %w", err)
	}
	return content, found, nil
}

func (s store) changeFlow(ctx context.Context, k flowKey, content string) (there bool, err error) {
	n, err := s.db.Exec(ctx, `UPDATE flows SET content = ?`+liveFlow, k.args(content)...)
	if err != nil {
		return false, fmt.Errorf("change flow: %w", err)
	}
	return n == 1, nil
}

// takeFlow deletes a flow and returns it, in one statement.
func (s store) takeFlow(ctx context.Context, k flowKey) (content string, found bool, err error) {
	found, err = s.db.QueryRow(ctx, `DELETE FROM flows`+liveFlow+` RETURNING content`, k.args(), &content)
	if err != nil {
		return "", false, fmt.Errorf("take flow: %w", err)
	}
	return content, found, nil
}

// moveFlows binds the flows of a browser to its new cookie.
func (s store) moveFlows(ctx context.Context, tenantID, from, to string) error {
	return s.exec(ctx, "move flows", `UPDATE flows SET cookie_hash = ? WHERE tenant_id = ? AND cookie_hash = ?`, to, tenantID, from)
}

func (s store) deleteFlows(ctx context.Context, tenantID, cookieHash string) error {
	return s.exec(ctx, "end flows", `DELETE FROM flows WHERE tenant_id = ? AND cookie_hash = ?`, tenantID, cookieHash)
}

// sweep deletes what has expired by now, and sessions unused since unseen.
func (s store) sweep(ctx context.Context, now, unseen database.Micros) error {
	if err := s.exec(ctx, "sweep sessions", `DELETE FROM sessions WHERE expiry_time <= ? OR seen_time <= ?`, int64(now), int64(unseen)); err != nil {
		return err
	}
	return s.exec(ctx, "sweep flows", `DELETE FROM flows WHERE expiry_time <= ?`, int64(now))
}
