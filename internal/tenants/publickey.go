package tenants

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authn"
)

// Limits of a public key. Verifiers pay for long keys, and a tiny exponent
// has been the root of too many signature forgeries.
const (
	maxPublicKey   = 10000 // characters
	minKeyBits     = 2048
	maxKeyBits     = 8192
	minKeyExponent = 65537
)

// published are the thumbprints of example keys that have been printed whole.
var published = map[string]bool{
	"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs": true, // RFC 7517 appendix A and RFC 7638 section 3.1
	"UVSYOAYMLo8sxJkSZl2DZDHA6sP9UlyYSl2moTB7i9Q": true, // the sample key of libraries for JSON Web Tokens
}

// NormalizePublicKey returns an RSA public key in the one form that the
// registry keeps and every Tapis service can read: SubjectPublicKeyInfo,
// base64 in ONE unwrapped line between header and footer, LF only, no LF at
// the end. Java services strip header and footer and refuse line breaks in
// the rest.
//
// It accepts wrapped or unwrapped PEM of SubjectPublicKeyInfo or PKCS#1, with
// LF, CRLF or the two characters \n for line breaks. RSA keys below 2048 or
// above 8192 bits or with an exponent below 65537, published example keys,
// keys of other types, private keys and anything around the key are refused
// with an apierr.Invalid that never repeats the input.
func NormalizePublicKey(text string) (string, error) {
	if len(text) > maxPublicKey {
		return "", apierr.Invalidf("The field public_key must be at most %d characters long.", maxPublicKey)
	}
	key, err := parsePublicKey(text)
	if err != nil {
		return "", err
	}
	switch bits := key.N.BitLen(); {
	case bits < minKeyBits:
		return "", apierr.Invalidf("The field public_key must be an RSA key of at least %d bits; this one has %d.", minKeyBits, bits)
	case bits > maxKeyBits:
		return "", apierr.Invalidf("The field public_key must be an RSA key of at most %d bits; this one has %d.", maxKeyBits, bits)
	case key.N.Bit(0) == 0:
		return "", apierr.Invalidf("The field public_key is not a sound RSA key: its modulus is even.")
	case key.E < minKeyExponent || key.E%2 == 0:
		return "", apierr.Invalidf("The field public_key must be an RSA key with an odd exponent of at least %d.", minKeyExponent)
	}
	if published[authn.Thumbprint(key)] {
		return "", apierr.Invalidf("The field public_key is the public half of a key whose private half everybody knows; " +
			"make one of your own.")
	}
	canonical, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", apierr.Wrap(err, "encode public key")
	}
	return "-----BEGIN PUBLIC KEY-----\n" + base64.StdEncoding.EncodeToString(canonical) + "\n-----END PUBLIC KEY-----", nil
}

// parsePublicKey reads an RSA key in any of the accepted forms, of any size.
func parsePublicKey(text string) (*rsa.PublicKey, error) {
	label, der, err := armored(text)
	if err != nil {
		return nil, err
	}
	return parseRSA(label, der)
}

// KeyID returns the id that tokens and JWKs give a tenant's public key: its
// RFC 7638 thumbprint. It fails as NormalizePublicKey does.
func KeyID(text string) (string, error) {
	key, err := parsePublicKey(text)
	if err != nil {
		return "", err
	}
	return authn.Thumbprint(key), nil
}

// armored takes the PEM armor off. encoding/pem would skip what stands before
// the armor and wants line breaks where operators' variables have lost them.
func armored(text string) (label string, der []byte, err error) {
	malformed := apierr.Invalidf("The field public_key must be a PEM block that begins with -----BEGIN PUBLIC KEY----- " +
		"and holds nothing else.")
	text = strings.TrimSpace(strings.NewReplacer(`\r`, "", `\n`, "\n").Replace(text))
	rest, begins := strings.CutPrefix(text, "-----BEGIN ")
	label, rest, labelled := strings.Cut(rest, "-----")
	body, ends := strings.CutSuffix(rest, "-----END "+label+"-----")
	switch {
	case begins && strings.Contains(label, "PRIVATE"):
		return "", nil, apierr.Invalidf("The field public_key holds a private key; send its public half only, " +
			"and replace the key, because it has been disclosed.")
	case !begins || !labelled || !ends:
		return "", nil, malformed
	}
	der, decodeErr := base64.StdEncoding.Strict().DecodeString(strings.Join(strings.Fields(body), ""))
	if decodeErr != nil || len(der) == 0 {
		return "", nil, malformed
	}
	return label, der, nil
}

func parseRSA(label string, der []byte) (*rsa.PublicKey, error) {
	switch label {
	case "PUBLIC KEY":
		key, err := x509.ParsePKIXPublicKey(der)
		if err != nil {
			return nil, apierr.Invalidf("The field public_key does not hold a readable public key.")
		}
		if key, ok := key.(*rsa.PublicKey); ok {
			return key, nil
		}
		return nil, apierr.Invalidf("The field public_key must be an RSA key; tokens are signed with RS256.")
	case "RSA PUBLIC KEY":
		key, err := x509.ParsePKCS1PublicKey(der)
		if err != nil {
			return nil, apierr.Invalidf("The field public_key does not hold a readable public key.")
		}
		return key, nil
	}
	return nil, apierr.Invalidf("The field public_key must be a PUBLIC KEY or RSA PUBLIC KEY block.")
}
