package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-ldap/ldap/v3"

	"gatehouse/internal/apierr"
)

// maxGroups bounds how many groups of one person are told.
const maxGroups = 200

// Groups returns the names of the POSIX groups below Rules.GroupBaseDN that a
// person is in, sorted; none where the rules name no base. It fails with
// ErrNotFound for whom the rules exclude.
func (d *Directory) Groups(ctx context.Context, username string) ([]string, error) {
	if !usableName(username) {
		return nil, ErrNotFound
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	person, number, err := d.entry(ctx, username)
	if err != nil {
		return nil, err
	}
	if !d.naming.groups.everyone() {
		if admitted, err := d.member(ctx, person.Username, number); err != nil {
			return nil, err
		} else if !admitted {
			return nil, ErrNotFound
		}
	}
	names := []string{}
	if d.naming.groupBase == "" {
		return names, nil
	}
	found, err := d.ask(ctx, &ldap.SearchRequest{
		BaseDN: d.naming.groupBase, Scope: ldap.ScopeWholeSubtree,
		Filter:       "(&(objectClass=posixGroup)" + memberFilter(person.Username, number) + ")",
		DerefAliases: ldap.NeverDerefAliases, SizeLimit: maxGroups, Attributes: []string{"cn"},
	})
	code, answered := resultCode(err)
	switch {
	case err == nil:
	case answered && code == ldap.LDAPResultNoSuchObject:
		return names, nil
	case answered && code == ldap.LDAPResultSizeLimitExceeded:
		return nil, apierr.Away(errors.New("the person is in too many groups"), dependency)
	default:
		return nil, apierr.Away(fmt.Errorf("look groups up: %w", err), dependency)
	}
	for _, e := range found.Entries {
		if name := e.GetEqualFoldAttributeValue("cn"); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// memberFilter is the part of a filter that finds the groups of a person, by
// the directory's own spelling and their group number.
func memberFilter(username, number string) string {
	person := "(memberUid=" + ldap.EscapeFilter(username) + ")"
	if groupNumber.MatchString(number) {
		person = "(|" + person + "(gidNumber=" + number + "))"
	}
	return person
}
