package clients_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/grants"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/database"
	"gatehouse/internal/seal"
	"gatehouse/internal/testdb"
	"gatehouse/internal/testlog"
	"gatehouse/migrations"
)

// clock is a time that only tests move.
type clock struct{ micros atomic.Int64 }

func (c *clock) now() time.Time          { return time.UnixMicro(c.micros.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.micros.Add(d.Microseconds()) }

// world is a service of clients and what it stands on.
type world struct {
	*clients.Service

	db    *database.DB
	box   *seal.Box
	clock *clock
}

func newWorld(t *testing.T, db *database.DB) *world {
	t.Helper()
	box, err := seal.New(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{db: db, box: box, clock: &clock{}}
	w.clock.micros.Store(time.Date(2020, 7, 18, 19, 9, 47, 500_000_000, time.UTC).UnixMicro())
	revoker := tokens.New(tokens.Deps{DB: db, Box: box, Now: w.clock.now, Log: testlog.New(t)})
	w.Service = clients.New(clients.Deps{DB: db, Box: box, Tokens: revoker, GrantTypes: grants.Types(), WebApp: webApp, Now: w.clock.now})
	return w
}

// webApp is where the web applications of these tests are called back.
func webApp(_ context.Context, tenantID string) (string, error) {
	return "https://" + tenantID + ".example.org/v3/oauth2/webapp/callback", nil
}

// each runs test on every database.
func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	testdb.Each(t, migrations.Authenticator, func(t *testing.T, db *database.DB) { test(t, newWorld(t, db)) })
}

// onSQLite is for tests in which the database does not matter.
func onSQLite(t *testing.T) *world {
	t.Helper()
	return newWorld(t, testdb.New(t, migrations.Authenticator))
}

// register makes a client that must be taken.
func (w *world) register(t *testing.T, tenantID, owner string, r clients.Registration) clients.Client {
	t.Helper()
	c, err := w.Register(t.Context(), tenantID, owner, r)
	if err != nil {
		t.Fatalf("register %+v: %v", r, err)
	}
	if c.Key != "" {
		testlog.Secret(t, c.Key)
	}
	return c
}

// stored counts the clients in the database.
func (w *world) stored(t *testing.T) (n int) {
	t.Helper()
	if err := w.db.Conn(t.Context()).Raw(`SELECT COUNT(*) FROM clients`).Scan(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

func (w *world) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if err := w.db.Conn(t.Context()).Exec(sql, args...).Error; err != nil {
		t.Fatal(err)
	}
}

// wantInvalid fails unless err refuses a request and names the field.
func wantInvalid(t *testing.T, name string, err error, field string) {
	t.Helper()
	if !apierr.Is(err, apierr.Invalid) || !strings.Contains(err.Error(), "The field "+field+" ") {
		t.Errorf("%s: got %v, want an error that names %s", name, err, field)
	}
}
