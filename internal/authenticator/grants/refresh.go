package grants

import (
	"context"
	"errors"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/oauth2"
	"gatehouse/internal/authenticator/people"
	"gatehouse/internal/authenticator/tokens"
)

// refresh is the grant of RFC 6749 section 6: a refresh token, presented by
// the client that got it, for a new pair.
type refresh struct{}

func (refresh) rules() rules { return rules{client: clientNeeded, withdrawn: invalidRefreshToken} }

func (refresh) authorize(ctx context.Context, p *Pipeline, x exchange) (grantee, error) {
	if x.RefreshToken == "" {
		return grantee{}, apierr.Invalidf("Missing the required refresh_token parameter.")
	}
	previous, err := p.Tokens.Present(ctx, tokenTenant(x.tenant), x.client.ID, x.RefreshToken)
	if errors.Is(err, tokens.ErrRefused) || errors.Is(err, tokens.ErrReused) {
		return grantee{}, invalidRefreshToken(err)
	}
	if err != nil {
		return grantee{}, err
	}
	narrowed, err := narrow(previous.Login.Scope, x.Scope)
	if err != nil {
		return grantee{}, err
	}
	return grantee{
		username: previous.Username, redirectURI: previous.RedirectURI, idpID: previous.IDPID, began: previous.Began,
		login:    previous.Login,
		narrowed: narrowed, previous: previous,
	}, nil
}

// narrow returns the scope of a refreshed access token; nil: the whole of what
// was granted. Asking for more is an error, RFC 6749 section 6.
func narrow(granted, requested string) (*string, error) {
	if requested == "" {
		return nil, nil // the whole
	}
	less := oauth2.KnownScope(requested)
	for _, name := range strings.Fields(less) {
		if !oauth2.HasScope(granted, name) {
			return nil, apierr.OAuth(apierr.Invalid, oauth2.InvalidScope,
				"The scope %s was not granted; a refresh cannot widen the scope.", name)
		}
	}
	return &less, nil
}

func invalidRefreshToken(cause error) error {
	if errors.Is(cause, people.ErrSecondFactor) {
		return invalidGrant("The refresh token is not valid: the tenant asks for a second factor, without which it was granted.", cause)
	}
	return invalidGrant("The refresh token is not valid: it is unknown, expired, revoked, or was given to another client.", cause)
}
