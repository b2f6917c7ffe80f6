// Package tenants is the registry of a Tapis installation: sites, tenants,
// their owners, the LDAP connections that their people and services are found
// in, and the history of sites and tenants.
//
// Each of the four has its record, its fields by their names in the API, the
// rules of a single record and its form on the wire in the file of its name,
// and its row in the file beside it; what they have in common is in
// resource.go (fields), patch.go (what is wanted of a record) and
// content_store.go (tables).
//
// Reads are answered from a snapshot: an immutable copy of all records with
// the responses about them, made by snapshots.go and replaced when the
// database counts a change; read_handler.go serves it. Every write, be it of
// the API (write_handler.go), of an operator (apply.go), of the first start
// (bootstrap.go) or of the development program (seed.go), is planned by
// plan.go, which holds every record against the rules in rules.go, and carried
// out by Service.write in one transaction that keeps other writers out. The
// YAML of operators is the business of the package manifest.
//
// Reads need no token, and one that is bad counts as none, so that an expired
// token never breaks an SDK's start. caller.go is what package authn needs to
// know a caller, with the keys in the registry's own records, access.go what
// he may do, by the roles that a Security Kernel knows of. Issuing tokens, and
// the private halves of those keys, belong to the authenticator, which this
// package never imports.
package tenants
