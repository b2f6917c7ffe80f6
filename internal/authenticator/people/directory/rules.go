package directory

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"gatehouse/internal/apierr"
	"gatehouse/internal/recent"
)

// Rules narrow the entries of a directory to the people of one tenant.
// Whoever they exclude can neither sign in nor be found.
type Rules struct {
	// Filter is an LDAP filter (RFC 4515) that people must match; empty
	// admits everyone.
	Filter string
	// GroupBaseDN and Groups admit only members of at least one of the named
	// POSIX groups (RFC 2307) below the base: those whom memberUid names, and
	// those whose gidNumber is the group's. No groups admit everyone; the base
	// then only says where Directory.Groups looks.
	GroupBaseDN string
	Groups      []string
}

// Equal reports whether two rules are the same.
func (r Rules) Equal(other Rules) bool {
	return r.Filter == other.Filter && r.GroupBaseDN == other.GroupBaseDN && slices.Equal(r.Groups, other.Groups)
}

// CheckFilter says why text cannot be used as Rules.Filter.
func CheckFilter(text string) error {
	compiled, err := ldap.CompileFilter(text)
	if err != nil {
		return fmt.Errorf("directory: the filter cannot be used: %w", err)
	}
	if again, err := ldap.DecompileFilter(compiled); err != nil || again == "" {
		return errors.New("directory: the filter cannot be used")
	}
	return nil
}

// CheckDN says why text cannot be used as Rules.GroupBaseDN.
func CheckDN(text string) error {
	if dn, err := ldap.ParseDN(text); err != nil || len(dn.RDNs) == 0 {
		return errors.New("directory: it is not a distinguished name")
	}
	return nil
}

// Under returns the directory as a tenant with rules of its own sees it. Its
// connections are those of d, which alone is to be closed.
func (d *Directory) Under(r Rules) (*Directory, error) {
	names, err := newNaming(Config{UserDN: d.userDN, BindDN: d.bindDN, Rules: r})
	if err != nil {
		return nil, err
	}
	seen := *d
	seen.naming, seen.known = names, recent.New[string, Profile](maxKnown, d.ttl)
	return &seen, nil
}

var groupNumber = regexp.MustCompile(`^[0-9]{1,20}$`)

// membership is the part of Rules that is about groups; without a base
// everyone is a member.
type membership struct {
	base   string
	filter string // of the groups that count
}

func newMembership(r Rules) (membership, error) {
	if len(r.Groups) == 0 {
		return membership{}, nil
	}
	if err := CheckDN(r.GroupBaseDN); err != nil {
		return membership{}, fmt.Errorf("base of the groups: %w", err)
	}
	var names strings.Builder
	for _, g := range r.Groups {
		if g == "" {
			return membership{}, errors.New("directory: a group has no name")
		}
		names.WriteString("(cn=" + ldap.EscapeFilter(g) + ")")
	}
	return membership{base: r.GroupBaseDN, filter: "(objectClass=posixGroup)(|" + names.String() + ")"}, nil
}

func (m membership) everyone() bool { return m.base == "" }

// asksFor returns the request that finds a group with a person in it.
func (m membership) asksFor(username, number string) *ldap.SearchRequest {
	return &ldap.SearchRequest{
		BaseDN: m.base, Scope: ldap.ScopeWholeSubtree, Filter: "(&" + m.filter + memberFilter(username, number) + ")",
		DerefAliases: ldap.NeverDerefAliases, SizeLimit: 1, Attributes: []string{"1.1"},
	}
}

// member asks whether a person, by the directory's own spelling and group
// number, is in one of the groups.
func (d *Directory) member(ctx context.Context, username, number string) (bool, error) {
	found, err := d.ask(ctx, d.naming.groups.asksFor(username, number))
	code, answered := resultCode(err)
	switch {
	case err == nil:
		return len(found.Entries) > 0, nil
	case answered && code == ldap.LDAPResultSizeLimitExceeded: // in several
		return true, nil
	case answered && (code == ldap.LDAPResultNoSuchObject || code == ldap.LDAPResultReferral):
		d.log.WarnContext(ctx, "the base of the groups that may sign in is not in the directory", "result_code", code)
		return false, nil
	}
	return false, apierr.Away(fmt.Errorf("look groups up: %w", err), dependency)
}

// members are those whom a membership admits, to be looked up in a list.
type members struct{ names, numbers map[string]bool }

func (m *members) has(username, number string) bool {
	return m == nil || m.names[username] || m.numbers[number]
}

// members asks for everybody in the groups; nil: everyone is.
func (d *Directory) members(ctx context.Context) (*members, error) {
	groups := d.naming.groups
	if groups.everyone() {
		return nil, nil //nolint:nilnil // nil members are everyone
	}
	found, err := d.ask(ctx, &ldap.SearchRequest{
		BaseDN: groups.base, Scope: ldap.ScopeWholeSubtree, Filter: "(&" + groups.filter + ")",
		DerefAliases: ldap.NeverDerefAliases, Attributes: []string{"memberUid", "gidNumber"},
	})
	if code, answered := resultCode(err); answered && code == ldap.LDAPResultNoSuchObject {
		return &members{}, nil
	}
	if err != nil {
		return nil, apierr.Away(fmt.Errorf("look groups up: %w", err), dependency)
	}
	all := &members{names: map[string]bool{}, numbers: map[string]bool{}}
	for _, e := range found.Entries {
		for _, name := range e.GetEqualFoldAttributeValues("memberUid") {
			all.names[name] = true
		}
		if number := e.GetEqualFoldAttributeValue("gidNumber"); groupNumber.MatchString(number) {
			all.numbers[number] = true
		}
	}
	return all, nil
}
