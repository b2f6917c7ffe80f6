package userinfo

import (
	"context"
	"errors"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/oauth2"
	"gatehouse/internal/authenticator/people"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/registryclient"
)

// Service says who somebody is in the words of OpenID Connect: the claims that
// a scope grants, for ID tokens and the UserInfo endpoint.
type Service struct {
	people *people.Service
	tokens *tokens.Service
}

// New returns a Service.
func New(p *people.Service, t *tokens.Service) *Service { return &Service{people: p, tokens: t} }

// IDToken returns the ID token that goes with an access token made for r, or
// "" where none is due: without the scope openid, or without a client to be
// told.
func (s *Service) IDToken(ctx context.Context, tenant registryclient.Tenant, r tokens.Request,
	accessToken string,
) (string, error) {
	if r.ClientID == "" || !oauth2.HasScope(r.Scope(), oauth2.OpenID) {
		return "", nil
	}
	claims, err := s.claims(ctx, tenant, r.Username, r.Scope())
	if err != nil {
		return "", err
	}
	return s.tokens.IDToken(ctx, tokens.IDRequest{Issuer: tenant.OAuthURL(""), Request: r, AccessToken: accessToken, Claims: claims})
}

// claims returns those claims of OpenID Connect Core section 5.1 that the scope
// grants and the directory knows.
func (s *Service) claims(ctx context.Context, tenant registryclient.Tenant, username, scope string) (map[string]any, error) {
	claims := map[string]any{}
	profile, email, groups := oauth2.HasScope(scope, oauth2.Profile), oauth2.HasScope(scope, oauth2.Email),
		oauth2.HasScope(scope, oauth2.Groups)
	if !profile && !email && !groups {
		return claims, nil
	}
	person, err := s.people.Find(ctx, tenant, username)
	switch {
	case errors.Is(err, people.ErrNoDirectory):
		return claims, nil
	case errors.Is(err, people.ErrNotFound):
		return nil, apierr.New(apierr.NotFound, "This account is no longer in the directory of tenant %s.", tenant.ID)
	case err != nil:
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
		if claims["groups"], err = s.people.Groups(ctx, tenant, person.Username); err != nil {
			return nil, err
		}
	}
	return claims, nil
}
