// Package tokens is the one mint: it decides the claims of every Tapis token,
// signs them with the tenant's key, records each token issued (never the
// token itself), keeps refresh tokens in families, and says of a presented
// token whether it still stands.
//
// Who may have a token is decided in grants, before the mint is asked. Keys
// come from keys; docs/tokens.md describes claims and lifetimes.
package tokens
