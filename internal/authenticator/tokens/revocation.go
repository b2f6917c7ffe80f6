package tokens

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"gatehouse/internal/authn"
	"gatehouse/internal/database"
)

// Recorded is a token of this site whose signature was found good, and what is
// known of it.
type Recorded struct {
	TenantID    string
	ID          string // jti
	TokenType   string // authn.AccessToken or authn.RefreshToken
	Username    string
	ClientID    string // empty: no client took part
	GrantType   string // Direct, or an OAuth grant
	AccountType string
	Login       Login
	ExpiresAt   time.Time
	Revoked     bool // or never recorded
	Rotated     bool // another refresh token has taken its place

	familyID  string
	familyEnd database.Micros // when nothing of the family is left
}

// Find checks an access or refresh token of a tenant and returns what is known
// of it, revoked or not. An error for which authn.IsRefusal holds says that it
// is no token of the tenant, or has expired.
func (s *Service) Find(ctx context.Context, tenant Tenant, raw string) (Recorded, error) {
	var claims presented
	want := authn.Expect{TenantID: tenant.ID, Issuer: tenant.Issuer, TokenType: authn.AccessToken}
	err := s.verifier.Verify(ctx, raw, want, &claims)
	if errors.Is(err, authn.ErrTokenType) {
		claims, want.TokenType = presented{}, authn.RefreshToken
		err = s.verifier.Verify(ctx, raw, want, &claims)
	}
	if err != nil {
		return Recorded{}, err
	}
	state, found, err := s.store.standing(ctx, recordOf(tenant.ID, claims.Claims))
	if err != nil {
		return Recorded{}, s.away(err)
	}
	r := Recorded{
		TenantID: tenant.ID, ID: claims.ID, TokenType: want.TokenType, Username: state.Username, ClientID: state.ClientID,
		GrantType: state.GrantType, AccountType: claims.AccountType, ExpiresAt: claims.ExpiresAt.Time,
		Revoked: !found || state.TokenType != want.TokenType || state.revoked(), Rotated: state.RotateTime != 0,
		Login: state.login(), familyID: state.FamilyID, familyEnd: state.FamilyEnd,
	}
	if r.TokenType == authn.RefreshToken {
		r.AccountType = claims.Access.AccountType
	}
	if r.familyEnd == 0 {
		// The lifetimes in a family without an end are those of its every token.
		// An hour is for requests under way and the clocks of other replicas.
		longest := time.Duration(max(claims.InitialTTL, claims.Access.TTL)) * time.Second
		r.familyEnd = database.At(s.now().Add(longest + time.Hour))
	}
	return r, nil
}

// Revoke voids a token for the rest of its life; of a refresh token its whole
// family: all that came, by refreshing, from the same first request. Revoking
// twice is no error.
func (s *Service) Revoke(ctx context.Context, r Recorded) error {
	defer s.store.db.AtEnd(ctx, s.standings.Forget)
	err := s.away(s.store.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.revoke(ctx, record{tenantID: r.TenantID, jti: r.ID, expiry: database.At(r.ExpiresAt)}, database.At(s.now())); err != nil {
			return err
		}
		if r.TokenType != authn.RefreshToken || r.familyID == "" {
			return nil
		}
		return s.store.mark(ctx, markRow{
			TenantID: r.TenantID, Kind: "family", Name: r.familyID, IssuedBefore: forever, ExpiryTime: r.familyEnd,
		})
	}))
	if err == nil {
		s.log.InfoContext(ctx, "token revoked", slog.String("tenant", r.TenantID), slog.String("jti", r.ID),
			slog.String("type", r.TokenType), slog.String("user", r.Username))
	}
	return err
}

// RevokeUser voids every token of a person or service that was issued until
// now. Those issued later are good.
func (s *Service) RevokeUser(ctx context.Context, tenantID, username string) error {
	return s.revokeIssued(ctx, tenantID, "user", username)
}

// RevokeIssuedTo voids every token of a client that was issued until now, and
// leaves the client alone. Those issued later are good.
func (s *Service) RevokeIssuedTo(ctx context.Context, tenantID, clientID string) error {
	return s.revokeIssued(ctx, tenantID, "client", clientID)
}

// RevokeUserClient voids every token of a person that was issued through one
// client until now: the person has withdrawn consent. Those issued later are
// good. It joins the caller's transaction.
func (s *Service) RevokeUserClient(ctx context.Context, tenantID, username, clientID string) error {
	return s.revokeIssued(ctx, tenantID, "consent", clientID+"/"+username) // no client's id has a slash
}

func (s *Service) revokeIssued(ctx context.Context, tenantID, kind, name string) error {
	defer s.store.db.AtEnd(ctx, s.standings.Forget)
	// A microsecond more, so that what was issued at this very moment is void.
	before := database.At(s.now()) + 1
	err := s.away(s.store.mark(ctx, markRow{TenantID: tenantID, Kind: kind, Name: name, IssuedBefore: before}))
	if err == nil {
		s.log.InfoContext(ctx, "tokens revoked", slog.String("tenant", tenantID), slog.String("of", kind), slog.String("name", name))
	}
	return err
}

// RevokeFamily voids, for good, every token of a family: those issued and
// those that a request in flight may still record. The mark is kept until end,
// which no token of the family outlives.
func (s *Service) RevokeFamily(ctx context.Context, tenantID, familyID string, end time.Time) error {
	defer s.store.db.AtEnd(ctx, s.standings.Forget)
	return s.away(s.store.mark(ctx, markRow{
		TenantID: tenantID, Kind: "family", Name: familyID, IssuedBefore: forever, ExpiryTime: database.At(end),
	}))
}

// RevokeClient voids, for good, every token of a client: those issued and
// those that a request in flight may still record. It joins the caller's
// transaction.
func (s *Service) RevokeClient(ctx context.Context, tenantID, clientID string) error {
	defer s.store.db.AtEnd(ctx, s.standings.Forget)
	return s.away(s.store.mark(ctx, markRow{TenantID: tenantID, Kind: "client", Name: clientID, IssuedBefore: forever}))
}
