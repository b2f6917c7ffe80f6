package device

import (
	"context"
	"fmt"
	"strings"
	"time"

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
	Status       string
	Username     string
	AuthTime     database.Micros
	AMR          string // separated by spaces
	IDPID        string
	AccessTTL    int64 // microseconds
	PollInterval int64 // microseconds
	NextPollTime database.Micros
	CreateTime   database.Micros
	ExpiryTime   database.Micros
}

func (r row) approval() Approval {
	return Approval{
		Approver: Approver{
			Username: r.Username, AuthTime: r.AuthTime.Time(), AMR: strings.Fields(r.AMR), IDPID: r.IDPID,
			TTL: time.Duration(r.AccessTTL) * time.Microsecond,
		},
		Scope: r.Scope,
	}
}

type store struct{ db *database.DB }

func (s store) insert(ctx context.Context, r row) error {
	_, err := s.db.Exec(ctx, `
INSERT INTO device_codes (tenant_id, id, code_hash, user_code, client_id, scope, address, status, poll_interval, create_time, expiry_time)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.TenantID, r.ID, r.CodeHash, r.UserCode, r.ClientID, r.Scope, r.Address, r.Status, r.PollInterval,
		int64(r.CreateTime), int64(r.ExpiryTime))
	if err != nil {
		return fmt.Errorf("record device code: %w", err)
	}
	return nil
}

const selectQuery = `
SELECT tenant_id, id, code_hash, user_code, client_id, scope, address, status, username, auth_time, amr, idp_id, access_ttl,
       poll_interval, next_poll_time, create_time, expiry_time
  FROM device_codes WHERE tenant_id = ? AND `

func (s store) find(ctx context.Context, tenantID, id string) (row, bool, error) {
	return s.findBy(ctx, selectQuery+"id = ?", tenantID, id)
}

func (s store) findTyped(ctx context.Context, tenantID, userCode string) (row, bool, error) {
	return s.findBy(ctx, selectQuery+"user_code = ?", tenantID, userCode)
}

func (s store) findHash(ctx context.Context, tenantID, codeHash string) (row, bool, error) {
	return s.findBy(ctx, selectQuery+"code_hash = ?", tenantID, codeHash)
}

func (s store) findBy(ctx context.Context, query, tenantID, key string) (row, bool, error) {
	var r row
	found, err := s.db.QueryRow(ctx, query, []any{tenantID, key}, &r.TenantID, &r.ID, &r.CodeHash, &r.UserCode, &r.ClientID, &r.Scope,
		&r.Address, &r.Status, &r.Username, &r.AuthTime, &r.AMR, &r.IDPID, &r.AccessTTL, &r.PollInterval, &r.NextPollTime,
		&r.CreateTime, &r.ExpiryTime)
	if err != nil {
		return row{}, false, fmt.Errorf("read device code: %w", err)
	}
	return r, found, nil
}

// enter, approve and deny report whether the code was in the state that the
// step needs.

func (s store) enter(ctx context.Context, tenantID, id, username string, now database.Micros) (bool, error) {
	return s.change(ctx, `
UPDATE device_codes SET status = 'Entered', username = ?
 WHERE tenant_id = ? AND id = ? AND expiry_time > ? AND (status = 'Created' OR (status = 'Entered' AND username = ?))`,
		username, tenantID, id, int64(now), username)
}

func (s store) approve(ctx context.Context, tenantID, id string, by Approver, now database.Micros) (bool, error) {
	return s.change(ctx, `
UPDATE device_codes SET status = 'Approved', auth_time = ?, amr = ?, idp_id = ?, access_ttl = ?
 WHERE tenant_id = ? AND id = ? AND expiry_time > ? AND status = 'Entered' AND username = ?`,
		int64(database.At(by.AuthTime)), strings.Join(by.AMR, " "), by.IDPID, by.TTL.Microseconds(),
		tenantID, id, int64(now), by.Username)
}

func (s store) deny(ctx context.Context, tenantID, id, username string, now database.Micros) (bool, error) {
	return s.change(ctx, `
UPDATE device_codes SET status = 'Denied'
 WHERE tenant_id = ? AND id = ? AND expiry_time > ? AND status = 'Entered' AND username = ?`,
		tenantID, id, int64(now), username)
}

// withdraw denies what a person entered or approved for one client, or all,
// that was not consumed.
func (s store) withdraw(ctx context.Context, tenantID, username, clientID string, all bool) error {
	_, err := s.change(ctx, `
UPDATE device_codes SET status = 'Denied'
 WHERE tenant_id = ? AND username = ? AND status IN ('Entered', 'Approved') AND (client_id = ? OR ?)`,
		tenantID, username, clientID, all)
	return err
}

// consume ends an approved code of the client; false when there is none, or
// another request was first.
func (s store) consume(ctx context.Context, tenantID, clientID, codeHash string, now database.Micros) (bool, error) {
	return s.change(ctx, `
UPDATE device_codes SET status = 'Consumed'
 WHERE tenant_id = ? AND code_hash = ? AND client_id = ? AND expiry_time > ? AND status = 'Approved'`,
		tenantID, codeHash, clientID, int64(now))
}

// poll notes a poll and reports whether it came in time; one that did not
// makes the device wait longer from now on.
func (s store) poll(ctx context.Context, tenantID, id string, now database.Micros) (bool, error) {
	inTime, err := s.change(ctx, `
UPDATE device_codes SET next_poll_time = ? + poll_interval WHERE tenant_id = ? AND id = ? AND next_poll_time <= ?`,
		int64(now), tenantID, id, int64(now)+slack.Microseconds())
	if err != nil || inTime {
		return inTime, err
	}
	_, err = s.change(ctx, `
UPDATE device_codes SET poll_interval = poll_interval + ?, next_poll_time = ? + poll_interval WHERE tenant_id = ? AND id = ?`,
		Interval.Microseconds(), int64(now)+Interval.Microseconds(), tenantID, id)
	return false, err
}

// change carries out a conditional statement about one code.
func (s store) change(ctx context.Context, query string, args ...any) (bool, error) {
	n, err := s.db.Exec(ctx, query, args...)
	if err != nil {
		return false, fmt.Errorf("change device code: %w", err)
	}
	return n == 1, nil
}

func (s store) sweep(ctx context.Context, before database.Micros) error {
	if _, err := s.db.Exec(ctx, `DELETE FROM device_codes WHERE expiry_time < ?`, int64(before)); err != nil {
		return fmt.Errorf("sweep device codes: %w", err)
	}
	return nil
}
