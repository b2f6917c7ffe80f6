package authn

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"gatehouse/internal/recent"
)

// The values of the claims tapis/token_type and tapis/account_type.
const (
	AccessToken    = "access"
	RefreshToken   = "refresh"
	UserAccount    = "user"
	ServiceAccount = "service"
)

// maxToken bounds what is parsed, in bytes.
const maxToken = 16 << 10

// Keys finds the public key of a tenant by key id, or fails with
// ErrUnknownKey. The id is empty where a token names none, as those of other
// implementations: who knows a single key of the tenant may answer it.
type Keys interface {
	PublicKey(ctx context.Context, tenantID, kid string) (*rsa.PublicKey, error)
}

// Claims are what is read of a Tapis token; docs/tokens.md lists them all.
type Claims struct {
	ID          string           `json:"jti"`
	Issuer      string           `json:"iss"`
	Subject     string           `json:"sub"`
	TenantID    string           `json:"tapis/tenant_id"`
	TokenType   string           `json:"tapis/token_type"`
	Username    string           `json:"tapis/username"`
	AccountType string           `json:"tapis/account_type"`
	ExpiresAt   *jwt.NumericDate `json:"exp"`
	Audience    jwt.ClaimStrings `json:"aud"`
	ClientID    *string          `json:"tapis/client_id"`
	TargetSite  string           `json:"tapis/target_site"`
}

// The methods of jwt.Claims. Expiry is the only time in Tapis tokens.

// GetExpirationTime returns exp.
func (c *Claims) GetExpirationTime() (*jwt.NumericDate, error) { return c.ExpiresAt, nil }

// GetIssuedAt returns nothing.
func (c *Claims) GetIssuedAt() (*jwt.NumericDate, error) { return nil, nil } // absent, says jwt.Claims

// GetNotBefore returns nothing.
func (c *Claims) GetNotBefore() (*jwt.NumericDate, error) { return nil, nil } // absent, says jwt.Claims

// GetIssuer returns iss.
func (c *Claims) GetIssuer() (string, error) { return c.Issuer, nil }

// GetSubject returns sub.
func (c *Claims) GetSubject() (string, error) { return c.Subject, nil }

// GetAudience returns aud.
func (c *Claims) GetAudience() (jwt.ClaimStrings, error) { return c.Audience, nil }

// common lets Verify read the shared claims of a larger claim set.
func (c *Claims) common() *Claims { return c }

// ClaimSet is *Claims or a struct that embeds Claims.
type ClaimSet interface {
	jwt.Claims
	common() *Claims
}

// Expect says what a token must be.
type Expect struct {
	TenantID  string // tapis/tenant_id, and whose keys verify
	Issuer    string // iss
	TokenType string // tapis/token_type
}

// Verifier checks Tapis tokens: RS256 only, expiry required and without
// leeway, no audience (that would be an ID token), and what Expect says.
//
// A token whose signature was found good is believed to be signed for some
// seconds, because services send one token with many requests. Its expiry, its
// key and what Expect says are checked each time all the same.
type Verifier struct {
	keys   Keys
	now    func() time.Time
	parser *jwt.Parser
	signed *recent.Map[[sha256.Size]byte, verified]
}

const (
	// believedFor is how long a signature is not checked again.
	believedFor = 5 * time.Second
	// maxVerified bounds how many tokens are remembered, about 1 KB each.
	maxVerified = 10_000
)

// verified is a token whose signature was found good with a key.
type verified struct {
	claims Claims
	kid    string
	key    *rsa.PublicKey
}

// NewVerifier returns a Verifier that asks keys and now.
func NewVerifier(keys Keys, now func() time.Time) *Verifier {
	return &Verifier{
		keys: keys, now: now, signed: recent.New[[sha256.Size]byte, verified](maxVerified, believedFor),
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{"RS256"}), jwt.WithExpirationRequired(), jwt.WithStrictDecoding(), jwt.WithTimeFunc(now)),
	}
}

// Verify reads raw into claims. It fails with one of this package's errors
// when the token is not what want says, and with another when keys could not
// be asked.
func (v *Verifier) Verify(ctx context.Context, raw string, want Expect, claims ClaimSet) error {
	return v.VerifyAs(ctx, raw, claims, func(tenantID string) (Expect, error) {
		if tenantID != want.TenantID {
			return Expect{}, ErrTenant
		}
		return want, nil
	})
}

// VerifyAs is Verify for a token whose tenant is not known before: expect says
// what it must be, given the tenant that it claims to belong to. An error of
// expect is returned as it is.
func (v *Verifier) VerifyAs(ctx context.Context, raw string, claims ClaimSet, expect func(tenantID string) (Expect, error),
) error {
	if len(raw) > maxToken || strings.ContainsAny(raw, "\r\n") { // Go's base64 skips line breaks even when strict
		return ErrMalformed
	}
	plain, ok := claims.(*Claims)
	if !ok { // what else there is in it is not remembered
		_, err := v.verify(ctx, raw, claims, expect)
		return err
	}
	sum := sha256.Sum256([]byte(raw))
	if known, found := v.signed.Find(sum, v.now()); found {
		if done, err := v.again(ctx, known, plain, expect); done {
			return err
		}
	}
	at, turn := v.now(), v.signed.Turn()
	good, err := v.verify(ctx, raw, plain, expect)
	if good.key != nil {
		good.claims = *plain
		v.signed.Keep(sum, good, at, turn)
	}
	return err
}

// again checks a token whose signature was checked a moment ago; false when
// that has to be done afresh, because its key is another now.
func (v *Verifier) again(ctx context.Context, known verified, claims *Claims, expect func(string) (Expect, error)) (bool, error) {
	want, err := expect(known.claims.TenantID)
	if err != nil {
		return true, err
	}
	switch key, err := v.keys.PublicKey(ctx, known.claims.TenantID, known.kid); {
	case err != nil:
		return true, err
	case key != known.key:
		return false, nil
	case !v.now().Before(known.claims.ExpiresAt.Time):
		return true, ErrExpired
	}
	*claims = known.claims
	return true, want.check(claims)
}

// verify reads raw into claims and checks everything. What it returns first
// has a key when the signature is good and the token has not expired.
func (v *Verifier) verify(ctx context.Context, raw string, claims ClaimSet, expect func(string) (Expect, error),
) (verified, error) {
	var found verified
	var want Expect
	var keyErr error
	_, err := v.parser.ParseWithClaims(raw, claims, func(t *jwt.Token) (any, error) {
		tenantID := claims.common().TenantID
		if want, keyErr = expect(tenantID); keyErr != nil {
			return nil, keyErr
		}
		kid, ok := t.Header["kid"].(string)
		if _, present := t.Header["kid"]; present && !ok {
			keyErr = ErrUnknownKey
			return nil, keyErr
		}
		found.kid = kid
		found.key, keyErr = v.keys.PublicKey(ctx, tenantID, kid)
		return found.key, keyErr
	})
	switch {
	case keyErr != nil:
		return verified{}, keyErr
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return verified{}, ErrSignature
	case errors.Is(err, jwt.ErrTokenExpired):
		return verified{}, ErrExpired
	case err != nil:
		return verified{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return found, want.check(claims.common())
}

func (want Expect) check(c *Claims) error {
	switch {
	case len(c.Audience) > 0, c.ID == "", c.Subject == "":
		return ErrMalformed
	case c.TokenType != want.TokenType:
		return ErrTokenType
	case c.Issuer != want.Issuer:
		return ErrIssuer
	}
	return nil
}
