// Package directory asks an LDAP directory about people: whether a password is
// theirs, and what their profile says. It is the only importer of go-ldap.
//
// One Directory serves one LDAP connection of the registry. Which tenant uses
// which, where the service account's password is kept, how often a password may
// be tried and what the answer to a refusal says is decided by the callers.
//
// What was typed never shapes a request: names are checked, then escaped, and
// the name that Authenticate returns is the directory's own spelling of it, so
// that nobody has two identities. Passwords only ever travel in a simple bind on
// an encrypted connection, on connections that are used for nothing else.
package directory
