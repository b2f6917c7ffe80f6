// Package devldap is a small LDAP server with people held in memory, for the
// first run of Gatehouse and for tests. It speaks simple bind and search
// (RFC 4511) on a loopback address, without TLS, and nothing can be written.
//
// Its tree has one base, one organizational unit for each group of people, so
// that several tenants can have their own, and below these the people, named
// by uid:
//
//	dc=tapis
//	  ou=dev,dc=tapis
//	    uid=testuser1,ou=dev,dc=tapis
//
// Who may sign in where is no business of this package; package directory asks
// it as it asks any other LDAP server.
package devldap
