package tokens

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/authn"
)

// Tenant is what the mint needs to know of a tenant.
type Tenant struct {
	ID     string
	Issuer string // the claim iss: the tenant's token service
}

// Direct is the grant type of tokens that no OAuth grant asked for: those of
// /v3/tokens and of the authenticator's own account. It is recorded and never
// claimed.
const Direct = "direct"

// Request asks the mint for tokens. Everything in it has been decided: the
// mint checks nothing but its own keys.
type Request struct {
	Tenant        Tenant
	Username      string // the directory's spelling, or the name of a service
	AccountType   string // authn.UserAccount if empty
	TargetSite    string // where a service's token is good
	DelegationSub string // user@tenant for whom it acts; empty: nobody
	GrantType     string // Direct, or the OAuth grant, which is then claimed
	ClientID      string // empty: no client took part
	RedirectURI   string // of an authorization code, and of refreshes of such tokens
	IDPID         string // external identity provider, if one was used
	Login         Login
	Extra         Extra // further claims, as ParseExtra returned them
	AccessTTL     time.Duration
	RefreshTTL    time.Duration // 0: no refresh token
	Family        *Family       // the family that the tokens belong to; nil: a refresh token begins a new one
	FamilyTTL     time.Duration // absolute lifetime of a new family; 0, of Direct ones: it has no end
	Count         int           // refresh count, 0 for the first token of a family
	Narrowed      *string       // scope of this access token, where a refresh asked for less than Login.Scope
	Began         int64         // the revocation number at which the grant began, from Begin or inherited
}

// Scope returns the scope of the access token.
func (r Request) Scope() string {
	if r.Narrowed != nil {
		return *r.Narrowed
	}
	return r.Login.Scope
}

// Login is what is known of the sign-in and of the request behind a grant. No
// access or refresh token shows it: it is recorded with the tokens, carried
// over refreshes, and read by ID tokens and introspection.
type Login struct {
	Scope    string    // granted, separated by spaces
	Nonce    string    // of the authorization request
	AuthTime time.Time // when the person signed in; zero: not in a browser
	AMR      []string  // how, RFC 8176
	// GrantType is that of the grant with which a family of tokens began, which
	// its refreshes do not tell. Empty: recorded before it was kept.
	GrantType string
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
	ExpiresAt time.Time // zero: it has none
}

// Issued is a signed Pair that is not recorded yet: it must not leave the
// process before Record or Rotate has returned.
type Issued struct {
	Pair

	request Request
	family  *Family
	at      time.Time
}

// errNoBeginning means that a grant has not said when it began.
var errNoBeginning = errors.New("the request does not say when its grant began")

// Begin returns the revocation number of a tenant, at which a grant begins that
// asks for it before it looks at anything else: passwords, sessions, consents.
// Whatever is revoked from now on voids what comes of it.
func (s *Service) Begin(ctx context.Context, tenantID string) (int64, error) {
	number, err := s.store.number(ctx, tenantID)
	return number, apierr.DatabaseAway(err)
}

// Mint signs the tokens of a Request.
func (s *Service) Mint(ctx context.Context, r Request) (*Issued, error) {
	if r.Began == 0 {
		return nil, apierr.Wrap(errNoBeginning, "mint")
	}
	key, err := s.keys.Active(ctx, r.Tenant.ID)
	if err != nil {
		return nil, err
	}
	now := s.now()
	issued := &Issued{request: r, at: now, family: r.Family}
	if r.RefreshTTL > 0 && r.Family == nil {
		issued.family = &Family{ID: uuid.NewString()}
		if r.FamilyTTL > 0 || r.GrantType != Direct {
			issued.family.ExpiresAt = now.Add(r.FamilyTTL)
		}
	}
	if issued.family != nil && !issued.family.ExpiresAt.IsZero() { // nothing outlives its family
		left := issued.family.ExpiresAt.Sub(now)
		r.AccessTTL, r.RefreshTTL = min(r.AccessTTL, left), min(r.RefreshTTL, left)
	}
	claims := r.claims()
	claims.ID = uuid.NewString()
	issued.Access = newToken(claims.ID, now, r.AccessTTL)
	claims.ExpiresAt = issued.Access.ExpiresAt.Unix()
	if issued.Access.Value, err = sign(key, claims); err != nil {
		return nil, err
	}
	if r.RefreshTTL <= 0 {
		return issued, nil
	}
	claims.ExpiresAt, claims.TTL = 0, seconds(issued.Access.TTL)
	inside, err := claims.signable()
	if err != nil {
		return nil, apierr.Wrap(err, "encode claims")
	}
	refresh := newToken(uuid.NewString(), now, r.RefreshTTL)
	refresh.Value, err = key.Sign(refreshClaims{
		ID: refresh.ID, Issuer: claims.Issuer, Subject: claims.Subject, InitialTTL: seconds(refresh.TTL),
		TenantID: claims.TenantID, TokenType: authn.RefreshToken, ExpiresAt: refresh.ExpiresAt.Unix(), Access: inside,
	})
	if err != nil {
		return nil, err
	}
	issued.Refresh = &refresh
	return issued, nil
}

func sign(key *keys.Key, claims accessClaims) (string, error) {
	content, err := claims.signable()
	if err != nil {
		return "", apierr.Wrap(err, "encode claims")
	}
	return key.Sign(content)
}

// Issue mints and records tokens, which may be handed out when it returns.
func (s *Service) Issue(ctx context.Context, r Request) (Pair, error) {
	issued, err := s.Mint(ctx, r)
	if err != nil {
		return Pair{}, err
	}
	if err := s.Record(ctx, issued); err != nil {
		return Pair{}, err
	}
	return issued.Pair, nil
}

func (r Request) claims() accessClaims {
	c := accessClaims{
		Issuer: r.Tenant.Issuer, Subject: subject(r.Username, r.Tenant.ID), TenantID: r.Tenant.ID,
		TokenType: authn.AccessToken, Username: r.Username, AccountType: r.AccountType, TargetSite: r.TargetSite,
		extra: r.Extra,
	}
	if c.AccountType == "" {
		c.AccountType = authn.UserAccount
	}
	if r.DelegationSub != "" {
		c.Delegation, c.DelegationSub = true, &r.DelegationSub
	}
	if r.GrantType == Direct {
		return c
	}
	c.grantClaims = &grantClaims{GrantType: r.GrantType, RedirectURI: r.RedirectURI, IDPID: r.IDPID}
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
