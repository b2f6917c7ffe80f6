package tokens

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/authn"
	"gatehouse/internal/database"
	"gatehouse/internal/recent"
	"gatehouse/internal/seal"
)

// Grace is how long the client that rotated a refresh token is given the same
// successor again, so that a reply lost on the way costs it nothing.
const Grace = 10 * time.Second

const (
	// believedFor is how long a token that was found standing is believed to
	// stand, so that a burst of requests with one token costs one look into the
	// database: so long may a revocation by another replica go unnoticed. One by
	// this process is noticed at once.
	believedFor = time.Second
	// maxStandings bounds how many tokens are remembered.
	maxStandings = 20_000
)

// Errors of a presented refresh token that is not good for a new one.
var (
	ErrRefused = errors.New("the refresh token is not valid")
	// ErrReused means that a rotated token came back after its grace: its
	// whole family has been revoked.
	ErrReused = errors.New("the refresh token was used before; its family is revoked")
)

// Deps are what a Service uses.
type Deps struct {
	DB        *database.DB
	Box       *seal.Box
	Keys      *keys.Service
	Now       func() time.Time
	Log       *slog.Logger
	Retention time.Duration // how long records outlive their tokens
}

// Service mints, records and checks tokens.
type Service struct {
	store     store
	box       *seal.Box
	keys      *keys.Service
	verifier  *authn.Verifier
	now       func() time.Time
	log       *slog.Logger
	retention time.Duration
	standings *recent.Map[record, Known] // of access tokens that stand
}

// New returns a Service.
func New(d Deps) *Service {
	return &Service{
		store: store{d.DB}, box: d.Box, keys: d.Keys, verifier: authn.NewVerifier(d.Keys, d.Now),
		now: d.Now, log: d.Log, retention: d.Retention, standings: recent.New[record, Known](maxStandings, believedFor),
	}
}

// Record writes the rows of a newly minted pair. After it returns nil the
// pair may be handed out. A pair of a family that was revoked meanwhile is
// void from the beginning.
func (s *Service) Record(ctx context.Context, i *Issued) error {
	return apierr.DatabaseAway(s.store.insertTokens(ctx, i.rows()))
}

func (i *Issued) rows() []tokenRow {
	clientID := i.request.ClientID
	if clientID == "" {
		clientID = i.request.Extra.clientID()
	}
	access := tokenRow{
		TenantID: i.request.Tenant.ID, JTI: i.Access.ID, TokenType: authn.AccessToken, Username: i.request.Username,
		ClientID: clientID, GrantType: i.request.GrantType, loginRow: newLoginRow(i.request.Login),
		Began: i.request.Began, CreateTime: database.At(i.at), ExpiryTime: database.At(i.Access.ExpiresAt),
	}
	access.Scope = i.request.Scope()
	if i.family != nil {
		access.FamilyID, access.FamilyEnd = i.family.ID, database.At(i.family.ExpiresAt)
	}
	if i.Refresh == nil {
		return []tokenRow{access}
	}
	refresh := access
	refresh.Scope = i.request.Login.Scope // the whole of it, RFC 6749 section 6
	refresh.JTI, refresh.TokenType, refresh.ExpiryTime = i.Refresh.ID, authn.RefreshToken, database.At(i.Refresh.ExpiresAt)
	return []tokenRow{access, refresh}
}

// Refresh is a presented refresh token that was found good, or one that was
// rotated moments ago and whose successor may be given again.
type Refresh struct {
	Username    string
	RedirectURI string
	IDPID       string
	Login       Login
	Count       int           // refresh count of the token presented
	Began       int64         // the revocation number at which its grant began
	AccessTTL   time.Duration // lifetime of the access token it came with
	Family      Family
	Successor   *Pair // set: the reply to give again

	recorded record
}

// Present checks a refresh token that the given client of a tenant presents.
// It fails with ErrRefused or ErrReused when the token is not good.
func (s *Service) Present(ctx context.Context, tenant Tenant, clientID, raw string) (*Refresh, error) {
	claims, state, err := s.verify(ctx, tenant, raw, authn.RefreshToken)
	switch {
	case authn.IsRefusal(err):
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	case err != nil:
		return nil, err
	case state.TokenType != authn.RefreshToken, state.revoked(), state.GrantType == Direct,
		clientID == "", state.ClientID != clientID, !claims.Access.of(clientID),
		!s.now().Add(time.Second).Before(state.FamilyEnd.Time()):
		return nil, ErrRefused
	}
	r := &Refresh{
		Username: state.Username, RedirectURI: claims.Access.RedirectURI, IDPID: claims.Access.IDPID,
		Login: state.login(), AccessTTL: claims.Access.ttl(), Began: state.Began,
		Family:   Family{ID: state.FamilyID, ExpiresAt: state.FamilyEnd.Time()},
		recorded: recordOf(tenant.ID, claims.Claims),
	}
	if claims.Access.RefreshCount != nil {
		r.Count = *claims.Access.RefreshCount
	}
	if state.RotateTime != 0 {
		return s.again(ctx, r, state)
	}
	return r, nil
}

// verify checks the signature and claims of a token of a tenant and returns
// them, with what is recorded of it; nothing when it never was.
func (s *Service) verify(ctx context.Context, tenant Tenant, raw, tokenType string) (presented, standing, error) {
	var claims presented
	want := authn.Expect{TenantID: tenant.ID, Issuer: tenant.Issuer, TokenType: tokenType}
	if err := s.verifier.Verify(ctx, raw, want, &claims); err != nil {
		return presented{}, standing{}, err
	}
	state, _, err := s.store.standing(ctx, recordOf(tenant.ID, claims.Claims))
	return claims, state, apierr.DatabaseAway(err)
}

// again handles a token that was rotated before: within the grace its
// successor is given again, later the family ends.
func (s *Service) again(ctx context.Context, r *Refresh, state standing) (*Refresh, error) {
	if s.now().Sub(state.RotateTime.Time()) <= Grace && state.Successor != "" {
		text, err := s.box.Open(state.Successor, "issued_tokens", r.recorded.tenantID+"/"+r.recorded.jti, "successor")
		if err != nil {
			return nil, apierr.Wrap(err, "open successor of a refresh token")
		}
		r.Successor = &Pair{}
		if err := json.Unmarshal(text, r.Successor); err != nil {
			return nil, apierr.Wrap(err, "decode successor of a refresh token")
		}
		return r, nil
	}
	if err := s.RevokeFamily(ctx, r.recorded.tenantID, state.FamilyID, state.FamilyEnd.Time()); err != nil {
		return nil, err
	}
	s.log.WarnContext(ctx, "refresh token reused, family revoked", slog.String("tenant", r.recorded.tenantID),
		slog.String("client", state.ClientID), slog.String("user", state.Username), slog.String("family", state.FamilyID))
	return nil, ErrReused
}

// ErrRotated means that another request rotated the token first; presenting
// it again finds the successor.
var ErrRotated = errors.New("the refresh token was rotated by another request")

// Rotate records a pair minted for r and ends r, in one transaction with one
// conditional statement that decides between parallel requests: the others
// get ErrRotated.
func (s *Service) Rotate(ctx context.Context, r *Refresh, i *Issued) error {
	reply, err := json.Marshal(i.Pair)
	if err != nil {
		return apierr.Wrap(err, "encode successor of a refresh token")
	}
	sealed := s.box.Seal(reply, "issued_tokens", r.recorded.tenantID+"/"+r.recorded.jti, "successor")
	var first bool
	err = s.store.db.InTx(ctx, func(ctx context.Context) error {
		var err error
		if first, err = s.store.consume(ctx, r.recorded, sealed, database.At(s.now())); err != nil || !first {
			return err
		}
		return s.store.insertTokens(ctx, i.rows())
	})
	if err == nil && !first {
		return ErrRotated
	}
	return apierr.DatabaseAway(err)
}

// Access checks an access token presented to an endpoint of a tenant:
// signature, claims, that it was recorded, and that it is not revoked.
func (s *Service) Access(ctx context.Context, tenant Tenant, raw string) (authn.Caller, error) {
	return s.AccessAs(ctx, raw, func(tenantID string) (Tenant, error) {
		if tenantID != tenant.ID {
			return Tenant{}, authn.ErrTenant
		}
		return tenant, nil
	})
}

// AccessAs is Access for a token whose tenant is not known before: tenantOf
// finds the one that the token claims to belong to. An error of tenantOf is
// returned as it is.
func (s *Service) AccessAs(
	ctx context.Context, raw string, tenantOf func(tenantID string) (Tenant, error),
) (authn.Caller, error) {
	var claims authn.Claims
	err := s.verifier.VerifyAs(ctx, raw, &claims, func(tenantID string) (authn.Expect, error) {
		tenant, err := tenantOf(tenantID)
		return authn.Expect{TenantID: tenant.ID, Issuer: tenant.Issuer, TokenType: authn.AccessToken}, err
	})
	if err != nil {
		return authn.Caller{}, err
	}
	known, err := s.Standing(ctx, claims.TenantID, claims.ID, claims.ExpiresAt.Time)
	if err != nil {
		return authn.Caller{}, err
	}
	return authn.Caller{
		Username: claims.Username, TenantID: claims.TenantID, AccountType: claims.AccountType, ClientID: known.ClientID,
		GrantType: known.GrantType, GrantBegan: known.Began, TokenID: claims.ID, TokenExpiry: claims.ExpiresAt.UTC(),
	}, nil
}

// Known is what is recorded of an access token that stands.
type Known struct {
	ClientID  string // that it was made through; empty: none
	GrantType string // with which it, or what it was refreshed from, began
	Began     int64  // the revocation number at which its grant began
}

// Standing fails with authn.ErrRevoked unless an access token whose signature
// was found good was recorded and is not revoked. What another replica revoked
// is known a second later.
func (s *Service) Standing(ctx context.Context, tenantID, jti string, expiry time.Time) (Known, error) {
	key, now := record{tenantID: tenantID, jti: jti, expiry: database.At(expiry)}, s.now()
	if known, found := s.standings.Find(key, now); found {
		return known, nil
	}
	turn := s.standings.Turn()
	known, found, err := s.store.stands(ctx, key)
	switch {
	case err != nil:
		return Known{}, apierr.DatabaseAway(err)
	case !found:
		return Known{}, authn.ErrRevoked
	}
	s.standings.Keep(key, known, now, turn)
	return known, nil
}

// recordOf names the record of a token of a tenant that was found good.
func recordOf(tenantID string, claims authn.Claims) record {
	return record{tenantID: tenantID, jti: claims.ID, expiry: database.At(claims.ExpiresAt.Time)}
}

// Sweep deletes records whose retention is over and forgets replies that are
// past their grace. It is called from time to time.
func (s *Service) Sweep(ctx context.Context) error {
	now := s.now()
	// Twice the grace, because another replica's clock may be a little behind.
	if err := s.store.purgeSuccessors(ctx, database.At(now.Add(-2*Grace))); err != nil {
		return err
	}
	for {
		n, err := s.store.sweep(ctx, database.At(now.Add(-s.retention)))
		if err != nil || n < sweepBatch {
			return err
		}
	}
}
