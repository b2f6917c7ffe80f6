package clients_test

import (
	"encoding/json"
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
func (w *world) opens(t *testing.T, key string) bool {
	t.Helper()
	_, err := w.Authenticate(t.Context(), "tacc", "portal", key)
	if err != nil && !errors.Is(err, clients.ErrWrongSecret) {
		t.Fatal(err)
	}
	return err == nil
}

func (w *world) rotate(t *testing.T, key string, overlap time.Duration) clients.Client {
	t.Helper()
	c, err := w.RotateKey(t.Context(), "tacc", "ada", "portal", key, overlap)
	if err != nil {
		t.Fatal(err)
	}
	testlog.Secret(t, c.Key)
	return c
}

func TestARotatedKeyStaysGoodForTheOverlap(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		first := w.register(t, "tacc", "ada", clients.Registration{ID: "portal"}).Key
		w.clock.advance(time.Hour)
		c := w.rotate(t, "", clients.DefaultOverlap)
		second := c.Key
		ends := w.clock.now().Add(24 * time.Hour)
		if second == first || len(second) != 43 || !c.PreviousKeyEnds.Equal(ends) || !c.LastUpdated.Equal(w.clock.now()) {
			t.Errorf("%+v", c)
		}
		if got, err := w.Get(t.Context(), "tacc", "ada", "portal", true); err != nil || got.Key != second || !got.PreviousKeyEnds.Equal(ends) {
			t.Errorf("%+v, %v", got, err)
		}
		w.clock.advance(24*time.Hour - time.Microsecond)
		if !w.opens(t, first) || !w.opens(t, second) || w.opens(t, "") || w.opens(t, first+"x") {
			t.Error("not both keys are good, or others are too")
		}
		w.clock.advance(time.Microsecond)
		if w.opens(t, first) || !w.opens(t, second) {
			t.Error("the old key outlived the overlap, or the new one went with it")
		}
		if got, err := w.Get(t.Context(), "tacc", "ada", "portal", true); err != nil || !got.PreviousKeyEnds.IsZero() {
			t.Errorf("%+v, %v", got, err)
		}
		// The key before the last one ends with the next rotation.
		third := w.rotate(t, "", time.Hour).Key
		fourth := w.rotate(t, "chosen-by-hand-2026", time.Hour).Key
		if w.opens(t, second) || !w.opens(t, third) || !w.opens(t, fourth) || fourth != "chosen-by-hand-2026" {
			t.Error("after two rotations")
		}
		// Without an overlap all earlier ones end.
		fifth := w.rotate(t, "", 0)
		if w.opens(t, third) || w.opens(t, fourth) || !w.opens(t, fifth.Key) || !fifth.PreviousKeyEnds.IsZero() {
			t.Error("without an overlap")
		}
		for name, key := range map[string]string{"first": first, "second": second, "fifth": fifth.Key} {
			if strings.Contains(testdb.Dump(t, w.db), key) {
				t.Errorf("the %s key is in the database", name)
			}
		}
	})
}

func TestOneOfManyRotationsSucceeds(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		first := w.register(t, "tacc", "ada", clients.Registration{ID: "portal"}).Key
		var won atomic.Pointer[clients.Client]
		var group sync.WaitGroup
		start := make(chan struct{})
		for range 10 {
			group.Go(func() {
				<-start
				c, err := w.RotateKey(t.Context(), "tacc", "ada", "portal", "", time.Hour)
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
		got, err := w.Get(t.Context(), "tacc", "ada", "portal", true)
		if err != nil || won.Load() == nil || !w.opens(t, got.Key) {
			t.Fatalf("%v", err)
		}
		if got.Key == first {
			t.Error("nothing was rotated")
		}
	})
}

func TestARotationThatCannotBeIsRefused(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		key := w.register(t, "tacc", "ada", clients.Registration{ID: "portal"}).Key
		w.register(t, "tacc", "ada", clients.Registration{ID: "open", AuthMethod: clients.AuthNone})
		w.register(t, "tacc", "ada", clients.Registration{ID: "gone"})
		if err := w.Deactivate(ctx, "tacc", "ada", "gone"); err != nil {
			t.Fatal(err)
		}
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
			if _, err := w.RotateKey(ctx, test.tenant, test.owner, test.id, test.key, time.Hour); !apierr.Is(err, test.kind) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if !w.opens(t, key) {
			t.Error("the key changed all the same")
		}
	})
}

func TestAKeyIsRotatedOnTheWire(t *testing.T) {
	w := onSQLite(t)
	h := serve(t, w, false) // keys are shown once, and this is once
	first := w.register(t, "tacc", "ada", clients.Registration{ID: "portal"}).Key
	rotate := func(token, body string, want int) (key, ends string) {
		t.Helper()
		status, answer := call(t, h, token, http.MethodPost, "/portal/secret", body)
		if status != want {
			t.Fatalf("%s: %d %s", body, status, answer)
		}
		var got struct {
			Result struct {
				Key  string `json:"client_key"`
				Ends string `json:"previous_key_expiry_time"`
			}
		}
		if err := json.Unmarshal([]byte(answer), &got); err != nil {
			t.Fatal(err)
		}
		if got.Result.Key != "" {
			testlog.Secret(t, got.Result.Key)
		}
		return got.Result.Key, got.Result.Ends
	}
	second, ends := rotate("ada", "", 200)
	if second == first || !w.opens(t, second) || !w.opens(t, first) || ends != "Sun, 19 Jul 2020 19:09:47 GMT" {
		t.Errorf("it ends at %s", ends)
	}
	third, ends := rotate("ada via webapp", `{"overlap":0}`, 200)
	if !w.opens(t, third) || w.opens(t, second) || ends != "" {
		t.Errorf("it ends at %s", ends)
	}
	chosen := seal.NewSecret()
	if key, _ := rotate("ada", `{"client_key":"`+chosen+`","overlap":604800}`, 200); key != chosen {
		t.Error("the chosen key was not taken")
	}
	for _, body := range []string{`{"overlap":-1}`, `{"overlap":604801}`, `{"overlap":"1"}`, `{"overlap":1.5}`, `{"client_key":"short"}`, `[]`} {
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
	w := onSQLite(t)
	h := serve(t, w, true)
	w.register(t, "tacc", "ada", clients.Registration{ID: "adas"})
	for _, name := range []string{"jobs", "_tapis_jobs"} {
		status, body := call(t, h, name, http.MethodPost, "", `{"client_id":"of.`+strings.Trim(name, "_")+`"}`)
		if status != 201 || !strings.Contains(body, `"owner":"`+name+`","tenant_id":"tacc"`) {
			t.Fatalf("%s: %d %s", name, status, body)
		}
	}
	if status, body := call(t, h, "jobs", http.MethodGet, "", ""); status != 200 || strings.Count(body, `"client_id"`) != 1 {
		t.Errorf("%d %s", status, body)
	}
	if status, body := call(t, h, "jobs for dev", http.MethodGet, "", ""); status != 200 || strings.Count(body, `"client_id"`) != 0 {
		t.Errorf("in dev: %d %s", status, body)
	}
	for _, name := range []string{"jobs as ada", "jobs as files"} {
		for _, ask := range [][3]string{{http.MethodGet, "", ""}, {http.MethodPost, "", "{}"}, {http.MethodGet, "/adas", ""}, {http.MethodPut, "/adas", "{}"}, {http.MethodDelete, "/adas", ""}, {http.MethodPost, "/adas/secret", ""}} {
			if status, body := call(t, h, name, ask[0], ask[1], ask[2]); status != 403 {
				t.Errorf("%s %v: %d %s", name, ask, status, body)
			}
		}
	}
	if status, body := call(t, h, "jobs", http.MethodGet, "/adas", ""); status != 403 {
		t.Errorf("another's: %d %s", status, body)
	}
	if status, body := call(t, h, "jobs, a person", http.MethodGet, "", ""); status != 200 || strings.Count(body, `"client_id"`) != 0 {
		t.Errorf("a person of the same name: %d %s", status, body)
	}
	if status, body := call(t, h, "jobs, a person", http.MethodGet, "/of.jobs", ""); status != 403 {
		t.Errorf("a person of the same name: %d %s", status, body)
	}
	for _, ask := range [][3]string{
		{http.MethodGet, "/of.jobs", ""}, {http.MethodPut, "/of.jobs", `{"display_name":"Jobs"}`}, {http.MethodPost, "/of.jobs/secret", ""}, {http.MethodDelete, "/of.jobs", ""},
	} {
		if status, body := call(t, h, "jobs", ask[0], ask[1], ask[2]); status != 200 {
			t.Errorf("%v: %d %s", ask, status, body)
		}
	}
	if _, err := w.Find(t.Context(), "tacc", "of.jobs"); !errors.Is(err, clients.ErrUnknown) {
		t.Errorf("it is still there: %v", err)
	}
}
