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
	IDPID         string `gorm:"column:idp_id"`
	Began         int64
	FamilyID      string
	FamilyEnd     database.Micros
	CreateTime    database.Micros
	ExpiryTime    database.Micros
	ConsumeTime   database.Micros
}

// TableName names the table for GORM.
func (row) TableName() string { return "authorization_codes" }

func (r row) redemption() Redemption {
	return Redemption{
		Approval: Approval{
			TenantID: r.TenantID, ClientID: r.ClientID, Username: r.Username, RedirectURI: r.RedirectURI, Scope: r.Scope,
			Nonce: r.Nonce, CodeChallenge: r.CodeChallenge, AuthTime: r.AuthTime.Time(), AMR: strings.Fields(r.AMR), IDPID: r.IDPID,
			Began: r.Began,
		},
		FamilyID: r.FamilyID, FamilyEnd: r.FamilyEnd.Time(),
	}
}

type store struct{ db *database.DB }

func (s store) insert(ctx context.Context, r row) error {
	_, err := s.db.Exec(ctx, `
INSERT INTO authorization_codes (tenant_id, code_hash, client_id, username, redirect_uri, scope, nonce, code_challenge, auth_time, amr,
  idp_id, began, family_id, family_end, create_time, expiry_time, consume_time)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.TenantID, r.CodeHash, r.ClientID, r.Username, r.RedirectURI, r.Scope, r.Nonce, r.CodeChallenge, int64(r.AuthTime), r.AMR,
		r.IDPID, r.Began, r.FamilyID, int64(r.FamilyEnd), int64(r.CreateTime), int64(r.ExpiryTime), int64(r.ConsumeTime))
	if err != nil {
		return fmt.Errorf("record authorization code: %w", err)
	}
	return nil
}

// consume ends a live code of the client; false when there is none, or
// another request was first.
func (s store) consume(ctx context.Context, tenantID, clientID, codeHash string, now database.Micros) (bool, error) {
	n, err := s.db.Exec(ctx, `
UPDATE authorization_codes SET consume_time = ?
 WHERE tenant_id = ? AND code_hash = ? AND client_id = ? AND consume_time = 0 AND expiry_time > ?`,
		int64(now), tenantID, codeHash, clientID, int64(now))
	if err != nil {
		return false, fmt.Errorf("consume authorization code: %w", err)
	}
	return n == 1, nil
}

// find returns a code, live or not; false when there is none.
func (s store) find(ctx context.Context, tenantID, codeHash string) (r row, found bool, err error) {
	found, err = s.db.QueryRow(ctx, `
SELECT tenant_id, code_hash, client_id, username, redirect_uri, scope, nonce, code_challenge, auth_time, amr, idp_id, began,
       family_id, family_end, create_time, expiry_time, consume_time
  FROM authorization_codes WHERE tenant_id = ? AND code_hash = ?`, []any{tenantID, codeHash},
		&r.TenantID, &r.CodeHash, &r.ClientID, &r.Username, &r.RedirectURI, &r.Scope, &r.Nonce, &r.CodeChallenge, &r.AuthTime, &r.AMR,
		&r.IDPID, &r.Began, &r.FamilyID, &r.FamilyEnd, &r.CreateTime, &r.ExpiryTime, &r.ConsumeTime)
	if err != nil {
		return row{}, false, fmt.Errorf("read authorization code: %w", err)
	}
	return r, found, nil
}

// withdraw deletes what a person approved for some clients, or all where none
// is named, that was not redeemed.
func (s store) withdraw(ctx context.Context, tenantID, username string, clientIDs []string) error {
	open := s.db.Conn(ctx).Where("tenant_id = ? AND username = ? AND consume_time = 0", tenantID, username)
	if len(clientIDs) > 0 {
		open = open.Where("client_id IN ?", clientIDs)
	}
	return database.Done("withdraw authorization codes", open.Delete(&row{}))
}

func (s store) sweep(ctx context.Context, before database.Micros) error {
	return database.Done("sweep authorization codes", s.db.Conn(ctx).Delete(&row{}, "expiry_time < ?", before))
}
