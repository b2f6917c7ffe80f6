package provision_test

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/authenticator/provision"
	"gatehouse/internal/registryclient/registrytest"
)

type object = authtest.Object

// newFixture returns a site whose registry names a tenant without a key, new.
func newFixture(t *testing.T, poll time.Duration) (*authtest.Fixture, *provision.Provisioner) {
	t.Helper()
	f := authtest.OnSQLite(t)
	f.Registry().Change("new", nil)
	return f, provision.New(provision.Deps{
		Records: f.Records(), Rotator: f.Rotator(), Kernel: f.Kernel(), Poll: poll, Log: f.Log,
	})
}

func keysOf(t *testing.T, f *authtest.Fixture, tenantID string) int {
	t.Helper()
	list, err := f.Keys().List(t.Context(), tenantID)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func wantRole(t *testing.T, f *authtest.Fixture, tenantID, username, role string) {
	t.Helper()
	if has, err := f.Kernel().HasRole(t.Context(), tenantID, username, role); !has || err != nil {
		t.Errorf("%s of %s has not the role %s: %v", username, tenantID, role, err)
	}
}

func TestEveryTenantIsProvidedForWhenTheRegistryChangesAndEveryMinute(t *testing.T) {
	f, p := newFixture(t, 20*time.Second) // three passes a minute
	f.Registry().Change("draft", object{"admin_user": "ada", "token_gen_services": []string{"authenticator"}})
	p.Pass(t.Context())
	if keysOf(t, f, "new") != 1 || f.Registry().PublicKey("new") == "" {
		t.Error("the tenant has no key that is published")
	}
	wantRole(t, f, "draft", "ada", kernel.AdminRole)
	wantRole(t, f, "admin", "authenticator", kernel.GeneratorRole("draft"))
	wantRole(t, f, "admin", "tenants", kernel.TenantCreator)
	p.Pass(t.Context()) // the registry has changed, by the new key
	// After some time every tenant is due a standby key, and lost roles come back.
	f.Clock.Advance(time.Hour)
	if n, err := f.Kernel().RevokeRole(t.Context(), "admin", "tenants", kernel.TenantCreator); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	for i, want := range []int{1, 1, 2, 2} {
		p.Pass(t.Context())
		wantRole(t, f, "admin", "tenants", kernel.TenantCreator)
		for _, id := range []string{"admin", "dev", "tacc", "draft", "new"} {
			if got := keysOf(t, f, id); got != want {
				t.Errorf("pass %d: tenant %s has %d keys, want %d", i, id, got, want)
			}
		}
	}
	f.Registry().Change("more", nil)
	p.Pass(t.Context())
	if keysOf(t, f, "more") != 1 {
		t.Error("a change of the registry had to wait")
	}
}

func TestATenantThatFailsIsTriedLessAndLessOftenAndStopsNobody(t *testing.T) {
	f, p := newFixture(t, time.Second)
	const bad = registrytest.Tenants + "/bad"
	f.Registry().Change("bad", nil)
	f.Registry().Before(func(r *http.Request) int {
		if r.Method == http.MethodPut && r.URL.Path == bad {
			return http.StatusBadGateway
		}
		return 0
	})
	var passes []int
	for i := range 40 {
		before := f.Registry().Asked("PUT " + bad)
		p.Pass(t.Context())
		if f.Registry().Asked("PUT "+bad) > before {
			passes = append(passes, i)
		}
		if i == 0 && f.Registry().PublicKey("new") == "" {
			t.Error("the other tenant had to wait")
		}
	}
	// The second time because the registry has changed, by the other's key.
	if want := []int{0, 1, 4, 9, 18, 35}; !slices.Equal(passes, want) {
		t.Errorf("tried in the passes %v, want %v", passes, want)
	}
	f.Registry().Before(nil)
	f.Registry().Change("dev", object{"admin_user": "bob"}) // somebody did something about it
	p.Pass(t.Context())
	if f.Registry().PublicKey("bad") == "" {
		t.Error("a change of the registry did not end the rest")
	}
}

func TestARegistryThatIsAwayDelaysIt(t *testing.T) {
	f, p := newFixture(t, time.Millisecond)
	f.Registry().Fail(http.StatusBadGateway)
	p.Pass(t.Context())
	if n := keysOf(t, f, "new"); n > 0 {
		t.Errorf("made %d keys", n)
	}
	f.Registry().Fail(0)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { p.Run(ctx) })
	for deadline := time.Now().Add(5 * time.Second); f.Registry().PublicKey("new") == ""; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the tenant was never provided for")
		}
	}
	stop()
	running.Wait()
}
