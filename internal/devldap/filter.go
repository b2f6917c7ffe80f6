package devldap

import (
	"errors"
	"slices"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// maxFilter bounds how many comparisons and operators a filter may have.
const maxFilter = 100

var errFilter = errors.New("devldap: not a search filter")

// truth is the three-valued logic of RFC 4511 section 4.5.1.7.
type truth int8

const (
	no truth = iota - 1
	undefined
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// inSchema reports whether entries can have the attribute. A filter on any other
// is undefined, so that its negation selects nothing either.
func inSchema(attribute string) bool {
	switch strings.ToLower(attribute) {
	case "objectclass", "ou", "uid", "cn", "sn", "givenname", "mail", "uidnumber", "createtimestamp":
		return true
	}
	return false
}

// filter is a search filter as it is sent.
type filter struct{ packet *ber.Packet }

// parseFilter reads the string form of a filter (RFC 4515).
func parseFilter(s string) (filter, error) {
	if strings.Count(s, "(") > maxFilter {
		return filter{}, errFilter
	}
	packet, err := ldap.CompileFilter(s)
	if err != nil || packet == nil { // go-ldap swallows its own panics
		return filter{}, errFilter
	}
	return filter{packet}, nil
}

// matches says what is true of e: presence, equality, approximate equality and
// substrings. Orderings and extensible matches are undefined.
func (f filter) matches(e *entry) truth {
	children := f.packet.Children
	switch f.packet.Tag {
	case ldap.FilterAnd:
		result := yes
		for _, child := range children {
			result = min(result, filter{child}.matches(e))
		}
		return result
	case ldap.FilterOr:
		result := no
		for _, child := range children {
			result = max(result, filter{child}.matches(e))
		}
		return result
	case ldap.FilterNot:
		return -filter{children[0]}.matches(e)
	case ldap.FilterPresent:
		return e.has(f.packet, func(string) bool { return true })
	case ldap.FilterEqualityMatch, ldap.FilterApproxMatch:
		wanted := fold(children[1].Data.String())
		return e.has(children[0], func(v string) bool { return v == wanted })
	case ldap.FilterSubstrings:
		return e.has(children[0], func(v string) bool { return containsAll(v, children[1].Children) })
	default:
		return undefined
	}
}

// has says whether a value of the attribute that packet names fulfils a test.
func (e *entry) has(packet *ber.Packet, test func(value string) bool) truth {
	attribute := packet.Data.String()
	if !inSchema(attribute) {
		return undefined
	}
	return truthOf(slices.ContainsFunc(e.folded(attribute), test))
}

// containsAll reports whether parts follow each other in value, the initial
// one at its beginning and the final one at its end.
func containsAll(value string, parts []*ber.Packet) bool {
	var found bool
	for _, p := range parts {
		switch part := strings.ToLower(p.Data.String()); p.Tag {
		case ldap.FilterSubstringsInitial:
			value, found = strings.CutPrefix(value, part)
		case ldap.FilterSubstringsFinal:
			return strings.HasSuffix(value, part)
		default:
			_, value, found = strings.Cut(value, part)
		}
		if !found {
			return false
		}
	}
	return true
}
