// Package httpapi is the HTTP edge that every service shares: the Gin engine
// with its middlewares, the adapter for handlers that return errors, the one
// writer of JSON answers, the reading of bodies, parameters and Basic
// credentials, and the health routes.
//
// It knows no domain. Who a caller is belongs to authn, which tenant a
// request is for to the authenticator's tenancy package. The wire format it
// writes is described in docs/wire.md.
package httpapi
