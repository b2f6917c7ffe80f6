package directory_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"gatehouse/internal/authenticator/people/directory"
	"gatehouse/internal/devldap"
	"gatehouse/internal/slapdtest"
)

// groupsUnit is the unit that groups are in, in LDIF.
const groupsUnit = "dn: ou=Groups," + groupBase + "\nobjectClass: organizationalUnit\nou: Groups\n\n"

// group returns a POSIX group in LDIF.
func group(name, number string, members ...string) string {
	ldif := fmt.Sprintf("dn: cn=%[1]s,ou=Groups,%[2]s\nobjectClass: posixGroup\ncn: %[1]s\ngidNumber: %[3]s\n",
		name, groupBase, number)
	for _, m := range members {
		ldif += "memberUid: " + m + "\n"
	}
	return ldif + "\n"
}

const groupBase = "dc=example,dc=org"

func TestOnlyMembersOfTheGroupsSignInAndAreFound(t *testing.T) {
	password := randomPassword()
	s := slapdtest.Start(t, slapdtest.Options{
		People: []slapdtest.Person{
			{Username: "Ann", Password: password},                  // named by a group
			{Username: "ben", Password: password, UIDNumber: "71"}, // has the number of a group
			{Username: "carl", Password: password, UIDNumber: "72"},
			{Username: "dora", Password: password}, // in two groups
			{Username: "mem*", Password: password},
		},
		LDIF: groupsUnit + group("users", "70", "Ann", "dora") + group("staff", "71", "dora") + group("others", "72", "carl"),
	})
	cfg := slapdConfig(s)
	for _, cfg := range []directory.Config{cfg, searching(cfg)} {
		cfg.Rules = directory.Rules{GroupBaseDN: s.BaseDN, Groups: []string{"users", "staff", "none*"}}
		d := open(t, cfg)
		for typed, name := range map[string]string{"ann": "Ann", "Ann": "Ann", "ben": "ben", "dora": "dora"} {
			admitted(t, d, typed, password, name)
			if p, err := d.Profile(t.Context(), typed); err != nil || p.Username != name {
				t.Errorf("profile of %s: %+v, %v", typed, p, err)
			}
		}
		for _, name := range []string{"carl", "mem*", "nobody"} {
			refused(t, d, name, password)
			if _, err := d.Profile(t.Context(), name); !errors.Is(err, directory.ErrNotFound) {
				t.Errorf("profile of %s: %v", name, err)
			}
		}
		wantList(t, d, 0, 10, "Ann", "ben", "dora")
		wantList(t, d, 1, 1, "ben")
		nowhere, err := d.Under(directory.Rules{GroupBaseDN: "ou=nowhere," + s.BaseDN, Groups: []string{"users"}})
		if err != nil {
			t.Fatal(err)
		}
		refused(t, nowhere, "ann", password)
		wantList(t, nowhere, 0, 10)
	}
}

func TestGroupsDoNotTellWhoIsKnown(t *testing.T) {
	inside, outside := randomPassword(), randomPassword()
	s := slapdtest.Start(t, slapdtest.Options{
		People: []slapdtest.Person{{Username: "ann", Password: inside}, {Username: "ben", Password: outside}},
		LDIF:   groupsUnit + group("users", "70", "ann"),
	})
	c := count(t, s.URL())
	cfg := slapdConfig(s)
	cfg.URL, cfg.Rules = c.url, directory.Rules{GroupBaseDN: s.BaseDN, Groups: []string{"users"}}
	for _, cfg := range []directory.Config{cfg, searching(cfg)} {
		d := open(t, cfg)
		refused(t, d, "carl", outside) // Makes the connections.
		for _, attempt := range []struct{ username, password string }{
			{"ann", outside}, {"ben", inside}, {"ben", outside}, {"carl", outside},
		} {
			if got := c.during(func() { refused(t, d, attempt.username, attempt.password) }); got != 3 {
				t.Errorf("got %d requests for %s, want 3", got, attempt.username)
			}
		}
	}
}

func TestRulesOfOneTenantLeaveAnothersAlone(t *testing.T) {
	password := randomPassword()
	people := []devldap.Person{
		{Username: "ann", Password: password, Email: "ann@example.org"}, {Username: "ben", Password: password},
	}
	each(t, people, func(t *testing.T, cfg directory.Config) {
		all := open(t, cfg)
		some, err := all.Under(directory.Rules{Filter: "(mail=*@example.org)"})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // Remembered by one, it must not be by the other.
			admitted(t, all, "ben", password, "ben")
			admitted(t, some, "ann", password, "ann")
			refused(t, some, "ben", password)
			admitted(t, all, "ann", password, "ann")
		}
		wantList(t, all, 0, 10, "ann", "ben")
		wantList(t, some, 0, 10, "ann")
	})
}

func TestRulesThatCannotBeUsedAreRefused(t *testing.T) {
	d := open(t, validConfig())
	for _, r := range []directory.Rules{
		{Filter: "uid=*"},
		{Filter: "(uid=*"},
		{Filter: "(uid=*))(uid=*"},
		{Groups: []string{"users"}},
		{GroupBaseDN: "nowhere", Groups: []string{"users"}},
		{GroupBaseDN: "dc=x", Groups: []string{""}},
	} {
		if _, err := d.Under(r); err == nil {
			t.Errorf("accepted %+v", r)
		}
	}
	if directory.CheckDN("dc=x") != nil || directory.CheckDN("") == nil {
		t.Error("names are not told from others")
	}
}

// wantList fails the test unless these people are listed.
func wantList(t *testing.T, d *directory.Directory, offset, limit int, want ...string) {
	t.Helper()
	found, err := d.List(t.Context(), offset, limit)
	if err != nil {
		t.Errorf("list %d, %d: %v", offset, limit, err)
	}
	var got []string
	for _, p := range found {
		got = append(got, p.Username)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q for %d, %d, want %q", got, offset, limit, want)
	}
	if found == nil {
		t.Error("no list at all")
	}
}

func TestPeopleAreListedInPages(t *testing.T) {
	const n = 1203 // more than two of the directory's pages
	var people []slapdtest.Person
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("user%04d", i))
		people = append(people, slapdtest.Person{Username: names[i], Password: "unused password", GivenName: "Given", LastName: "Last"})
	}
	s := slapdtest.Start(t, slapdtest.Options{People: people, Limits: "unlimited"})
	for _, cfg := range []directory.Config{slapdConfig(s), searching(slapdConfig(s))} {
		d := open(t, cfg)
		for _, w := range []struct {
			offset, limit int
		}{{0, 1}, {0, 100}, {99, 3}, {498, 4}, {500, 500}, {999, 204}, {1000, 1000}, {1202, 1}} {
			wantList(t, d, w.offset, w.limit, names[w.offset:min(w.offset+w.limit, n)]...)
		}
		wantList(t, d, n, 10)
		wantList(t, d, n+5000, 10)
	}
	one, err := open(t, slapdConfig(s)).List(t.Context(), 0, 1)
	if err != nil || one[0].Name != "Given Last" || one[0].CreateTime.IsZero() || !strings.HasPrefix(one[0].DN, "uid=user0000,") {
		t.Errorf("got %+v, %v", one, err)
	}
}

// The server lets this account read 500 entries in one search, as slapd does
// unless it is told otherwise.
func TestAListThatTheDirectoryCutsIsNotTakenForAWholeOne(t *testing.T) {
	var people []slapdtest.Person
	for i := range 600 {
		people = append(people, slapdtest.Person{Username: fmt.Sprintf("user%04d", i), Password: "unused password"})
	}
	s := slapdtest.Start(t, slapdtest.Options{People: people})
	d := open(t, slapdConfig(s))
	wantList(t, d, 100, 1, "user0100")
	_, err := d.List(t.Context(), 0, 1000)
	away(t, err)
}

func TestListsLeaveConnectionsForThoseWhoSignIn(t *testing.T) {
	s, password := startWithAnn(t)
	cfg := slapdConfig(s)
	cfg.PoolSize = 2
	d := open(t, cfg)
	var together sync.WaitGroup
	for range 20 {
		together.Go(func() { wantList(t, d, 0, 5, "ann") })
		together.Go(func() { admitted(t, d, "ann", password, "ann") })
	}
	together.Wait()
	s.Stop()
	_, err := d.List(t.Context(), 0, 5)
	away(t, err)
}

func FuzzFiltersThatAreTakenStayWhole(f *testing.F) {
	for _, s := range []string{
		"(uid=*)", "(&(a=b)(!(c=d)))", "(|(a=b*c*)(d>=e))", `(cn=\2a)`, "(a:dn:2.4:=x)", "()", "(", "(a=b))", "(a=b)(c=d)", "(&)",
		"(a=\x00)", `(a=\)`,
		"(a=b)garbage", " (a=b)", "(a=(b)", strings.Repeat("(!", 200) + "(a=b)" + strings.Repeat(")", 200), "(ä=ö)", "(a=\xff)",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if directory.CheckFilter(text) != nil {
			return
		}
		// What is put around it, as look-ups do, must stay around it.
		if err := directory.CheckFilter("(&(uid=x)" + text + ")"); err != nil {
			t.Fatalf("%q changes what is around it: %v", text, err)
		}
	})
}
