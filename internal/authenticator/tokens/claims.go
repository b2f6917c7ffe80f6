package tokens

import (
	"encoding/json"
	"slices"
	"time"

	"gatehouse/internal/authn"
)

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
	TargetSite    string  `json:"tapis/target_site,omitempty"`

	*grantClaims // of tokens that an OAuth grant asked for

	extra Extra
}

// grantClaims tell how a token was granted.
type grantClaims struct {
	ClientID     *string `json:"tapis/client_id"`
	GrantType    string  `json:"tapis/grant_type"`
	RedirectURI  string  `json:"tapis/redirect_uri,omitempty"`
	IDPID        string  `json:"tapis/idp_id,omitempty"`
	RefreshCount *int    `json:"tapis/refresh_count,omitempty"`
}

// signable is what stands in the token: the claims and, after them, the extra
// ones at the same level.
func (c accessClaims) signable() (any, error) {
	if len(c.extra) == 0 {
		return c, nil
	}
	own, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	extra, err := json.Marshal(c.extra)
	if err != nil {
		return nil, err
	}
	return json.RawMessage(slices.Concat(own[:len(own)-1], []byte{','}, extra[1:])), nil
}

// refreshClaims is the claim set of a refresh token. It has no username or
// account type of its own, so that no service takes it for an access token.
type refreshClaims struct {
	ID         string `json:"jti"`
	Issuer     string `json:"iss"`
	Subject    string `json:"sub"`
	InitialTTL int64  `json:"tapis/initial_ttl"`
	TenantID   string `json:"tapis/tenant_id"`
	TokenType  string `json:"tapis/token_type"`
	ExpiresAt  int64  `json:"exp"`
	Access     any    `json:"tapis/access_token"`
}

// presented is what is read of a refresh token that came back.
type presented struct {
	authn.Claims

	InitialTTL int64           `json:"tapis/initial_ttl"`
	Access     presentedAccess `json:"tapis/access_token"`
}

// presentedAccess is what is read of the claims inside a refresh token.
type presentedAccess struct {
	TTL           int64   `json:"ttl"`
	AccountType   string  `json:"tapis/account_type"`
	DelegationSub *string `json:"tapis/delegation_sub"`
	TargetSite    string  `json:"tapis/target_site"`
	ClientID      *string `json:"tapis/client_id"`
	RedirectURI   string  `json:"tapis/redirect_uri"`
	IDPID         string  `json:"tapis/idp_id"`
	RefreshCount  *int    `json:"tapis/refresh_count"`

	extra Extra
}

// UnmarshalJSON also keeps the extra claims.
func (c *presentedAccess) UnmarshalJSON(text []byte) error {
	type plain presentedAccess
	if err := json.Unmarshal(text, (*plain)(c)); err != nil {
		return err
	}
	return json.Unmarshal(text, &c.extra)
}

// of reports whether the token was made through the client.
func (c presentedAccess) of(clientID string) bool {
	return c.ClientID != nil && *c.ClientID == clientID
}

func (c presentedAccess) ttl() time.Duration { return time.Duration(c.TTL) * time.Second }
