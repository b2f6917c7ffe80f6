// Package oidc says who somebody is in the words of OpenID Connect: the claims
// that a scope grants, in ID tokens and at the UserInfo endpoint.
//
// The mint signs ID tokens, the tenant's directory knows the people, and which
// scope was granted has been decided by grants.
package oidc

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/directory"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/registryclient"
)

// The scopes that mean something here, OpenID Connect Core section 5.4.
const (
	OpenID        = "openid"
	Profile       = "profile"
	Email         = "email"
	Groups        = "groups"
	OfflineAccess = "offline_access"
)

// Scopes returns all of them, as discovery lists them.
func Scopes() []string { return []string{OpenID, Profile, Email, Groups, OfflineAccess} }

// Granted reports whether a scope, separated by spaces, contains name.
func Granted(scope, name string) bool { return slices.Contains(strings.Fields(scope), name) }

// Directory knows the people of a tenant.
type Directory interface {
	Profile(ctx context.Context, username string) (directory.Profile, error)
	Groups(ctx context.Context, username string) ([]string, error)
}

// Directories finds the directory of a tenant; false when it has none.
type Directories func(ctx context.Context, tenant registryclient.Tenant) (Directory, bool, error)

// Mint signs ID tokens and knows what was granted with access tokens.
type Mint interface {
	IDToken(ctx context.Context, r tokens.IDRequest) (string, error)
	GrantedScope(ctx context.Context, tenantID, jti string, expiry time.Time) (string, error)
}

// Service makes ID tokens and the answers of the UserInfo endpoint.
type Service struct {
	directories Directories
	mint        Mint
}

// New returns a Service.
func New(d Directories, m Mint) *Service { return &Service{directories: d, mint: m} }

// IDToken returns the ID token that goes with an access token made for r, or
// "" where none is due: without the scope openid, or without a client to be
// told.
func (s *Service) IDToken(ctx context.Context, tenant registryclient.Tenant, r tokens.Request, accessToken string) (string, error) {
	if r.ClientID == "" || !Granted(r.Scope(), OpenID) {
		return "", nil
	}
	claims, err := s.claims(ctx, tenant, r.Username, r.Scope())
	if err != nil {
		return "", err
	}
	return s.mint.IDToken(ctx, tokens.IDRequest{Issuer: tenant.OAuthURL(""), Request: r, AccessToken: accessToken, Claims: claims})
}

// claims returns those claims of OpenID Connect Core section 5.1 that the scope
// grants and the directory knows.
func (s *Service) claims(ctx context.Context, tenant registryclient.Tenant, username, scope string) (map[string]any, error) {
	claims := map[string]any{}
	profile, email, groups := Granted(scope, Profile), Granted(scope, Email), Granted(scope, Groups)
	if !profile && !email && !groups {
		return claims, nil
	}
	people, found, err := s.directories(ctx, tenant)
	if err != nil || !found {
		return claims, err
	}
	person, err := people.Profile(ctx, username)
	if errors.Is(err, directory.ErrNotFound) || errors.Is(err, directory.ErrRefused) {
		return nil, apierr.New(apierr.NotFound, "This account is no longer in the directory of tenant %s.", tenant.ID)
	}
	if err != nil {
		return nil, err
	}
	put := func(name, value string) {
		if value != "" {
			claims[name] = value
		}
	}
	if profile {
		put("name", strings.TrimSpace(person.GivenName+" "+person.LastName))
		put("given_name", person.GivenName)
		put("family_name", person.LastName)
	}
	if email && person.Email != "" {
		// The directory is the tenant's own authority on its people.
		claims["email"], claims["email_verified"] = person.Email, true
	}
	if groups {
		if claims["groups"], err = people.Groups(ctx, person.Username); err != nil {
			return nil, err
		}
	}
	return claims, nil
}
