// Package servicetokens is the Tokens API of a site: who may have which tokens
// at /v3/tokens, by a service's password, by a service's token, or by a refresh
// token that was issued here; ending tokens before their time, and telling a
// proxy which have ended, which Tapis calls the site router; and who may have a
// tenant's signing key rotated.
//
// Tokens are made and ended by tokens and keys rotated by keys, service
// passwords and roles are kept by kernel, and who asks is found by tenancy.
// docs/tokens.md describes the rules.
package servicetokens
