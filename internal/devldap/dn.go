package devldap

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"
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
	dn, err := ldap.ParseDN(s)
	if err != nil || !isText(s) {
		return nil, errDN
	}
	var n name
	for _, rdn := range dn.RDNs {
		var pairs []string
		for _, a := range rdn.Attributes {
			if a.Value == "" || !isText(a.Value) {
				return nil, errDN
			}
			pairs = append(pairs, strings.ToLower(a.Type)+"="+fold(a.Value))
		}
		slices.Sort(pairs)
		n = append(n, strings.Join(pairs, "+"))
	}
	return n, nil
}

// isText reports whether s is UTF-8 without NUL.
func isText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// fold brings a value into the form in which caseIgnoreMatch compares.
func fold(value string) string {
	value = strings.ToLower(strings.Trim(value, " "))
	for strings.Contains(value, "  ") {
		value = strings.ReplaceAll(value, "  ", " ")
	}
	return value
}
