package grants

import (
	"context"
	"errors"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/oauth2"
	"gatehouse/internal/authenticator/people"
	"gatehouse/internal/authenticator/tokens"
)

// clientCredentials is the grant of RFC 6749 section 4.4: a client acts for
// itself.
type clientCredentials struct{}

// errPublicClient is the cause where only a client with a secret may ask.
var errPublicClient = errors.New("the client is a public one")

func (clientCredentials) rules() rules { return rules{client: clientNeeded, nobody: true} }

func (clientCredentials) authorize(_ context.Context, _ *Pipeline, x exchange) (grantee, error) {
	if x.client.Public() {
		return grantee{}, apierr.OAuth(apierr.Invalid, oauth2.UnauthorizedClient,
			"A public client cannot act for itself: it has no secret.").Because(errPublicClient)
	}
	return grantee{username: people.ClientPrefix + x.client.ID, began: x.began, login: tokens.Login{Scope: ""}, alone: true}, nil
}
