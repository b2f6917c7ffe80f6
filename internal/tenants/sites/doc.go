// Package sites owns the sites of the installation: what a site is, the rule
// that exactly one of them is primary and that only this one has a template
// for tenant addresses, their table, and their part of the HTTP API.
//
// Tenants, and the memory copy of the registry that reads are answered from,
// belong to the tenants package above it; changes run inside its
// transactions, one at a time.
package sites
