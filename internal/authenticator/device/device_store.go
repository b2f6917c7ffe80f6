package device

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"gatehouse/internal/database"
)

type row struct {
	TenantID     string
	ID           string
	CodeHash     string
	UserCode     string // without the dash
	ClientID     string
	Scope        string
	Address      string
	Proved       bool
	Status       string
	Username     string
	AuthTime     database.Micros
	AMR          string // separated by spaces
	IDPID        string `gorm:"column:idp_id"`
	AccessTTL    int64  // microseconds
	Began        int64
	PollInterval int64 // microseconds
	NextPollTime database.Micros
	CreateTime   database.Micros
	ExpiryTime   database.Micros
}

// TableName names the table for GORM.
func (row) TableName() string { return "device_codes" }

func (r row) approval() Approval {
	return Approval{
		Approver: Approver{
			Username: r.Username, AuthTime: r.AuthTime.Time(), AMR: strings.Fields(r.AMR), IDPID: r.IDPID,
			TTL: time.Duration(r.AccessTTL) * time.Microsecond, Began: r.Began,
		},
		Scope: r.Scope, Proved: r.Proved,
	}
}

type store struct{ db *database.DB }

func (s store) insert(ctx context.Context, r row) error {
	return database.Done("record device code", s.db.Conn(ctx).Create(&r))
}

// find returns a code of a tenant by its column id or user_code.
func (s store) find(ctx context.Context, tenantID, column, value string) (r row, found bool, err error) {
	found, err = database.One("read device code",
		s.db.Conn(ctx).Where("tenant_id = ?", tenantID).Limit(1).Find(&r, map[string]any{column: value}))
	return r, found, err
}

// columns are those that a step changes.
type columns map[string]any

// step changes a code that a condition holds for, and reports whether it did.
func (s store) step(ctx context.Context, changes columns, condition string, args ...any) (bool, error) {
	return database.One("change device code",
		s.db.Conn(ctx).Model(&row{}).Where(condition, args...).Updates(map[string]any(changes)))
}

func (s store) enter(ctx context.Context, tenantID, id, username string, now database.Micros) (bool, error) {
	return s.step(ctx, columns{"status": Entered, "username": username},
		"tenant_id = ? AND id = ? AND expiry_time > ? AND (status = ? OR (status = ? AND username = ?))",
		tenantID, id, now, Created, Entered, username)
}

// entered holds for a live code that a person entered and did not decide on.
const entered = "tenant_id = ? AND id = ? AND expiry_time > ? AND status = 'Entered' AND username = ?"

func (s store) approve(ctx context.Context, tenantID, id string, by Approver, now database.Micros) (bool, error) {
	return s.step(ctx, columns{
		"status": Approved, "auth_time": database.At(by.AuthTime), "amr": strings.Join(by.AMR, " "), "idp_id": by.IDPID,
		"access_ttl": by.TTL.Microseconds(), "began": by.Began,
	}, entered, tenantID, id, now, by.Username)
}

func (s store) deny(ctx context.Context, tenantID, id, username string, now database.Micros) (bool, error) {
	return s.step(ctx, columns{"status": Denied}, entered, tenantID, id, now, username)
}

// withdraw denies what a person entered or approved for some clients, or all
// where none is named, that was not consumed.
func (s store) withdraw(ctx context.Context, tenantID, username string, clientIDs []string) error {
	open := s.db.Conn(ctx).Model(&row{}).
		Where("tenant_id = ? AND username = ? AND status IN ?", tenantID, username, []string{Entered, Approved})
	if len(clientIDs) > 0 {
		open = open.Where("client_id IN ?", clientIDs)
	}
	return database.Done("withdraw device codes", open.Update("status", Denied))
}

// What a poll needs is asked without GORM: devices poll for as long as nobody
// has approved.

// consume ends an approved code of the client; false when there is none, or
// another request was first.
func (s store) consume(ctx context.Context, tenantID, clientID, codeHash string, now database.Micros) (bool, error) {
	n, err := s.db.Exec(ctx, `
UPDATE device_codes SET status = 'Consumed'
 WHERE tenant_id = ? AND code_hash = ? AND client_id = ? AND expiry_time > ? AND status = 'Approved'`,
		tenantID, codeHash, clientID, int64(now))
	if err != nil {
		return false, fmt.Errorf("consume device code: %w", err)
	}
	return n == 1, nil
}

// polled returns what a device is told of its code.
func (s store) polled(ctx context.Context, tenantID, codeHash string) (r row, found bool, err error) {
	found, err = s.db.QueryRow(ctx, `
SELECT id, client_id, scope, proved, status, username, auth_time, amr, idp_id, access_ttl, began, expiry_time
  FROM device_codes WHERE tenant_id = ? AND code_hash = ?`, []any{tenantID, codeHash},
		&r.ID, &r.ClientID, &r.Scope, &r.Proved, &r.Status, &r.Username, &r.AuthTime, &r.AMR, &r.IDPID, &r.AccessTTL, &r.Began,
		&r.ExpiryTime)
	if err != nil {
		return row{}, false, fmt.Errorf("read device code: %w", err)
	}
	return r, found, nil
}

// poll notes a poll and reports whether it came in time; one that did not
// makes the device wait longer from now on.
func (s store) poll(ctx context.Context, tenantID, id string, now database.Micros) (bool, error) {
	n, err := s.db.Exec(ctx, `
UPDATE device_codes SET next_poll_time = ? + poll_interval WHERE tenant_id = ? AND id = ? AND next_poll_time <= ?`,
		int64(now), tenantID, id, int64(now)+slack.Microseconds())
	switch {
	case err != nil:
		return false, fmt.Errorf("note a poll: %w", err)
	case n == 1:
		return true, nil
	}
	longer := Interval.Microseconds()
	_, err = s.step(ctx, columns{
		"poll_interval": gorm.Expr("poll_interval + ?", longer), "next_poll_time": gorm.Expr("? + poll_interval", int64(now)+longer),
	}, "tenant_id = ? AND id = ?", tenantID, id)
	return false, err
}

func (s store) sweep(ctx context.Context, before database.Micros) error {
	return database.Done("sweep device codes", s.db.Conn(ctx).Delete(&row{}, "expiry_time < ?", before))
}

// trim deletes the codes of a tenant that nobody typed, but the newest.
func (s store) trim(ctx context.Context, tenantID string, newest int) error {
	const waiting = "tenant_id = ? AND status = ?"
	last := s.db.Conn(ctx).Model(&row{}).Select("expiry_time").Where(waiting, tenantID, Created).
		Order("expiry_time DESC").Offset(newest).Limit(1)
	return database.Done("trim device codes",
		s.db.Conn(ctx).Delete(&row{}, waiting+" AND expiry_time <= (?)", tenantID, Created, last))
}
