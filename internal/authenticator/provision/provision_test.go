package provision_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/authenticator/provision"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/testlog"
)

// site plays what the provisioner sees and does.
type site struct {
	mu      sync.Mutex
	tenants []registryclient.Record
	changed bool
	away    bool
	broken  map[string]bool
	done    []string // what was done since take
	view    kernel.SiteView
}

func (s *site) Own(context.Context) (registryclient.Site, []registryclient.Record, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return registryclient.Site{}, nil, false, errors.New("away")
	}
	changed := s.changed
	s.changed = false
	return registryclient.Site{ID: "main", AdminTenant: "admin", Primary: true}, s.tenants, changed, nil
}

func (s *site) Reconcile(_ context.Context, tenantID, published string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = append(s.done, "key "+tenantID+" "+published)
	if s.broken[tenantID] {
		return errors.New("broken")
	}
	return nil
}

func (s *site) EnsureBuiltinRoles(_ context.Context, v kernel.SiteView) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done, s.view = append(s.done, "roles"), v
	return nil
}

func (s *site) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	done := s.done
	s.done = nil
	return done
}

func newSite(t *testing.T, poll time.Duration) (*site, *provision.Provisioner) {
	t.Helper()
	s := &site{changed: true, broken: map[string]bool{}, tenants: []registryclient.Record{
		{ID: "admin", PublicKey: "k"}, {ID: "draft", Status: "DRAFT", AdminUser: "ada", TokenGenServices: []string{"authenticator"}},
	}}
	return s, provision.New(provision.Deps{Records: s, Keys: s, Roles: s, Poll: poll, Log: testlog.New(t)})
}

func TestEveryTenantIsProvidedForWhenTheRegistryChangesAndEveryMinute(t *testing.T) {
	s, p := newSite(t, 20*time.Second) // three passes a minute
	full, none := []string{"roles", "key admin k", "key draft "}, []string{"roles"}
	for i, want := range [][]string{full, none, none, full, none} {
		p.Pass(t.Context())
		if got := s.take(); !slices.Equal(got, want) {
			t.Errorf("pass %d: got %v, want %v", i, got, want)
		}
	}
	s.changed = true
	p.Pass(t.Context())
	if got := s.take(); !slices.Equal(got, full) {
		t.Errorf("after a change: got %v", got)
	}
	if v := s.view; v.SiteID != "main" || v.AdminTenant != "admin" || !v.Primary || len(v.Tenants) != 2 ||
		v.Tenants[1].AdminUser != "ada" || !slices.Equal(v.Tenants[1].TokenGenServices, []string{"authenticator"}) {
		t.Errorf("roles were made for %+v", v)
	}
}

func TestATenantThatFailsIsTriedLessAndLessOftenAndStopsNobody(t *testing.T) {
	s, p := newSite(t, time.Second)
	s.broken["admin"] = true
	var passes []int
	for i := range 40 {
		p.Pass(t.Context())
		done := s.take()
		if slices.Contains(done, "key admin k") {
			passes = append(passes, i)
		}
		if i == 0 && !slices.Contains(done, "key draft ") {
			t.Error("the other tenant had to wait")
		}
	}
	if want := []int{0, 2, 5, 10, 19, 36}; !slices.Equal(passes, want) {
		t.Errorf("tried in the passes %v, want %v", passes, want)
	}
	s.broken["admin"] = false
	s.changed = true // somebody did something about it
	p.Pass(t.Context())
	if done := s.take(); !slices.Contains(done, "key admin k") {
		t.Error("a change of the registry did not end the rest")
	}
}

func TestARegistryThatIsAwayDelaysIt(t *testing.T) {
	s, p := newSite(t, time.Millisecond)
	s.away = true
	p.Pass(t.Context())
	if done := s.take(); len(done) > 0 {
		t.Errorf("did %v", done)
	}
	s.away = false
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { p.Run(ctx) })
	for deadline := time.Now().Add(5 * time.Second); !slices.Contains(s.take(), "key draft "); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the draft was never provided for")
		}
	}
	stop()
	running.Wait()
}
