package tokens_test

import (
	"errors"
	"testing"
	"time"

	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authn"
	"gatehouse/internal/testclock"
	"gatehouse/internal/testlog"
)

// The two tenants of these tests.
var (
	tacc = authtest.TokenTenant("tacc")
	dev  = authtest.TokenTenant("dev")
)

// fixture is the mint, at a time with a fraction of a second, so that rounding
// shows.
type fixture struct {
	*authtest.Fixture
	*tokens.Service
}

func newFixture(f *authtest.Fixture) *fixture {
	f.Clock = testclock.At(time.Date(2020, 7, 18, 15, 10, 56, 789_123_000, time.UTC))
	return &fixture{f, f.Tokens()}
}

// each runs test on every database.
func each(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Helper()
	authtest.Each(t, func(t *testing.T, f *authtest.Fixture) { test(t, newFixture(f)) })
}

// onSQLite is for tests in which the database does not matter.
func onSQLite(t testing.TB) *fixture {
	t.Helper()
	return newFixture(authtest.OnSQLite(t))
}

// request asks for tokens as the password grant does; with a client it asks
// for a refresh token too.
func request(tenant tokens.Tenant, clientID string) tokens.Request {
	r := tokens.Request{
		Began:  1,
		Tenant: tenant, Username: "apitest", ClientID: clientID, GrantType: "password", AccessTTL: 4 * time.Hour,
	}
	if clientID != "" {
		r.RefreshTTL, r.FamilyTTL = 365*24*time.Hour, 2*365*24*time.Hour
	}
	return r
}

// mint signs without recording.
func (f *fixture) mint(r tokens.Request) *tokens.Issued {
	f.T.Helper()
	issued, err := f.Mint(f.T.Context(), r)
	if err != nil {
		f.T.Fatalf("mint: %v", err)
	}
	testlog.Secret(f.T, issued.Access.Value)
	if issued.Refresh != nil {
		testlog.Secret(f.T, issued.Refresh.Value)
	}
	return issued
}

func (f *fixture) record(issued *tokens.Issued) tokens.Pair {
	f.T.Helper()
	f.Must(f.Record(f.T.Context(), issued))
	return issued.Pair
}

// issue signs and records.
func (f *fixture) issue(r tokens.Request) tokens.Pair {
	f.T.Helper()
	r.Began = 0 // now
	return f.Fixture.Issue(r)
}

// next is the request that follows a presented refresh token.
func next(tenant tokens.Tenant, clientID string, r *tokens.Refresh) tokens.Request {
	n := request(tenant, clientID)
	n.Username, n.GrantType, n.RedirectURI, n.IDPID = r.Username, "refresh_token", r.RedirectURI, r.IDPID
	n.AccessTTL, n.Family, n.Count = r.AccessTTL, &r.Family, r.Count+1
	return n
}

// present presents a refresh token that must be good.
func (f *fixture) present(tenant tokens.Tenant, clientID, raw string) *tokens.Refresh {
	f.T.Helper()
	r, err := f.Present(f.T.Context(), tenant, clientID, raw)
	if err != nil {
		f.T.Fatalf("present: %v", err)
	}
	return r
}

// rotate exchanges a refresh token and ends it, as public clients do.
func (f *fixture) rotate(tenant tokens.Tenant, clientID, raw string) tokens.Pair {
	f.T.Helper()
	r := f.present(tenant, clientID, raw)
	issued := f.mint(next(tenant, clientID, r))
	f.Must(f.Rotate(f.T.Context(), r, issued))
	return issued.Pair
}

// extend exchanges a refresh token that stays good, as confidential clients do.
func (f *fixture) extend(tenant tokens.Tenant, clientID, raw string) tokens.Pair {
	f.T.Helper()
	return f.record(f.mint(next(tenant, clientID, f.present(tenant, clientID, raw))))
}

// wantAccess fails unless presenting an access token ends with want.
func (f *fixture) wantAccess(tenant tokens.Tenant, raw string, want error) {
	f.T.Helper()
	if _, err := f.Access(f.T.Context(), tenant, raw); !errors.Is(err, want) {
		f.T.Errorf("access token: got %v, want %v", err, want)
	}
}

// wantRefresh fails unless presenting a refresh token ends with want.
func (f *fixture) wantRefresh(tenant tokens.Tenant, clientID, raw string, want error) {
	f.T.Helper()
	if _, err := f.Present(f.T.Context(), tenant, clientID, raw); !errors.Is(err, want) {
		f.T.Errorf("refresh token: got %v, want %v", err, want)
	}
}

// wantGood fails unless pairs of a client count.
func (f *fixture) wantGood(tenant tokens.Tenant, clientID string, pairs ...tokens.Pair) {
	f.T.Helper()
	f.want(tenant, clientID, nil, nil, pairs)
}

// wantVoid fails unless pairs of a client are revoked.
func (f *fixture) wantVoid(tenant tokens.Tenant, clientID string, pairs ...tokens.Pair) {
	f.T.Helper()
	f.want(tenant, clientID, authn.ErrRevoked, tokens.ErrRefused, pairs)
}

func (f *fixture) want(tenant tokens.Tenant, clientID string, access, refresh error, pairs []tokens.Pair) {
	f.T.Helper()
	for _, pair := range pairs {
		f.wantAccess(tenant, pair.Access.Value, access)
		f.wantRefresh(tenant, clientID, pair.Refresh.Value, refresh)
	}
}

// count returns how many rows of a table a condition holds for.
func (f *fixture) count(table, condition string) (n int64) {
	f.T.Helper()
	f.Must(f.DB.Conn(f.T.Context()).Table(table).Where(condition).Count(&n).Error)
	return n
}

// wantRecords fails unless so many tokens are recorded.
func (f *fixture) wantRecords(access, refresh int64) {
	f.T.Helper()
	for tokenType, want := range map[string]int64{authn.AccessToken: access, authn.RefreshToken: refresh} {
		if n := f.count("issued_tokens", "token_type = '"+tokenType+"'"); n != want {
			f.T.Errorf("%d %s tokens are recorded, want %d", n, tokenType, want)
		}
	}
}

func (f *fixture) wantMarks(want int64) {
	f.T.Helper()
	if n := f.count("revocation_marks", "TRUE"); n != want {
		f.T.Errorf("%d marks are left, want %d", n, want)
	}
}
