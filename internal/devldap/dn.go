package devldap

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

var errDN = errors.New("devldap: not a distinguished name")

// name is a distinguished name (RFC 4514), leaf first, each part normalized
// for comparison as caseIgnoreMatch asks: lower case, no space at the ends,
// single spaces within.
type name []string

// key returns one string for each name, whatever way it was written.
func (n name) key() string { return strings.Join(n, "\x00") }

// within reports whether n is base or lies below it.
func (n name) within(base name) bool {
	return len(n) >= len(base) && slices.Equal(n[len(n)-len(base):], base)
}

// parseDN reads the string form of a distinguished name. The empty string is
// the empty name.
func parseDN(s string) (name, error) {
	if s == "" {
		return nil, nil
	}
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		return nil, errDN
	}
	var n name
	for {
		part, rest, more, err := parseRDN(s)
		if err != nil {
			return nil, err
		}
		n = append(n, part)
		if !more {
			return n, nil
		}
		s = rest
	}
}

// parseRDN reads one part and says whether a comma, and so another part,
// follows it.
func parseRDN(s string) (part, rest string, more bool, err error) {
	var pairs []string
	for {
		attribute, after, found := strings.Cut(s, "=")
		attribute = strings.TrimSpace(attribute)
		if !found || !isAttribute(attribute) {
			return "", "", false, errDN
		}
		value, separator, tail, err := parseValue(after)
		if err != nil {
			return "", "", false, err
		}
		pairs = append(pairs, strings.ToLower(attribute)+"="+fold(value))
		s = tail
		if separator != '+' {
			slices.Sort(pairs)
			return strings.Join(pairs, "+"), s, separator == ',', nil
		}
	}
}

// parseValue reads an attribute value up to an unescaped separator; separator
// is zero at the end of the text.
func parseValue(s string) (value string, separator byte, rest string, err error) {
	if strings.HasPrefix(strings.TrimLeft(s, " "), "#") {
		return "", 0, "", errDN // BER in hexadecimal, which nobody needs here.
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ',', '+':
			return finishValue(b.String(), c, s[i+1:])
		case '"', ';', '<', '>':
			return "", 0, "", errDN
		case '\\':
			width, unescaped, err := unescape(s[i+1:])
			if err != nil {
				return "", 0, "", err
			}
			b.WriteByte(unescaped)
			i += width
		default:
			b.WriteByte(c)
		}
	}
	return finishValue(b.String(), 0, "")
}

func finishValue(value string, separator byte, rest string) (string, byte, string, error) {
	if value == "" || !utf8.ValidString(value) || strings.IndexByte(value, 0) >= 0 {
		return "", 0, "", errDN
	}
	return value, separator, rest, nil
}

// unescape reads what follows a backslash: one special character or two
// hexadecimal digits. It returns how many bytes that took.
func unescape(s string) (width int, value byte, err error) {
	if s == "" {
		return 0, 0, errDN
	}
	if strings.IndexByte(` "#+,;<=>\`, s[0]) >= 0 {
		return 1, s[0], nil
	}
	if len(s) < 2 {
		return 0, 0, errDN
	}
	decoded, err := hex.DecodeString(s[:2])
	if err != nil {
		return 0, 0, errDN
	}
	return 2, decoded[0], nil
}

// escapeDN writes value so that parseDN reads it back.
func escapeDN(value string) string {
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		c := value[i]
		edge := i == 0 || i == len(value)-1
		if strings.IndexByte(`"+,;<>\`, c) >= 0 || (c == ' ' && edge) || (c == '#' && i == 0) {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}

// fold brings a value into the form in which caseIgnoreMatch compares.
func fold(value string) string {
	value = strings.ToLower(strings.Trim(value, " "))
	for strings.Contains(value, "  ") {
		value = strings.ReplaceAll(value, "  ", " ")
	}
	return value
}

// isAttribute reports whether s can name an attribute: letters, digits, and
// the hyphen, dot and semicolon of OIDs and options.
func isAttribute(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '-' && c != '.' && c != ';' {
			return false
		}
	}
	return s != ""
}
