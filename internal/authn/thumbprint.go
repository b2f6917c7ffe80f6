package authn

import (
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
)

// Members returns the members n and e of a public key's JWK (RFC 7518 section 6.3.1).
func Members(public *rsa.PublicKey) (n, e string) {
	return base64.RawURLEncoding.EncodeToString(public.N.Bytes()),
		base64.RawURLEncoding.EncodeToString(big.NewInt(int64(public.E)).Bytes())
}

// Thumbprint returns the RFC 7638 thumbprint of a public key, SHA-256,
// base64url: the kid of Tapis tokens.
func Thumbprint(public *rsa.PublicKey) string {
	n, e := Members(public)
	sum := sha256.Sum256([]byte(`{"e":"` + e + `","kty":"RSA","n":"` + n + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
