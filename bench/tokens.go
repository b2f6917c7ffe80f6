package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// verifyEvery is how many tokens there are to each whose signature is
	// verified: an odd number, because access and refresh tokens alternate.
	verifyEvery = 51
	// clockSlack is how far exp may be from what expires_in says, beside the
	// time that the request took.
	clockSlack = 2 * time.Second
	// maxKept bounds how many tokens are kept to be shown once.
	maxKept = 60_000
)

// tokenCheck checks replies with tokens and remembers every jti: a token that
// came twice has a jti that came twice.
type tokenCheck struct {
	keys jose.JSONWebKeySet

	mu       sync.Mutex
	replies  int // that were good
	verified int // signatures
	seen     map[string]struct{}
	kept     []string // some of the access tokens of people
}

// newTokenCheck reads the keys that the servers publish.
func newTokenCheck(ctx context.Context, servers ...*server) (*tokenCheck, error) {
	t := &tokenCheck{seen: map[string]struct{}{}}
	for _, s := range servers {
		a, err := s.fetch(ctx, jwksPath, nil, http.StatusOK)
		if err != nil {
			return nil, err
		}
		var published jose.JSONWebKeySet
		if err := json.Unmarshal(a.Body, &published); err != nil {
			return nil, fmt.Errorf("read published keys: %w", err)
		}
		t.keys.Keys = append(t.keys.Keys, published.Keys...)
	}
	return t, nil
}

// counts returns how many replies with tokens there were, and how many
// signatures have been verified.
func (t *tokenCheck) counts() (replies, verified int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.replies, t.verified
}

// expected says what was asked for. A refresh token is due to a client.
type expected struct {
	bearer

	tenant, issuer string
	asked          time.Time // when the request was sent
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

type claims struct {
	ID        string `json:"jti"`
	ExpiresAt int64  `json:"exp"`
	origin
	bearer
	Access *claims `json:"tapis/access_token"`
}

type origin struct {
	Issuer  string `json:"iss"`
	Subject string `json:"sub"`
	Tenant  string `json:"tapis/tenant_id"`
	Type    string `json:"tapis/token_type"`
}

// bearer is in access tokens, and in those inside of refresh tokens.
type bearer struct {
	Username  string `json:"tapis/username"`
	Account   string `json:"tapis/account_type"`
	GrantType string `json:"tapis/grant_type"`
	ClientID  any    `json:"tapis/client_id"`     // string; nil: no client
	Count     any    `json:"tapis/refresh_count"` // float64 as JSON has it; nil: no client
}

// exchange sends a request for tokens and returns them, or what is wrong with
// the reply.
func (t *tokenCheck) exchange(c *client, request []byte, want expected) (access, refresh string, err error) {
	want.asked = time.Now()
	r, err := c.exchange(request)
	if err != nil {
		return "", "", err
	}
	return t.check(r, want)
}

// ask is exchange where the tokens are for nothing else.
func (t *tokenCheck) ask(c *client, request []byte, want expected) error {
	_, _, err := t.exchange(c, request, want)
	return err
}

func (t *tokenCheck) check(r reply, want expected) (access, refresh string, err error) {
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
	first, second := got.Result.Access, got.Result.Refresh
	access = first.AccessToken
	if second != nil {
		refresh = second.RefreshToken
	}
	switch {
	case got.Status != "success" || want.Account == "user" && (got.TokenType != "Bearer" || got.AccessToken != access ||
		got.RefreshToken != refresh || got.ExpiresIn != first.ExpiresIn):
		return "", "", errors.New("the members of RFC 6749 and the envelope differ")
	case (want.ClientID != nil) != (second != nil):
		return "", "", errors.New("a refresh token came uncalled for, or did not come")
	}
	if err := t.checkToken(access, "access", first, want); err != nil {
		return "", "", fmt.Errorf("access token: %w", err)
	}
	if second != nil {
		if err := t.checkToken(refresh, "refresh", *second, want); err != nil {
			return "", "", fmt.Errorf("refresh token: %w", err)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.replies++
	if want.Account == "user" && len(t.kept) < maxKept {
		t.kept = append(t.kept, access)
	}
	return access, refresh, nil
}

// checkToken checks one token against what the reply says of it and what was
// asked for.
func (t *tokenCheck) checkToken(raw, kind string, said tokenJSON, want expected) error {
	token, err := jose.ParseSigned(raw, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return fmt.Errorf("read it: %w", err)
	}
	var c claims
	if err := json.Unmarshal(token.UnsafePayloadWithoutVerification(), &c); err != nil {
		return fmt.Errorf("decode its claims: %w", err)
	}
	ends := time.Unix(c.ExpiresAt, 0)
	made := ends.Add(-time.Duration(said.ExpiresIn) * time.Second)
	from := origin{Issuer: want.issuer, Subject: want.Username + "@" + want.tenant, Tenant: want.tenant, Type: kind}
	inner := &c
	if kind == "refresh" {
		inner = c.Access
	}
	switch {
	case c.ID == "" || c.ID != said.ID || c.origin != from || inner == nil || inner.bearer != want.bearer:
		return fmt.Errorf("its claims are wrong: %+v; want %+v", c, want)
	case said.ExpiresIn <= 0 || made.Before(want.asked.Add(-clockSlack)) || time.Until(made) > clockSlack,
		!ends.Equal(said.ExpiresAt):
		return fmt.Errorf("exp %d, expires_at %s and expires_in %d do not fit", c.ExpiresAt, said.ExpiresAt, said.ExpiresIn)
	}
	t.mu.Lock()
	_, known := t.seen[c.ID]
	t.seen[c.ID] = struct{}{}
	verify := len(t.seen)%verifyEvery == 1
	if verify {
		t.verified++
	}
	t.mu.Unlock()
	switch {
	case known:
		return errors.New("its jti was given before")
	case verify:
		return t.verify(token)
	}
	return nil
}

func (t *tokenCheck) verify(token *jose.JSONWebSignature) error {
	header := token.Signatures[0].Protected
	keys := t.keys.Key(header.KeyID)
	if len(keys) == 0 || header.ExtraHeaders[jose.HeaderType] != "JWT" {
		return fmt.Errorf("its header is wrong: %+v", header)
	}
	_, err := token.Verify(keys[0])
	return err
}
