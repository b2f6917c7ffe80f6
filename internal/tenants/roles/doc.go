// Package roles asks the authenticator of the primary site who holds which
// role, over HTTP, as the service tenants, and whether a token has been
// revoked. It gets its own service token with
// the service's password when it first needs one, keeps it until shortly
// before its end, and never asks at start: the authenticator needs the
// registry before the registry needs it.
//
// What the roles allow belongs to the package above.
package roles
