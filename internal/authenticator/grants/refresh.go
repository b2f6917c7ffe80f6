package grants

import (
	"context"
	"errors"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/directory"
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
	if err := g.stillAllowed(ctx, a, previous.Username); err != nil {
		return grantee{}, err
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

// stillAllowed asks the tenant's directory, if it has one, whether the person
// is still in it.
func (g refresh) stillAllowed(ctx context.Context, a attempt, username string) error {
	people, found, err := g.directories(ctx, a.tenant)
	if err != nil || !found {
		return err
	}
	person, err := people.Profile(ctx, username)
	if errors.Is(err, directory.ErrNotFound) || errors.Is(err, directory.ErrRefused) {
		return invalidRefreshToken(err)
	}
	if err != nil {
		return err
	}
	if person.Username != username {
		return invalidRefreshToken(errors.New("the directory spells the name differently now"))
	}
	return nil
}

func invalidRefreshToken(cause error) error {
	return invalidGrant("The refresh token is not valid: it is unknown, expired, revoked, or was given to another client.", cause)
}
