package authn

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
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

// PublicPEM returns a public key as the registry publishes it: one unwrapped
// base64 line between header and footer, because Java services refuse breaks.
func PublicPEM(public *rsa.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", fmt.Errorf("encode public key: %w", err)
	}
	return "-----BEGIN PUBLIC KEY-----\n" + base64.StdEncoding.EncodeToString(der) + "\n-----END PUBLIC KEY-----", nil
}
