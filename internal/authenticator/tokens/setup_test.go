package tokens_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/database"
	"gatehouse/internal/seal"
	"gatehouse/internal/testdb"
	"gatehouse/internal/testlog"
	"gatehouse/migrations"
)

// The two tenants of these tests.
var (
	tacc = tokens.Tenant{ID: "tacc", Issuer: "https://tacc.tapis.io/v3/tokens"}
	dev  = tokens.Tenant{ID: "dev", Issuer: "https://dev.tapis.io/v3/tokens"}
)

// signing holds the keys of both tenants, made once because that is slow.
var signing *keys.Service

func TestMain(m *testing.M) {
	code, err := withKeys(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withKeys(run func() int) (code int, err error) {
	dir, err := os.MkdirTemp("", "tokens")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ctx := context.Background()
	db, err := database.Open(ctx, "sqlite:"+filepath.Join(dir, "keys.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.Migrate(ctx, migrations.Authenticator); err != nil {
		return 0, err
	}
	box, err := seal.New(seal.NewKey())
	if err != nil {
		return 0, err
	}
	signing = keys.New(keys.Deps{DB: db, Box: box, Now: time.Now})
	for _, tenant := range []tokens.Tenant{tacc, dev} {
		if _, err := signing.Ensure(ctx, tenant.ID); err != nil {
			return 0, err
		}
	}
	return run(), nil
}

// clock is a time that only tests move.
type clock struct{ micros atomic.Int64 }

func (c *clock) now() time.Time          { return time.UnixMicro(c.micros.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.micros.Add(d.Microseconds()) }

// retention is how long records outlive their tokens here.
const retention = 7 * 24 * time.Hour

// world is a token service and what it stands on.
type world struct {
	*tokens.Service

	db    *database.DB
	clock *clock
}

func newWorld(t testing.TB, db *database.DB) *world {
	t.Helper()
	box, err := seal.New(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{db: db, clock: &clock{}}
	// A fraction of a second, so that rounding shows.
	w.clock.micros.Store(time.Date(2020, 7, 18, 15, 10, 56, 789_123_000, time.UTC).UnixMicro())
	w.Service = tokens.New(tokens.Deps{
		DB: db, Box: box, Keys: signing, Now: w.clock.now, Log: testlog.New(t), Retention: retention,
	})
	return w
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

// request asks for tokens as the password grant does; with a client it asks
// for a refresh token too.
func request(tenant tokens.Tenant, clientID string) tokens.Request {
	r := tokens.Request{
		Tenant: tenant, Username: "apitest", ClientID: clientID, GrantType: "password", AccessTTL: 4 * time.Hour,
	}
	if clientID != "" {
		r.RefreshTTL, r.FamilyTTL = 365*24*time.Hour, 2*365*24*time.Hour
	}
	return r
}

// mint signs without recording.
func (w *world) mint(t *testing.T, r tokens.Request) *tokens.Issued {
	t.Helper()
	issued, err := w.Mint(t.Context(), r)
	if err != nil {
		t.Fatalf("mint: %v", err)
	}
	registerSecrets(t, issued.Pair)
	return issued
}

// issue signs and records.
func (w *world) issue(t *testing.T, r tokens.Request) tokens.Pair {
	t.Helper()
	issued := w.mint(t, r)
	if err := w.Record(t.Context(), issued); err != nil {
		t.Fatalf("record: %v", err)
	}
	return issued.Pair
}

func registerSecrets(t *testing.T, pair tokens.Pair) {
	t.Helper()
	testlog.Secret(t, pair.Access.Value)
	if pair.Refresh != nil {
		testlog.Secret(t, pair.Refresh.Value)
	}
}

// next is the request that follows a presented refresh token.
func next(tenant tokens.Tenant, clientID string, r *tokens.Refresh) tokens.Request {
	n := request(tenant, clientID)
	n.Username, n.GrantType, n.RedirectURI, n.IDPID = r.Username, "refresh_token", r.RedirectURI, r.IDPID
	n.AccessTTL, n.Family, n.Count = r.AccessTTL, &r.Family, r.Count+1
	return n
}

// present presents a refresh token that must be good.
func (w *world) present(t *testing.T, tenant tokens.Tenant, clientID, raw string) *tokens.Refresh {
	t.Helper()
	r, err := w.Present(t.Context(), tenant, clientID, raw)
	if err != nil {
		t.Fatalf("present: %v", err)
	}
	return r
}

// rotate exchanges a refresh token and ends it, as public clients do.
func (w *world) rotate(t *testing.T, tenant tokens.Tenant, clientID, raw string) tokens.Pair {
	t.Helper()
	r := w.present(t, tenant, clientID, raw)
	issued := w.mint(t, next(tenant, clientID, r))
	if err := w.Rotate(t.Context(), r, issued); err != nil {
		t.Fatalf("rotate: %v", err)
	}
	return issued.Pair
}

// extend exchanges a refresh token that stays good, as confidential clients do.
func (w *world) extend(t *testing.T, tenant tokens.Tenant, clientID, raw string) tokens.Pair {
	t.Helper()
	r := w.present(t, tenant, clientID, raw)
	issued := w.mint(t, next(tenant, clientID, r))
	if err := w.Record(t.Context(), issued); err != nil {
		t.Fatalf("record: %v", err)
	}
	return issued.Pair
}

// wantAccess fails unless presenting an access token ends with want.
func (w *world) wantAccess(t *testing.T, tenant tokens.Tenant, raw string, want error) {
	t.Helper()
	if _, err := w.Access(t.Context(), tenant, raw); !errors.Is(err, want) {
		t.Errorf("access token: got %v, want %v", err, want)
	}
}

// wantRefresh fails unless presenting a refresh token ends with want.
func (w *world) wantRefresh(t *testing.T, tenant tokens.Tenant, clientID, raw string, want error) {
	t.Helper()
	if _, err := w.Present(t.Context(), tenant, clientID, raw); !errors.Is(err, want) {
		t.Errorf("refresh token: got %v, want %v", err, want)
	}
}

// part decodes a part of a compact JWT: 0 the header, 1 the claims.
func part(t *testing.T, raw string, n int) string {
	t.Helper()
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		t.Fatalf("a token has %d parts", len(parts))
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[n])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
