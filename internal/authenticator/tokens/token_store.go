package tokens

import (
	"context"
	"fmt"
	"math"
	"strings"

	"gorm.io/gorm"

	"gatehouse/internal/authn"
	"gatehouse/internal/database"
)

type tokenRow struct {
	TenantID   string
	JTI        string `gorm:"column:jti"`
	TokenType  string
	FamilyID   string
	FamilyEnd  database.Micros // absolute end of the family
	Username   string
	ClientID   string
	GrantType  string
	CreateTime database.Micros
	ExpiryTime database.Micros
	RevokeTime database.Micros
	RotateTime database.Micros
	Successor  string // sealed Pair that replaced this refresh token; purged after the grace
	Began      int64  // the revocation number at which its grant began

	loginRow
}

// loginRow is a Login as columns.
type loginRow struct {
	Scope    string
	Nonce    string
	AuthTime database.Micros
	AMR      string // separated by spaces
	// FirstGrant is Login.GrantType.
	FirstGrant string
}

func newLoginRow(l Login) loginRow {
	return loginRow{
		Scope: l.Scope, Nonce: l.Nonce, AuthTime: database.At(l.AuthTime), AMR: strings.Join(l.AMR, " "), FirstGrant: l.GrantType,
	}
}

func (r loginRow) login() Login {
	return Login{
		Scope: r.Scope, Nonce: r.Nonce, AuthTime: r.AuthTime.Time(), AMR: strings.Fields(r.AMR), GrantType: r.FirstGrant,
	}
}

// TableName names the table for GORM.
func (tokenRow) TableName() string { return "issued_tokens" }

type markRow struct {
	TenantID     string
	Kind         string
	Name         string
	IssuedBefore database.Micros // of marks without a number
	Number       int64           // what began before it is void
	ExpiryTime   database.Micros // when the mark has nothing left to void; 0: never
}

// TableName names the table for GORM.
func (markRow) TableName() string { return "revocation_marks" }

// standing is all that decides whether a token still counts. It embeds no row:
// GORM leaves out embedded structs whose type is not exported.
type standing struct {
	TokenType  string
	FamilyID   string
	FamilyEnd  database.Micros
	Username   string
	ClientID   string
	GrantType  string
	RevokeTime database.Micros
	RotateTime database.Micros
	Successor  string
	Began      int64
	Void       bool // a mark voids it

	loginRow
}

func (s standing) revoked() bool { return s.RevokeTime != 0 || s.Void }

// marked holds for the marks m that void a token t.
const marked = `m.tenant_id = t.tenant_id AND (m.number > t.began OR (m.number = 0 AND m.issued_before > t.create_time))
  AND ((m.kind = 'client' AND m.name = t.client_id) OR (m.kind = 'user' AND m.name = t.username)
    OR (m.kind = 'family' AND m.name = t.family_id)
    OR (m.kind = 'consent' AND m.name = t.client_id || '/' || t.username))`

const standingQuery = `
SELECT t.token_type, t.family_id, t.family_end, t.username, t.client_id, t.grant_type, t.revoke_time,
       t.rotate_time, t.successor, t.scope, t.nonce, t.auth_time, t.amr, t.first_grant, t.began,
       EXISTS (SELECT 1 FROM revocation_marks m WHERE ` + marked + `) AS void
  FROM issued_tokens t
 WHERE t.expiry_time = ? AND t.jti = ? AND t.tenant_id = ?`

// standsQuery is standingQuery as a question about an access token: it finds
// nothing unless the token stands.
const standsQuery = `
SELECT t.client_id, t.first_grant, t.began
  FROM issued_tokens t
 WHERE t.expiry_time = ? AND t.jti = ? AND t.tenant_id = ? AND t.token_type = 'access' AND t.revoke_time = 0
   AND NOT EXISTS (SELECT 1 FROM revocation_marks m WHERE ` + marked + `)`

type store struct{ db *database.DB }

// record names what is recorded of a token, by what the token itself tells. The
// expiry leads, so that the records of a day lie side by side.
type record struct {
	tenantID, jti string
	expiry        database.Micros
}

// standing returns what is recorded of a token; false when nothing is.
func (s store) standing(ctx context.Context, token record) (standing, bool, error) {
	var r standing
	found, err := s.db.QueryRow(ctx, standingQuery, []any{int64(token.expiry), token.jti, token.tenantID},
		&r.TokenType, &r.FamilyID, &r.FamilyEnd, &r.Username, &r.ClientID, &r.GrantType, &r.RevokeTime, &r.RotateTime,
		&r.Successor, &r.Scope, &r.Nonce, &r.AuthTime, &r.AMR, &r.FirstGrant, &r.Began, &r.Void)
	if err != nil {
		return standing{}, false, fmt.Errorf("read token record: %w", err)
	}
	return r, found, nil
}

// stands returns what is known of an access token that stands; false unless it
// was recorded and is not revoked.
func (s store) stands(ctx context.Context, token record) (known Known, found bool, err error) {
	found, err = s.db.QueryRow(ctx, standsQuery, []any{int64(token.expiry), token.jti, token.tenantID}, &known.ClientID,
		&known.GrantType, &known.Began)
	if err != nil {
		return Known{}, false, fmt.Errorf("read token record: %w", err)
	}
	return known, found, nil
}

// firstNumber is the revocation number of a tenant in which nothing was revoked.
const firstNumber = 1

// number returns the revocation number of a tenant.
func (s store) number(ctx context.Context, tenantID string) (int64, error) {
	number := int64(firstNumber)
	_, err := s.db.QueryRow(ctx, `SELECT number FROM revocation_numbers WHERE tenant_id = ?`, []any{tenantID}, &number)
	if err != nil {
		return 0, fmt.Errorf("read revocation number: %w", err)
	}
	return number, nil
}

// nextNumber counts a revocation, in the transaction of its mark: whoever reads
// the new number sees the mark, and revocations at the same time wait for each
// other.
func (s store) nextNumber(ctx context.Context, tenantID string) (number int64, err error) {
	return number, database.Done("count a revocation", s.db.Conn(ctx).Raw(`
INSERT INTO revocation_numbers AS old (tenant_id, number) VALUES (?, ?)
ON CONFLICT (tenant_id) DO UPDATE SET number = old.number + 1
RETURNING number`, tenantID, firstNumber+1).Scan(&number))
}

// insertQuery records one token; insertTokens appends a second row for pairs.
const (
	insertQuery = `
INSERT INTO issued_tokens (tenant_id, jti, token_type, family_id, family_end, username, client_id, grant_type, create_time,
  expiry_time, scope, nonce, auth_time, amr, first_grant, began)
VALUES ` + insertValues
	insertPairQuery = insertQuery + `, ` + insertValues
	insertValues    = `(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
)

// insertTokens records one token, or the two of a pair, in one statement.
func (s store) insertTokens(ctx context.Context, rows []tokenRow) error {
	query := insertQuery
	if len(rows) == 2 {
		query = insertPairQuery
	}
	args := make([]any, 0, 32)
	for _, r := range rows {
		args = append(args, r.TenantID, r.JTI, r.TokenType, r.FamilyID, int64(r.FamilyEnd), r.Username, r.ClientID,
			r.GrantType, int64(r.CreateTime), int64(r.ExpiryTime), r.Scope, r.Nonce, int64(r.AuthTime), r.AMR, r.FirstGrant, r.Began)
	}
	if _, err := s.db.Exec(ctx, query, args...); err != nil {
		return fmt.Errorf("record tokens: %w", err)
	}
	return nil
}

// last is when the last of some tokens was issued, and their latest expiry; 0
// when there are none.
type last struct{ Issued, Expiry database.Micros }

// lastIssued looks at the access tokens that were issued between two times.
func (s store) lastIssued(ctx context.Context, tenantID string, from, to database.Micros) (l last, err error) {
	err = database.Done("read last tokens", s.db.Conn(ctx).Model(&tokenRow{}).
		Select("COALESCE(MAX(create_time), 0) AS issued, COALESCE(MAX(expiry_time), 0) AS expiry").
		Where("expiry_time >= ? AND tenant_id = ? AND token_type = ? AND create_time BETWEEN ? AND ?",
			from, tenantID, authn.AccessToken, from, to).
		Scan(&l))
	return l, err
}

// about is a statement about one token that is not revoked.
func (s store) about(ctx context.Context, token record) *gorm.DB {
	return s.db.Conn(ctx).Model(&tokenRow{}).
		Where("expiry_time = ? AND jti = ? AND tenant_id = ? AND revoke_time = 0", token.expiry, token.jti, token.tenantID)
}

// consume marks a refresh token as rotated, once; false when it was already.
func (s store) consume(ctx context.Context, token record, successor string, now database.Micros) (bool, error) {
	return database.One("consume refresh token", s.about(ctx, token).
		Where("token_type = ? AND rotate_time = 0", authn.RefreshToken).
		Updates(map[string]any{"rotate_time": now, "successor": successor}))
}

// forever marks a subject whose tokens never count again, however late a
// request in flight records them.
const forever = math.MaxInt64

// mark voids what began before its number. A mark that is there already only
// grows, so that nothing becomes good again.
func (s store) mark(ctx context.Context, m markRow) error {
	return database.Done("mark tokens as revoked", s.db.Conn(ctx).Exec(`
INSERT INTO revocation_marks AS old (tenant_id, kind, name, issued_before, number, expiry_time) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (tenant_id, kind, name) DO UPDATE SET
  issued_before = CASE WHEN excluded.issued_before > old.issued_before THEN excluded.issued_before ELSE old.issued_before END,
  number = CASE WHEN excluded.number > old.number THEN excluded.number ELSE old.number END,
  expiry_time = CASE WHEN excluded.expiry_time = 0 OR old.expiry_time = 0 THEN 0
                     WHEN excluded.expiry_time > old.expiry_time THEN excluded.expiry_time ELSE old.expiry_time END`,
		m.TenantID, m.Kind, m.Name, m.IssuedBefore, m.Number, m.ExpiryTime))
}

// revoke voids one token; the first time counts.
func (s store) revoke(ctx context.Context, token record, now database.Micros) error {
	return database.Done("revoke token", s.about(ctx, token).Update("revoke_time", now))
}

// sweepBatch bounds how long one statement of the janitor holds the database.
const sweepBatch = 1000

// sweep deletes rows that expired before the given time, a batch at most, and
// returns how many.
func (s store) sweep(ctx context.Context, before database.Micros) (int64, error) {
	old := s.db.Conn(ctx).Model(&tokenRow{}).Select("expiry_time, jti, tenant_id").
		Where("expiry_time < ?", before).Order("expiry_time").Limit(sweepBatch)
	swept := s.db.Conn(ctx).Delete(&tokenRow{}, "(expiry_time, jti, tenant_id) IN (?)", old)
	if err := database.Done("sweep tokens", swept); err != nil {
		return 0, err
	}
	marks := s.db.Conn(ctx).Delete(&markRow{}, "expiry_time > 0 AND expiry_time < ?", before)
	return swept.RowsAffected, database.Done("sweep revocation marks", marks)
}

// purgeSuccessors forgets replies that are past their grace.
func (s store) purgeSuccessors(ctx context.Context, before database.Micros) error {
	return database.Done("purge successors", s.db.Conn(ctx).Model(&tokenRow{}).
		Where("successor <> '' AND rotate_time < ?", before).Update("successor", ""))
}
