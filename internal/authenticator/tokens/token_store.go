package tokens

import (
	"context"
	"fmt"
	"math"

	"gorm.io/gorm/clause"

	"gatehouse/internal/authn"
	"gatehouse/internal/database"
)

type tokenRow struct {
	TenantID   string
	JTI        string `gorm:"column:jti"`
	TokenType  string
	FamilyID   string
	Username   string
	ClientID   string
	GrantType  string
	CreateTime database.Micros
	ExpiryTime database.Micros
	RevokeTime database.Micros
	RotateTime database.Micros
	Successor  string // sealed Pair that replaced this refresh token; purged after the grace
}

// TableName names the table for GORM.
func (tokenRow) TableName() string { return "issued_tokens" }

type familyRow struct {
	TenantID   string
	FamilyID   string
	ClientID   string
	Username   string
	CreateTime database.Micros
	ExpiryTime database.Micros
	RevokeTime database.Micros
}

// TableName names the table for GORM.
func (familyRow) TableName() string { return "token_families" }

type markRow struct {
	TenantID     string
	Kind         string
	Name         string
	IssuedBefore database.Micros
}

// TableName names the table for GORM.
func (markRow) TableName() string { return "revocation_marks" }

// standing is all that decides whether a token still counts. It embeds no row:
// GORM leaves out embedded structs whose type is not exported.
type standing struct {
	TokenType  string
	FamilyID   string
	Username   string
	ClientID   string
	CreateTime database.Micros
	RevokeTime database.Micros
	RotateTime database.Micros
	Successor  string

	FamilyRevokeTime database.Micros
	FamilyExpiryTime database.Micros
	IssuedBefore     database.Micros
}

func (s standing) revoked() bool {
	return s.RevokeTime != 0 || s.FamilyRevokeTime != 0 || s.CreateTime < s.IssuedBefore
}

const standingQuery = `
SELECT t.token_type, t.family_id, t.username, t.client_id, t.create_time, t.revoke_time, t.rotate_time, t.successor,
       COALESCE(f.revoke_time, 0) AS family_revoke_time, COALESCE(f.expiry_time, 0) AS family_expiry_time,
       (SELECT COALESCE(MAX(m.issued_before), 0) FROM revocation_marks m
         WHERE m.tenant_id = t.tenant_id
           AND ((m.kind = 'client' AND m.name = t.client_id) OR (m.kind = 'user' AND m.name = t.username))) AS issued_before
  FROM issued_tokens t
  LEFT JOIN token_families f ON f.tenant_id = t.tenant_id AND f.family_id = t.family_id
 WHERE t.tenant_id = ? AND t.jti = ?`

type store struct{ db *database.DB }

// standing returns what is recorded of a token; false when nothing is.
func (s store) standing(ctx context.Context, tenantID, jti string) (standing, bool, error) {
	var found []standing
	if err := s.db.Conn(ctx).Raw(standingQuery, tenantID, jti).Scan(&found).Error; err != nil {
		return standing{}, false, fmt.Errorf("read token record: %w", err)
	}
	if len(found) == 0 {
		return standing{}, false, nil
	}
	return found[0], true, nil
}

func (s store) insertFamily(ctx context.Context, f familyRow) error {
	if err := s.db.Conn(ctx).Create(&f).Error; err != nil {
		return fmt.Errorf("record token family: %w", err)
	}
	return nil
}

func (s store) insertTokens(ctx context.Context, rows []tokenRow) error {
	if err := s.db.Conn(ctx).Create(&rows).Error; err != nil {
		return fmt.Errorf("record tokens: %w", err)
	}
	return nil
}

// touchLivingFamily locks the family's row until the transaction ends; false
// when it has been revoked.
func (s store) touchLivingFamily(ctx context.Context, tenantID, familyID string) (bool, error) {
	done := s.db.Conn(ctx).Exec(
		`UPDATE token_families SET revoke_time = 0 WHERE tenant_id = ? AND family_id = ? AND revoke_time = 0`, tenantID, familyID)
	if done.Error != nil {
		return false, fmt.Errorf("lock token family: %w", done.Error)
	}
	return done.RowsAffected == 1, nil
}

// consume marks a refresh token as rotated, once; false when it was already.
func (s store) consume(ctx context.Context, tenantID, jti, successor string, now database.Micros) (bool, error) {
	done := s.db.Conn(ctx).Exec(
		`UPDATE issued_tokens SET rotate_time = ?, successor = ?
		  WHERE tenant_id = ? AND jti = ? AND token_type = ? AND rotate_time = 0 AND revoke_time = 0`,
		now, successor, tenantID, jti, authn.RefreshToken)
	if done.Error != nil {
		return false, fmt.Errorf("consume refresh token: %w", done.Error)
	}
	return done.RowsAffected == 1, nil
}

func (s store) revokeFamily(ctx context.Context, tenantID, familyID string, now database.Micros) error {
	err := s.db.Conn(ctx).Exec(
		`UPDATE token_families SET revoke_time = ? WHERE tenant_id = ? AND family_id = ? AND revoke_time = 0`,
		now, tenantID, familyID).Error
	if err != nil {
		return fmt.Errorf("revoke token family: %w", err)
	}
	return nil
}

// forever marks a subject whose tokens never count again, however late a
// request in flight records them.
const forever = database.Micros(math.MaxInt64)

func (s store) mark(ctx context.Context, m markRow) error {
	err := s.db.Conn(ctx).Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "tenant_id"}, {Name: "kind"}, {Name: "name"}},
		DoUpdates: clause.AssignmentColumns([]string{"issued_before"}),
	}).Create(&m).Error
	if err != nil {
		return fmt.Errorf("mark tokens as revoked: %w", err)
	}
	return nil
}

// sweepBatch bounds how long one statement of the janitor holds the database.
const sweepBatch = 1000

// sweep deletes rows that expired before the given time, a batch at most, and
// returns how many. A revoked family stays as long as a token of it does:
// access tokens may outlive their family, and must not stand again.
func (s store) sweep(ctx context.Context, before database.Micros) (int64, error) {
	tokens := s.db.Conn(ctx).Exec(
		`DELETE FROM issued_tokens WHERE (tenant_id, jti) IN
		  (SELECT tenant_id, jti FROM issued_tokens WHERE expiry_time < ? ORDER BY expiry_time LIMIT ?)`, before, sweepBatch)
	if tokens.Error != nil {
		return 0, fmt.Errorf("sweep tokens: %w", tokens.Error)
	}
	families := s.db.Conn(ctx).Exec(
		`DELETE FROM token_families WHERE (tenant_id, family_id) IN
		  (SELECT tenant_id, family_id FROM token_families f
		    WHERE f.expiry_time < ? AND (f.revoke_time = 0 OR NOT EXISTS
		      (SELECT 1 FROM issued_tokens t WHERE t.tenant_id = f.tenant_id AND t.family_id = f.family_id))
		    ORDER BY f.expiry_time LIMIT ?)`, before, sweepBatch)
	if families.Error != nil {
		return 0, fmt.Errorf("sweep token families: %w", families.Error)
	}
	return max(tokens.RowsAffected, families.RowsAffected), nil
}

// purgeSuccessors forgets replies that are past their grace.
func (s store) purgeSuccessors(ctx context.Context, before database.Micros) error {
	err := s.db.Conn(ctx).Exec(
		`UPDATE issued_tokens SET successor = '' WHERE successor <> '' AND rotate_time < ?`, before).Error
	if err != nil {
		return fmt.Errorf("purge successors: %w", err)
	}
	return nil
}
