package tokens

import (
	"context"
	"time"

	"github.com/google/uuid"

	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/authn"
)

// Signers finds the key that signs for a tenant now.
type Signers interface {
	Active(ctx context.Context, tenantID string) (*keys.Key, error)
}

// Tenant is what the mint needs to know of a tenant.
type Tenant struct {
	ID     string
	Issuer string // the claim iss: the tenant's token service
}

// Request asks the mint for tokens. Everything in it has been decided: the
// mint checks nothing but its own keys.
type Request struct {
	Tenant      Tenant
	Username    string // the directory's spelling
	ClientID    string // empty: no client took part
	GrantType   string
	RedirectURI string // of an authorization code, and of refreshes of such tokens
	IDPID       string // external identity provider, if one was used
	AccessTTL   time.Duration
	RefreshTTL  time.Duration // 0: no refresh token
	Family      *Family       // the family to go on with; nil: a refresh token begins a new one
	FamilyTTL   time.Duration // absolute lifetime of a new family
	Count       int           // refresh count, 0 for the first token of a family
}

// Token is one signed token and what its reply and its row say.
type Token struct {
	Value     string        `json:"value"`
	ID        string        `json:"jti"`
	ExpiresAt time.Time     `json:"expires_at"` // whole seconds
	TTL       time.Duration `json:"ttl"`
}

// Pair is what one grant yields. Refresh is nil where none is due.
type Pair struct {
	Access  Token  `json:"access"`
	Refresh *Token `json:"refresh,omitempty"`
}

// Family binds all refresh tokens that descend from one grant to its client
// and its absolute end.
type Family struct {
	ID        string
	ExpiresAt time.Time
}

// Issued is a signed Pair that is not recorded yet: it must not leave the
// process before Record or Rotate has returned.
type Issued struct {
	Pair

	request Request
	family  *Family
	at      time.Time
}

// Mint signs the tokens of a Request.
func (s *Service) Mint(ctx context.Context, r Request) (*Issued, error) {
	key, err := s.signers.Active(ctx, r.Tenant.ID)
	if err != nil {
		return nil, err
	}
	now := s.now()
	issued := &Issued{request: r, at: now, family: r.Family}
	if r.RefreshTTL > 0 && r.Family == nil {
		issued.family = &Family{ID: uuid.NewString(), ExpiresAt: now.Add(r.FamilyTTL)}
	}
	if issued.family != nil { // nothing outlives its family
		left := issued.family.ExpiresAt.Sub(now)
		r.AccessTTL, r.RefreshTTL = min(r.AccessTTL, left), min(r.RefreshTTL, left)
	}
	claims := r.claims()
	claims.ID = uuid.NewString()
	issued.Access = newToken(claims.ID, now, r.AccessTTL)
	claims.ExpiresAt = issued.Access.ExpiresAt.Unix()
	if issued.Access.Value, err = key.Sign(claims); err != nil {
		return nil, err
	}
	if r.RefreshTTL <= 0 {
		return issued, nil
	}
	refresh := newToken(uuid.NewString(), now, r.RefreshTTL)
	claims.ExpiresAt, claims.TTL = 0, seconds(issued.Access.TTL)
	refresh.Value, err = key.Sign(refreshClaims{
		ID: refresh.ID, Issuer: claims.Issuer, Subject: claims.Subject, InitialTTL: seconds(refresh.TTL),
		TenantID: claims.TenantID, TokenType: authn.RefreshToken, ExpiresAt: refresh.ExpiresAt.Unix(), Access: claims,
	})
	if err != nil {
		return nil, err
	}
	issued.Refresh = &refresh
	return issued, nil
}

func (r Request) claims() accessClaims {
	c := accessClaims{
		Issuer: r.Tenant.Issuer, Subject: r.Username + "@" + r.Tenant.ID, TenantID: r.Tenant.ID,
		TokenType: authn.AccessToken, Username: r.Username, AccountType: authn.UserAccount,
		GrantType: r.GrantType, RedirectURI: r.RedirectURI, IDPID: r.IDPID,
	}
	if r.ClientID != "" {
		c.ClientID = &r.ClientID
	}
	if r.RefreshTTL > 0 {
		c.RefreshCount = &r.Count
	}
	return c
}

// newToken fixes the lifetime: expiry is rounded down to the second that the
// claim can hold.
func newToken(id string, now time.Time, ttl time.Duration) Token {
	ttl = ttl.Truncate(time.Second)
	return Token{ID: id, ExpiresAt: now.Add(ttl).Truncate(time.Second).UTC(), TTL: ttl}
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
