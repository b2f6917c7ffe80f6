// Package codes keeps the authorization codes of RFC 6749 section 4.1: what a
// person approved, from the consent page until the client redeems it, once.
// One that comes back has tokens revoke what it gave the first time.
//
// Who may have a code, and whether redirect URI and code verifier fit, is
// decided in grants; the pages that lead to an approval belong to signin.
package codes
