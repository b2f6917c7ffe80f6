package tokens

import (
	"context"
	"errors"
	"time"

	"gatehouse/internal/authn"
)

// ErrGrant means that a refresh token belongs to an OAuth client, which must
// show who it is to refresh it.
var ErrGrant = errors.New("the refresh token was issued by an OAuth grant")

// Renew checks a refresh token that was issued Direct and returns what its
// successors are to be like: the same in everything but ids and times. It
// fails with ErrGrant, or with an error for which authn.IsRefusal holds, when
// the token is not good for new ones. Whether its subject may still have
// tokens is for the caller to ask.
func (s *Service) Renew(ctx context.Context, tenant Tenant, raw string) (Request, error) {
	claims, state, err := s.verify(ctx, tenant, raw, authn.RefreshToken)
	switch {
	case err != nil:
		return Request{}, err
	case state.TokenType != authn.RefreshToken, state.revoked():
		return Request{}, authn.ErrRevoked
	case state.GrantType != Direct:
		return Request{}, ErrGrant
	}
	r := Request{
		Tenant: tenant, Username: state.Username, AccountType: claims.Access.AccountType, TargetSite: claims.Access.TargetSite,
		GrantType: Direct, Began: state.Began, Extra: claims.Access.extra.added(), AccessTTL: claims.Access.ttl(),
		RefreshTTL: time.Duration(claims.InitialTTL) * time.Second,
		Family:     &Family{ID: state.FamilyID, ExpiresAt: state.FamilyEnd.Time()},
	}
	if claims.Access.DelegationSub != nil {
		r.DelegationSub = *claims.Access.DelegationSub
	}
	return r, nil
}
