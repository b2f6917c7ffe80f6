package directory

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"
)

const (
	placeholder = "${username}"
	// maxName and maxPassword are the longest that are sent, in bytes.
	maxName, maxPassword = 255, 1024
	// everyone is the filter that every entry matches.
	everyone = "(objectClass=*)"
	// groupNumberAttribute is a person's, and a group's, group number (RFC 2307).
	groupNumberAttribute = "gidNumber"
	// entryLimit is the most entries that a look-up of one name asks for: the
	// second shows that the first is not the only one.
	entryLimit = 2
)

// attributeName is what can name an attribute (RFC 4512 section 1.4).
var attributeName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*$`)

// naming turns names into DNs and searches, and entries into profiles. Nothing
// that was typed can change the structure of what it builds.
type naming struct {
	attribute  string // holds the name of a person
	base       string // people are below it
	templated  bool   // people are directly below it, named by attribute
	filter     string // people must match it; never empty
	groups     membership
	groupBase  string // groups are below it; empty: none are known
	attributes []string
}

func newNaming(c Config) (naming, error) {
	n := naming{filter: c.Filter, base: c.UserDN, attribute: "uid", groupBase: c.GroupBaseDN}
	if n.filter == "" {
		n.filter = everyone
	}
	if err := CheckFilter(n.filter); err != nil {
		return naming{}, err
	}
	var err error
	if n.groups, err = newMembership(c.Rules); err != nil {
		return naming{}, err
	}
	if before, after, found := strings.Cut(c.UserDN, placeholder); found {
		attribute, isEqual := strings.CutSuffix(strings.TrimSpace(before), "=")
		base, isBelow := strings.CutPrefix(strings.TrimSpace(after), ",")
		if !isEqual || !isBelow {
			return naming{}, fmt.Errorf("directory: the user DN must begin as in uid=%s,ou=People", placeholder)
		}
		n.attribute, n.base, n.templated = strings.TrimSpace(attribute), strings.TrimSpace(base), true
	} else if strings.HasPrefix(strings.ToLower(strings.TrimSpace(c.BindDN)), "cn") {
		n.attribute = "cn"
	}
	if !attributeName.MatchString(n.attribute) {
		return naming{}, fmt.Errorf("directory: %q in the user DN is no attribute", n.attribute)
	}
	if dn, err := ldap.ParseDN(n.base); err != nil || len(dn.RDNs) == 0 || strings.Contains(n.base, "${") {
		return naming{}, errors.New("directory: the user DN is not a distinguished name")
	}
	n.attributes = []string{
		n.attribute, "cn", "givenName", "sn", "mail", "telephoneNumber", "mobile", "uidNumber", "createTimestamp",
	}
	if n.attribute == "cn" {
		n.attributes = n.attributes[1:]
	}
	if n.groupBase != "" {
		n.attributes = append(n.attributes, groupNumberAttribute)
	}
	return n, nil
}

// dn returns the DN of a person where a template gives it.
func (n naming) dn(username string) string {
	return n.attribute + "=" + ldap.EscapeDN(username) + "," + n.base
}

// search returns the request that finds a person.
func (n naming) search(username string) *ldap.SearchRequest {
	r := &ldap.SearchRequest{
		BaseDN: n.base, Scope: ldap.ScopeWholeSubtree, Filter: n.selects(username),
		DerefAliases: ldap.NeverDerefAliases, SizeLimit: entryLimit, Attributes: n.attributes,
	}
	if n.templated {
		r.BaseDN, r.Scope, r.Filter = n.dn(username), ldap.ScopeBaseObject, n.filter
	}
	return r
}

// selects returns the filter that a person matches who may sign in.
func (n naming) selects(username string) string {
	return "(&(" + n.attribute + "=" + ldap.EscapeFilter(username) + ")" + n.filter + ")"
}

// profile returns the profile in an entry that was found for a typed name. It
// returns ErrNotFound if the entry is named otherwise than by letter case, as
// happens where the directory overlooks spaces, widths and accents.
func (n naming) profile(e *ldap.Entry, typed string) (Profile, error) {
	name, ok := n.spelling(e)
	if !ok || !sameName(name, typed) {
		return Profile{}, ErrNotFound
	}
	return n.describe(e, name), nil
}

// describe returns the profile in an entry whose name is established.
func (n naming) describe(e *ldap.Entry, name string) Profile {
	p := Profile{
		Username:    name,
		DN:          e.DN,
		GivenName:   e.GetEqualFoldAttributeValue("givenName"),
		LastName:    e.GetEqualFoldAttributeValue("sn"),
		Email:       e.GetEqualFoldAttributeValue("mail"),
		Phone:       e.GetEqualFoldAttributeValue("telephoneNumber"),
		MobilePhone: e.GetEqualFoldAttributeValue("mobile"),
		UID:         e.GetEqualFoldAttributeValue("uidNumber"),
		CreateTime:  generalizedTime(e.GetEqualFoldAttributeValue("createTimestamp")),
	}
	if p.GivenName != "" && p.LastName != "" {
		p.Name = p.GivenName + " " + p.LastName
	} else {
		p.Name = e.GetEqualFoldAttributeValue("cn")
	}
	return p
}

// spelling returns the one name of an entry. An attribute can have several
// values; the name is then the one that the DN uses, so that nobody can sign in
// under two names.
func (n naming) spelling(e *ldap.Entry) (string, bool) {
	values := e.GetEqualFoldAttributeValues(n.attribute)
	if len(values) == 1 {
		return values[0], usableName(values[0])
	}
	dn, err := ldap.ParseDN(e.DN)
	if err != nil || len(dn.RDNs) == 0 {
		return "", false
	}
	for _, part := range dn.RDNs[0].Attributes {
		if !strings.EqualFold(part.Type, n.attribute) {
			continue
		}
		for _, v := range values {
			if sameName(v, part.Value) {
				return v, usableName(v)
			}
		}
	}
	return "", false
}

// usableName reports whether s can be somebody's name. LDAP matching overlooks
// spaces at the ends and repeated ones within, so names with such are refused
// rather than taken for others.
func usableName(s string) bool {
	if s == "" || len(s) > maxName || !utf8.ValidString(s) || strings.Contains(s, "  ") {
		return false
	}
	if strings.TrimSpace(s) != s {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError })
}

// usablePassword reports whether s can be sent as a password. An empty one
// would make the bind an unauthenticated one, which succeeds for anybody (RFC
// 4513 section 5.1.2).
func usablePassword(s string) bool {
	return s != "" && len(s) <= maxPassword && strings.IndexByte(s, 0) < 0
}

// sameName reports whether two names differ in letter case at most. Letters
// outside ASCII that fold to ASCII ones, such as the Kelvin sign, do not count
// as the same.
func sameName(a, b string) bool {
	if !strings.EqualFold(a, b) {
		return false
	}
	// Folded alike, both have the same number of letters.
	others := []rune(b)
	for i, r := range []rune(a) {
		if (r < utf8.RuneSelf) != (others[i] < utf8.RuneSelf) {
			return false
		}
	}
	return true
}

// generalizedTime reads the syntax of createTimestamp (RFC 4517 section
// 3.3.13), and returns the zero time for what it is not.
func generalizedTime(s string) time.Time {
	t, err := time.Parse("20060102150405Z0700", s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
