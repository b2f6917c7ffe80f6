package authtest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	_ "embed" // keys.pem
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gatehouse/internal/authenticator/keys"
)

//go:embed keys.pem
var keysPEM []byte

// ready are the keys of keys.pem.
var ready = sync.OnceValue(func() []*rsa.PrivateKey {
	var all []*rsa.PrivateKey
	for block, rest := pem.Decode(keysPEM); block != nil; block, rest = pem.Decode(rest) {
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			panic(err)
		}
		all = append(all, key)
	}
	return all
})

// foreign are the tenants whose keys are not this authenticator's; theirs are
// the last of keys.pem.
var foreign = []string{"edge-admin", "far", "old"}

// Generator returns a maker of keys for keys.Deps: different ones, all ready
// as long as they last.
func Generator() func() (*rsa.PrivateKey, error) {
	var made atomic.Int64
	return func() (*rsa.PrivateKey, error) {
		if n, all := int(made.Add(1)-1), ready(); n < len(all)-len(foreign) {
			return all[n], nil
		}
		return rsa.GenerateKey(rand.Reader, keys.Bits)
	}
}

// ForeignKey is the key of a tenant of the site edge.
func ForeignKey(tenantID string) *rsa.PrivateKey {
	all := ready()
	return all[len(all)-1-slices.Index(foreign, tenantID)]
}

// Sign returns a JWT of claims that a key has signed; without a kid its header
// names none.
func Sign(t testing.TB, key *rsa.PrivateKey, kid string, claims Object) string {
	t.Helper()
	header := Object{"alg": "RS256", "typ": "JWT"}
	if kid != "" {
		header["kid"] = kid
	}
	encoded := make([]string, 2)
	for i, part := range []Object{header, claims} {
		text, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		encoded[i] = base64.RawURLEncoding.EncodeToString(text)
	}
	signed := strings.Join(encoded, ".")
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// Part decodes a part of a compact JWT: 0 the header, 1 the claims.
func Part(t testing.TB, raw string, n int) string {
	t.Helper()
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		t.Fatalf("a token has %d parts", len(parts))
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[n])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Claims decodes the claims of a token without checking it.
func Claims(t testing.TB, raw string) Object {
	t.Helper()
	var claims Object
	if err := json.Unmarshal([]byte(Part(t, raw, 1)), &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}
