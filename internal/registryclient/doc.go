// Package registryclient asks the registry of a Tapis installation for its
// sites and tenants: by id, by host, with the key that checks a tenant's
// tokens, and, for a service of the site, the LDAP connections. It keeps a
// snapshot, fetched over the HTTP API with ETags and remembered in the
// caller's database, so that an outage of the registry and a start during one
// are not noticed.
//
// Which tenant an HTTP request is for, and what a tenant permits, is decided
// by whoever asks.
package registryclient
