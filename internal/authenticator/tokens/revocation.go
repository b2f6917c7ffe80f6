package tokens

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"gatehouse/internal/apierr"
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
	tokenType := authn.AccessToken
	claims, state, err := s.verify(ctx, tenant, raw, tokenType)
	if errors.Is(err, authn.ErrTokenType) {
		tokenType = authn.RefreshToken
		claims, state, err = s.verify(ctx, tenant, raw, tokenType)
	}
	if err != nil {
		return Recorded{}, err
	}
	r := Recorded{
		TenantID: tenant.ID, ID: claims.ID, TokenType: tokenType, Username: state.Username, ClientID: state.ClientID,
		GrantType: state.GrantType, AccountType: claims.AccountType, ExpiresAt: claims.ExpiresAt.Time,
		Revoked: state.TokenType != tokenType || state.revoked(), Rotated: state.RotateTime != 0,
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
	token := record{tenantID: r.TenantID, jti: r.ID, expiry: database.At(r.ExpiresAt)}
	err := apierr.DatabaseAway(s.store.db.InTx(ctx, func(ctx context.Context) error {
		err := s.store.revoke(ctx, token, database.At(s.now()))
		if err != nil || r.TokenType != authn.RefreshToken || r.familyID == "" {
			return err
		}
		return s.store.mark(ctx, familyMark(r.TenantID, r.familyID, r.familyEnd))
	}))
	if err == nil {
		s.log.InfoContext(ctx, "token revoked", slog.String("tenant", r.TenantID), slog.String("jti", r.ID),
			slog.String("type", r.TokenType), slog.String("user", r.Username))
	}
	return err
}

// RevokeUser voids every token of a person or service whose grant began before:
// those issued and those that a request in flight may still record, on whatever
// replica. What begins later is good.
func (s *Service) RevokeUser(ctx context.Context, tenantID, username string) error {
	return s.revokeIssued(ctx, tenantID, "user", username)
}

// RevokeIssuedTo is RevokeUser for the tokens of a client, which it leaves
// alone.
func (s *Service) RevokeIssuedTo(ctx context.Context, tenantID, clientID string) error {
	return s.revokeIssued(ctx, tenantID, "client", clientID)
}

// RevokeUserClient is RevokeUser for the tokens of a person by one client: the
// person has withdrawn consent. It joins the caller's transaction.
func (s *Service) RevokeUserClient(ctx context.Context, tenantID, username, clientID string) error {
	return s.revokeIssued(ctx, tenantID, "consent", clientID+"/"+username) // no client's id has a slash
}

func (s *Service) revokeIssued(ctx context.Context, tenantID, kind, name string) error {
	err := apierr.DatabaseAway(s.store.db.InTx(ctx, func(ctx context.Context) error {
		number, err := s.store.nextNumber(ctx, tenantID)
		if err != nil {
			return err
		}
		// The time is for replicas that do not know of numbers yet: a microsecond
		// more, so that what was issued at this very moment is void.
		return s.mark(ctx, markRow{
			TenantID: tenantID, Kind: kind, Name: name, IssuedBefore: database.At(s.now()) + 1, Number: number,
		})
	}))
	if err == nil {
		s.log.InfoContext(ctx, "tokens revoked", slog.String("tenant", tenantID), slog.String("of", kind), slog.String("name", name))
	}
	return err
}

// RevokeFamily voids, for good, every token of a family: those issued and
// those that a request in flight may still record. The mark is kept until end,
// which no token of the family outlives.
func (s *Service) RevokeFamily(ctx context.Context, tenantID, familyID string, end time.Time) error {
	return s.mark(ctx, familyMark(tenantID, familyID, database.At(end)))
}

func familyMark(tenantID, familyID string, end database.Micros) markRow {
	return markRow{TenantID: tenantID, Kind: "family", Name: familyID, IssuedBefore: forever, Number: forever, ExpiryTime: end}
}

// RevokeClient voids, for good, every token of a client: those issued and
// those that a request in flight may still record. It joins the caller's
// transaction.
func (s *Service) RevokeClient(ctx context.Context, tenantID, clientID string) error {
	return s.mark(ctx, markRow{TenantID: tenantID, Kind: "client", Name: clientID, IssuedBefore: forever, Number: forever})
}

// mark voids what a mark is about, here at once.
func (s *Service) mark(ctx context.Context, m markRow) error {
	defer s.store.db.AtEnd(ctx, s.standings.Forget)
	return apierr.DatabaseAway(s.store.mark(ctx, m))
}
