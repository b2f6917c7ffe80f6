package clients_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/seal"
	"gatehouse/internal/testdb"
	"gatehouse/internal/testlog"
)

// opens reports whether a key authenticates the client portal of tacc.
func (f *fixture) opens(key string) bool {
	f.T.Helper()
	_, err := f.Authenticate(f.T.Context(), "tacc", "portal", key)
	if err != nil && !errors.Is(err, clients.ErrWrongSecret) {
		f.T.Fatal(err)
	}
	return err == nil
}

func (f *fixture) rotate(key string, overlap time.Duration) clients.Client {
	f.T.Helper()
	c, err := f.RotateKey(f.T.Context(), "tacc", "ada", "portal", key, overlap)
	if err != nil {
		f.T.Fatal(err)
	}
	testlog.Secret(f.T, c.Key)
	return c
}

func TestARotatedKeyStaysGoodForTheOverlap(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		first := f.register("tacc", "ada", clients.Registration{ID: "portal"}).Key
		f.Clock.Advance(time.Hour)
		c := f.rotate("", clients.DefaultOverlap)
		second := c.Key
		ends := f.Clock.Now().Add(24 * time.Hour)
		if second == first || len(second) != 43 || !c.PreviousKeyEnds.Equal(ends) || !c.LastUpdated.Equal(f.Clock.Now()) {
			t.Errorf("%+v", c)
		}
		f.wantClient(c)
		f.Clock.Advance(24*time.Hour - time.Microsecond)
		if !f.opens(first) || !f.opens(second) || f.opens("") || f.opens(first+"x") {
			t.Error("not both keys are good, or others are too")
		}
		f.Clock.Advance(time.Microsecond)
		if f.opens(first) || !f.opens(second) {
			t.Error("the old key outlived the overlap, or the new one went with it")
		}
		if got, err := f.Get(t.Context(), "tacc", "ada", "portal", true); err != nil || !got.PreviousKeyEnds.IsZero() {
			t.Errorf("%+v, %v", got, err)
		}
		// The key before the last one ends with the next rotation.
		third := f.rotate("", time.Hour).Key
		fourth := f.rotate("chosen-by-hand-2026", time.Hour).Key
		if f.opens(second) || !f.opens(third) || !f.opens(fourth) || fourth != "chosen-by-hand-2026" {
			t.Error("after two rotations")
		}
		// Without an overlap all earlier ones end.
		fifth := f.rotate("", 0)
		if f.opens(third) || f.opens(fourth) || !f.opens(fifth.Key) || !fifth.PreviousKeyEnds.IsZero() {
			t.Error("without an overlap")
		}
		for name, key := range map[string]string{"first": first, "second": second, "fifth": fifth.Key} {
			if strings.Contains(testdb.Dump(t, f.DB), key) {
				t.Errorf("the %s key is in the database", name)
			}
		}
	})
}

func TestOneOfManyRotationsSucceeds(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		first := f.register("tacc", "ada", clients.Registration{ID: "portal"}).Key
		var won atomic.Pointer[clients.Client]
		var group sync.WaitGroup
		start := make(chan struct{})
		for range 10 {
			group.Go(func() {
				<-start
				c, err := f.RotateKey(t.Context(), "tacc", "ada", "portal", "", time.Hour)
				switch {
				case err == nil:
					testlog.Secret(t, c.Key)
					won.Store(&c)
				case !apierr.Is(err, apierr.Conflict):
					t.Error(err)
				}
			})
		}
		close(start)
		group.Wait()
		// Those that came after another one had finished may have succeeded too;
		// what counts is that the last one's key opens and no key was lost.
		got, err := f.Get(t.Context(), "tacc", "ada", "portal", true)
		if err != nil || won.Load() == nil || !f.opens(got.Key) {
			t.Fatalf("%v", err)
		}
		if got.Key == first {
			t.Error("nothing was rotated")
		}
	})
}

func TestARotationThatCannotBeIsRefused(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		key := f.register("tacc", "ada", clients.Registration{ID: "portal"}).Key
		f.register("tacc", "ada", clients.Registration{ID: "open", AuthMethod: clients.AuthNone})
		f.register("tacc", "ada", clients.Registration{ID: "gone"})
		f.deactivate("gone")
		for name, test := range map[string]struct {
			tenant, owner, id, key string
			kind                   apierr.Kind
		}{
			"another tenant": {"dev", "ada", "portal", "", apierr.NotFound},
			"another owner":  {"tacc", "bob", "portal", "", apierr.Forbidden},
			"unknown":        {"tacc", "ada", "nothing", "", apierr.NotFound},
			"public":         {"tacc", "ada", "open", "", apierr.Conflict},
			"inactive":       {"tacc", "ada", "gone", "", apierr.Conflict},
			"short":          {"tacc", "ada", "portal", "short", apierr.Invalid},
			"long":           {"tacc", "ada", "portal", strings.Repeat("x", 81), apierr.Invalid},
			"blank":          {"tacc", "ada", "portal", strings.Repeat(" ", 20), apierr.Invalid},
			"the same":       {"tacc", "ada", "portal", key, apierr.Invalid},
		} {
			if _, err := f.RotateKey(ctx, test.tenant, test.owner, test.id, test.key, time.Hour); !apierr.Is(err, test.kind) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if !f.opens(key) {
			t.Error("the key changed all the same")
		}
	})
}

func TestAKeyIsRotatedOnTheWire(t *testing.T) {
	f := onSQLite(t)
	call := f.serve(false) // keys are shown once, and this is once
	first := f.register("tacc", "ada", clients.Registration{ID: "portal"}).Key
	rotate := func(token, body string, want int) (key, ends string) {
		t.Helper()
		got := call(token, http.MethodPost, "/portal/secret", body).Want(want)
		return got.Text("result", "client_key"), got.Text("result", "previous_key_expiry_time")
	}
	second, ends := rotate("ada", "", 200)
	if second == first || !f.opens(second) || !f.opens(first) || ends != "Sun, 19 Jul 2020 19:09:47 GMT" {
		t.Errorf("it ends at %s", ends)
	}
	third, ends := rotate("ada via webapp", `{"overlap":0}`, 200)
	if !f.opens(third) || f.opens(second) || ends != "" {
		t.Errorf("it ends at %s", ends)
	}
	chosen := seal.NewSecret()
	if key, _ := rotate("ada", `{"client_key":"`+chosen+`","overlap":604800}`, 200); key != chosen {
		t.Error("the chosen key was not taken")
	}
	for _, body := range []string{
		`{"overlap":-1}`, `{"overlap":604801}`, `{"overlap":"1"}`, `{"overlap":1.5}`, `{"client_key":"short"}`, `[]`,
	} {
		rotate("ada", body, 400)
	}
	// A portal must not learn the new key, not even its own.
	rotate("ada via portal", "", 403)
	rotate("ada via dev's", "", 403)
	rotate("bob", "", 403)
	rotate("ada of dev", "", 404)
	rotate("nobody", "", 401)
}

// A-B24: services have clients of their own, can delete them, and touch
// nobody else's.
func TestServicesOwnClients(t *testing.T) {
	f := onSQLite(t)
	call := f.serve(true)
	f.register("tacc", "ada", clients.Registration{ID: "adas"})
	for _, name := range []string{"jobs", "_tapis_jobs"} {
		call(name, http.MethodPost, "", `{"client_id":"of.`+strings.Trim(name, "_")+`"}`).
			Want(201, `"owner":"`+name+`","tenant_id":"tacc"`)
	}
	for token, own := range map[string]int{"jobs": 1, "jobs for dev": 0, "jobs, a person": 0} {
		if got := call(token, http.MethodGet, "", "").Want(200); strings.Count(got.Raw, `"client_id"`) != own {
			t.Errorf("%s: %s", token, got.Raw)
		}
	}
	for _, name := range []string{"jobs as ada", "jobs as files"} {
		for _, ask := range [][3]string{
			{"GET", "", ""},
			{"POST", "", "{}"},
			{"GET", "/adas", ""},
			{"PUT", "/adas", "{}"},
			{"DELETE", "/adas", ""},
			{"POST", "/adas/secret", ""},
		} {
			call(name, ask[0], ask[1], ask[2]).Want(403)
		}
	}
	call("jobs", http.MethodGet, "/adas", "").Want(403)
	call("jobs, a person", http.MethodGet, "/of.jobs", "").Want(403)
	for _, ask := range [][3]string{
		{"GET", "/of.jobs", ""},
		{"PUT", "/of.jobs", `{"display_name":"Jobs"}`},
		{"POST", "/of.jobs/secret", ""},
		{"DELETE", "/of.jobs", ""},
	} {
		call("jobs", ask[0], ask[1], ask[2]).Want(200)
	}
	if _, err := f.Find(t.Context(), "tacc", "of.jobs"); !errors.Is(err, clients.ErrUnknown) {
		t.Errorf("it is still there: %v", err)
	}
}
