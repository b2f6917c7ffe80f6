// Package userinfo tells who somebody is: people and services what the
// tenant's directory says of them, and of each other as far as the tenant lets
// it be seen; clients the claims of OpenID Connect that a scope grants, in ID
// tokens and at the UserInfo endpoint. A claim is added in claims.go.
//
// Knowing people belongs to people, signing ID tokens to tokens, and which
// scope was granted has been decided by grants.
package userinfo
