package directory_test

import (
	"testing"

	"github.com/go-ldap/ldap/v3"
)

// rawConn is a connection that nothing of ours guards, to see what a server does.
func rawConn(t *testing.T, url string) *ldap.Conn {
	t.Helper()
	c, err := ldap.DialURL(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// rawMatches returns how many entries below base match filter.
func rawMatches(t *testing.T, c *ldap.Conn, base, filter string) int {
	t.Helper()
	found, err := c.Search(&ldap.SearchRequest{BaseDN: base, Scope: ldap.ScopeWholeSubtree, Filter: filter})
	if err != nil {
		t.Fatal(err)
	}
	return len(found.Entries)
}
