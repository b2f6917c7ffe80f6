package keys

import (
	"bytes"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// portable writes JSON so that its base64url has neither - nor _: the Python
// library of Tapis services decodes the claims with the other alphabet of
// base64 and cannot read a token that has them. They come from characters that
// JSON holds in strings only, where an escape means the same.
func portable(text []byte) []byte {
	if !bytes.ContainsFunc(text, unportable) {
		return text
	}
	var out bytes.Buffer
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case !unportable(r):
			out.Write(text[:size])
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
		text = text[size:]
	}
	return out.Bytes()
}

// unportable reports whether a character can make a - or _: those beyond
// ASCII, and those whose last six bits are 62 or 63.
func unportable(r rune) bool { return r >= 0x7e || r == '>' || r == '?' }
