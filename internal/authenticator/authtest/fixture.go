package authtest

import (
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/authenticator/grants"
	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/authenticator/people"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authn"
	"gatehouse/internal/database"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/registryclient/registrytest"
	"gatehouse/internal/seal"
	"gatehouse/internal/testclock"
	"gatehouse/internal/testdb"
	"gatehouse/internal/testlog"
	"gatehouse/migrations"
)

// Object is a JSON object.
type Object = map[string]any

// Fixture is the authenticator of the site main, below its endpoints, on a
// clock that only tests move. Its tenants are those of registrytest.
type Fixture struct {
	T     testing.TB
	DB    *database.DB
	Box   *seal.Box
	Clock *testclock.Clock
	Log   *slog.Logger

	registry part[*registrytest.Registry]
	client   part[*registryclient.Client]
	keys     part[*keys.Service]
	tokens   part[*tokens.Service]
	kernel   part[*kernel.Service]
	settings part[*tenantconfig.Service]
	ldap     part[*people.LDAP]
	people   part[*people.Service]
}

// part is built when it is first asked for.
type part[T any] struct {
	once  sync.Once
	built T
}

func (p *part[T]) get(build func() T) T {
	p.once.Do(func() { p.built = build() })
	return p.built
}

// New returns a Fixture on a migrated database.
func New(t testing.TB, db *database.DB) *Fixture {
	t.Helper()
	return &Fixture{T: t, DB: db, Box: Box(t), Clock: testclock.New(), Log: testlog.New(t)}
}

// Each runs test on every database.
func Each(t *testing.T, test func(t *testing.T, f *Fixture)) {
	t.Helper()
	testdb.Each(t, migrations.Authenticator, func(t *testing.T, db *database.DB) { test(t, New(t, db)) })
}

// OnSQLite returns a Fixture for a test in which the database does not matter.
func OnSQLite(t testing.TB) *Fixture {
	t.Helper()
	return New(t, testdb.New(t, migrations.Authenticator))
}

// Box returns a box with a master key of its own.
func Box(t testing.TB) *seal.Box {
	t.Helper()
	box, err := seal.New(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	return box
}

// Must ends the test at an error of what only prepares it.
func (f *Fixture) Must(err error) {
	f.T.Helper()
	if err != nil {
		f.T.Fatal(err)
	}
}

// WantOnce fails unless one of many that try at once does it and the others
// are told that they lost.
func (f *Fixture) WantOnce(lost error, try func(i int) error) {
	f.T.Helper()
	var won atomic.Int32
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			if err := try(i); err == nil {
				won.Add(1)
			} else if !errors.Is(err, lost) {
				f.T.Error(err)
			}
		})
	}
	group.Wait()
	if won.Load() != 1 {
		f.T.Errorf("%d did it", won.Load())
	}
}

// Exec changes the database as another program could.
func (f *Fixture) Exec(query string, args ...any) {
	f.T.Helper()
	f.Must(f.DB.Conn(f.T.Context()).Exec(query, args...).Error)
}

// Registry is the registry, which publishes the keys of all its tenants.
func (f *Fixture) Registry() *registrytest.Registry {
	return f.registry.get(func() *registrytest.Registry {
		r := registrytest.New(f.T)
		for _, id := range own {
			r.Change(id, Object{"public_key": f.EnsureKey(id)})
		}
		for _, id := range []string{"edge-admin", "far"} {
			public, err := authn.PublicPEM(&ForeignKey(id).PublicKey)
			if err != nil {
				f.T.Fatal(err)
			}
			r.Change(id, Object{"public_key": public})
		}
		return r
	})
}

// own are the tenants of the site main that have a key.
var own = []string{"admin", "dev", "tacc", "draft"}

// Client is a client of the registry that has started.
func (f *Fixture) Client() *registryclient.Client {
	return f.client.get(func() *registryclient.Client { return f.Registry().Client(f.T, f.DB, f.Clock.Now) })
}

// Records are the registry's, changed as somebody.
func (f *Fixture) Records() *registryclient.Records {
	return f.Client().Records(registrytest.Authorize)
}

// Rotator rotates the signing keys.
func (f *Fixture) Rotator() *keys.Rotator {
	return keys.NewRotator(f.Keys(), f.Records(), f.Tokens().LastExpiry, f.Log)
}

// Keys are the signing keys of the site's tenants.
func (f *Fixture) Keys() *keys.Service {
	return f.keys.get(func() *keys.Service {
		return keys.New(keys.Deps{DB: f.DB, Box: f.Box, Now: f.Clock.Now, Generate: Generator()})
	})
}

// EnsureKey makes a tenant's key if it has none and returns the public half.
func (f *Fixture) EnsureKey(tenantID string) string {
	f.T.Helper()
	public, err := f.Keys().Ensure(f.T.Context(), tenantID)
	if err != nil {
		f.T.Fatal(err)
	}
	return public
}

// Retention is how long records outlive their tokens here.
const Retention = 7 * 24 * time.Hour

// Tokens is the mint, for the tenants admin, dev and tacc and whoever else has
// a key.
func (f *Fixture) Tokens() *tokens.Service {
	return f.tokens.get(func() *tokens.Service {
		for _, id := range own {
			f.EnsureKey(id)
		}
		return tokens.New(tokens.Deps{
			DB: f.DB, Box: f.Box, Keys: f.Keys(), Now: f.Clock.Now, Log: f.Log, Retention: Retention,
		})
	})
}

// Kernel knows roles, service passwords and secrets.
func (f *Fixture) Kernel() *kernel.Service {
	return f.kernel.get(func() *kernel.Service { return kernel.New(f.DB, f.Box, f.Clock.Now) })
}

// Settings are what tenants permit.
func (f *Fixture) Settings() *tenantconfig.Service {
	return f.settings.get(func() *tenantconfig.Service {
		return tenantconfig.New(tenantconfig.Deps{
			DB: f.DB, Box: f.Box, GrantTypes: grants.Types(), Now: f.Clock.Now, Log: f.Log,
		})
	})
}

// Tenant returns a tenant as the registry has it.
func (f *Fixture) Tenant(id string) registryclient.Tenant {
	f.T.Helper()
	tenant, found, err := f.Client().Active(f.T.Context(), id)
	if err != nil || !found {
		f.T.Fatalf("tenant %s: %t, %v", id, found, err)
	}
	return tenant
}

// Grant makes a role if there is none of its name and gives it to an account.
func (f *Fixture) Grant(tenantID, username, role string) {
	f.T.Helper()
	_, err := f.Kernel().CreateRole(f.T.Context(), kernel.Role{TenantID: tenantID, Name: role, Owner: "test"})
	if err == nil {
		_, err = f.Kernel().GrantRole(f.T.Context(), tenantID, username, role, "test")
	}
	if err != nil {
		f.T.Fatal(err)
	}
}

// Password gives services accounts in the administrative tenant and returns
// the password that they share.
func (f *Fixture) Password(services ...string) string {
	f.T.Helper()
	password := Secret(f.T)
	for _, service := range services {
		if err := f.Kernel().SetPassword(f.T.Context(), "admin", service, password); err != nil {
			f.T.Fatal(err)
		}
	}
	return password
}

// Secret returns a value that must not appear in a log.
func Secret(t testing.TB) string {
	t.Helper()
	value := seal.NewSecret()
	testlog.Secret(t, value)
	return value
}

// Configure changes what a tenant permits, as its administrator does.
func (f *Fixture) Configure(tenantID, change string) {
	f.T.Helper()
	var c tenantconfig.Change
	err := json.Unmarshal([]byte(change), &c)
	if err == nil {
		_, err = f.Settings().Update(f.T.Context(), tenantID, "ada", c)
	}
	if err != nil {
		f.T.Fatalf("%s: %v", change, err)
	}
}

// TokenTenant is a tenant as the mint knows it.
func TokenTenant(id string) tokens.Tenant {
	return tokens.Tenant{ID: id, Issuer: registrytest.Issuer(id)}
}

// User returns the recorded tokens of a person who used the password grant
// with the client portal.
func (f *Fixture) User(tenantID, username string) tokens.Pair {
	f.T.Helper()
	return f.Issue(tokens.Request{
		Tenant: TokenTenant(tenantID), Username: username, ClientID: "portal", GrantType: "password",
		AccessTTL: time.Hour, RefreshTTL: 24 * time.Hour, FamilyTTL: 24 * time.Hour,
	})
}

// Service returns a recorded access token of a service, good at the site main.
func (f *Fixture) Service(name string) string {
	f.T.Helper()
	return f.Issue(tokens.Request{
		Tenant: TokenTenant("admin"), Username: name, AccountType: authn.ServiceAccount, TargetSite: "main",
		GrantType: tokens.Direct, AccessTTL: time.Hour,
	}).Access.Value
}

// Issue mints and records tokens.
func (f *Fixture) Issue(r tokens.Request) tokens.Pair {
	f.T.Helper()
	var err error
	if r.Began == 0 {
		if r.Began, err = f.Tokens().Begin(f.T.Context(), r.Tenant.ID); err != nil {
			f.T.Fatal(err)
		}
	}
	pair, err := f.Tokens().Issue(f.T.Context(), r)
	if err != nil {
		f.T.Fatal(err)
	}
	testlog.Secret(f.T, pair.Access.Value)
	if pair.Refresh != nil {
		testlog.Secret(f.T, pair.Refresh.Value)
	}
	return pair
}

// AccessClaims are those of an access token of the service files of a tenant,
// good for an hour, with changes.
func (f *Fixture) AccessClaims(tenantID string, changes Object) Object {
	claims := Object{
		"jti": "1", "sub": "files@" + tenantID, "iss": registrytest.Issuer(tenantID), "exp": f.Clock.Now().Add(time.Hour).Unix(),
		"tapis/tenant_id": tenantID, "tapis/token_type": authn.AccessToken, "tapis/account_type": authn.ServiceAccount,
		"tapis/username": "files", "tapis/target_site": "main", "tapis/delegation": false, "tapis/delegation_sub": nil,
	}
	maps.Copy(claims, changes)
	return claims
}

// Signed returns AccessClaims that a tenant's key has signed without the mint.
func (f *Fixture) Signed(tenantID string, changes Object) string {
	f.T.Helper()
	claims := f.AccessClaims(tenantID, changes)
	if slices.Contains(foreign, tenantID) {
		key := ForeignKey(tenantID)
		return Sign(f.T, key, authn.Thumbprint(&key.PublicKey), claims)
	}
	f.EnsureKey(tenantID)
	key, err := f.Keys().Active(f.T.Context(), tenantID)
	if err != nil {
		f.T.Fatal(err)
	}
	raw, err := key.Sign(claims)
	if err != nil {
		f.T.Fatal(err)
	}
	return raw
}
