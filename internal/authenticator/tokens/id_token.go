package tokens

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authn"
	"gatehouse/internal/database"
)

// idTokenTTL is how long an ID token may be believed; it proves a sign-in and
// opens nothing.
const idTokenTTL = time.Hour

// maxIDToken bounds what is read of an ID token that comes back, in bytes.
const maxIDToken = 16 << 10

// IDRequest asks for an ID token, OpenID Connect Core section 2.
type IDRequest struct {
	Issuer      string         // the tenant's /v3/oauth2, as in its discovery document
	Request     Request        // what the tokens it comes with were made for
	AccessToken string         // issued with it, for at_hash
	Claims      map[string]any // of the person, as the scope grants them
}

// IDToken signs an ID token with the tenant's key. It is recorded nowhere:
// nothing accepts it but the client that it is for.
func (s *Service) IDToken(ctx context.Context, r IDRequest) (string, error) {
	key, err := s.keys.Active(ctx, r.Request.Tenant.ID)
	if err != nil {
		return "", err
	}
	now := s.now()
	half := sha256.Sum256([]byte(r.AccessToken))
	claims := maps.Clone(r.Claims)
	if claims == nil {
		claims = map[string]any{}
	}
	maps.Copy(claims, map[string]any{
		"iss": r.Issuer, "sub": subject(r.Request.Username, r.Request.Tenant.ID), "aud": r.Request.ClientID, "azp": r.Request.ClientID,
		"iat": now.Unix(), "exp": now.Add(idTokenTTL).Unix(),
		"at_hash":            base64.RawURLEncoding.EncodeToString(half[:len(half)/2]),
		"preferred_username": r.Request.Username, "tapis/tenant_id": r.Request.Tenant.ID,
	})
	login := r.Request.Login
	if login.Nonce != "" {
		claims["nonce"] = login.Nonce
	}
	if !login.AuthTime.IsZero() {
		claims["auth_time"] = login.AuthTime.Unix()
	}
	if len(login.AMR) > 0 {
		claims["amr"] = login.AMR
	}
	return key.Sign(claims)
}

// IDHint is what an ID token that comes back says.
type IDHint struct {
	Username string
	ClientID string
}

// ReadIDHint reads an ID token of the tenant that a client sends back as
// id_token_hint, OpenID Connect RP-Initiated Logout section 2: expired ones
// count, those of other issuers do not, and an access token is none.
func (s *Service) ReadIDHint(ctx context.Context, tenantID, issuer, raw string) (IDHint, error) {
	refused := apierr.Invalidf("The parameter id_token_hint is not an ID token of this tenant.")
	if len(raw) > maxIDToken {
		return IDHint{}, refused
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation())
	claims := jwt.MapClaims{}
	var keyErr error
	_, err := parser.ParseWithClaims(raw, claims, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		var key any
		key, keyErr = s.keys.PublicKey(ctx, tenantID, kid)
		return key, keyErr
	})
	switch {
	case keyErr != nil && !authn.IsRefusal(keyErr):
		return IDHint{}, keyErr
	case err != nil:
		return IDHint{}, refused.Because(fmt.Errorf("id_token_hint: %w", err))
	}
	text, err := json.Marshal(claims)
	if err != nil {
		return IDHint{}, apierr.Wrap(err, "encode claims")
	}
	var read struct {
		Issuer   string `json:"iss"`
		Audience string `json:"aud"`
		Username string `json:"preferred_username"`
		Type     string `json:"tapis/token_type"`
	}
	err = json.Unmarshal(text, &read)
	if err != nil || read.Issuer != issuer || read.Audience == "" || read.Username == "" || read.Type != "" {
		return IDHint{}, refused
	}
	return IDHint{Username: read.Username, ClientID: read.Audience}, nil
}

// GrantedScope returns the scope that an access token was recorded with.
func (s *Service) GrantedScope(ctx context.Context, tenantID, jti string, expiry time.Time) (string, error) {
	state, found, err := s.store.standing(ctx, record{tenantID: tenantID, jti: jti, expiry: database.At(expiry)})
	if err != nil {
		return "", apierr.DatabaseAway(err)
	}
	if !found {
		return "", authn.ErrRevoked
	}
	return state.Scope, nil
}

func subject(username, tenantID string) string { return username + "@" + tenantID }
