package main

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// verifyEvery is how many tokens there are to each whose signature is
	// verified: an odd number, because access and refresh tokens alternate.
	verifyEvery = 51
	// clockSlack is how far exp may be from what expires_in says, beside the
	// time that the request took.
	clockSlack = 2 * time.Second
)

// book checks replies of the token endpoint and remembers every token.
type book struct {
	keys map[string]*rsa.PublicKey // by id

	mu       sync.Mutex
	issued   int
	verified int
	seen     map[[16]byte]struct{} // hashes of tokens and of their ids
	pool     []string              // some of the access tokens of people
}

func newBook(keys map[string]*rsa.PublicKey) *book {
	return &book{keys: keys, seen: map[[16]byte]struct{}{}}
}

// counts returns how many replies with tokens there were, and how many
// signatures have been verified.
func (b *book) counts() (issued, verified int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.issued, b.verified
}

// expected says what was asked for. A refresh token is due to a client.
type expected struct {
	tenant, issuer                string
	username, clientID, grantType string
	count                         int       // refreshes since the password
	asked                         time.Time // when the request was sent
}

type tokenJSON struct {
	AccessToken  string    `json:"access_token"`
	RefreshToken string    `json:"refresh_token"`
	ExpiresAt    time.Time `json:"expires_at"`
	ExpiresIn    int64     `json:"expires_in"`
	ID           string    `json:"jti"`
}

type replyJSON struct {
	Status string `json:"status"`
	Result struct {
		Access  tokenJSON  `json:"access_token"`
		Refresh *tokenJSON `json:"refresh_token"`
	} `json:"result"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
}

// check returns the tokens of a reply, or what is wrong with it.
func (b *book) check(r reply, want expected) (access, refresh string, err error) {
	var got replyJSON
	switch {
	case r.status != http.StatusOK:
		return "", "", fmt.Errorf("the server answered %d: %.200s", r.status, r.body)
	case r.contentType != "application/json":
		return "", "", fmt.Errorf("the content type is %q", r.contentType)
	}
	if err := json.Unmarshal(r.body, &got); err != nil {
		return "", "", fmt.Errorf("decode reply: %w", err)
	}
	if got.Status != "success" || got.TokenType != "Bearer" || got.AccessToken != got.Result.Access.AccessToken ||
		got.ExpiresIn != got.Result.Access.ExpiresIn {
		return "", "", errors.New("the members of RFC 6749 and the envelope differ")
	}
	access = got.AccessToken
	if err := b.checkToken(access, "access", got.Result.Access, want); err != nil {
		return "", "", fmt.Errorf("access token: %w", err)
	}
	if (want.clientID != "") != (got.Result.Refresh != nil) {
		return "", "", errors.New("a refresh token came uncalled for, or did not come")
	}
	if got.Result.Refresh != nil {
		if refresh = got.Result.Refresh.RefreshToken; refresh != got.RefreshToken {
			return "", "", errors.New("the members of RFC 6749 and the envelope differ")
		}
		if err := b.checkToken(refresh, "refresh", *got.Result.Refresh, want); err != nil {
			return "", "", fmt.Errorf("refresh token: %w", err)
		}
	}
	b.mu.Lock()
	b.issued++
	if len(b.pool) < maxPool {
		b.pool = append(b.pool, access)
	}
	b.mu.Unlock()
	return access, refresh, nil
}

type claims struct {
	ID        string  `json:"jti"`
	Issuer    string  `json:"iss"`
	Subject   string  `json:"sub"`
	Tenant    string  `json:"tapis/tenant_id"`
	Type      string  `json:"tapis/token_type"`
	ExpiresAt int64   `json:"exp"`
	Username  string  `json:"tapis/username"`
	Account   string  `json:"tapis/account_type"`
	ClientID  *string `json:"tapis/client_id"`
	GrantType string  `json:"tapis/grant_type"`
	Count     *int    `json:"tapis/refresh_count"`
	Access    *claims `json:"tapis/access_token"`
}

// checkToken checks one token against what the reply says of it and what was
// asked for.
func (b *book) checkToken(raw, kind string, said tokenJSON, want expected) error {
	header, rest, _ := strings.Cut(raw, ".")
	payload, signature, found := strings.Cut(rest, ".")
	if !found {
		return errors.New("it is not a compact JWT")
	}
	var c claims
	if err := decode(payload, &c); err != nil {
		return err
	}
	ends := time.Unix(c.ExpiresAt, 0)
	made := ends.Add(-time.Duration(said.ExpiresIn) * time.Second)
	switch {
	case c.ID == "" || c.ID != said.ID, c.Issuer != want.issuer, c.Subject != want.username+"@"+want.tenant, c.Tenant != want.tenant, c.Type != kind:
		return fmt.Errorf("its claims are wrong: %+v", c)
	case said.ExpiresIn <= 0 || made.Before(want.asked.Add(-clockSlack)) || time.Until(made) > clockSlack || !ends.Equal(said.ExpiresAt):
		return fmt.Errorf("exp %d, expires_at %s and expires_in %d do not fit", c.ExpiresAt, said.ExpiresAt, said.ExpiresIn)
	}
	who := &c
	if kind == "refresh" {
		who = c.Access
	}
	if err := want.check(who); err != nil {
		return err
	}
	return b.enter(raw, c.ID, header, signature)
}

// check compares the claims that an access token has and a refresh token
// carries inside.
func (want expected) check(c *claims) error {
	if c == nil || c.Username != want.username || c.Account != "user" || c.GrantType != want.grantType {
		return fmt.Errorf("its claims are wrong: %+v", c)
	}
	if want.clientID == "" {
		if c.ClientID != nil || c.Count != nil {
			return fmt.Errorf("it names a client: %+v", c)
		}
		return nil
	}
	if c.ClientID == nil || *c.ClientID != want.clientID || c.Count == nil || *c.Count != want.count {
		return fmt.Errorf("it is of another client or has another refresh count: %+v", c)
	}
	return nil
}

// enter remembers a token and verifies every so many's signature.
func (b *book) enter(raw, id, header, signature string) error {
	token, jti := hash(raw), hash(id)
	b.mu.Lock()
	_, known := b.seen[token]
	_, knownID := b.seen[jti]
	b.seen[token], b.seen[jti] = struct{}{}, struct{}{}
	verify := len(b.seen)/2%verifyEvery == 1
	if verify {
		b.verified++
	}
	b.mu.Unlock()
	switch {
	case known || knownID:
		return errors.New("it was issued before")
	case verify:
		return b.verify(raw[:len(raw)-len(signature)-1], header, signature)
	}
	return nil
}

func (b *book) verify(signed, header, signature string) error {
	var h struct {
		Algorithm string `json:"alg"`
		Type      string `json:"typ"`
		KeyID     string `json:"kid"`
	}
	if err := decode(header, &h); err != nil {
		return err
	}
	key := b.keys[h.KeyID]
	if h.Algorithm != "RS256" || h.Type != "JWT" || key == nil {
		return fmt.Errorf("its header is wrong: %+v", h)
	}
	sig, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		return fmt.Errorf("decode signature: %w", err)
	}
	digest := sha256.Sum256([]byte(signed))
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], sig)
}

func decode(part string, dst any) error {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return fmt.Errorf("decode token: %w", err)
	}
	if err := json.Unmarshal(text, dst); err != nil {
		return fmt.Errorf("decode token: %w", err)
	}
	return nil
}

func hash(s string) [16]byte {
	sum := sha256.Sum256([]byte(s))
	return [16]byte(sum[:16])
}

// publishedKeys reads the JWK Set of the tenant.
func (s *server) publishedKeys(ctx context.Context) (map[string]*rsa.PublicKey, error) {
	status, _, body, err := s.fetch(ctx, "/v3/oauth2/jwks", nil)
	if err != nil {
		return nil, err
	}
	var set struct {
		Keys []struct {
			ID       string `json:"kid"`
			Modulus  string `json:"n"`
			Exponent string `json:"e"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil || status != http.StatusOK || len(set.Keys) == 0 {
		return nil, fmt.Errorf("read published keys: status %d, %w", status, err)
	}
	keys := map[string]*rsa.PublicKey{}
	for _, k := range set.Keys {
		n, errN := base64.RawURLEncoding.DecodeString(k.Modulus)
		e, errE := base64.RawURLEncoding.DecodeString(k.Exponent)
		if err := errors.Join(errN, errE); err != nil {
			return nil, fmt.Errorf("read published keys: %w", err)
		}
		keys[k.ID] = &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	}
	return keys, nil
}
