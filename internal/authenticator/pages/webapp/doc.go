// Package webapp is the token web application of a tenant: a page on which
// people get a Tapis token to copy. It is an OAuth client like any other, by
// authorization code with PKCE, only that it redeems its codes in process.
//
// The token is kept sealed in the session, never in the cookie. Signing in
// belongs to signin, the client itself to clients.
package webapp
