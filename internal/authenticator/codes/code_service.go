package codes

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/database"
	"gatehouse/internal/seal"
)

const (
	// Lifetime is how long a code may be redeemed.
	Lifetime = 5 * time.Minute
	// kept is how long a code is remembered, so that its reuse is noticed.
	kept = 24 * time.Hour
)

// Approval is what a person approved in the browser.
type Approval struct {
	TenantID      string
	ClientID      string
	Username      string // as the directory or identity provider spells it
	RedirectURI   string // as it was sent; empty if it was left out
	Scope         string
	Nonce         string
	CodeChallenge string // S256, RFC 7636; empty: none
	AuthTime      time.Time
	AMR           []string
	IDPID         string // external identity provider, if one was used
	Began         int64  // the revocation number at which it was asked for
}

// Redemption is an Approval that has just been redeemed, and the family that
// its tokens must belong to.
type Redemption struct {
	Approval

	FamilyID  string
	FamilyEnd time.Time // at the latest
}

// Errors of codes that are not good.
var (
	ErrRefused = errors.New("the authorization code is not valid")
	// ErrReused means that the code was redeemed before: what it gave then has
	// been revoked.
	ErrReused = errors.New("the authorization code was used before; its tokens are revoked")
)

// Deps are what a Service uses.
type Deps struct {
	DB     *database.DB
	Tokens *tokens.Service // revokes those of a code that is used again
	Now    func() time.Time
	Log    *slog.Logger
}

// Service issues and redeems codes.
type Service struct {
	store  store
	tokens *tokens.Service
	now    func() time.Time
	log    *slog.Logger
}

// New returns a Service.
func New(d Deps) *Service {
	return &Service{store: store{d.DB}, tokens: d.Tokens, now: d.Now, log: d.Log}
}

// Issue records an approval and returns its code. The family of its tokens,
// which may live for familyTTL, is chosen now, so that reuse can revoke it
// even while the first redemption is still at work.
func (s *Service) Issue(ctx context.Context, a Approval, familyTTL time.Duration) (string, error) {
	code, now := seal.NewSecret(), s.now()
	end := now.Add(Lifetime)
	err := s.store.insert(ctx, row{
		TenantID: a.TenantID, CodeHash: seal.Digest(code), ClientID: a.ClientID, Username: a.Username, RedirectURI: a.RedirectURI,
		Scope: a.Scope, Nonce: a.Nonce, CodeChallenge: a.CodeChallenge, AuthTime: database.At(a.AuthTime),
		AMR: strings.Join(a.AMR, " "), IDPID: a.IDPID, Began: a.Began, FamilyID: uuid.NewString(),
		FamilyEnd:  database.At(end.Add(familyTTL)),
		CreateTime: database.At(now), ExpiryTime: database.At(end),
	})
	if err != nil {
		return "", apierr.DatabaseAway(err)
	}
	return code, nil
}

// Redeem ends a code of a client and returns what it stands for. It fails
// with ErrRefused or ErrReused when the code is not good.
func (s *Service) Redeem(ctx context.Context, tenantID, clientID, code string) (Redemption, error) {
	codeHash, now := seal.Digest(code), database.At(s.now())
	first, err := s.store.consume(ctx, tenantID, clientID, codeHash, now)
	if err != nil {
		return Redemption{}, apierr.DatabaseAway(err)
	}
	r, found, err := s.store.find(ctx, tenantID, codeHash)
	switch {
	case err != nil:
		return Redemption{}, apierr.DatabaseAway(err)
	case !found, r.ClientID != clientID, !first && r.ConsumeTime == 0:
		return Redemption{}, ErrRefused
	case first:
		return r.redemption(), nil
	}
	s.log.WarnContext(ctx, "authorization code reused, its tokens are revoked", slog.String("tenant", tenantID),
		slog.String("client", clientID), slog.String("user", r.Username), slog.String("family", r.FamilyID))
	if err := s.tokens.RevokeFamily(ctx, tenantID, r.FamilyID, r.FamilyEnd.Time()); err != nil {
		return Redemption{}, err
	}
	return Redemption{}, ErrReused
}

// Withdraw voids the codes of a person that no client has redeemed yet, those
// of some clients or, where none is named, of all.
func (s *Service) Withdraw(ctx context.Context, tenantID, username string, clientIDs ...string) error {
	return apierr.DatabaseAway(s.store.withdraw(ctx, tenantID, username, clientIDs))
}

// Sweep deletes codes that nobody will ask about again. It is called from
// time to time.
func (s *Service) Sweep(ctx context.Context) error {
	return s.store.sweep(ctx, database.At(s.now().Add(-kept)))
}
