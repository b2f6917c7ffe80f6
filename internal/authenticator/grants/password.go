package grants

import (
	"context"
	"errors"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/oauth2"
	"gatehouse/internal/authenticator/people"
	"gatehouse/internal/authenticator/tokens"
)

// password is the grant of RFC 6749 section 4.3: a person's name and password
// for tokens. It works without a client, and then gives no refresh token.
type password struct{}

func (password) rules() rules { return rules{client: clientOptional} }

func (password) authorize(ctx context.Context, p *Pipeline, x exchange) (grantee, error) {
	if x.Username == "" || x.Password == "" {
		return grantee{}, apierr.Invalidf(
			"Missing required payload data; username and password are required for the password grant type.")
	}
	if x.settings.PasswordNeedsMFA() {
		return grantee{}, apierr.OAuth(apierr.Invalid, oauth2.UnauthorizedClient,
			"The tenant %s asks for a second factor; the password grant type is not available.", x.tenant.ID)
	}
	person, err := p.People.Authenticate(ctx, x.tenant, x.Username, x.Password, x.Address)
	switch {
	case errors.Is(err, people.ErrNoDirectory):
		return grantee{}, apierr.OAuth(apierr.Invalid, oauth2.UnauthorizedClient,
			"The tenant %s has no directory of people; the password grant type is not available.", x.tenant.ID)
	case errors.Is(err, people.ErrRefused):
		return grantee{}, invalidGrant("Invalid username/password combination.", err)
	case err != nil:
		return grantee{}, err
	}
	return grantee{
		username: person.Username, began: x.began,
		login: tokens.Login{Scope: oauth2.KnownScope(x.Scope), AuthTime: p.Now(), AMR: []string{people.AMRPassword}},
	}, nil
}
