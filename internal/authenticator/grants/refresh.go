package grants

import (
	"context"
	"errors"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/tokens"
)

// refresh is the grant of RFC 6749 section 6: a refresh token, presented by
// the client that got it, for a new pair.
type refresh struct {
	directories Directories
	mint        Mint
}

func (refresh) client() clientRule { return clientNeeded }

func (g refresh) authorize(ctx context.Context, a attempt) (grantee, error) {
	if a.RefreshToken == "" {
		return grantee{}, apierr.Invalidf("Missing the required refresh_token parameter.")
	}
	previous, err := g.mint.Present(ctx, tokenTenant(a.tenant), a.client.ID, a.RefreshToken)
	if errors.Is(err, tokens.ErrRefused) || errors.Is(err, tokens.ErrReused) {
		return grantee{}, invalidRefreshToken(err)
	}
	if err != nil {
		return grantee{}, err
	}
	if err := g.directories.stillThere(ctx, a.tenant, previous.Username, previous.IDPID); err != nil {
		return grantee{}, orInvalid(err, invalidRefreshToken)
	}
	narrowed, err := narrow(previous.Login.Scope, a.Scope)
	if err != nil {
		return grantee{}, err
	}
	return grantee{
		username: previous.Username, redirectURI: previous.RedirectURI, idpID: previous.IDPID, login: previous.Login,
		narrowed: narrowed, previous: previous,
	}, nil
}

func invalidRefreshToken(cause error) error {
	return invalidGrant("The refresh token is not valid: it is unknown, expired, revoked, or was given to another client.", cause)
}
