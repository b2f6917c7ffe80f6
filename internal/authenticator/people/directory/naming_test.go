package directory

import (
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
)

func TestTheNamingAttributeFollowsTheTemplateOrTheServiceAccount(t *testing.T) {
	for _, c := range []struct {
		userDN, bindDN, attribute, base string
		templated                       bool
	}{
		{"uid=${username},ou=People,dc=x", "cn=a,dc=x", "uid", "ou=People,dc=x", true},
		{"cn=${username},dc=x", "uid=a,dc=x", "cn", "dc=x", true},
		{" sAMAccountName = ${username} , dc=x ", "uid=a,dc=x", "sAMAccountName", "dc=x", true},
		{"ou=People,dc=x", "cn=a,dc=x", "cn", "ou=People,dc=x", false},
		{"ou=People,dc=x", "CN=a,dc=x", "cn", "ou=People,dc=x", false},
		{"ou=People,dc=x", "uid=a,dc=x", "uid", "ou=People,dc=x", false},
		{"ou=People,dc=x", "a@example.org", "uid", "ou=People,dc=x", false},
	} {
		n, err := newNaming(Config{UserDN: c.userDN, BindDN: c.bindDN})
		if err != nil || n.attribute != c.attribute || n.base != c.base || n.templated != c.templated {
			t.Errorf("got %+v, %v for %q, %q", n, err, c.userDN, c.bindDN)
		}
	}
}

func TestSecretsAreNeverAskedFor(t *testing.T) {
	n, err := newNaming(Config{UserDN: "uid=${username},dc=x", BindDN: "cn=a"})
	if err != nil {
		t.Fatal(err)
	}
	asked := n.search("ann").Attributes
	for _, a := range asked {
		if a == "*" || a == "+" || strings.EqualFold(a, "userPassword") {
			t.Errorf("asks for %q", a)
		}
	}
	if len(asked) == 0 {
		t.Error("asks for everything")
	}
}

func TestNamesAreTheSameUpToCase(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"ann", "ann", true},
		{"ann", "ANN", true},
		{"é", "É", true},
		{"σ", "ς", true},
		{"ann", "anna", false},
		{"ann", "ann ", false},
		{"k", "\u212A", false},
		{"K", "\u212A", false},
		{"s", "\u017F", false},
		{"k", "\uFF4B", false},
		{"\u212A\u017F", "ks", false},
		{"é", "e\u0301", false},
		{"", "", true},
	} {
		if got := sameName(c.a, c.b); got != c.want {
			t.Errorf("got %t for %q, %q", got, c.a, c.b)
		}
		if got := sameName(c.b, c.a); got != c.want {
			t.Errorf("got %t for %q, %q", got, c.b, c.a)
		}
	}
}

func TestGeneralizedTimesAreRead(t *testing.T) {
	want := time.Date(2024, 2, 29, 23, 59, 58, 0, time.UTC)
	for s, want := range map[string]time.Time{
		"20240229235958Z":     want,
		"20240229235958.5Z":   want.Add(500 * time.Millisecond),
		"20240301005958+0100": want,
		"":                    {},
		"20240230235958Z":     {},
		"yesterday":           {},
	} {
		if got := generalizedTime(s); !got.Equal(want) {
			t.Errorf("got %s for %q, want %s", got, s, want)
		}
	}
}

func FuzzNothingTypedChangesTheStructure(f *testing.F) {
	for _, s := range []string{
		"ann", "*", "(", ")", `\`, ",", "=", "+", "<", ">", ";", "\"", "#", "#04022a", " a", "a ", "a,ou=b", "a)(uid=*", `a\2a`, "\x00",
		"ä",
		"\u212A", "\uFF4B", "a\u00A0", "\xff", "${username}", `\,`, "a\\ ", "()", "&", "|", "!", ":dn:=", strings.Repeat("é", 127),
	} {
		f.Add(s)
	}
	names := make([]naming, 0, 2)
	for _, userDN := range []string{"uid=${username},ou=People,dc=example", "ou=People,dc=example"} {
		n, err := newNaming(Config{UserDN: userDN, BindDN: "cn=a", Rules: Rules{Filter: "(|(mail=*)(!(cn=x)))"}})
		if err != nil {
			f.Fatal(err)
		}
		names = append(names, n)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		if !usableName(typed) {
			return
		}
		for _, n := range names {
			checkDN(t, n, typed)
			checkFilter(t, n, typed)
		}
	})
}

func checkDN(t *testing.T, n naming, typed string) {
	t.Helper()
	dn, err := ldap.ParseDN(n.dn(typed))
	if err != nil {
		t.Fatalf("%q gives no DN: %v", typed, err)
	}
	base, err := ldap.ParseDN(n.base)
	if err != nil {
		t.Fatal(err)
	}
	if len(dn.RDNs) != len(base.RDNs)+1 || !base.AncestorOf(dn) || len(dn.RDNs[0].Attributes) != 1 {
		t.Fatalf("%q gives the DN %s", typed, n.dn(typed))
	}
	if leaf := dn.RDNs[0].Attributes[0]; leaf.Type != n.attribute || leaf.Value != typed {
		t.Fatalf("%q gives the name %s=%q", typed, leaf.Type, leaf.Value)
	}
	if r := n.search(typed); n.templated && (r.Filter != n.filter || r.BaseDN != n.dn(typed) || r.Scope != ldap.ScopeBaseObject) {
		t.Fatalf("%q gives the search %+v", typed, r)
	}
}

func checkFilter(t *testing.T, n naming, typed string) {
	t.Helper()
	compiled, err := ldap.CompileFilter(n.selects(typed))
	if err != nil {
		t.Fatalf("%q gives no filter: %v", typed, err)
	}
	if compiled.Tag != ldap.FilterAnd || len(compiled.Children) != 2 || compiled.Children[0].Tag != ldap.FilterEqualityMatch {
		t.Fatalf("%q gives the filter %s", typed, n.selects(typed))
	}
	match := compiled.Children[0].Children
	if match[0].Data.String() != n.attribute || match[1].Data.String() != typed {
		t.Fatalf("%q is compared as %q", typed, match[1].Data.String())
	}
	if rest, err := ldap.DecompileFilter(compiled.Children[1]); err != nil || rest != n.filter {
		t.Fatalf("%q leaves the filter %s, %v", typed, rest, err)
	}
}
