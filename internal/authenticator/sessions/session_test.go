package sessions_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/sessions"
	"gatehouse/internal/database"
	"gatehouse/internal/seal"
	"gatehouse/internal/testdb"
	"gatehouse/internal/testlog"
	"gatehouse/migrations"
)

const (
	idle     = 15 * time.Minute
	lifetime = 8 * time.Hour
)

// world is a service of sessions on a clock that only tests move.
type world struct {
	*sessions.Service

	db    *database.DB
	clock atomic.Int64
}

func (w *world) now() time.Time          { return time.UnixMicro(w.clock.Load()).UTC() }
func (w *world) advance(d time.Duration) { w.clock.Add(d.Microseconds()) }

func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	testdb.Each(t, migrations.Authenticator, func(t *testing.T, db *database.DB) {
		box, err := seal.New(seal.NewKey())
		if err != nil {
			t.Fatal(err)
		}
		w := &world{db: db}
		w.clock.Store(time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC).UnixMicro())
		w.Service = sessions.New(sessions.Deps{DB: db, Box: box, Now: w.now, Idle: idle, Lifetime: lifetime})
		test(t, w)
	})
}

func (w *world) open(t *testing.T, tenantID, cookie string) sessions.Session {
	t.Helper()
	s, err := w.Open(t.Context(), tenantID, cookie)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// again is what the browser with a session finds when it comes again.
func (w *world) again(t *testing.T, s sessions.Session) sessions.Session {
	t.Helper()
	return w.open(t, s.TenantID, cookie(t, s))
}

func cookie(t *testing.T, s sessions.Session) string {
	value, _ := s.Cookie()
	testlog.Secret(t, value)
	return value
}

func (w *world) signIn(t *testing.T, old sessions.Session, username string) sessions.Session {
	t.Helper()
	s, err := w.SignIn(t.Context(), old, sessions.Person{Username: username, AuthTime: w.now(), AMR: []string{"pwd"}, IDPID: "ldap"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (w *world) rows(t *testing.T, table string) (n int) {
	t.Helper()
	if err := w.db.Conn(t.Context()).Raw(`SELECT COUNT(*) FROM ` + table).Scan(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

func TestSigningInGivesANewCookieAndEndsTheOldOne(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		before := w.open(t, "dev", "")
		if _, isNew := before.Cookie(); !isNew || before.SignedIn() || w.rows(t, "sessions") != 0 {
			t.Fatalf("an unknown browser: %+v", before)
		}
		in := w.signIn(t, before, "ada")
		if cookie(t, in) == cookie(t, before) {
			t.Error("the cookie is the same")
		}
		got := w.again(t, in)
		if got.Username != "ada" || !got.AuthTime.Equal(w.now()) || strings.Join(got.AMR, " ") != "pwd" || got.IDPID != "ldap" {
			t.Errorf("got %+v", got)
		}
		if _, isNew := got.Cookie(); isNew {
			t.Error("a known cookie counts as new")
		}
		if w.again(t, before).SignedIn() {
			t.Error("the cookie from before signing in is signed in")
		}
		later := w.signIn(t, got, "ada")
		if w.again(t, in).SignedIn() || !w.again(t, later).SignedIn() {
			t.Error("signing in again left the old cookie good")
		}
	})
}

func TestSigningOutEndsTheSessionHereAndItsFlows(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		in := w.signIn(t, w.open(t, "dev", ""), "ada")
		flow, err := w.Begin(t.Context(), in, "signin", "x")
		if err != nil {
			t.Fatal(err)
		}
		other := w.signIn(t, w.open(t, "dev", ""), "ada")
		out, err := w.SignOut(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if w.again(t, in).SignedIn() || out.SignedIn() || cookie(t, out) == cookie(t, in) {
			t.Error("the old cookie is good for something")
		}
		var content string
		if found, err := w.Flow(t.Context(), in, "signin", flow, &content); found || err != nil {
			t.Errorf("the flow lives: %v, %v", found, err)
		}
		if !w.again(t, other).SignedIn() {
			t.Error("another browser was signed out too")
		}
	})
}

func TestASessionIsGoodForItsTenantOnly(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		in := w.signIn(t, w.open(t, "dev", ""), "ada")
		flow, err := w.Begin(t.Context(), in, "signin", "x")
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Keep(t.Context(), in, []byte("token")); err != nil {
			t.Fatal(err)
		}
		elsewhere := w.open(t, "lab", cookie(t, in))
		if elsewhere.SignedIn() {
			t.Fatal("the cookie of one tenant is signed in at another")
		}
		var content string
		if found, err := w.Flow(t.Context(), elsewhere, "signin", flow, &content); found || err != nil {
			t.Errorf("a flow crossed: %v, %v", found, err)
		}
		if kept, err := w.Kept(t.Context(), elsewhere); kept != nil || err != nil {
			t.Errorf("what is kept crossed: %q, %v", kept, err)
		}
		if w.FormTokenMatches(elsewhere, "", w.FormToken(in, "")) {
			t.Error("a form's token crossed")
		}
		if _, err := w.SignOut(t.Context(), elsewhere); err != nil {
			t.Fatal(err)
		}
		w.signIn(t, elsewhere, "ada")
		if !w.again(t, in).SignedIn() {
			t.Error("what happens at one tenant ended a session at another")
		}
		if found, err := w.Take(t.Context(), in, "signin", flow, &content); !found || err != nil {
			t.Errorf("the flow is gone: %v, %v", found, err)
		}
	})
}

func TestAnUnusedSessionEndsAndAUsedOneAtLast(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		unused := w.signIn(t, w.open(t, "dev", ""), "ada")
		w.advance(idle - time.Second)
		if !w.again(t, unused).SignedIn() {
			t.Error("ended too early")
		}
		w.advance(idle)
		if s := w.again(t, unused); s.SignedIn() {
			t.Error("an unused session lives on")
		} else if cookie(t, s) == cookie(t, unused) {
			t.Error("the cookie of a dead session is used again")
		}
		used := w.signIn(t, w.open(t, "dev", ""), "ada")
		end := w.now().Add(lifetime)
		for w.now().Add(10 * time.Minute).Before(end) {
			w.advance(10 * time.Minute)
			if !w.again(t, used).SignedIn() {
				t.Fatalf("a used session ended %v early", end.Sub(w.now()))
			}
		}
		w.advance(10 * time.Minute)
		if w.again(t, used).SignedIn() {
			t.Error("a session lives longer than it may")
		}
	})
}

func TestUseIsWrittenDownOnceAMinute(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		in := w.signIn(t, w.open(t, "dev", ""), "ada")
		seen := func() (at int64) {
			if err := w.db.Conn(t.Context()).Raw(`SELECT seen_time FROM sessions`).Scan(&at).Error; err != nil {
				t.Fatal(err)
			}
			return at
		}
		first := seen()
		w.advance(59 * time.Second)
		w.again(t, in)
		if seen() != first {
			t.Error("written within a minute")
		}
		w.advance(time.Second)
		w.again(t, in)
		if seen() != w.clock.Load() {
			t.Error("not written after a minute")
		}
	})
}

func TestForgedCookiesAreNobodys(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		in := w.signIn(t, w.open(t, "dev", ""), "ada")
		value := cookie(t, in)
		var hash string
		if err := w.db.Conn(t.Context()).Raw(`SELECT cookie_hash FROM sessions`).Scan(&hash).Error; err != nil {
			t.Fatal(err)
		}
		for _, forged := range []string{
			"", "x", value[:42], value + "A", value[:42] + "\x00", value[:42] + "=", hash, strings.Repeat("A", 1<<16), "'" + value[1:],
			"eyJ1c2VybmFtZSI6ImFkYSJ9.ZzzZzz.abcdefghijklmnopqrstuvwxyz0", // as the old service signed them
		} {
			if w.open(t, "dev", forged).SignedIn() {
				t.Errorf("%.60q is signed in", forged)
			}
		}
	})
}

func TestWhatIsKeptStaysWithItsPerson(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		in := w.signIn(t, w.open(t, "dev", ""), "ada")
		if kept, err := w.Kept(t.Context(), in); kept != nil || err != nil {
			t.Fatalf("got %q, %v", kept, err)
		}
		token := seal.NewSecret()
		testlog.Secret(t, token)
		if err := w.Keep(t.Context(), in, []byte(token)); err != nil {
			t.Fatal(err)
		}
		again := w.signIn(t, in, "ada")
		if kept, err := w.Kept(t.Context(), again); string(kept) != token || err != nil {
			t.Errorf("lost when the same person signed in again: %v", err)
		}
		var all string
		if err := w.db.Conn(t.Context()).Raw(`SELECT kept FROM sessions`).Scan(&all).Error; err != nil || strings.Contains(all, token) {
			t.Errorf("it is stored in clear, %v", err)
		}
		bob := w.signIn(t, again, "bob")
		if kept, err := w.Kept(t.Context(), bob); kept != nil || err != nil {
			t.Errorf("another person has it: %v", err)
		}
		if err := w.Keep(t.Context(), bob, []byte(token)); err != nil {
			t.Fatal(err)
		}
		if err := w.Keep(t.Context(), bob, nil); err != nil {
			t.Fatal(err)
		}
		if kept, err := w.Kept(t.Context(), bob); kept != nil || err != nil {
			t.Errorf("it was not forgotten: %v", err)
		}
	})
}

func TestAFormsTokenIsOfOneBrowserAndOneFlow(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a, b := w.open(t, "dev", ""), w.open(t, "dev", "")
		token := w.FormToken(a, "flow")
		if !w.FormTokenMatches(w.again(t, a), "flow", token) {
			t.Error("it is not good for its own form")
		}
		for name, ok := range map[string]bool{
			"another browser": w.FormTokenMatches(b, "flow", token), "another flow": w.FormTokenMatches(a, "flow2", token),
			"no flow": w.FormTokenMatches(a, "", token), "nothing": w.FormTokenMatches(a, "flow", ""),
			"another person": w.FormTokenMatches(w.signIn(t, a, "ada"), "flow", token),
		} {
			if ok {
				t.Errorf("it is good for %s", name)
			}
		}
	})
}

func TestAFlowBelongsToItsBrowserAndGoesAlongWhenSomebodySignsIn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		type content struct{ Step int }
		mine, other := w.open(t, "dev", ""), w.open(t, "dev", "")
		id, err := w.Begin(t.Context(), mine, "signin", content{1})
		if err != nil {
			t.Fatal(err)
		}
		var c content
		for name, look := range map[string]func() (bool, error){
			"another browser": func() (bool, error) { return w.Flow(t.Context(), other, "signin", id, &c) },
			"another kind":    func() (bool, error) { return w.Flow(t.Context(), mine, "webapp", id, &c) },
			"no id":           func() (bool, error) { return w.Flow(t.Context(), mine, "signin", "", &c) },
			"a NUL":           func() (bool, error) { return w.Flow(t.Context(), mine, "signin", "\x00", &c) },
			"taken elsewhere": func() (bool, error) { return w.Take(t.Context(), other, "signin", id, &c) },
		} {
			if found, err := look(); found || err != nil {
				t.Errorf("%s: %v, %v", name, found, err)
			}
		}
		if err := w.Change(t.Context(), other, "signin", id, content{7}); !apierr.Is(err, apierr.Invalid) {
			t.Errorf("another browser changed it: %v", err)
		}
		if err := w.Change(t.Context(), mine, "signin", id, content{2}); err != nil {
			t.Fatal(err)
		}
		in := w.signIn(t, mine, "ada")
		if found, err := w.Flow(t.Context(), in, "signin", id, &c); !found || err != nil || c.Step != 2 {
			t.Errorf("after signing in: %v, %v, %+v", found, err, c)
		}
		if found, err := w.Flow(t.Context(), mine, "signin", id, &c); found || err != nil {
			t.Errorf("the cookie from before still has it: %v", err)
		}
		w.advance(sessions.FlowLifetime)
		if found, err := w.Flow(t.Context(), in, "signin", id, &c); found || err != nil {
			t.Errorf("it lives too long: %v", err)
		}
	})
}

func TestAFlowIsTakenOnceHoweverManyTryAtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		s := w.open(t, "dev", "")
		id, err := w.Begin(t.Context(), s, "signin", "content")
		if err != nil {
			t.Fatal(err)
		}
		var took atomic.Int32
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				var content string
				found, err := w.Take(t.Context(), s, "signin", id, &content)
				if err != nil {
					t.Error(err)
				}
				if found && content == "content" {
					took.Add(1)
				}
			})
		}
		all.Wait()
		if took.Load() != 1 {
			t.Errorf("%d took it", took.Load())
		}
	})
}

func TestABrowserIsInTheMiddleOfSoManyFlowsOnly(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		s := w.open(t, "dev", "")
		var ids []string
		for range 55 {
			w.advance(time.Second)
			id, err := w.Begin(t.Context(), s, "signin", "")
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
		if n := w.rows(t, "flows"); n != 50 {
			t.Errorf("%d flows", n)
		}
		var content string
		first, _ := w.Flow(t.Context(), s, "signin", ids[0], &content)
		last, err := w.Flow(t.Context(), s, "signin", ids[54], &content)
		if first || !last || err != nil {
			t.Errorf("the first is there: %v, the last: %v, %v", first, last, err)
		}
	})
}

func TestWhatHasEndedIsSwept(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.signIn(t, w.open(t, "dev", ""), "ada")
		w.advance(idle / 2)
		live := w.signIn(t, w.open(t, "dev", ""), "bob")
		if _, err := w.Begin(t.Context(), live, "signin", "x"); err != nil {
			t.Fatal(err)
		}
		w.advance(idle / 2)
		if err := w.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s, f := w.rows(t, "sessions"), w.rows(t, "flows"); s != 1 || f != 1 || !w.again(t, live).SignedIn() {
			t.Errorf("%d sessions and %d flows are left", s, f)
		}
		w.advance(idle)
		if err := w.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s, f := w.rows(t, "sessions"), w.rows(t, "flows"); s != 0 || f != 0 {
			t.Errorf("%d sessions and %d flows are left", s, f)
		}
	})
}

func TestNeitherCookiesNorFlowsStandInTheDatabase(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		secret := seal.NewSecret()
		testlog.Secret(t, secret)
		in := w.signIn(t, w.open(t, "dev", ""), "ada")
		if _, err := w.Begin(t.Context(), in, "webapp", map[string]string{"verifier": secret}); err != nil {
			t.Fatal(err)
		}
		dump := testdb.Dump(t, w.db)
		for _, value := range []string{secret, cookie(t, in)} {
			if strings.Contains(dump, value) {
				t.Error("a secret is in the database")
			}
		}
	})
}
