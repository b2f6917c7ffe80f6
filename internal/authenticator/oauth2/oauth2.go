// Package oauth2 is the vocabulary of OAuth 2.0 and OpenID Connect: grant
// types, response types, scopes and error codes, each once. What is done with
// them belongs to those who use the words.
package oauth2

import (
	"slices"
	"strings"
)

// The grant types, by the names that Tapis tokens carry. All that are served
// is known by grants.
const (
	Password          = "password"
	RefreshToken      = "refresh_token"
	AuthorizationCode = "authorization_code"
	DeviceCode        = "device_code"
	Implicit          = "implicit"
	ClientCredentials = "client_credentials"
)

// DeviceCodeURN is what RFC 8628 calls the grant type DeviceCode. The spelling
// with an underscore is the RFC's own.
const DeviceCodeURN = "urn:ietf:params:oauth:grant-type:device_code"

// The response types, RFC 6749 section 3.1.1.
const (
	CodeResponse  = "code"
	TokenResponse = "token"
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

// HasScope reports whether a scope, separated by spaces, contains name.
func HasScope(scope, name string) bool { return slices.Contains(strings.Fields(scope), name) }

// KnownScope returns what means something of a requested scope: each member
// once, in the order in which they were asked for. Unknown ones are ignored,
// RFC 6749 section 3.3: what a Tapis token may do is what its person may do.
func KnownScope(requested string) string {
	var known []string
	for _, name := range strings.Fields(requested) {
		if slices.Contains(Scopes(), name) && !slices.Contains(known, name) {
			known = append(known, name)
		}
	}
	return strings.Join(known, " ")
}

// The error codes: RFC 6749 sections 4.1.2.1 and 5.2, RFC 8628 section 3.5,
// and OpenID Connect Core section 3.1.2.6.
const (
	InvalidRequest          = "invalid_request"
	InvalidClient           = "invalid_client"
	InvalidGrant            = "invalid_grant"
	InvalidScope            = "invalid_scope"
	UnauthorizedClient      = "unauthorized_client"
	UnsupportedGrantType    = "unsupported_grant_type"
	UnsupportedResponseType = "unsupported_response_type"
	AccessDenied            = "access_denied"
	TemporarilyUnavailable  = "temporarily_unavailable"

	AuthorizationPending = "authorization_pending"
	SlowDown             = "slow_down"
	ExpiredToken         = "expired_token"

	LoginRequired   = "login_required"
	ConsentRequired = "consent_required"
)
