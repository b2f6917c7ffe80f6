package codes

import (
	"context"
	"fmt"
	"strings"

	"gatehouse/internal/database"
)

type row struct {
	TenantID      string
	CodeHash      string
	ClientID      string
	Username      string
	RedirectURI   string
	Scope         string
	Nonce         string
	CodeChallenge string
	AuthTime      database.Micros
	AMR           string // separated by spaces
	IDPID         string
	FamilyID      string
	FamilyEnd     database.Micros
	CreateTime    database.Micros
	ExpiryTime    database.Micros
	ConsumeTime   database.Micros
}

func (r row) redemption() Redemption {
	return Redemption{
		Approval: Approval{
			TenantID: r.TenantID, ClientID: r.ClientID, Username: r.Username, RedirectURI: r.RedirectURI, Scope: r.Scope,
			Nonce: r.Nonce, CodeChallenge: r.CodeChallenge, AuthTime: r.AuthTime.Time(), AMR: strings.Fields(r.AMR), IDPID: r.IDPID,
		},
		FamilyID: r.FamilyID, FamilyEnd: r.FamilyEnd.Time(),
	}
}

type store struct{ db *database.DB }

func (s store) insert(ctx context.Context, r row) error {
	_, err := s.db.Exec(ctx, insertQuery, r.TenantID, r.CodeHash, r.ClientID, r.Username, r.RedirectURI, r.Scope, r.Nonce,
		r.CodeChallenge, int64(r.AuthTime), r.AMR, r.IDPID, r.FamilyID, int64(r.FamilyEnd), int64(r.CreateTime), int64(r.ExpiryTime))
	if err != nil {
		return fmt.Errorf("record authorization code: %w", err)
	}
	return nil
}

const insertQuery = `
INSERT INTO authorization_codes (tenant_id, code_hash, client_id, username, redirect_uri, scope, nonce, code_challenge, auth_time, amr,
  idp_id, family_id, family_end, create_time, expiry_time)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// consume ends a live code of the client; false when there is none, or
// another request was first.
func (s store) consume(ctx context.Context, tenantID, clientID, codeHash string, now database.Micros) (bool, error) {
	n, err := s.db.Exec(ctx, consumeQuery, int64(now), tenantID, codeHash, clientID, int64(now))
	if err != nil {
		return false, fmt.Errorf("consume authorization code: %w", err)
	}
	return n == 1, nil
}

const consumeQuery = `
UPDATE authorization_codes SET consume_time = ?
 WHERE tenant_id = ? AND code_hash = ? AND client_id = ? AND consume_time = 0 AND expiry_time > ?`

// find returns a code, live or not; false when there is none.
func (s store) find(ctx context.Context, tenantID, codeHash string) (row, bool, error) {
	r := row{TenantID: tenantID, CodeHash: codeHash}
	found, err := s.db.QueryRow(ctx, findQuery, []any{tenantID, codeHash}, &r.ClientID, &r.Username, &r.RedirectURI, &r.Scope,
		&r.Nonce, &r.CodeChallenge, &r.AuthTime, &r.AMR, &r.IDPID, &r.FamilyID, &r.FamilyEnd, &r.CreateTime, &r.ExpiryTime, &r.ConsumeTime)
	if err != nil {
		return row{}, false, fmt.Errorf("read authorization code: %w", err)
	}
	return r, found, nil
}

const findQuery = `
SELECT client_id, username, redirect_uri, scope, nonce, code_challenge, auth_time, amr, idp_id, family_id, family_end, create_time,
       expiry_time, consume_time
  FROM authorization_codes WHERE tenant_id = ? AND code_hash = ?`

// withdraw deletes what a person approved for one client, or all, that was not
// redeemed.
func (s store) withdraw(ctx context.Context, tenantID, username, clientID string, all bool) error {
	_, err := s.db.Exec(ctx, `
DELETE FROM authorization_codes WHERE tenant_id = ? AND username = ? AND consume_time = 0 AND (client_id = ? OR ?)`,
		tenantID, username, clientID, all)
	if err != nil {
		return fmt.Errorf("withdraw authorization codes: %w", err)
	}
	return nil
}

func (s store) sweep(ctx context.Context, before database.Micros) error {
	if _, err := s.db.Exec(ctx, `DELETE FROM authorization_codes WHERE expiry_time < ?`, int64(before)); err != nil {
		return fmt.Errorf("sweep authorization codes: %w", err)
	}
	return nil
}
