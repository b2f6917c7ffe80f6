package tokens

import "gatehouse/internal/authn"

// accessClaims is the claim set of an access token, in the order in which
// Tapis has always written it. Inside a refresh token exp is left out and ttl
// is there instead.
type accessClaims struct {
	ID            string  `json:"jti"`
	Issuer        string  `json:"iss"`
	Subject       string  `json:"sub"`
	TenantID      string  `json:"tapis/tenant_id"`
	TokenType     string  `json:"tapis/token_type"`
	Delegation    bool    `json:"tapis/delegation"`
	DelegationSub *string `json:"tapis/delegation_sub"`
	Username      string  `json:"tapis/username"`
	AccountType   string  `json:"tapis/account_type"`
	ExpiresAt     int64   `json:"exp,omitempty"`
	TTL           int64   `json:"ttl,omitempty"`
	ClientID      *string `json:"tapis/client_id"`
	GrantType     string  `json:"tapis/grant_type"`
	RedirectURI   string  `json:"tapis/redirect_uri,omitempty"`
	IDPID         string  `json:"tapis/idp_id,omitempty"`
	RefreshCount  *int    `json:"tapis/refresh_count,omitempty"`
}

// of reports whether the token was made through the client.
func (c accessClaims) of(clientID string) bool { return c.ClientID != nil && *c.ClientID == clientID }

// refreshClaims is the claim set of a refresh token. It has no username or
// account type of its own, so that no service takes it for an access token.
type refreshClaims struct {
	ID         string       `json:"jti"`
	Issuer     string       `json:"iss"`
	Subject    string       `json:"sub"`
	InitialTTL int64        `json:"tapis/initial_ttl"`
	TenantID   string       `json:"tapis/tenant_id"`
	TokenType  string       `json:"tapis/token_type"`
	ExpiresAt  int64        `json:"exp"`
	Access     accessClaims `json:"tapis/access_token"`
}

// presented is what is read of a refresh token that came back.
type presented struct {
	authn.Claims
	Access accessClaims `json:"tapis/access_token"`
}
