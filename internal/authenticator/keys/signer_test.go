package keys

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"gatehouse/internal/authn"
)

// module signs for a key that it does not give away, as a security module does.
type module struct {
	inside *rsa.PrivateKey
	asked  int
	broken bool
}

// Public implements crypto.Signer.
func (m *module) Public() crypto.PublicKey { return &m.inside.PublicKey }

// Sign implements crypto.Signer.
func (m *module) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	m.asked++
	if m.broken {
		return nil, errors.New("the module does not answer")
	}
	return rsa.SignPKCS1v15(nil, m.inside, opts.HashFunc(), digest)
}

func TestASecurityModuleCanStandBehindAKey(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, Bits)
	if err != nil {
		t.Fatal(err)
	}
	m := &module{inside: private}
	id := authn.Thumbprint(&private.PublicKey)
	key := &Key{TenantID: "dev", ID: id, Public: &private.PublicKey, signer: m, header: header(id)}
	raw, err := key.Sign(map[string]string{"sub": "ada@dev"})
	if err != nil || m.asked != 1 {
		t.Fatal(m.asked, err)
	}
	token, err := jwt.Parse(raw, func(*jwt.Token) (any, error) { return key.Public, nil }, jwt.WithValidMethods([]string{"RS256"}))
	if err != nil || token.Header["kid"] != id || token.Header["alg"] != "RS256" {
		t.Errorf("%v, %v", token.Header, err)
	}
	m.broken = true
	if raw, err := key.Sign(map[string]string{}); err == nil || raw != "" {
		t.Errorf("without its module the key made %q, %v", raw, err)
	}
}
