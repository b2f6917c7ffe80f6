package grants

import (
	"context"
	"errors"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/oauth2"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authn"
	"gatehouse/internal/registryclient"
)

// Revoke voids a token of a tenant, as RFC 7009 describes it, and returns its
// jti. Whoever has a token may revoke it. A client that says who it is must be
// the one to which the token was issued. What is no token of the tenant, or
// has expired, is no error, unless the tenant wants it to be: it returns "".
func (p *Pipeline) Revoke(ctx context.Context, tenant registryclient.Tenant, sent *Credentials, address,
	raw string,
) (string, error) {
	client, err := p.authenticate(ctx, tenant, clientOptional, sent, address)
	if err != nil {
		return "", err
	}
	found, err := p.Tokens.Find(ctx, tokenTenant(tenant), raw)
	switch {
	case authn.IsRefusal(err):
		return "", p.nothingToRevoke(ctx, tenant, err)
	case err != nil:
		return "", err
	case found.AccountType == authn.ServiceAccount:
		return "", apierr.New(apierr.Forbidden, "Tokens of services are not revoked here; use /v3/tokens/revoke.")
	case client != nil && found.ClientID != client.ID:
		return "", apierr.OAuth(apierr.Invalid, oauth2.UnauthorizedClient, "The token was not issued to this client.")
	}
	return found.ID, p.Tokens.Revoke(ctx, found)
}

// nothingToRevoke is an error only in tenants that ask for it, as the service
// did that came before.
func (p *Pipeline) nothingToRevoke(ctx context.Context, tenant registryclient.Tenant, cause error) error {
	settings, err := p.Settings.For(ctx, tenant.ID)
	switch {
	case err != nil:
		return err
	case !settings.StrictRevoke:
		return nil
	case errors.Is(cause, authn.ErrExpired):
		return apierr.Invalidf("The token has expired; there is nothing to revoke.").Because(cause)
	}
	return apierr.Invalidf("The parameter token is not a token of this tenant.").Because(cause)
}

// Introspection is what is told of a token, RFC 7662 section 2.2. Of one that
// is not Active nothing else is.
type Introspection struct {
	tokens.Recorded

	Active bool
	Tenant registryclient.Tenant
}

// Introspect tells a client about its own tokens. It must be one with a
// secret.
func (p *Pipeline) Introspect(ctx context.Context, tenant registryclient.Tenant, sent *Credentials, address,
	raw string,
) (Introspection, error) {
	client, err := p.authenticate(ctx, tenant, clientNeeded, sent, address)
	if err != nil {
		return Introspection{}, err
	}
	if client.Public() {
		return Introspection{}, invalidClient(false).Because(errPublicClient)
	}
	return p.introspect(ctx, tenant, client, raw)
}

// IntrospectAny tells a service about any token of a tenant.
func (p *Pipeline) IntrospectAny(ctx context.Context, tenant registryclient.Tenant, raw string) (Introspection, error) {
	return p.introspect(ctx, tenant, nil, raw)
}

func (p *Pipeline) introspect(ctx context.Context, tenant registryclient.Tenant, client *clients.Client,
	raw string,
) (Introspection, error) {
	found, err := p.Tokens.Find(ctx, tokenTenant(tenant), raw)
	switch {
	case authn.IsRefusal(err):
		return Introspection{}, nil
	case err != nil:
		return Introspection{}, err
	case found.Revoked, found.Rotated, client != nil && found.ClientID != client.ID:
		return Introspection{}, nil
	}
	return Introspection{Recorded: found, Active: true, Tenant: tenant}, nil
}
