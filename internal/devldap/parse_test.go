package devldap

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

func TestDistinguishedNamesAreReadAsRFC4514Says(t *testing.T) {
	for _, c := range []struct {
		dn   string
		want name
	}{
		{"", nil},
		{"uid=Ann", name{"uid=ann"}},
		{" UID = Ann  B , dc=x ", name{"uid=ann b", "dc=x"}},
		{`uid=a\,b\+c\=d,dc=x`, name{"uid=a,b+c=d", "dc=x"}},
		{`uid=\23a\5c,dc=x`, name{`uid=#a\`, "dc=x"}},
		{`uid=\c3\84,dc=x`, name{"uid=ä", "dc=x"}},
		{"uid=a;dc=x", name{"uid=a", "dc=x"}},
		{"uid=#040161,dc=x", name{"uid=a", "dc=x"}},
		{"uid=a=b,dc=x", name{"uid=a=b", "dc=x"}},
		{"uid=b+cn=a,dc=x", name{"cn=a+uid=b", "dc=x"}},
		{"0.9.2342.19200300.100.1.1=a", name{"0.9.2342.19200300.100.1.1=a"}},
	} {
		if got, err := parseDN(c.dn); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("got %q, %v for %q, want %q", got, err, c.dn, c.want)
		}
	}
	for _, s := range []string{
		"a", "=a", "uid=", "uid=a,", ",uid=a", "uid=a,b", "uid=<a>", `uid=a\`, `uid=a\4`, `uid=a\zz`, `uid=\00`, `uid=\ff`,
		"uid=a\x00", "uid=\xff", `uid="a"`, "uid=a+",
	} {
		if got, err := parseDN(s); err == nil {
			t.Errorf("got %q for %q", got, s)
		}
	}
}

func TestEscapedNamesAreReadBack(t *testing.T) {
	for _, value := range []string{"a", "#a", "a#", `\`, `a,b+c"d\e<f>g;h=i`, "ä ö", "=", "*", "(", `\2a`} {
		if got, err := parseDN("uid=" + ldap.EscapeDN(value)); err != nil || len(got) != 1 || got[0] != "uid="+fold(value) {
			t.Errorf("got %q, %v for %q", got, err, value)
		}
	}
}

func TestBrokenFiltersAreRefused(t *testing.T) {
	for _, s := range []string{
		"", "()", "(uid)", "uid=a", "(uid=a", "(uid=a))", "(uid=a)(uid=b)", "(&(uid=a)", "(!)", "(!(uid=a)(uid=b))",
		`(uid=\)`, `(uid=\4)`, `(uid=\zz)`, strings.Repeat("(!", 1000) + "(uid=a)" + strings.Repeat(")", 1000),
	} {
		if _, err := parseFilter(s); err == nil {
			t.Errorf("accepted %.40q", s)
		}
	}
}

func FuzzNoDNAndNoFilterBreaksTheParsers(f *testing.F) {
	for _, s := range []string{
		"uid=a,dc=x", `uid=a\,b`, "(uid=a*b)", "(&(uid=a)(!(cn=*)))", `(uid=\2a)`, "(a:=b)", "(>=)",
		"(~=a)",
	} {
		f.Add(s)
	}
	e := &entry{attributes: []attribute{newAttribute("uid", "a")}}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := parseDN(s); err == nil && strings.TrimSpace(s) != "" && len(n) == 0 {
			t.Errorf("%q is no name", s)
		}
		if filter, err := parseFilter(s); err == nil {
			if got := filter.matches(e); got < no || got > yes {
				t.Errorf("%q is %d", s, got)
			}
		}
		if n, err := parseDN("uid=" + ldap.EscapeDN(s)); err == nil && isText(s) && (len(n) != 1 || n[0] != "uid="+fold(s)) {
			t.Errorf("%q is read back as %q", s, n)
		}
	})
}
