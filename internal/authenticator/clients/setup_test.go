package clients_test

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/grants"
	"gatehouse/internal/testclock"
	"gatehouse/internal/testlog"
)

// fixture is the clients of all tenants.
type fixture struct {
	*authtest.Fixture
	*clients.Service
}

func newFixture(f *authtest.Fixture) *fixture {
	f.Clock = testclock.At(time.Date(2020, 7, 18, 19, 9, 47, 500_000_000, time.UTC))
	return &fixture{f, clients.New(clients.Deps{
		DB: f.DB, Box: f.Box, Tokens: f.Tokens(), GrantTypes: grants.Types(), WebApp: webApp, Now: f.Clock.Now,
	})}
}

// webApp is where the web applications of these tests are called back.
func webApp(_ context.Context, tenantID string) (string, error) {
	return "https://" + tenantID + ".example.org/v3/oauth2/webapp/callback", nil
}

// each runs test on every database.
func each(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Helper()
	authtest.Each(t, func(t *testing.T, f *authtest.Fixture) { test(t, newFixture(f)) })
}

// onSQLite is for tests in which the database does not matter.
func onSQLite(t *testing.T) *fixture {
	t.Helper()
	return newFixture(authtest.OnSQLite(t))
}

// register makes a client that must be taken.
func (f *fixture) register(tenantID, owner string, r clients.Registration) clients.Client {
	f.T.Helper()
	c, err := f.Register(f.T.Context(), tenantID, owner, r)
	if err != nil {
		f.T.Fatalf("register %+v: %v", r, err)
	}
	if c.Key != "" {
		testlog.Secret(f.T, c.Key)
	}
	return c
}

// deactivate switches a client of ada in tacc off.
func (f *fixture) deactivate(id string) {
	f.T.Helper()
	f.Must(f.Deactivate(f.T.Context(), "tacc", "ada", id))
}

// wantClient fails unless a client is as its owner sees it, its key included.
func (f *fixture) wantClient(want clients.Client) {
	f.T.Helper()
	if got, err := f.Get(f.T.Context(), want.TenantID, want.Owner, want.ID, true); err != nil || !reflect.DeepEqual(got, want) {
		f.T.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

// wantStored fails unless so many clients are in the database.
func (f *fixture) wantStored(want int) {
	f.T.Helper()
	var n int
	if err := f.DB.Conn(f.T.Context()).Raw(`SELECT COUNT(*) FROM clients`).Scan(&n).Error; err != nil || n != want {
		f.T.Errorf("%d clients are stored, %v; want %d", n, err, want)
	}
}

// wantInvalid fails unless err refuses a request and names the field.
func wantInvalid(t *testing.T, name string, err error, field string) {
	t.Helper()
	if !apierr.Is(err, apierr.Invalid) || !strings.Contains(err.Error(), "The field "+field+" ") {
		t.Errorf("%s: got %v, want an error that names %s", name, err, field)
	}
}
