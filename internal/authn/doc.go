// Package authn turns the token of a request into a Caller: who asks, in
// which tenant, by which kind of account. It verifies signatures and claims;
// where public keys and revocations are found is its users' to supply.
//
// What a caller may do belongs to the handlers.
package authn
