package registryclient_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/testdb"
	"gatehouse/internal/testlog"
	"gatehouse/migrations"
)

func TestHostsAreServedAsTheRegistryKnowsThem(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		v := started(t, db, newRegistry(t), newClock())
		if err := v.Ready(); err != nil {
			t.Error(err)
		}
		got, err := v.ForHost(t.Context(), "DEV.tapis.io:443")
		want := registryclient.Tenant{
			ID: "dev", SiteID: "main", BaseURL: "https://dev.tapis.io", TokenService: "https://dev.tapis.io/v3/tokens",
			AdminUser: "ada", OwnedByThisOne: true,
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
		for host, kind := range map[string]apierr.Kind{
			"edge.example.org": apierr.Forbidden, "edge-admin.tapis.io": apierr.Forbidden,
			"draft.tapis.io": apierr.NotFound, "old.tapis.io": apierr.NotFound, "unknown.tapis.io": apierr.NotFound, "": apierr.NotFound,
		} {
			if got, err := v.ForHost(t.Context(), host); !apierr.Is(err, kind) || got.ID != "" {
				t.Errorf("host %q: got %+v, %v; want kind %d", host, got, err, kind)
			}
		}
	})
}

func TestUnknownHostsCauseOneLookInFiveSeconds(t *testing.T) {
	r, c := newRegistry(t), newClock()
	v := started(t, testdb.New(t, migrations.Authenticator), r, c)
	before, _ := r.looks()
	ask := func(hosts int) {
		var all sync.WaitGroup
		for i := range hosts {
			all.Go(func() {
				if _, err := v.ForHost(t.Context(), fmt.Sprintf("unknown-%d.tapis.io", i)); !apierr.Is(err, apierr.NotFound) {
					t.Errorf("got %v", err)
				}
			})
		}
		all.Wait()
	}
	for _, step := range []struct {
		later time.Duration
		looks int
	}{{0, 1}, {0, 1}, {5*time.Second - time.Microsecond, 1}, {time.Microsecond, 2}, {time.Second, 2}, {time.Hour, 3}} {
		c.advance(step.later)
		ask(50)
		wantTenant(t, v, "dev.tapis.io", "dev") // known ones cause none
		if now, _ := r.looks(); now-before != step.looks {
			t.Errorf("%s later the registry was asked %d times, want %d", step.later, now-before, step.looks)
		}
	}
}

func TestANewTenantIsFoundByItsFirstRequest(t *testing.T) {
	r, c := newRegistry(t), newClock()
	v := started(t, testdb.New(t, migrations.Authenticator), r, c)
	r.serve("/v3/tenants", withTenant("fresh"))
	wantTenant(t, v, "fresh.tapis.io", "fresh")
	wantTenant(t, v, "dev.tapis.io", "dev")
	// And one that is gone is gone after the next look.
	r.serve("/v3/tenants", strings.Replace(tenants, `"dev"`, `"dev2"`, 1))
	if err := v.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := v.ForHost(t.Context(), "fresh.tapis.io"); !apierr.Is(err, apierr.NotFound) {
		t.Errorf("got %v", err)
	}
	wantTenant(t, v, "dev.tapis.io", "dev2")
}

func TestAnUnchangedRegistryAnswersWithoutABody(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		r, c := newRegistry(t), newClock()
		v := started(t, db, r, c)
		dump := testdb.Dump(t, db)
		c.advance(time.Minute)
		for range 3 {
			if err := v.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if asked, matched := r.looks(); asked != 4 || matched != 6 {
			t.Errorf("the tenants were asked for %d times, %d answers had no body; want 4 and 6", asked, matched)
		}
		if fetched := fmt.Sprintf("fetch_time=%d", c.now().UnixMicro()); strings.Contains(testdb.Dump(t, db), fetched) || !strings.Contains(dump, "fetch_time=") {
			t.Error("an unchanged view was stored again")
		}
		wantTenant(t, v, "tacc.tapis.io", "tacc")
		r.serve("/v3/tenants", withTenant("fresh"))
		if err := v.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantTenant(t, v, "fresh.tapis.io", "fresh")
		if _, matched := r.looks(); matched != 7 { // the sites have not changed
			t.Errorf("%d answers had no body, want 7", matched)
		}
	})
}

func TestARegistryThatIsAwayIsServedFromMemoryAndAfterARestart(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		r, c := newRegistry(t), newClock()
		v := started(t, db, r, c)
		r.serve("/v3/tenants", withTenant("fresh"))
		if err := v.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.Close()
		if err := v.Refresh(t.Context()); err == nil {
			t.Error("no failure was seen")
		}
		c.advance(time.Hour)
		wantTenant(t, v, "dev.tapis.io", "dev")
		if _, err := v.ForHost(t.Context(), "unknown.tapis.io"); !apierr.Is(err, apierr.NotFound) {
			t.Errorf("unknown host: %v", err)
		}
		again := started(t, db, r, c)
		if err := again.Ready(); err != nil {
			t.Errorf("not ready after a restart: %v", err)
		}
		wantTenant(t, again, "dev.tapis.io", "dev")
		wantTenant(t, again, "fresh.tapis.io", "fresh")
	})
}

func TestARestartAsksWithTheRememberedETags(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		r, c := newRegistry(t), newClock()
		started(t, db, r, c)
		again := started(t, db, r, c)
		if asked, matched := r.looks(); asked != 2 || matched != 2 {
			t.Errorf("the tenants were asked for %d times, %d answers had no body; want 2 and 2", asked, matched)
		}
		wantTenant(t, again, "dev.tapis.io", "dev")
	})
}

func TestWithoutEverSeeingTheRegistryNothingIsServed(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		r, c := newRegistry(t), newClock()
		r.fail(http.StatusServiceUnavailable)
		v := started(t, db, r, c)
		if v.Ready() == nil {
			t.Error("ready without a view")
		}
		if _, err := v.ForHost(t.Context(), "dev.tapis.io"); !apierr.Is(err, apierr.Unavailable) {
			t.Errorf("got %v", err)
		}
		r.fail(0)
		if _, err := v.ForHost(t.Context(), "dev.tapis.io"); !apierr.Is(err, apierr.Unavailable) {
			t.Errorf("within five seconds: got %v", err)
		}
		c.advance(5 * time.Second)
		wantTenant(t, v, "dev.tapis.io", "dev")
		if err := v.Ready(); err != nil {
			t.Error(err)
		}
	})
}

func TestAnswersThatAreNoRegistrysKeepTheView(t *testing.T) {
	r, c := newRegistry(t), newClock()
	db := testdb.New(t, migrations.Authenticator)
	v := started(t, db, r, c)
	for name, body := range map[string]string{
		"nothing": "", "null": "null", "an array": "[]", "an empty object": "{}", "no list": `{"result":null}`, "an object": `{"result":{}}`,
		"an error": `{"result":null,"status":"error","message":"no"}`, "a page": "<!DOCTYPE html><title>Sign in</title>", "text": "ok",
		"a number for an id": `{"result":[{"tenant_id":5,"site_id":5}]}`, "more after it": tenants + "{}", "half of it": tenants[:len(tenants)/2],
	} {
		for path, good := range map[string]string{"/v3/sites": sites, "/v3/tenants": tenants} {
			r.serve(path, body)
			if err := v.Refresh(t.Context()); err == nil {
				t.Errorf("%s from %s was taken", name, path)
			}
			wantTenant(t, v, "dev.tapis.io", "dev")
			r.serve(path, good)
		}
	}
	r.serve("/v3/tenants", `{"result":[`+strings.Repeat(" ", 64<<20)+`]}`) // more than is read of an answer
	if err := v.Refresh(t.Context()); err == nil {
		t.Error("an endless answer was taken")
	}
	wantTenant(t, v, "dev.tapis.io", "dev")
	r.serve("/v3/tenants", tenants)
	r.serve("/v3/sites", `{"result":[]}`) // a registry that has lost our site
	if err := v.Refresh(t.Context()); err == nil {
		t.Error("a registry without our site was taken")
	}
	wantTenant(t, v, "dev.tapis.io", "dev")
	r.serve("/v3/sites", sites)
	for _, status := range []int{201, 202, 206, 400, 401, 403, 404, 410, 429, 500, 502, 503} {
		r.fail(status)
		r.serve("/v3/tenants", withTenant(fmt.Sprintf("with-%d", status)))
		if err := v.Refresh(t.Context()); err == nil {
			t.Errorf("status %d was taken", status)
		}
		wantTenant(t, v, "dev.tapis.io", "dev")
	}
	r.fail(0)
	if err := v.Refresh(t.Context()); err != nil {
		t.Errorf("the registry is back: %v", err)
	}
	wantTenant(t, v, "with-503.tapis.io", "with-503")
	// None of it was remembered either.
	r.Close()
	wantTenant(t, started(t, db, r, c), "with-503.tapis.io", "with-503")
}

func TestAnEmptyRegistryIsBelieved(t *testing.T) {
	r, c := newRegistry(t), newClock()
	v := started(t, testdb.New(t, migrations.Authenticator), r, c)
	r.serve("/v3/tenants", `{"result":[]}`)
	if err := v.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := v.ForHost(t.Context(), "dev.tapis.io"); !apierr.Is(err, apierr.NotFound) {
		t.Errorf("got %v", err)
	}
}

func TestARememberedViewThatCannotBeReadIsFetchedAnew(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		r, c := newRegistry(t), newClock()
		started(t, db, r, c)
		if err := db.Conn(t.Context()).Exec(`UPDATE registry_views SET body = '{"result":' WHERE resource = '/v3/tenants'`).Error; err != nil {
			t.Fatal(err)
		}
		v := started(t, db, r, c)
		if _, matched := r.looks(); matched != 0 {
			t.Error("the registry was asked whether what cannot be read has changed")
		}
		wantTenant(t, v, "dev.tapis.io", "dev")
	})
}

func TestAViewThatCouldNotBeRememberedIsServedAndRememberedLater(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		r, c := newRegistry(t), newClock()
		v := started(t, db, r, c)
		rename := func(from, to string) {
			if err := db.Conn(t.Context()).Exec("ALTER TABLE " + from + " RENAME TO " + to).Error; err != nil {
				t.Fatal(err)
			}
		}
		rename("registry_views", "elsewhere")
		r.serve("/v3/tenants", withTenant("fresh"))
		if err := v.Refresh(t.Context()); err == nil {
			t.Error("no failure was seen")
		}
		wantTenant(t, v, "fresh.tapis.io", "fresh")
		rename("elsewhere", "registry_views")
		if err := v.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.Close()
		wantTenant(t, started(t, db, r, c), "fresh.tapis.io", "fresh")
	})
}

func TestARegistryThatNeverAnswersHoldsNobodyForLong(t *testing.T) {
	release := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		select {
		case <-release:
		case <-req.Context().Done():
		}
	}))
	t.Cleanup(slow.Close)
	t.Cleanup(func() { close(release) })
	r, c := newRegistry(t), newClock()
	db := testdb.New(t, migrations.Authenticator)
	started(t, db, r, c)
	v := registryclient.New(registryclient.Deps{
		DB: db, Client: &http.Client{Timeout: 500 * time.Millisecond}, BaseURL: slow.URL, SiteID: "main", Poll: time.Hour, Now: c.now, Log: testlog.New(t),
	})
	begin := time.Now()
	if err := v.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	go func() { _ = v.Refresh(context.WithoutCancel(t.Context())) }()
	wantTenant(t, v, "dev.tapis.io", "dev")
	if took := time.Since(begin); took > 8*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestTheRegistryIsAskedInTheBackground(t *testing.T) {
	r, c := newRegistry(t), newClock()
	v := registryclient.New(registryclient.Deps{
		DB: testdb.New(t, migrations.Authenticator), Client: r.Client(), BaseURL: r.URL + "/", SiteID: "main",
		Poll: 5 * time.Millisecond, Now: c.now, Log: testlog.New(t),
	})
	ctx, stop := context.WithCancel(t.Context())
	if err := v.Start(ctx); err != nil {
		t.Fatal(err)
	}
	r.serve("/v3/tenants", withTenant("fresh"))
	before, _ := r.looks()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if now, _ := r.looks(); now >= before+2 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody asked")
		}
	}
	stop()
	wantTenant(t, v, "fresh.tapis.io", "fresh")
}

func TestRequestsAndChangesMayMeet(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		r, c := newRegistry(t), newClock()
		v := started(t, db, r, c)
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				for n := range 10 {
					r.serve("/v3/tenants", withTenant(fmt.Sprintf("fresh-%d-%d", i, n)))
					if err := v.Refresh(t.Context()); err != nil {
						t.Errorf("refresh: %v", err)
					}
				}
			})
			all.Go(func() {
				for range 200 {
					wantTenant(t, v, "dev.tapis.io", "dev")
					if _, err := v.ForHost(t.Context(), "unknown.tapis.io"); !apierr.Is(err, apierr.NotFound) {
						t.Errorf("got %v", err)
					}
					c.advance(time.Second)
				}
			})
		}
		all.Wait()
		r.serve("/v3/tenants", withTenant("last"))
		if err := v.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantTenant(t, v, "last.tapis.io", "last")
	})
}
