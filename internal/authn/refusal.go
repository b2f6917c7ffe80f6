package authn

import (
	"cmp"
	"errors"

	"gatehouse/internal/apierr"
)

// refusal is a fault of the token itself, or of the headers that go with it.
type refusal struct {
	reason  string // for the log
	message string // for the bearer; empty: nothing in particular
	kind    error  // what else it is; nil: nothing
}

// Error implements error.
func (r *refusal) Error() string { return r.reason }

// Unwrap returns the more general refusal, if there is one.
func (r *refusal) Unwrap() error { return r.kind }

// What can be wrong with a token: it is not to be believed, or not here.
var (
	ErrMalformed error = &refusal{
		reason:  "the token is malformed",
		message: "The access token is malformed; was it cut, or sent with more than the token?",
	}
	ErrSignature  error = &refusal{reason: "the token's signature is not valid"}
	ErrExpired    error = &refusal{reason: "the token has expired", message: "The access token has expired."}
	ErrTenant     error = &refusal{reason: "the token belongs to another tenant"}
	ErrIssuer     error = &refusal{reason: "the token has another issuer"}
	ErrTokenType  error = &refusal{reason: "the token is of another type", message: "The token is not an access token."}
	ErrUnknownKey error = &refusal{reason: "the token is signed with an unknown key"}
	ErrRevoked    error = &refusal{
		reason: "the token has been revoked or was never recorded", message: "The access token has been revoked.",
	}
	ErrTargetSite error = &refusal{
		reason: "the token is meant for another site", message: "The service token is meant for another site.",
	}
	ErrBehalf error = &refusal{
		reason: "the headers X-Tapis-Tenant and X-Tapis-User do not go with this token",
		message: "The headers X-Tapis-Tenant and X-Tapis-User do not go with this token: a service sends both, for a " +
			"tenant that it may act for here; a user sends neither.",
	}
)

// missingHeaders is the ErrBehalf of a service that does not say for whom it
// asks; what is a clause.
func missingHeaders(what string) error {
	return &refusal{
		reason: ErrBehalf.Error() + ": " + what, message: "A service must say for whom it asks: " + what + ".", kind: ErrBehalf,
	}
}

// IsRefusal reports whether err means that the token itself is bad, rather
// than that it could not be checked.
func IsRefusal(err error) bool {
	_, is := errors.AsType[*refusal](err)
	return is
}

// Refusal turns an error for which IsRefusal holds into the answer to the
// bearer of the access token, and leaves others as they are.
func Refusal(err error) error {
	r, is := errors.AsType[*refusal](err)
	if !is {
		return err
	}
	return unauthenticated(cmp.Or(r.message, "The access token is not valid for this request.")).Because(err)
}

// ThirdPartyRefused is the answer to whoever wants to administer with a token
// that was made through a client of somebody else.
func ThirdPartyRefused(clientID string) error {
	return apierr.New(apierr.Forbidden, "The token was made through the client %s, which belongs to somebody else: it may use "+
		"Tapis for you, but administer nothing. Use a token made without a client, or have an administrator of "+
		"the tenant trust the client.",
		clientID)
}

func unauthenticated(message string) *apierr.Error {
	e := apierr.New(apierr.Unauthenticated, "%s", message)
	e.Challenge = `Bearer realm="tapis", error="invalid_token"`
	return e
}
