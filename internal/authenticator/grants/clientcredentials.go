package grants

import (
	"context"
	"errors"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/tokens"
)

// clientCredentials is the grant of RFC 6749 section 4.4: a client acts for
// itself.
type clientCredentials struct{}

// clientPrefix stands before the id of a client that acts for itself, where
// tokens name a person. No person's name may begin with it, and no client's id
// contains a colon, so that neither can be taken for the other.
const clientPrefix = "client:"

// reserved fails for names that only clients, or services as their owners, may
// have.
func reserved(username string) error {
	for _, prefix := range []string{clientPrefix, "service:"} {
		if len(username) >= len(prefix) && strings.EqualFold(username[:len(prefix)], prefix) {
			return apierr.OAuth(apierr.Invalid, "invalid_grant", "Names that begin with %s do not belong to people.", prefix)
		}
	}
	return nil
}

// errPublicClient is the cause where only a client with a secret may ask.
var errPublicClient = errors.New("the client is a public one")

func (clientCredentials) client() clientRule { return clientNeeded }

func (clientCredentials) authorize(_ context.Context, a attempt) (grantee, error) {
	if a.client.Public() {
		return grantee{}, apierr.OAuth(apierr.Invalid, "unauthorized_client",
			"A public client cannot act for itself: it has no secret.").Because(errPublicClient)
	}
	return grantee{username: clientPrefix + a.client.ID, login: tokens.Login{Scope: ""}, alone: true}, nil
}
