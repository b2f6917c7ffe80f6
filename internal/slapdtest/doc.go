// Package slapdtest runs OpenLDAP's slapd for tests: a throw-away server with
// a certificate of its own on loopback ports, with the people that a test
// wants, that can be stopped, restarted and suspended. Production code never
// imports it.
//
// It needs Debian's package slapd. The program is copied before it runs, since
// AppArmor confines the installed one to the system's own directories; so it
// works for root and for anyone else alike.
package slapdtest
