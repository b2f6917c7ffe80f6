// Package clients owns the OAuth clients of each tenant: registering them,
// showing them to their owners, and checking their secrets.
//
// A client belongs to the person who registered it. What a client may do with
// its secret is decided in grants; voiding its tokens when it is switched off
// is asked of tokens.
package clients
