// Package seal protects secrets at rest. One master key of 32 bytes yields,
// by HKDF-SHA-256, a key for sealing (AES-256-GCM) and a pepper for keyed
// hashes. A sealed value names the key that made it and is bound to the
// table, row and column where it belongs, so that it opens nowhere else.
package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// KeySize is the length of the master key in bytes.
const KeySize = 32

// ErrOpen says that a sealed value is not what was sealed for this place.
var ErrOpen = errors.New("sealed value cannot be opened")

// Box seals, opens and hashes with keys derived from one master key. It is
// safe for concurrent use.
type Box struct {
	keyID  string
	aead   cipher.AEAD
	pepper []byte
}

// New derives a Box from a master key of KeySize bytes.
func New(master []byte) (*Box, error) {
	if len(master) != KeySize {
		return nil, fmt.Errorf("master key has %d bytes, want %d", len(master), KeySize)
	}
	if bytes.Count(master, master[:1]) == len(master) {
		return nil, errors.New("master key is a repeated byte, not a random one")
	}
	sealing, err := hkdf.Key(sha256.New, master, nil, "gatehouse seal v1", 32)
	pepper, pepperErr := hkdf.Key(sha256.New, master, nil, "gatehouse pepper v1", 32)
	id, idErr := hkdf.Key(sha256.New, master, nil, "gatehouse key id v1", 4)
	if err := errors.Join(err, pepperErr, idErr); err != nil {
		return nil, fmt.Errorf("derive keys: %w", err)
	}
	block, err := aes.NewCipher(sealing)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("make cipher mode: %w", err)
	}
	return &Box{keyID: hex.EncodeToString(id), aead: aead, pepper: pepper}, nil
}

// ParseKey reads a master key written as 64 hexadecimal digits or as base64 of 32 bytes.
func ParseKey(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	for _, decode := range []func(string) ([]byte, error){
		hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawURLEncoding.DecodeString, base64.URLEncoding.DecodeString,
	} {
		if key, err := decode(text); err == nil && len(key) == KeySize {
			return key, nil
		}
	}
	return nil, fmt.Errorf("master key is not %d bytes in hexadecimal or base64", KeySize)
}

// NewKey returns a fresh random master key.
func NewKey() []byte { return randomBytes(KeySize) }

// NewSecret returns a secret of 256 random bits as 43 base64url characters.
func NewSecret() string { return base64.RawURLEncoding.EncodeToString(randomBytes(32)) }

// Digest is how a secret of NewSecret is stored where it needs only to be found
// again: it has 256 random bits, so that a hash needs no key to be of no use.
func Digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Seal encrypts plain for one place: table, row and column. The result is
// text: "v1.<key id>.<base64url of nonce and ciphertext>".
func (b *Box) Seal(plain []byte, table, row, column string) string {
	nonce := randomBytes(b.aead.NonceSize())
	sealed := b.aead.Seal(nonce, nonce, plain, place(table, row, column))
	return "v1." + b.keyID + "." + base64.RawURLEncoding.EncodeToString(sealed)
}

// Open decrypts what Seal made for the same place, or returns ErrOpen.
func (b *Box) Open(sealed, table, row, column string) ([]byte, error) {
	parts := strings.Split(sealed, ".")
	if len(parts) != 3 || parts[0] != "v1" {
		return nil, ErrOpen
	}
	if parts[1] != b.keyID {
		return nil, fmt.Errorf("%w: it was made with master key %.8s, this one is %s", ErrOpen, parts[1], b.keyID)
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(raw) < b.aead.NonceSize() {
		return nil, ErrOpen
	}
	nonce, text := raw[:b.aead.NonceSize()], raw[b.aead.NonceSize():]
	plain, err := b.aead.Open(nil, nonce, text, place(table, row, column))
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

// Hash returns the keyed hash (HMAC-SHA-256, base64url) of a secret that we
// generated or that is long enough not to be guessed. purpose keeps hashes of
// different uses apart.
func (b *Box) Hash(purpose, secret string) string {
	mac := hmac.New(sha256.New, b.pepper)
	mac.Write([]byte(purpose))
	mac.Write([]byte{0})
	mac.Write([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// HashMatches compares a secret with a stored Hash in constant time.
func (b *Box) HashMatches(purpose, secret, hash string) bool {
	return subtle.ConstantTimeCompare([]byte(b.Hash(purpose, secret)), []byte(hash)) == 1
}

// place encodes table, row and column unambiguously as associated data.
func place(table, row, column string) []byte {
	return fmt.Appendf(nil, "%d:%s%d:%s%d:%s", len(table), table, len(row), row, len(column), column)
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand crashes the program instead
	return b
}
