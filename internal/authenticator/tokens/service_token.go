package tokens

import (
	"context"
	"time"

	"github.com/google/uuid"

	"gatehouse/internal/authn"
	"gatehouse/internal/database"
)

// serviceClaims is the claim set of a service's access token.
type serviceClaims struct {
	ID            string  `json:"jti"`
	Issuer        string  `json:"iss"`
	Subject       string  `json:"sub"`
	TenantID      string  `json:"tapis/tenant_id"`
	TokenType     string  `json:"tapis/token_type"`
	Delegation    bool    `json:"tapis/delegation"`
	DelegationSub *string `json:"tapis/delegation_sub"`
	Username      string  `json:"tapis/username"`
	AccountType   string  `json:"tapis/account_type"`
	ExpiresAt     int64   `json:"exp"`
	TargetSite    string  `json:"tapis/target_site"`
}

// ServiceToken mints and records an access token for a service account of a
// site's administrative tenant, to be used at the target site. Whether the
// account may have it has been decided.
func (s *Service) ServiceToken(ctx context.Context, tenant Tenant, service, targetSite string, ttl time.Duration) (Token, error) {
	key, err := s.signers.Active(ctx, tenant.ID)
	if err != nil {
		return Token{}, err
	}
	now := s.now()
	token := newToken(uuid.NewString(), now, ttl)
	token.Value, err = key.Sign(serviceClaims{
		ID: token.ID, Issuer: tenant.Issuer, Subject: service + "@" + tenant.ID, TenantID: tenant.ID,
		TokenType: authn.AccessToken, Username: service, AccountType: authn.ServiceAccount,
		ExpiresAt: token.ExpiresAt.Unix(), TargetSite: targetSite,
	})
	if err != nil {
		return Token{}, err
	}
	err = s.store.insertTokens(ctx, []tokenRow{{
		TenantID: tenant.ID, JTI: token.ID, TokenType: authn.AccessToken, Username: service, GrantType: "service",
		CreateTime: database.At(now), ExpiryTime: database.At(token.ExpiresAt),
	}})
	return token, s.away(err)
}
