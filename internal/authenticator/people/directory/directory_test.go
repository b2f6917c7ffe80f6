package directory_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/people/directory"
	"gatehouse/internal/devldap"
	"gatehouse/internal/slapdtest"
	"gatehouse/internal/testclock"
)

// refused fails the test unless signing in is refused, and in the one way.
func refused(t *testing.T, d *directory.Directory, username, password string) {
	t.Helper()
	p, err := d.Authenticate(t.Context(), username, password)
	if err != directory.ErrRefused { //nolint:errorlint // the very value: nothing may tell one refusal from another.
		t.Errorf("got %v for %.40q, want ErrRefused", err, username)
	}
	if p != (directory.Profile{}) {
		t.Errorf("got a profile for %.40q, who is refused", username)
	}
}

// admitted fails the test unless signing in succeeds as the person want.
func admitted(t *testing.T, d *directory.Directory, username, password, want string) directory.Profile {
	t.Helper()
	p, err := d.Authenticate(t.Context(), username, password)
	if err != nil {
		t.Errorf("got %v for %q", err, username)
	} else if p.Username != want {
		t.Errorf("got the name %q for %q, want %q", p.Username, username, want)
	}
	return p
}

func away(t *testing.T, err error) {
	t.Helper()
	if !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("got %v, want an error of the kind Unavailable", err)
	}
}

func TestTheRightPasswordGivesTheProfile(t *testing.T) {
	password := randomPassword()
	ann := devldap.Person{Username: "ann", Password: password, GivenName: "Ann", LastName: "Åkesson", Email: "ann@example.org"}
	each(t, []devldap.Person{ann}, func(t *testing.T, cfg directory.Config) {
		d := open(t, cfg)
		got := admitted(t, d, "ann", password, "ann")
		if got.GivenName != "Ann" || got.LastName != "Åkesson" || got.Email != "ann@example.org" {
			t.Errorf("got %+v", got)
		}
		if !strings.HasPrefix(got.DN, "uid=") || time.Since(got.CreateTime).Abs() > time.Minute {
			t.Errorf("got the DN %q, created at %s", got.DN, got.CreateTime)
		}
		looked, err := d.Profile(t.Context(), "ann")
		if err != nil || looked != got {
			t.Errorf("got %+v, %v by look-up", looked, err)
		}
	})
}

func TestAllAttributesOfTheProfileAreRead(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{People: []slapdtest.Person{{
		Username: "ann", Password: randomPassword(), GivenName: "Ann", LastName: "Berg", Email: "a@example.org",
		Phone: "+1 512 1", MobilePhone: "+1 512 2", UIDNumber: "4711",
	}}})
	got, err := open(t, slapdConfig(s)).Profile(t.Context(), "ann")
	want := directory.Profile{
		Username: "ann", DN: got.DN, Name: "Ann Berg", GivenName: "Ann", LastName: "Berg", Email: "a@example.org",
		Phone: "+1 512 1", MobilePhone: "+1 512 2", UID: "4711", CreateTime: got.CreateTime,
	}
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestWhoeverMayNotSignInIsRefusedAlike(t *testing.T) {
	inside, outside := randomPassword(), randomPassword()
	people := []devldap.Person{
		{Username: "ann", Password: inside, Email: "ann@example.org"},
		{Username: "ben", Password: outside}, // The filter wants an address.
	}
	each(t, people, func(t *testing.T, cfg directory.Config) {
		cfg.Filter = "(&(mail=*)(!(uid=nobody)))"
		d := open(t, cfg)
		admitted(t, d, "ann", inside, "ann")
		for username, password := range map[string]string{
			"ann": outside, "ben": outside, "carl": outside, "nobody": inside,
			"": inside, "ann ": inside, " ann": inside, "a  nn": inside, "ann\x00": inside, "ann\n": inside, "an\xff": inside,
		} {
			refused(t, d, username, password)
		}
		for _, username := range []string{"ben", "carl", "", "ann ", "ann\x00", "*"} {
			if _, err := d.Profile(t.Context(), username); !errors.Is(err, directory.ErrNotFound) {
				t.Errorf("got %v for the profile of %q, want ErrNotFound", err, username)
			}
		}
	})
}

func TestEmptyPasswordsAndUnusableNamesNeverReachTheDirectory(t *testing.T) {
	s := startDevelopment(t, devldap.Person{Username: "ann", Password: randomPassword()})
	c := count(t, s.URL())
	cfg := developmentConfig(s)
	cfg.URL = c.url
	for _, cfg := range []directory.Config{cfg, searching(cfg)} {
		d := open(t, cfg)
		requests := c.during(func() {
			refused(t, d, "ann", "")
			refused(t, d, "ann", "x\x00")
			refused(t, d, "ann", strings.Repeat("x", 4<<10))
			refused(t, d, strings.Repeat("a", 256), "x")
			refused(t, d, strings.Repeat("a", 4<<10), "x")
			refused(t, d, "ann\x00", "x")
			refused(t, d, "", "x")
		})
		if requests != 0 {
			t.Errorf("got %d requests, want none", requests)
		}
	}
}

// slapd is told to admit binds without a password here, as many directories are.
func TestAnUnauthenticatedBindSignsNobodyIn(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{People: []slapdtest.Person{{Username: "ann", Password: randomPassword()}}})
	dn := "uid=ann," + s.PeopleDN()
	if err := rawConn(t, s.URL()).UnauthenticatedBind(dn); err != nil {
		t.Fatalf("this server is too careful for the test: %v", err)
	}
	refused(t, open(t, slapdConfig(s)), "ann", "")
	refused(t, open(t, searching(slapdConfig(s))), "ann", "")
	cfg := slapdConfig(s)
	cfg.BindPassword = ""
	if _, err := directory.New(cfg, nil); err == nil {
		t.Error("accepted a service account without a password")
	}
}

func TestCaseVariantsAreOneSubject(t *testing.T) {
	password := randomPassword()
	people := []devldap.Person{{Username: "AnnÉ", Password: password}, {Username: "Ben", Password: password}}
	each(t, people, func(t *testing.T, cfg directory.Config) {
		d := open(t, cfg)
		for typed, want := range map[string]string{
			"ben": "Ben", "BEN": "Ben", "Ben": "Ben", "bEN": "Ben", "anné": "AnnÉ", "ANNÉ": "AnnÉ",
		} {
			admitted(t, d, typed, password, want)
			admitted(t, d, typed, password, want) // Remembered.
		}
	})
}

func TestMetacharactersAreTakenLiterally(t *testing.T) {
	password := randomPassword()
	names := []string{
		"a*", "(b)", `c\d`, "e,f", "g=h", "i+j", "k<l>", "m;n", `o"p`, "#q", "r/s", "t&u", "v|w", "x!y", "z~", "ä ö", "=1",
		"a,ou=dev", `\2a`,
	}
	var people []devldap.Person
	for _, n := range names {
		people = append(people, devldap.Person{Username: n, Password: password})
	}
	each(t, people, func(t *testing.T, cfg directory.Config) {
		d := open(t, cfg)
		for _, n := range names {
			admitted(t, d, n, password, n)
			refused(t, d, n, password+"x")
		}
		for _, n := range []string{
			"*", "a**", "*)(uid=*", "a*)(uid=a*", "(b", "a\\*", "a*,ou=dev", "*)(|(uid=*", ")", "(&(uid=*))", "a,dc=tapis", "c", "e",
			"a+uid=a", "#04022a", `"a"`, "uid=a*", `a\`,
		} {
			refused(t, d, n, password)
		}
	})
}

func TestLookalikesAreOtherNames(t *testing.T) {
	password := randomPassword()
	s := slapdtest.Start(t, slapdtest.Options{People: []slapdtest.Person{
		{Username: "kim", Password: password}, {Username: "tess b", Password: password},
	}})
	fullwidth, kelvin, longS := "kｉm", "\u212Aim", "te\u017Fs b"
	service := rawConn(t, s.URL())
	if err := service.Bind(s.BindDN, s.BindPassword); err != nil {
		t.Fatal(err)
	}
	taken := 0
	for _, n := range []string{fullwidth, kelvin, longS} {
		taken += rawMatches(t, service, s.PeopleDN(), "(uid="+n+")")
	}
	if taken == 0 {
		t.Fatal("this server confuses no names, so the test would show nothing")
	}
	development := developmentConfig(startDevelopment(t,
		devldap.Person{Username: "kim", Password: password}, devldap.Person{Username: "tess b", Password: password}))
	for _, cfg := range []directory.Config{
		slapdConfig(s), searching(slapdConfig(s)), development, searching(development),
	} {
		d := open(t, cfg)
		admitted(t, d, "kim", password, "kim")
		admitted(t, d, "Tess B", password, "tess b")
		for _, n := range []string{
			fullwidth, kelvin, longS, "ki\u00ADm", "ki\u200Bm", "tess\u00A0b", "tess\u2003b", "tess  b", "tess b ", "kım", "kïm",
			"ki\u0301m", "кim",
		} {
			refused(t, d, n, password)
		}
	}
}

func TestOneNameThatSeveralEntriesHaveIsRefused(t *testing.T) {
	password := randomPassword()
	for entries, units := range map[int][]string{2: {"People", "Guests"}, 3: {"People", "Guests", "Staff"}} {
		var people []slapdtest.Person
		for _, unit := range units {
			people = append(people, slapdtest.Person{Username: "ann", Password: password, Unit: unit})
		}
		s := slapdtest.Start(t, slapdtest.Options{People: people})
		cfg := slapdConfig(s)
		admitted(t, open(t, cfg), "ann", password, "ann")
		cfg.UserDN = s.BaseDN
		d := open(t, cfg)
		refused(t, d, "ann", password)
		if _, err := d.Profile(t.Context(), "ann"); !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("got %v with %d entries, want ErrNotFound", err, entries)
		}
	}
}

func TestASecondNameIsNoSecondSubject(t *testing.T) {
	password := randomPassword()
	s := slapdtest.Start(t, slapdtest.Options{People: []slapdtest.Person{
		{Username: "Robert", Password: password, Naming: "cn", MoreNames: []string{"bob"}},
	}})
	d := open(t, searching(slapdConfig(s)))
	admitted(t, d, "robert", password, "Robert")
	refused(t, d, "bob", password)
}

func TestReferralsAreNotFollowed(t *testing.T) {
	password := randomPassword()
	base := "ou=Elsewhere,ou=People,dc=example,dc=org"
	s := slapdtest.Start(t, slapdtest.Options{
		People: []slapdtest.Person{{Username: "ann", Password: password}},
		LDIF: "dn: " + base + "\nobjectClass: referral\nobjectClass: extensibleObject\nou: Elsewhere\n" +
			"ref: ldap://127.0.0.1:9/" + base + "\n\n",
	})
	refused(t, open(t, searching(slapdConfig(s))), "ann", password)
	cfg := slapdConfig(s)
	cfg.UserDN = "uid=${username}," + base
	refused(t, open(t, cfg), "ann", password)
}

func TestPeopleOfOneUnitAreUnknownInAnother(t *testing.T) {
	password := randomPassword()
	s := startUnits(t, map[string][]devldap.Person{
		"one": {{Username: "ann", Password: password}}, "two": {{Username: "ben", Password: password}},
	})
	cfg := developmentConfig(s)
	cfg.UserDN = s.UserDN("one")
	for _, cfg := range []directory.Config{cfg, searching(cfg)} {
		d := open(t, cfg)
		admitted(t, d, "ann", password, "ann")
		refused(t, d, "ben", password)
	}
}

func TestABusySignInIsOneRoundTripAndAllRefusalsTakeTwo(t *testing.T) {
	inside, outside := randomPassword(), randomPassword()
	s := startDevelopment(t,
		devldap.Person{Username: "ann", Password: inside, Email: "ann@example.org"}, devldap.Person{Username: "ben", Password: outside})
	c := count(t, s.URL())
	cfg := developmentConfig(s)
	cfg.URL, cfg.Filter = c.url, "(mail=*)"
	for _, cfg := range []directory.Config{cfg, searching(cfg)} {
		d := open(t, cfg)
		refused(t, d, "carl", outside) // Makes the connections.
		for _, attempt := range []struct {
			username, password string
			requests           int64
		}{
			{"ann", inside, 2}, {"ann", inside, 1}, {"ann", inside, 1}, // Looked up, then remembered.
			{"ann", outside, 2}, {"ann", outside, 2}, {"ben", outside, 2}, {"ben", inside, 2}, {"carl", inside, 2},
		} {
			got := c.during(func() { _, _ = d.Authenticate(t.Context(), attempt.username, attempt.password) })
			if got != attempt.requests {
				t.Errorf("got %d requests for %s, want %d", got, attempt.username, attempt.requests)
			}
		}
	}
}

func TestWhoWasFoundIsRememberedForTheConfiguredTimeOnly(t *testing.T) {
	password := randomPassword()
	s := startDevelopment(t, devldap.Person{Username: "ann", Password: password})
	c := count(t, s.URL())
	clock := testclock.New()
	cfg := developmentConfig(s)
	cfg.URL, cfg.EntryTTL, cfg.Now = c.url, 30*time.Second, clock.Now
	d := open(t, cfg)
	admitted(t, d, "ann", password, "ann")
	for _, step := range []struct {
		later    time.Duration
		requests int64
	}{{29 * time.Second, 1}, {2 * time.Second, 2}, {0, 1}} {
		clock.Advance(step.later)
		if got := c.during(func() { admitted(t, d, "ann", password, "ann") }); got != step.requests {
			t.Errorf("got %d requests after %s, want %d", got, step.later, step.requests)
		}
	}
	cfg.EntryTTL = -1
	d = open(t, cfg)
	admitted(t, d, "ann", password, "ann")
	if got := c.during(func() { admitted(t, d, "ann", password, "ann") }); got != 2 {
		t.Errorf("got %d requests without memory, want 2", got)
	}
}

func TestPeopleKeepTheirRightsAndTheServiceItsOwn(t *testing.T) {
	password := randomPassword()
	people := []devldap.Person{{Username: "ann", Password: password}, {Username: "ben", Password: password}}
	each(t, people, func(t *testing.T, cfg directory.Config) {
		cfg.PoolSize, cfg.EntryTTL = 1, -1
		d := open(t, cfg)
		for range 3 {
			// Nobody may read another's entry: a look-up on a connection that
			// belongs to a person, or to nobody after a refusal, finds no one.
			admitted(t, d, "ann", password, "ann")
			if _, err := d.Profile(t.Context(), "ben"); err != nil {
				t.Errorf("got %v after a sign-in", err)
			}
			refused(t, d, "ann", "wrong")
			if _, err := d.Profile(t.Context(), "ben"); err != nil {
				t.Errorf("got %v after a refusal", err)
			}
		}
	})
}
