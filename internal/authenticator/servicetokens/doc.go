// Package servicetokens is the Tokens API of a site: who may have which tokens at
// /v3/tokens, by a service's password, by a service's token, or by a refresh
// token that was issued here; ending tokens before their time; and telling a
// proxy which have ended, which Tapis calls the site router.
//
// Tokens are made and ended by tokens, service passwords and roles kept by
// kernel, and callers found by callers. docs/tokens.md describes the rules.
package servicetokens
