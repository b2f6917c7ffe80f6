package keys

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"gatehouse/internal/authn"
)

// Bits is the size of the RSA keys that are made.
const Bits = 2048

// Key is one key of one tenant. The private half, which retired keys lack, is
// only reachable as a crypto.Signer, so that an HSM can stand behind it.
type Key struct {
	TenantID string
	ID       string // RFC 7638 thumbprint, the kid of tokens and JWKs
	Public   *rsa.PublicKey
	signer   crypto.Signer
	header   []byte // of the tokens that it signs, encoded, with its dot
}

// Sign returns the compact JWT (RFC 7515) of claims, any value that encodes to
// a JSON object, with alg RS256, typ JWT and this key's id.
func (k *Key) Sign(claims any) (string, error) {
	if k.signer == nil {
		return "", fmt.Errorf("sign with key %s: %w", k.ID, errors.New("it signs no more"))
	}
	text, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("sign with key %s: %w", k.ID, err)
	}
	text = portable(text)
	encoding := base64.RawURLEncoding
	token := make([]byte, 0, len(k.header)+encoding.EncodedLen(len(text))+1+encoding.EncodedLen(k.Public.Size()))
	token = encoding.AppendEncode(append(token, k.header...), text)
	digest := sha256.Sum256(token)
	signature, err := k.signer.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("sign with key %s: %w", k.ID, err)
	}
	return string(encoding.AppendEncode(append(token, '.'), signature)), nil
}

// header returns the encoded header, with its dot, of the tokens that a key
// signs. A thumbprint has no character that JSON escapes.
func header(keyID string) []byte {
	text := `{"alg":"RS256","kid":"` + keyID + `","typ":"JWT"}`
	return append(base64.RawURLEncoding.AppendEncode(nil, []byte(text)), '.')
}

// JWK is a public signing key in the form of RFC 7517.
type JWK struct {
	Type      string `json:"kty"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	ID        string `json:"kid"`
	Modulus   string `json:"n"`
	Exponent  string `json:"e"`
}

// NewJWK describes a public key.
func NewJWK(public *rsa.PublicKey) JWK {
	n, e := authn.Members(public)
	return JWK{Type: "RSA", Use: "sig", Algorithm: "RS256", ID: authn.Thumbprint(public), Modulus: n, Exponent: e}
}

// The types of the PEM blocks that are sealed.
const (
	privateBlock = "PRIVATE KEY"
	publicBlock  = "PUBLIC KEY"
)

func encodePrivate(key *rsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: privateBlock, Bytes: der}), nil
}

func encodePublic(key *rsa.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: publicBlock, Bytes: der}), nil
}

// decode reads what was sealed of a key: its private half, or its public one,
// with which private is nil.
func decode(text []byte) (public *rsa.PublicKey, private *rsa.PrivateKey, err error) {
	block, rest := pem.Decode(text)
	if block == nil || strings.TrimSpace(string(rest)) != "" {
		return nil, nil, errors.New("the key is not one PEM block")
	}
	var parsed any
	switch block.Type {
	case privateBlock:
		parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case publicBlock:
		parsed, err = x509.ParsePKIXPublicKey(block.Bytes)
	}
	switch key := parsed.(type) {
	case *rsa.PrivateKey:
		return &key.PublicKey, key, nil
	case *rsa.PublicKey:
		return key, nil, nil
	}
	if err != nil {
		return nil, nil, errors.New("the key is neither PKCS #8 nor SubjectPublicKeyInfo") // x509's text may show parts of it
	}
	return nil, nil, errors.New("the key is not RSA")
}
