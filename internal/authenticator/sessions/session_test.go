package sessions_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/sessions"
	"gatehouse/internal/seal"
	"gatehouse/internal/testdb"
	"gatehouse/internal/testlog"
)

const (
	idle     = 15 * time.Minute
	lifetime = 8 * time.Hour
)

type fixture struct {
	*authtest.Fixture
	*sessions.Service
}

func each(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Helper()
	authtest.Each(t, func(t *testing.T, f *authtest.Fixture) {
		deps := sessions.Deps{DB: f.DB, Box: f.Box, Now: f.Clock.Now, Idle: idle, Lifetime: lifetime}
		test(t, &fixture{f, sessions.New(deps)})
	})
}

func (f *fixture) open(tenantID, cookie string) sessions.Session {
	f.T.Helper()
	s, err := f.Open(f.T.Context(), tenantID, cookie)
	if err != nil {
		f.T.Fatal(err)
	}
	return s
}

// again is what the browser with a session finds when it comes again.
func (f *fixture) again(s sessions.Session) sessions.Session {
	f.T.Helper()
	return f.open(s.TenantID, cookie(f.T, s))
}

func cookie(t testing.TB, s sessions.Session) string {
	t.Helper()
	value, _ := s.Cookie()
	testlog.Secret(t, value)
	return value
}

func (f *fixture) signIn(old sessions.Session, username string) sessions.Session {
	f.T.Helper()
	who := sessions.Person{Username: username, AuthTime: f.Clock.Now(), AMR: []string{"pwd"}, IDPID: "ldap"}
	s, err := f.SignIn(f.T.Context(), old, who)
	if err != nil {
		f.T.Fatal(err)
	}
	return s
}

// signedIn is a browser at dev in which somebody signs in.
func (f *fixture) signedIn(username string) sessions.Session {
	f.T.Helper()
	return f.signIn(f.open("dev", ""), username)
}

func (f *fixture) begin(s sessions.Session, content any) (id string) {
	f.T.Helper()
	id, err := f.Begin(f.T.Context(), s, "signin", content)
	if err != nil {
		f.T.Fatal(err)
	}
	return id
}

// wantFlow fails unless a browser has a flow, or has it not.
func (f *fixture) wantFlow(s sessions.Session, id string, want bool) {
	f.T.Helper()
	var content any
	if found, err := f.Flow(f.T.Context(), s, "signin", id, &content); found != want || err != nil {
		f.T.Errorf("the flow is there: %t, %v", found, err)
	}
}

func (f *fixture) keep(s sessions.Session, value []byte) {
	f.T.Helper()
	f.Must(f.Keep(f.T.Context(), s, value))
}

// wantKept fails unless a session keeps a value; empty: nothing.
func (f *fixture) wantKept(s sessions.Session, value string) {
	f.T.Helper()
	if kept, err := f.Kept(f.T.Context(), s); string(kept) != value || (kept == nil) != (value == "") || err != nil {
		f.T.Errorf("got %q, %v, want %q", kept, err, value)
	}
}

// column returns the one value of a query.
func column[T any](f *fixture, query string) (value T) {
	f.T.Helper()
	f.Must(f.DB.Conn(f.T.Context()).Raw(query).Scan(&value).Error)
	return value
}

func (f *fixture) wantRows(sessions, flows int) {
	f.T.Helper()
	for table, want := range map[string]int{"sessions": sessions, "flows": flows} {
		if n := column[int](f, `SELECT COUNT(*) FROM `+table); n != want {
			f.T.Errorf("%d %s, want %d", n, table, want)
		}
	}
}

func TestSigningInGivesANewCookieAndEndsTheOldOne(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		before := f.open("dev", "")
		if _, isNew := before.Cookie(); !isNew || before.SignedIn() {
			t.Fatalf("an unknown browser: %+v", before)
		}
		f.wantRows(0, 0)
		in := f.signIn(before, "ada")
		if cookie(t, in) == cookie(t, before) {
			t.Error("the cookie is the same")
		}
		got := f.again(in)
		if got.Username != "ada" || !got.AuthTime.Equal(f.Clock.Now()) || strings.Join(got.AMR, " ") != "pwd" || got.IDPID != "ldap" {
			t.Errorf("got %+v", got)
		}
		if _, isNew := got.Cookie(); isNew {
			t.Error("a known cookie counts as new")
		}
		if f.again(before).SignedIn() {
			t.Error("the cookie from before signing in is signed in")
		}
		later := f.signIn(got, "ada")
		if f.again(in).SignedIn() || !f.again(later).SignedIn() {
			t.Error("signing in again left the old cookie good")
		}
	})
}

func TestSigningOutEndsTheSessionHereAndItsFlows(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		in := f.signedIn("ada")
		flow := f.begin(in, "x")
		other := f.signedIn("ada")
		out, err := f.SignOut(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if f.again(in).SignedIn() || out.SignedIn() || cookie(t, out) == cookie(t, in) {
			t.Error("the old cookie is good for something")
		}
		f.wantFlow(in, flow, false)
		if !f.again(other).SignedIn() {
			t.Error("another browser was signed out too")
		}
	})
}

func TestASessionIsGoodForItsTenantOnly(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		in := f.signedIn("ada")
		flow := f.begin(in, "x")
		f.keep(in, []byte("token"))
		elsewhere := f.open("lab", cookie(t, in))
		if elsewhere.SignedIn() {
			t.Fatal("the cookie of one tenant is signed in at another")
		}
		f.wantFlow(elsewhere, flow, false)
		f.wantKept(elsewhere, "")
		if f.FormTokenMatches(elsewhere, "", f.FormToken(in, "")) {
			t.Error("a form's token crossed")
		}
		if _, err := f.SignOut(t.Context(), elsewhere); err != nil {
			t.Fatal(err)
		}
		f.signIn(elsewhere, "ada")
		if !f.again(in).SignedIn() {
			t.Error("what happens at one tenant ended a session at another")
		}
		f.wantFlow(in, flow, true)
	})
}

func TestAnUnusedSessionEndsAndAUsedOneAtLast(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		unused := f.signedIn("ada")
		f.Clock.Advance(idle - time.Second)
		if !f.again(unused).SignedIn() {
			t.Error("ended too early")
		}
		f.Clock.Advance(idle)
		if s := f.again(unused); s.SignedIn() {
			t.Error("an unused session lives on")
		} else if cookie(t, s) == cookie(t, unused) {
			t.Error("the cookie of a dead session is used again")
		}
		used := f.signedIn("ada")
		end := f.Clock.Now().Add(lifetime)
		for f.Clock.Now().Add(10 * time.Minute).Before(end) {
			f.Clock.Advance(10 * time.Minute)
			if !f.again(used).SignedIn() {
				t.Fatalf("a used session ended %v early", end.Sub(f.Clock.Now()))
			}
		}
		f.Clock.Advance(10 * time.Minute)
		if f.again(used).SignedIn() {
			t.Error("a session lives longer than it may")
		}
	})
}

func TestUseIsWrittenDownOnceAMinute(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		in := f.signedIn("ada")
		seen := func() int64 { return column[int64](f, `SELECT seen_time FROM sessions`) }
		first := seen()
		f.Clock.Advance(59 * time.Second)
		f.again(in)
		if seen() != first {
			t.Error("written within a minute")
		}
		f.Clock.Advance(time.Second)
		f.again(in)
		if seen() != f.Clock.Now().UnixMicro() {
			t.Error("not written after a minute")
		}
	})
}

func TestForgedCookiesAreNobodys(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		in := f.signedIn("ada")
		value, hash := cookie(t, in), column[string](f, `SELECT cookie_hash FROM sessions`)
		for _, forged := range []string{
			"", "x", value[:42], value + "A", value[:42] + "\x00", value[:42] + "=", hash, strings.Repeat("A", 1<<16), "'" + value[1:],
			"eyJ1c2VybmFtZSI6ImFkYSJ9.ZzzZzz.abcdefghijklmnopqrstuvwxyz0", // as the old service signed them
		} {
			if f.open("dev", forged).SignedIn() {
				t.Errorf("%.60q is signed in", forged)
			}
		}
	})
}

func TestWhatIsKeptStaysWithItsPerson(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		in := f.signedIn("ada")
		f.wantKept(in, "")
		token := seal.NewSecret()
		testlog.Secret(t, token)
		f.keep(in, []byte(token))
		again := f.signIn(in, "ada")
		f.wantKept(again, token)
		if strings.Contains(column[string](f, `SELECT kept FROM sessions`), token) {
			t.Error("it is stored in clear")
		}
		bob := f.signIn(again, "bob")
		f.wantKept(bob, "")
		f.keep(bob, []byte(token))
		f.keep(bob, nil)
		f.wantKept(bob, "")
	})
}

func TestAFormsTokenIsOfOneBrowserAndOneFlow(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		a, b := f.open("dev", ""), f.open("dev", "")
		token := f.FormToken(a, "flow")
		if !f.FormTokenMatches(f.again(a), "flow", token) {
			t.Error("it is not good for its own form")
		}
		for name, ok := range map[string]bool{
			"another browser": f.FormTokenMatches(b, "flow", token), "another flow": f.FormTokenMatches(a, "flow2", token),
			"no flow": f.FormTokenMatches(a, "", token), "nothing": f.FormTokenMatches(a, "flow", ""),
			"another person": f.FormTokenMatches(f.signIn(a, "ada"), "flow", token),
		} {
			if ok {
				t.Errorf("it is good for %s", name)
			}
		}
	})
}

func TestAFlowBelongsToItsBrowserAndGoesAlongWhenSomebodySignsIn(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		mine, other := f.open("dev", ""), f.open("dev", "")
		id := f.begin(mine, 1)
		var content int
		for name, look := range map[string]func() (bool, error){
			"another browser": func() (bool, error) { return f.Flow(t.Context(), other, "signin", id, &content) },
			"another kind":    func() (bool, error) { return f.Flow(t.Context(), mine, "webapp", id, &content) },
			"no id":           func() (bool, error) { return f.Flow(t.Context(), mine, "signin", "", &content) },
			"a NUL":           func() (bool, error) { return f.Flow(t.Context(), mine, "signin", "\x00", &content) },
			"taken elsewhere": func() (bool, error) { return f.Take(t.Context(), other, "signin", id, &content) },
		} {
			if found, err := look(); found || err != nil {
				t.Errorf("%s: %v, %v", name, found, err)
			}
		}
		if err := f.Change(t.Context(), other, "signin", id, 7); !apierr.Is(err, apierr.Invalid) {
			t.Errorf("another browser changed it: %v", err)
		}
		f.Must(f.Change(t.Context(), mine, "signin", id, 2))
		in := f.signIn(mine, "ada")
		if found, err := f.Flow(t.Context(), in, "signin", id, &content); !found || err != nil || content != 2 {
			t.Errorf("after signing in: %v, %v, %d", found, err, content)
		}
		f.wantFlow(mine, id, false)
		f.Clock.Advance(sessions.FlowLifetime)
		f.wantFlow(in, id, false)
	})
}

func TestAFlowIsTakenOnceHoweverManyTryAtOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.open("dev", "")
		id := f.begin(s, "content")
		lost := errors.New("it was taken")
		f.WantOnce(lost, func(int) error {
			var content string
			found, err := f.Take(t.Context(), s, "signin", id, &content)
			if err == nil && (!found || content != "content") {
				err = lost
			}
			return err
		})
	})
}

func TestABrowserIsInTheMiddleOfSoManyFlowsOnly(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.open("dev", "")
		var ids []string
		for range 55 {
			f.Clock.Advance(time.Second)
			ids = append(ids, f.begin(s, ""))
		}
		f.wantRows(0, 50)
		f.wantFlow(s, ids[0], false)
		f.wantFlow(s, ids[54], true)
	})
}

func TestWhatHasEndedIsSwept(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.signedIn("ada")
		f.Clock.Advance(idle / 2)
		live := f.signedIn("bob")
		f.begin(live, "x")
		f.Clock.Advance(idle / 2)
		f.Must(f.Sweep(t.Context()))
		f.wantRows(1, 1)
		if !f.again(live).SignedIn() {
			t.Error("the live session was swept")
		}
		f.Clock.Advance(idle)
		f.Must(f.Sweep(t.Context()))
		f.wantRows(0, 0)
	})
}

func TestNeitherCookiesNorFlowsStandInTheDatabase(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		secret := seal.NewSecret()
		testlog.Secret(t, secret)
		in := f.signedIn("ada")
		if _, err := f.Begin(t.Context(), in, "webapp", map[string]string{"verifier": secret}); err != nil {
			t.Fatal(err)
		}
		dump := testdb.Dump(t, f.DB)
		for _, value := range []string{secret, cookie(t, in)} {
			if strings.Contains(dump, value) {
				t.Error("a secret is in the database")
			}
		}
	})
}
