package registryclient_test

import (
	"testing"

	"gatehouse/internal/database"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/registryclient/registrytest"
	"gatehouse/internal/testclock"
	"gatehouse/internal/testdb"
	"gatehouse/migrations"
)

type object = registrytest.Object

// fixture is a registry, a client of it that has started, and a clock.
type fixture struct {
	*registryclient.Client

	db       *database.DB
	clock    *testclock.Clock
	registry *registrytest.Registry
}

func newFixture(t *testing.T, db *database.DB) *fixture {
	t.Helper()
	return start(t, db, registrytest.New(t))
}

func start(t *testing.T, db *database.DB, registry *registrytest.Registry) *fixture {
	t.Helper()
	f := &fixture{db: db, clock: testclock.New(), registry: registry}
	f.Client = f.restarted(t)
	return f
}

// restarted is the client of another process.
func (f *fixture) restarted(t *testing.T) *registryclient.Client {
	t.Helper()
	return f.registry.Client(t, f.db, f.clock.Now)
}

// each runs test on every database.
func each(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Helper()
	testdb.Each(t, migrations.Authenticator, func(t *testing.T, db *database.DB) { test(t, newFixture(t, db)) })
}

// onSQLite is for tests in which the database does not matter.
func onSQLite(t *testing.T) *fixture {
	t.Helper()
	return newFixture(t, testdb.New(t, migrations.Authenticator))
}

// asked is how often the tenants were asked for.
func (f *fixture) asked() int { return f.registry.Asked("GET " + registrytest.Tenants) }

// refresh must succeed.
func (f *fixture) refresh(t *testing.T) {
	t.Helper()
	if err := f.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// wantTenant fails unless a host is served as the given tenant.
func wantTenant(t *testing.T, c *registryclient.Client, host, id string) {
	t.Helper()
	got, err := c.ForHost(t.Context(), host)
	if err != nil || got.ID != id {
		t.Errorf("host %s: got tenant %q, %v; want %s", host, got.ID, err, id)
	}
}
