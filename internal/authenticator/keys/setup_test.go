package keys_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/authn"
	"gatehouse/internal/database"
	"gatehouse/internal/seal"
	"gatehouse/internal/testdb"
	"gatehouse/internal/testlog"
	"gatehouse/migrations"
)

// clock is a time that only tests move, unless it runs.
type clock struct {
	micros atomic.Int64
	runs   atomic.Bool
}

func (c *clock) now() time.Time {
	if c.runs.Load() {
		return time.Now()
	}
	return time.UnixMicro(c.micros.Load()).UTC()
}

func (c *clock) advance(d time.Duration) { c.micros.Add(d.Microseconds()) }

// registry plays the registry: one public key for each tenant. A hook stands
// before or behind each change of it and may fail it.
type registry struct {
	admin string

	mu     sync.Mutex
	keys   map[string]string
	puts   int
	away   error
	before func() error
	after  func() error
}

func (r *registry) PublishedKey(ctx context.Context, tenantID string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keys[tenantID], errors.Join(r.away, ctx.Err())
}

func (r *registry) PublishKey(ctx context.Context, tenantID, public string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := errors.Join(r.away, ctx.Err(), hook(r.before)); err != nil {
		return err
	}
	r.keys[tenantID] = public
	r.puts++
	return hook(r.after)
}

func hook(h func() error) error {
	if h == nil {
		return nil
	}
	return h()
}

func (r *registry) SiteAdmin(tenantID string) (bool, error) { return tenantID == r.admin, nil }

func (r *registry) published(tenantID string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keys[tenantID]
}

func (r *registry) set(how func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	how()
}

// issued plays what was signed: one expiry for all.
type issued struct{ last atomic.Pointer[time.Time] }

func (i *issued) LastExpiry(_ context.Context, _ string, from, to time.Time) (time.Time, error) {
	if !from.Before(to) {
		return time.Time{}, fmt.Errorf("asked for the time from %s to %s", from, to)
	}
	if last := i.last.Load(); last != nil {
		return *last, nil
	}
	return time.Time{}, nil
}

// world is one database, one registry and one clock, and any number of
// replicas.
type world struct {
	t        *testing.T
	made     atomic.Int64
	db       *database.DB
	box      *seal.Box
	clock    *clock
	registry *registry
	issued   *issued
}

// replica is one process.
type replica struct {
	*keys.Service
	*keys.Rotator
}

func newWorld(t *testing.T, db *database.DB) *world {
	t.Helper()
	w := &world{
		t: t, db: db, box: newBox(t), clock: &clock{}, registry: &registry{keys: map[string]string{}, admin: "admin"},
		issued: &issued{},
	}
	w.clock.micros.Store(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC).UnixMicro())
	return w
}

func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	testdb.Each(t, migrations.Authenticator, func(t *testing.T, db *database.DB) { test(t, newWorld(t, db)) })
}

func (w *world) replica() replica {
	s := keys.New(keys.Deps{DB: w.db, Box: w.box, Now: w.clock.now})
	s.SetMake(w.ready)
	return replica{s, keys.NewRotator(s, w.registry, w.issued, testlog.New(w.t))}
}

// ready hands out keys that are made once for all tests, because that is slow.
// A world that needs more makes them.
func (w *world) ready() (*rsa.PrivateKey, error) {
	n := int(w.made.Add(1)) - 1
	if made := pool(); n < len(made) {
		return made[n], nil
	}
	return rsa.GenerateKey(rand.Reader, keys.Bits)
}

var pool = sync.OnceValue(func() []*rsa.PrivateKey {
	made := make([]*rsa.PrivateKey, 16)
	for i := range made {
		key, err := rsa.GenerateKey(rand.Reader, keys.Bits)
		if err != nil {
			panic(err)
		}
		made[i] = key
	}
	return made
})

// started is a replica with tenants whose keys are published.
func (w *world) started(tenants ...string) replica {
	w.t.Helper()
	r := w.replica()
	for _, id := range tenants {
		if err := r.Reconcile(w.t.Context(), id, w.registry.published(id)); err != nil {
			w.t.Fatal(err)
		}
	}
	w.clock.advance(time.Second) // keys are listed by the time at which they were made
	return r
}

// active returns the key that signs for a tenant at a replica.
func active(t *testing.T, r replica, tenantID string) *keys.Key {
	t.Helper()
	key, err := r.Active(t.Context(), tenantID)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func pemOf(t *testing.T, key *keys.Key) string {
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
func (w *world) wantConsistent(r replica, tenantID string) {
	w.t.Helper()
	list, err := r.List(w.t.Context(), tenantID)
	if err != nil {
		w.t.Fatal(err)
	}
	counts := map[keys.State]int{}
	for _, k := range list {
		counts[k.State]++
		if k.State == keys.Active && k.PublicKey != w.registry.published(tenantID) {
			w.t.Errorf("the registry publishes another key than the active one, %s", k.KeyID)
		}
	}
	if counts[keys.Active] != 1 || counts[keys.Next] != 0 {
		w.t.Errorf("states %v; want one active and none to come", counts)
	}
}

func wantAway(t *testing.T, err error) {
	t.Helper()
	if !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("got %v; want that something is away", err)
	}
}

func errAway() error { return apierr.Away(errors.New("down"), "The tenant registry") }
