package kernel_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/database"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/testdb"
	"gatehouse/migrations"
)

func onlyDB(t *testing.T) *database.DB {
	t.Helper()
	return testdb.New(t, migrations.Authenticator)
}

// theSite is a primary site and its tenants.
func theSite() (registryclient.Site, []registryclient.Record) {
	return registryclient.Site{ID: "tacc", AdminTenant: "admin", Primary: true}, []registryclient.Record{
		{ID: "admin", AdminUser: "root", TokenGenServices: []string{"files"}},
		{ID: "dev-2", AdminUser: "ada", TokenGenServices: []string{"abaco", "jobs"}},
		{ID: "bare"},
	}
}

func ensure(t testing.TB, s *kernel.Service, site registryclient.Site, tenants ...registryclient.Record) {
	t.Helper()
	if err := s.EnsureBuiltinRoles(t.Context(), site, tenants); err != nil {
		t.Fatal(err)
	}
}

func ensureTheSite(t testing.TB, s *kernel.Service) {
	t.Helper()
	site, tenants := theSite()
	ensure(t, s, site, tenants...)
}

// held lists all grants there are as "tenant role user".
func held(t *testing.T, db *database.DB) []string {
	t.Helper()
	var all []string
	if err := db.Conn(t.Context()).Raw("SELECT tenant_id || ' ' || role || ' ' || username FROM role_grants").Scan(
		&all).Error; err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

func wantHeld(t *testing.T, db *database.DB, want ...string) {
	t.Helper()
	if got := held(t, db); !slices.Equal(got, want) {
		t.Errorf("\n got %s\nwant %s", strings.Join(got, "; "), strings.Join(want, "; "))
	}
}

func TestASiteGetsItsBuiltInRoles(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		s := newService(t, db)
		primary := []string{
			"admin $!tenant_admin root", "admin dev-2_token_generator abaco", "admin dev-2_token_generator jobs",
			"admin tenant_creator tenants", "admin tenant_definition_updater authenticator", "admin tenant_definition_updater tokens",
			"dev-2 $!tenant_admin ada",
		}
		for range 2 {
			ensureTheSite(t, s)
			ensureTheSite(t, newService(t, db)) // another replica
			wantHeld(t, db, primary...)
		}
		names, err := s.RoleNames(t.Context(), "admin")
		if err != nil || !slices.Equal(names, []string{
			"$!tenant_admin", "bare_token_generator", "dev-2_token_generator", "site_admin_user", "tenant_creator",
			"tenant_definition_updater",
		}) {
			t.Errorf("roles of admin: %v, %v", names, err)
		}
		if names, err := s.RoleNames(t.Context(), "bare"); err != nil || !slices.Equal(names, []string{kernel.AdminRole}) {
			t.Errorf("roles of bare: %v, %v", names, err)
		}
		// An associate site has no tenant_creator.
		ensure(t, s, registryclient.Site{ID: "edge", AdminTenant: "edge"}, registryclient.Record{ID: "edge", AdminUser: "eva"})
		wantHeld(t, db, append(primary, "edge $!tenant_admin eva", "edge tenant_definition_updater authenticator",
			"edge tenant_definition_updater tokens")...)
	})
}

func TestWhoseNameIsAServicesIsNoPersonOfTheAdministrativeTenant(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		s := newService(t, db)
		ensureTheSite(t, s)
		for name, want := range map[string]bool{
			"grace": true, "root": true,
			"tenants": false, "tokens": false, "authenticator": false, "security": false, "abaco": false, "jobs": false,
		} {
			if _, err := s.GrantRole(t.Context(), "admin", name, kernel.SiteAdminUser, "cli"); err != nil {
				t.Fatal(err)
			}
			if got, err := s.IsSiteAdminUser(t.Context(), "admin", name); err != nil || got != want {
				t.Errorf("%s: %t, %v", name, got, err)
			}
		}
		if _, err := s.GrantRole(t.Context(), "admin", "grace", kernel.TenantCreator, "cli"); err != nil {
			t.Fatal(err)
		}
		if got, err := s.IsSiteAdminUser(t.Context(), "admin", "grace"); err != nil || !got {
			t.Errorf("a person who was granted a service's role: %t, %v", got, err)
		}
	})
}

func TestRolesFollowTheRegistryAndLeaveAlonePeoplesOwnGrants(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		s := newService(t, db)
		site := registryclient.Site{ID: "tacc", AdminTenant: "admin"}
		updaters := []string{"admin tenant_definition_updater authenticator", "admin tenant_definition_updater tokens"}
		ensure(t, s, site, registryclient.Record{ID: "dev", AdminUser: "ada", TokenGenServices: []string{"abaco", "jobs"}})
		grantRole(t, s, "admin", "pods", kernel.GeneratorRole("dev"))
		grantRole(t, s, "dev", "bob", kernel.AdminRole)
		if n, err := s.RevokeRole(t.Context(), "dev", "ada", kernel.AdminRole); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		// A tenant changes, and another appears.
		tenants := []registryclient.Record{
			{ID: "dev", AdminUser: "ada", TokenGenServices: []string{"jobs", "streams"}},
			{ID: "new", AdminUser: "nia", TokenGenServices: []string{"jobs"}},
		}
		ensure(t, s, site, tenants...)
		want := append([]string{
			"admin dev_token_generator jobs", "admin dev_token_generator pods",
			"admin dev_token_generator streams", "admin new_token_generator jobs",
		},
			append(updaters, "dev $!tenant_admin bob", "new $!tenant_admin nia")...)
		wantHeld(t, db, want...)
		// A tenant that is not there for a while keeps what it has.
		ensure(t, s, site, tenants[0])
		wantHeld(t, db, want...)
	})
}

func TestWhatIsUnchangedCostsNothing(t *testing.T) {
	f := authtest.OnSQLite(t)
	s := f.Kernel()
	ensureTheSite(t, s)
	if n, err := s.RevokeRole(t.Context(), "admin", "tenants", kernel.TenantCreator); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	ensureTheSite(t, s)
	wantRole(t, s, "admin", "tenants", kernel.TenantCreator, false) // the database was not asked
	f.Clock.Advance(5 * time.Minute)
	ensureTheSite(t, s)
	wantRole(t, s, "admin", "tenants", kernel.TenantCreator, true)
	if err := f.DB.Close(); err != nil {
		t.Fatal(err)
	}
	ensureTheSite(t, s)
	site, changed := theSite()
	changed[0].AdminUser = "other"
	if err := s.EnsureBuiltinRoles(t.Context(), site, changed); !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("a changed site without a database: %v", err)
	}
}

func TestReplicasMayEnsureAtOnce(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		var wg sync.WaitGroup
		for range 4 {
			s := newService(t, db)
			wg.Go(func() {
				var err error
				site, tenants := theSite()
				for range 10 { // the reconciler asks again when others were in the way
					if err = s.EnsureBuiltinRoles(t.Context(), site, tenants); err == nil {
						return
					}
				}
				t.Error(err)
			})
		}
		wg.Wait()
		if got := held(t, db); len(got) != 7 {
			t.Errorf("got %v", got)
		}
	})
}

func TestASiteThatCannotBeIsRefused(t *testing.T) {
	s := newService(t, onlyDB(t))
	for _, site := range []registryclient.Site{{}, {ID: "tacc"}, {AdminTenant: "admin"}} {
		if err := s.EnsureBuiltinRoles(t.Context(), site, nil); err == nil {
			t.Errorf("%+v was taken", site)
		}
	}
}
