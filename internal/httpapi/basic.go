package httpapi

import (
	"encoding/base64"
	"net/url"
	"strings"
	"unicode/utf8"

	"gatehouse/internal/apierr"
)

// Basic are the credentials of an Authorization header (RFC 7617).
type Basic struct {
	Name, Secret string
}

// maxBasic bounds the header value; an id of 80 and a secret of a few hundred
// characters fit many times over.
const maxBasic = 8 << 10

// ParseBasic reads an Authorization header. The second value is false when
// the header is absent or of another scheme; a malformed one is an error.
func ParseBasic(header string) (Basic, bool, error) {
	scheme, text, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return Basic{}, false, nil
	}
	malformed := apierr.Invalidf("The Authorization header is not well-formed HTTP Basic.")
	if len(text) > maxBasic {
		return Basic{}, true, malformed
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Trim(text, " "))
	if err != nil || !isText(string(raw)) {
		return Basic{}, true, malformed
	}
	name, secret, found := strings.Cut(string(raw), ":")
	if !found {
		return Basic{}, true, malformed
	}
	return Basic{Name: name, Secret: secret}, true, nil
}

// Decoded returns the credentials with the form encoding of RFC 6749 section
// 2.3.1 removed. Tapis clients send them unencoded, so callers try the raw
// values first. Credentials that are not such an encoding of text come back
// as they are.
func (b Basic) Decoded() Basic {
	name, err := url.QueryUnescape(b.Name)
	if err != nil || !isText(name) {
		return b
	}
	secret, err := url.QueryUnescape(b.Secret)
	if err != nil || !isText(secret) {
		return b
	}
	return Basic{Name: name, Secret: secret}
}

// isText reports whether s is valid UTF-8 without NUL, as Postgres wants it.
func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
