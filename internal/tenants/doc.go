// Package tenants is the registry of a Tapis installation: tenants, their
// owners, the LDAP connections that their people and services are found in,
// and the history of tenants. Sites live in the package below it; the HTTP
// API of both is mounted here.
//
// How it hangs together. Reads are answered from a view: an immutable copy of
// all rows with the answers about them, made by registry.go and replaced when
// the database counts a change. Every write runs through registry.change: one
// transaction that keeps other writers out, then a new view. The rules of a
// tenant are in tenant.go and tenant_service.go, its SQL in tenant_store.go,
// its HTTP in tenant_handler.go and its wire form in tenant_answer.go; owners
// and LDAP connections follow the same names. Operators change the registry as
// a whole with apply.go; the YAML that they write is the business of the
// package manifest, the names of fields that both go by are in kind.go.
//
// Reads need no token, and one that is bad counts as none, so that an expired
// token never breaks an SDK's start. LDAP connections show more to services:
// realm.go is what package authn needs to know a caller, with the keys in the
// registry's own rows. Issuing tokens, and the private halves of those keys,
// belong to the authenticator, which this package never imports.
package tenants
