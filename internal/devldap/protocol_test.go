package devldap_test

import (
	"crypto/rand"
	"slices"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"gatehouse/internal/devldap"
)

const bindDN = "cn=admin,dc=tapis"

var bindPassword = rand.Text()

// start runs a server with people in the unit dev.
func start(t *testing.T, people ...devldap.Person) *devldap.Server {
	t.Helper()
	s, err := devldap.Start(devldap.Config{
		BaseDN: "dc=tapis", BindDN: bindDN, BindPassword: bindPassword, People: map[string][]devldap.Person{"dev": people},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func dial(t *testing.T, url string) *ldap.Conn {
	t.Helper()
	c, err := ldap.DialURL(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func wantCode(t *testing.T, err error, code uint16) {
	t.Helper()
	if code == ldap.LDAPResultSuccess && err == nil {
		return
	}
	if !ldap.IsErrorWithCode(err, code) {
		t.Errorf("got %v, want the result code %d", err, code)
	}
}

func search(c *ldap.Conn, base string, scope int, filter string, attributes ...string) (*ldap.SearchResult, error) {
	return c.Search(&ldap.SearchRequest{BaseDN: base, Scope: scope, Filter: filter, Attributes: attributes})
}

func TestBindsSucceedWithTheRightNameAndPasswordOnly(t *testing.T) {
	password := rand.Text()
	s := start(t, devldap.Person{Username: "Ann b,c", Password: password})
	c := dial(t, s.URL())
	for _, attempt := range []struct {
		dn, password string
		code         uint16
	}{
		{bindDN, bindPassword, ldap.LDAPResultSuccess},
		{"CN = Admin , DC=TAPIS", bindPassword, ldap.LDAPResultSuccess},
		{`uid=Ann b\,c,ou=dev,dc=tapis`, password, ldap.LDAPResultSuccess},
		{`UID=ann  B\2cC ,OU=Dev,dc=tapis`, password, ldap.LDAPResultSuccess},
		{`uid=Ann b\,c,ou=dev,dc=tapis`, bindPassword, ldap.LDAPResultInvalidCredentials},
		{`uid=Ann b\,c,ou=dev,dc=tapis`, password + " ", ldap.LDAPResultInvalidCredentials},
		{`uid=Ann b\,c,dc=tapis`, password, ldap.LDAPResultInvalidCredentials},
		{"ou=dev,dc=tapis", password, ldap.LDAPResultInvalidCredentials},
		{"uid=carl,ou=dev,dc=tapis", password, ldap.LDAPResultInvalidCredentials},
		{"uid=Ann b,c,ou=dev,dc=tapis", password, ldap.LDAPResultInvalidDNSyntax},
		{"ann", password, ldap.LDAPResultInvalidDNSyntax},
		{"", password, ldap.LDAPResultUnwillingToPerform},
	} {
		wantCode(t, c.Bind(attempt.dn, attempt.password), attempt.code)
	}
	for _, dn := range []string{"", bindDN, `uid=Ann b\,c,ou=dev,dc=tapis`} {
		wantCode(t, c.UnauthenticatedBind(dn), ldap.LDAPResultUnwillingToPerform)
	}
}

func TestPeopleSeeThemselvesAndTheServiceEverything(t *testing.T) {
	password := rand.Text()
	s := start(t, devldap.Person{Username: "ann", Password: password}, devldap.Person{Username: "ben", Password: password})
	ann, ben := "uid=ann,ou=dev,dc=tapis", "uid=ben,ou=dev,dc=tapis"
	c := dial(t, s.URL())
	sees := func(base string, scope, want int, code uint16) {
		t.Helper()
		found, err := search(c, base, scope, "(objectClass=*)")
		wantCode(t, err, code)
		if err == nil && len(found.Entries) != want {
			t.Errorf("got %d entries, want %d", len(found.Entries), want)
		}
	}
	sees(ann, ldap.ScopeBaseObject, 0, ldap.LDAPResultInsufficientAccessRights)
	wantCode(t, c.Bind(ann, password), ldap.LDAPResultSuccess)
	sees(ann, ldap.ScopeBaseObject, 1, ldap.LDAPResultSuccess)
	sees(ben, ldap.ScopeBaseObject, 0, ldap.LDAPResultNoSuchObject)
	sees("dc=tapis", ldap.ScopeWholeSubtree, 0, ldap.LDAPResultNoSuchObject)
	// A bind that fails ends the one before (RFC 4511 section 4.2.1).
	wantCode(t, c.Bind(ann, "wrong"), ldap.LDAPResultInvalidCredentials)
	sees(ann, ldap.ScopeBaseObject, 0, ldap.LDAPResultInsufficientAccessRights)
	wantCode(t, c.Bind(bindDN, bindPassword), ldap.LDAPResultSuccess)
	sees("dc=tapis", ldap.ScopeWholeSubtree, 4, ldap.LDAPResultSuccess)
	sees("dc=tapis", ldap.ScopeSingleLevel, 1, ldap.LDAPResultSuccess)
	sees("ou=dev,dc=tapis", ldap.ScopeSingleLevel, 2, ldap.LDAPResultSuccess)
	sees("DC=Tapis", ldap.ScopeBaseObject, 1, ldap.LDAPResultSuccess)
	sees("ou=none,dc=tapis", ldap.ScopeWholeSubtree, 0, ldap.LDAPResultNoSuchObject)
	sees("none", ldap.ScopeWholeSubtree, 0, ldap.LDAPResultInvalidDNSyntax)
}

func TestFiltersSelectAsRFC4511Says(t *testing.T) {
	s := start(t,
		devldap.Person{Username: "ann", Password: "x", Email: "Ann@Example.org", LastName: "Åkesson-Berg"},
		devldap.Person{Username: "ben", Password: "x", Email: "ben@example.org"},
		devldap.Person{Username: "a*(c)", Password: "x", GivenName: "Carl"})
	c := dial(t, s.URL())
	wantCode(t, c.Bind(bindDN, bindPassword), ldap.LDAPResultSuccess)
	for filter, want := range map[string][]string{
		"(uid=ANN)":                    {"ann"},
		"(cn= ann )":                   {"ann"},
		"(uid=*)":                      {"ann", "ben", "a*(c)"},
		"(mail=*)":                     {"ann", "ben"},
		"(!(mail=*))":                  {"a*(c)"},
		"(!(mail=ben@example.org))":    {"ann", "a*(c)"},
		"(&(mail=*)(!(uid=ben)))":      {"ann"},
		"(|(uid=ann)(givenName=carl))": {"ann", "a*(c)"},
		"(&)":                          {"ann", "ben", "a*(c)"},
		"(|)":                          nil,
		"(mail=*example*)":             {"ann", "ben"},
		"(mail=a*@*.org)":              {"ann"},
		"(sn=å*-b*g)":                  {"ann"},
		"(uid=*n)":                     {"ann", "ben"},
		"(uid=a*n*n)":                  {"ann"},
		"(uid=an*nn)":                  nil,
		`(uid=a\2a*)`:                  {"a*(c)"},
		`(uid=a\2a\28c\29)`:            {"a*(c)"},
		"(nonsense=*)":                 nil,
		"(!(nonsense=x))":              nil,
		"(|(nonsense=x)(uid=ann))":     {"ann"},
		"(&(uid=ann)(!(&(nonsense=x)(uid=ben))))": {"ann"},
		"(uid~=ann)":                {"ann"},
		"(uidNumber>=0)":            nil,
		"(uid:caseExactMatch:=ann)": nil,
	} {
		found, err := search(c, "ou=dev,dc=tapis", ldap.ScopeSingleLevel, filter, "uid")
		wantCode(t, err, ldap.LDAPResultSuccess)
		var got []string
		for _, e := range found.Entries {
			got = append(got, e.GetAttributeValue("uid"))
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q for %s, want %q", got, filter, want)
		}
	}
}

func TestTheAttributesThatAreAskedForAreTold(t *testing.T) {
	s := start(t, devldap.Person{Username: "ann", Password: "x", GivenName: "Ann", LastName: "Berg", Email: "a@example.org"})
	c := dial(t, s.URL())
	wantCode(t, c.Bind(bindDN, bindPassword), ldap.LDAPResultSuccess)
	all := []string{"cn", "givenName", "mail", "objectClass", "sn", "uid", "uidNumber"}
	for _, ask := range []struct{ attributes, want []string }{
		{nil, all},
		{[]string{"*"}, all},
		{[]string{"1.1"}, nil},
		{[]string{"MAIL", "userPassword"}, []string{"mail"}},
		{[]string{"+"}, []string{"createTimestamp"}},
		{[]string{"uid", "createtimestamp"}, []string{"createTimestamp", "uid"}},
	} {
		found, err := search(c, "uid=ann,ou=dev,dc=tapis", ldap.ScopeBaseObject, "(objectClass=inetOrgPerson)", ask.attributes...)
		wantCode(t, err, ldap.LDAPResultSuccess)
		if len(found.Entries) != 1 {
			t.Fatalf("got %d entries", len(found.Entries))
		}
		var got []string
		for _, a := range found.Entries[0].Attributes {
			got = append(got, a.Name)
		}
		slices.Sort(got)
		if !slices.Equal(got, ask.want) {
			t.Errorf("got %q for %q, want %q", got, ask.attributes, ask.want)
		}
	}
}

func TestTheSizeLimitIsKept(t *testing.T) {
	s := start(t, devldap.Person{Username: "ann", Password: "x"}, devldap.Person{Username: "ben", Password: "x"})
	c := dial(t, s.URL())
	wantCode(t, c.Bind(bindDN, bindPassword), ldap.LDAPResultSuccess)
	for limit, code := range map[int]uint16{1: ldap.LDAPResultSizeLimitExceeded, 2: ldap.LDAPResultSuccess} {
		found, err := c.Search(&ldap.SearchRequest{
			BaseDN: "dc=tapis", Scope: ldap.ScopeWholeSubtree, Filter: "(uid=*)", SizeLimit: limit,
		})
		wantCode(t, err, code)
		if len(found.Entries) != limit {
			t.Errorf("got %d entries, want %d", len(found.Entries), limit)
		}
	}
}
