package registryclient_test

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/registryclient/registrytest"
	"gatehouse/internal/testdb"
	"gatehouse/migrations"
)

func TestHostsAreServedAsTheRegistryKnowsThem(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		if err := f.Ready(); err != nil {
			t.Error(err)
		}
		f.registry.Change("edge-admin", object{"base_url": "https://edge.example.org"})
		f.refresh(t)
		got, err := f.ForHost(t.Context(), "DEV.tapis.io:443")
		want := registryclient.Tenant{
			ID: "dev", SiteID: "main", BaseURL: "https://dev.tapis.io", TokenService: "https://dev.tapis.io/v3/tokens",
			AdminUser: "ada", OwnedByThisOne: true,
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
		for host, kind := range map[string]apierr.Kind{
			"edge.example.org": apierr.Forbidden, "edge-admin.tapis.io": apierr.Forbidden,
			"draft.tapis.io": apierr.NotFound, "inactive.tapis.io": apierr.NotFound,
			"unknown.tapis.io": apierr.NotFound, "": apierr.NotFound,
		} {
			if got, err := f.ForHost(t.Context(), host); !apierr.Is(err, kind) || got.ID != "" {
				t.Errorf("host %q: got %+v, %v; want kind %d", host, got, err, kind)
			}
		}
	})
}

func TestUnknownHostsHaveTheRegistryAskedOnceInFiveSeconds(t *testing.T) {
	f := onSQLite(t)
	before := f.asked()
	ask := func(hosts int) {
		var all sync.WaitGroup
		for i := range hosts {
			all.Go(func() {
				if _, err := f.ForHost(t.Context(), fmt.Sprintf("unknown-%d.tapis.io", i)); !apierr.Is(err, apierr.NotFound) {
					t.Errorf("got %v", err)
				}
			})
		}
		all.Wait()
	}
	for _, step := range []struct {
		later time.Duration
		asked int
	}{{0, 1}, {0, 1}, {5*time.Second - time.Microsecond, 1}, {time.Microsecond, 2}, {time.Second, 2}, {time.Hour, 3}} {
		f.clock.Advance(step.later)
		ask(50)
		wantTenant(t, f.Client, "dev.tapis.io", "dev") // known ones cause none
		if now := f.asked(); now-before != step.asked {
			t.Errorf("%s later the registry was asked %d times, want %d", step.later, now-before, step.asked)
		}
	}
}

func TestANewTenantIsFoundByItsFirstRequest(t *testing.T) {
	f := onSQLite(t)
	f.registry.Change("fresh", nil)
	wantTenant(t, f.Client, "fresh.tapis.io", "fresh")
	wantTenant(t, f.Client, "dev.tapis.io", "dev")
	// And one that is gone is gone after the next look.
	f.registry.Remove("fresh")
	f.registry.Change("dev", object{"tenant_id": "dev2"})
	f.refresh(t)
	if _, err := f.ForHost(t.Context(), "fresh.tapis.io"); !apierr.Is(err, apierr.NotFound) {
		t.Errorf("got %v", err)
	}
	wantTenant(t, f.Client, "dev.tapis.io", "dev2")
}

func TestAnUnchangedRegistryAnswersWithoutABody(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		dump := testdb.Dump(t, f.db)
		f.clock.Advance(time.Minute)
		for range 3 {
			f.refresh(t)
		}
		if asked, matched := f.asked(), f.registry.Unchanged(); asked != 4 || matched != 6 {
			t.Errorf("the tenants were asked for %d times, %d answers had no body; want 4 and 6", asked, matched)
		}
		fetched := fmt.Sprintf("fetch_time=%d", f.clock.Now().UnixMicro())
		if strings.Contains(testdb.Dump(t, f.db), fetched) || !strings.Contains(dump, "fetch_time=") {
			t.Error("an unchanged snapshot was stored again")
		}
		wantTenant(t, f.Client, "tacc.tapis.io", "tacc")
		f.registry.Change("fresh", nil)
		f.refresh(t)
		wantTenant(t, f.Client, "fresh.tapis.io", "fresh")
		if matched := f.registry.Unchanged(); matched != 7 { // the sites have not changed
			t.Errorf("%d answers had no body, want 7", matched)
		}
	})
}

func TestARegistryThatIsAwayIsServedFromMemoryAndAfterARestart(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.registry.Change("fresh", nil)
		f.refresh(t)
		f.registry.Close()
		if err := f.Refresh(t.Context()); err == nil {
			t.Error("no failure was seen")
		}
		f.clock.Advance(time.Hour)
		wantTenant(t, f.Client, "dev.tapis.io", "dev")
		if _, err := f.ForHost(t.Context(), "unknown.tapis.io"); !apierr.Is(err, apierr.NotFound) {
			t.Errorf("unknown host: %v", err)
		}
		again := f.restarted(t)
		if err := again.Ready(); err != nil {
			t.Errorf("not ready after a restart: %v", err)
		}
		wantTenant(t, again, "dev.tapis.io", "dev")
		wantTenant(t, again, "fresh.tapis.io", "fresh")
	})
}

func TestARestartAsksWithTheRememberedETags(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		again := f.restarted(t)
		if asked, matched := f.asked(), f.registry.Unchanged(); asked != 2 || matched != 2 {
			t.Errorf("the tenants were asked for %d times, %d answers had no body; want 2 and 2", asked, matched)
		}
		wantTenant(t, again, "dev.tapis.io", "dev")
	})
}

func TestWithoutEverSeeingTheRegistryNothingIsServed(t *testing.T) {
	testdb.Each(t, migrations.Authenticator, func(t *testing.T, db *database.DB) {
		registry := registrytest.New(t)
		registry.Fail(http.StatusServiceUnavailable)
		f := start(t, db, registry)
		if f.Ready() == nil {
			t.Error("ready without a snapshot")
		}
		if _, err := f.ForHost(t.Context(), "dev.tapis.io"); !apierr.Is(err, apierr.Unavailable) {
			t.Errorf("got %v", err)
		}
		f.registry.Fail(0)
		if _, err := f.ForHost(t.Context(), "dev.tapis.io"); !apierr.Is(err, apierr.Unavailable) {
			t.Errorf("within five seconds: got %v", err)
		}
		f.clock.Advance(5 * time.Second)
		wantTenant(t, f.Client, "dev.tapis.io", "dev")
		if err := f.Ready(); err != nil {
			t.Error(err)
		}
	})
}

func TestAnswersThatAreNoRegistrysKeepTheView(t *testing.T) {
	f := onSQLite(t)
	for name, body := range map[string]string{
		"nothing": "", "null": "null", "an array": "[]", "an empty object": "{}", "no list": `{"result":null}`,
		"an object": `{"result":{}}`,
		"an error":  `{"result":null,"status":"error","message":"no"}`, "a page": "<!DOCTYPE html><title>Sign in</title>", "text": "ok",
		"a number for an id": `{"result":[{"tenant_id":5,"site_id":5}]}`, "more after it": `{"result":[]}{}`,
		"half of it": `{"result":[`,
	} {
		for _, path := range []string{registrytest.Sites, registrytest.Tenants} {
			f.registry.Serve(path, body)
			if err := f.Refresh(t.Context()); err == nil {
				t.Errorf("%s from %s was taken", name, path)
			}
			wantTenant(t, f.Client, "dev.tapis.io", "dev")
			f.registry.Serve("", "")
		}
	}
	f.registry.Serve("/v3/tenants", `{"result":[`+strings.Repeat(" ", 64<<20)+`]}`) // more than is read of an answer
	if err := f.Refresh(t.Context()); err == nil {
		t.Error("an endless answer was taken")
	}
	wantTenant(t, f.Client, "dev.tapis.io", "dev")
	f.registry.Serve("", "")
	f.registry.Serve("/v3/sites", `{"result":[]}`) // a registry that has lost our site
	if err := f.Refresh(t.Context()); err == nil {
		t.Error("a registry without our site was taken")
	}
	wantTenant(t, f.Client, "dev.tapis.io", "dev")
	f.registry.Serve("", "")
	for _, status := range []int{201, 202, 206, 400, 401, 403, 404, 410, 429, 500, 502, 503} {
		f.registry.Fail(status)
		f.registry.Change(fmt.Sprintf("with-%d", status), nil)
		if err := f.Refresh(t.Context()); err == nil {
			t.Errorf("status %d was taken", status)
		}
		wantTenant(t, f.Client, "dev.tapis.io", "dev")
	}
	f.registry.Fail(0)
	if err := f.Refresh(t.Context()); err != nil {
		t.Errorf("the registry is back: %v", err)
	}
	wantTenant(t, f.Client, "with-503.tapis.io", "with-503")
	// None of it was remembered either.
	f.registry.Close()
	wantTenant(t, f.restarted(t), "with-503.tapis.io", "with-503")
}

func TestAnEmptyRegistryIsBelieved(t *testing.T) {
	f := onSQLite(t)
	f.registry.Serve("/v3/tenants", `{"result":[]}`)
	f.refresh(t)
	if _, err := f.ForHost(t.Context(), "dev.tapis.io"); !apierr.Is(err, apierr.NotFound) {
		t.Errorf("got %v", err)
	}
}

func TestARememberedViewThatCannotBeReadIsFetchedAnew(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		const damage = `UPDATE registry_views SET body = '{"result":' WHERE resource = '/v3/tenants'`
		if err := f.db.Conn(t.Context()).Exec(damage).Error; err != nil {
			t.Fatal(err)
		}
		again := f.restarted(t)
		if f.registry.Unchanged() != 0 {
			t.Error("the registry was asked whether what cannot be read has changed")
		}
		wantTenant(t, again, "dev.tapis.io", "dev")
	})
}

func TestAViewThatCouldNotBeRememberedIsServedAndRememberedLater(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		rename := func(from, to string) {
			if err := f.db.Conn(t.Context()).Exec("ALTER TABLE " + from + " RENAME TO " + to).Error; err != nil {
				t.Fatal(err)
			}
		}
		rename("registry_views", "elsewhere")
		f.registry.Change("fresh", nil)
		if err := f.Refresh(t.Context()); err == nil {
			t.Error("no failure was seen")
		}
		wantTenant(t, f.Client, "fresh.tapis.io", "fresh")
		rename("elsewhere", "registry_views")
		f.refresh(t)
		f.registry.Close()
		wantTenant(t, f.restarted(t), "fresh.tapis.io", "fresh")
	})
}

func TestARegistryThatNeverAnswersHoldsNobodyForLong(t *testing.T) {
	f := onSQLite(t)
	f.registry.Before(func(req *http.Request) int {
		<-req.Context().Done()
		return http.StatusGatewayTimeout
	})
	deps := f.registry.Deps(t, f.db, f.clock.Now)
	deps.Client.Timeout = 500 * time.Millisecond
	again := registryclient.New(deps)
	begin := time.Now()
	if err := again.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	go func() { _ = again.Refresh(context.WithoutCancel(t.Context())) }()
	wantTenant(t, again, "dev.tapis.io", "dev")
	if took := time.Since(begin); took > 8*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestTheRegistryIsAskedInTheBackground(t *testing.T) {
	f := onSQLite(t)
	deps := f.registry.Deps(t, testdb.New(t, migrations.Authenticator), f.clock.Now)
	deps.BaseURL, deps.Poll = deps.BaseURL+"/", 5*time.Millisecond
	polling := registryclient.New(deps)
	ctx, stop := context.WithCancel(t.Context())
	if err := polling.Start(ctx); err != nil {
		t.Fatal(err)
	}
	f.registry.Change("fresh", nil)
	for deadline, before := time.Now().Add(10*time.Second), f.asked(); f.asked() < before+2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody asked")
		}
	}
	stop()
	wantTenant(t, polling, "fresh.tapis.io", "fresh")
}

func TestRequestsAndChangesMayMeet(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				for n := range 10 {
					f.registry.Change(fmt.Sprintf("fresh-%d-%d", i, n), nil)
					if err := f.Refresh(t.Context()); err != nil {
						t.Errorf("refresh: %v", err)
					}
				}
			})
			all.Go(func() {
				for range 200 {
					wantTenant(t, f.Client, "dev.tapis.io", "dev")
					if _, err := f.ForHost(t.Context(), "unknown.tapis.io"); !apierr.Is(err, apierr.NotFound) {
						t.Errorf("got %v", err)
					}
					f.clock.Advance(time.Second)
				}
			})
		}
		all.Wait()
		f.registry.Change("last", nil)
		f.refresh(t)
		wantTenant(t, f.Client, "last.tapis.io", "last")
	})
}
