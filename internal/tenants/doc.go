// Package tenants is the registry of a Tapis installation: tenants, their
// owners, the LDAP connections that their people and services are found in,
// and the history of tenants. Sites live in the package below it; the HTTP
// API of both is mounted here.
//
// How it hangs together. Reads are answered from a view: an immutable copy of
// all sites and tenants with the answers about them, made by registry.go and
// replaced when the database counts a change. Every write runs through
// registry.change: one transaction that keeps other writers out, then a new
// view. The rules of a tenant are in tenant.go and tenant_service.go, its SQL
// in tenant_store.go, its HTTP in tenant_handler.go and its wire form in
// tenant_answer.go; owners and LDAP connections follow the same names.
//
// Reads need no token and ignore one, so that an expired token never breaks
// an SDK's start. Who may write is decided by the caller's token, which this
// package does not read; issuing tokens, and the keys they are signed with,
// belong to the authenticator, which this package never imports.
package tenants
