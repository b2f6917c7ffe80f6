package keys_test

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/authn"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/registryclient/registrytest"
)

// fixture is one database, one registry, which is to know a tenant before it
// has a key, one clock, and any number of replicas.
type fixture struct {
	*authtest.Fixture

	registry *registrytest.Registry
	records  *registryclient.Records
	generate func() (*rsa.PrivateKey, error)
	now      func() time.Time
	last     time.Time // when the last token expires that was signed
}

// replica is one process.
type replica struct {
	*keys.Service
	*keys.Rotator
}

func newFixture(t *testing.T, stand *authtest.Fixture) *fixture {
	t.Helper()
	f := &fixture{Fixture: stand, registry: registrytest.New(t), generate: authtest.Generator(), now: stand.Clock.Now}
	f.records = f.registry.Client(t, f.DB, f.now).Records(registrytest.Authorize)
	return f
}

// each runs test on every database.
func each(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Helper()
	authtest.Each(t, func(t *testing.T, stand *authtest.Fixture) { test(t, newFixture(t, stand)) })
}

// onSQLite is for tests in which the database does not matter.
func onSQLite(t *testing.T) *fixture {
	t.Helper()
	return newFixture(t, authtest.OnSQLite(t))
}

func (f *fixture) replica() replica {
	s := keys.New(keys.Deps{DB: f.DB, Box: f.Box, Now: f.now, Generate: f.generate})
	return replica{s, keys.NewRotator(s, f.records, f.lastExpiry, f.Log)}
}

func (f *fixture) lastExpiry(_ context.Context, _ string, from, to time.Time) (time.Time, error) {
	if !from.Before(to) {
		return time.Time{}, fmt.Errorf("asked for the time from %s to %s", from, to)
	}
	return f.last, nil
}

// failing answers requests of a method with 502 instead.
func failing(method string) func(*http.Request) int {
	return func(r *http.Request) int {
		if r.Method == method {
			return http.StatusBadGateway
		}
		return 0
	}
}

// started is a replica with tenants whose keys are published.
func (f *fixture) started(tenants ...string) replica {
	f.T.Helper()
	r := f.replica()
	for _, id := range tenants {
		f.registry.Change(id, nil)
		if err := r.Reconcile(f.T.Context(), id, f.registry.PublicKey(id)); err != nil {
			f.T.Fatal(err)
		}
	}
	f.Clock.Advance(time.Second) // keys are listed by the time at which they were made
	return r
}

// active returns the key that signs for a tenant at a replica.
func active(t testing.TB, r replica, tenantID string) *keys.Key {
	t.Helper()
	key, err := r.Active(t.Context(), tenantID)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func pemOf(t testing.TB, key *keys.Key) string {
	t.Helper()
	text, err := authn.PublicPEM(key.Public)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func rotate(t *testing.T, r replica, tenantID string, mode keys.Mode) keys.Rotation {
	t.Helper()
	done, err := r.Rotate(t.Context(), tenantID, mode)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// published lists the ids in the tenant's JWK Set.
func published(t *testing.T, r replica, tenantID string) []string {
	t.Helper()
	set, err := r.JWKS(t.Context(), tenantID)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]string, 0, len(set))
	for _, jwk := range set {
		ids = append(ids, jwk.ID)
	}
	return ids
}

// verifies reports whether tokens of a tenant that name a key are believed.
func verifies(t *testing.T, r replica, tenantID, kid string) bool {
	t.Helper()
	_, err := r.PublicKey(t.Context(), tenantID, kid)
	if err != nil && !errors.Is(err, authn.ErrUnknownKey) {
		t.Fatal(err)
	}
	return err == nil
}

// wantConsistent fails unless exactly one key of the tenant is active, none is
// to come, and the registry publishes the active one.
func (f *fixture) wantConsistent(r replica, tenantID string) {
	f.T.Helper()
	list, err := r.List(f.T.Context(), tenantID)
	if err != nil {
		f.T.Fatal(err)
	}
	counts := map[keys.State]int{}
	for _, k := range list {
		counts[k.State]++
		if k.State == keys.Active && k.PublicKey != f.registry.PublicKey(tenantID) {
			f.T.Errorf("the registry publishes another key than the active one, %s", k.KeyID)
		}
	}
	if counts[keys.Active] != 1 || counts[keys.Next] != 0 {
		f.T.Errorf("states %v; want one active and none to come", counts)
	}
}

func wantAway(t *testing.T, err error) {
	t.Helper()
	if !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("got %v; want that something is away", err)
	}
}
