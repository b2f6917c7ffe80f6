package authn_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
)

// verifier is what a service supplies: it verifies, and knows one revoked token.
func verifier(keys authn.Keys) authn.Verify {
	v := authn.NewVerifier(keys, func() time.Time { return now })
	return func(ctx context.Context, raw string) (authn.Caller, error) {
		var c authn.Claims
		if err := v.Verify(ctx, raw, wanted, &c); err != nil {
			return authn.Caller{}, err
		}
		if c.ID == "revoked" {
			return authn.Caller{}, authn.ErrRevoked
		}
		return authn.Caller{Username: c.Username, TenantID: c.TenantID, AccountType: c.AccountType}, nil
	}
}

// newEngine has one route for users only; it answers who asks.
func newEngine(t testing.TB, o httpapi.Options, keys authn.Keys, log io.Writer) *gin.Engine {
	t.Helper()
	o.Log = slog.New(slog.NewJSONHandler(log, nil))
	e, err := httpapi.New(o)
	if err != nil {
		t.Fatal(err)
	}
	httpapi.Get(e.Group("", httpapi.OAuthErrors, authn.RequireUser(verifier(keys))), "/me", whoAmI)
	httpapi.Get(e, "/unguarded", whoAmI)
	return e
}

func whoAmI(c *gin.Context) error {
	caller, err := authn.From(c.Request.Context())
	if err != nil {
		return err
	}
	return httpapi.Reply(c, http.StatusOK, caller.Username+"@"+caller.TenantID, "Found.")
}

type response struct {
	code      int
	challenge string
	Result    string `json:"result"`
	Message   string `json:"message"`
	Error     string `json:"error"`
}

// ask sends a request whose header is a list of names and values.
func ask(t testing.TB, e *gin.Engine, path string, header ...string) response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	a := response{code: w.Code, challenge: w.Header().Get("WWW-Authenticate")}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	return a
}

const (
	noToken  = `Bearer realm="tapis"`
	badToken = `Bearer realm="tapis", error="invalid_token"`
)

func TestATokenIsReadFromEitherHeader(t *testing.T) {
	good := signed(t, header(nil), claims(nil))
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("client:key"))
	for name, headers := range map[string][]string{
		"X-Tapis-Token":          {"X-Tapis-Token", good},
		"Bearer":                 {"Authorization", "Bearer " + good},
		"bearer":                 {"Authorization", "bearer " + good},
		"BEARER and blanks":      {"Authorization", "BEARER   " + good + " "},
		"both alike":             {"X-Tapis-Token", good, "Authorization", "Bearer " + good},
		"beside a client's name": {"X-Tapis-Token", good, "Authorization", basic},
		"beside an empty Bearer": {"X-Tapis-Token", good, "Authorization", "Bearer "},
		"empty X-Tapis-Token":    {"X-Tapis-Token", "", "Authorization", "Bearer " + good},
		"empty OBO headers":      {"X-Tapis-Token", good, "X-Tapis-Tenant", "", "X-Tapis-User", ""},
	} {
		var log bytes.Buffer
		got := ask(t, newEngine(t, httpapi.Options{}, keyring{}, &log), "/me", headers...)
		if got.code != http.StatusOK || got.Result != "testuser1@dev" || got.challenge != "" {
			t.Errorf("%s: %+v", name, got)
		}
		if !strings.Contains(log.String(), `"user":"testuser1"`) || strings.Contains(log.String(), good) {
			t.Errorf("%s: the log names no user, or shows the token:\n%s", name, &log)
		}
	}
}

func TestTwoDifferentTokensAreRefused(t *testing.T) {
	one, two := signed(t, header(nil), claims(nil)), signed(t, header(nil), claims(object{"jti": "x"}))
	got := ask(t, newEngine(t, httpapi.Options{}, keyring{}, io.Discard), "/me", "X-Tapis-Token", one, "Authorization",
		"Bearer "+two)
	if got.code != http.StatusBadRequest || got.Error != "invalid_request" || got.challenge != "" {
		t.Errorf("got %+v", got)
	}
}

// RFC 6750 section 3.1: without a token the challenge has no error code.
func TestARequestWithoutATokenIsChallengedWithoutAnErrorCode(t *testing.T) {
	for name, headers := range map[string][]string{
		"nothing":             nil,
		"only a client":       {"Authorization", "Basic Y2xpZW50OmtleQ=="},
		"an empty Bearer":     {"Authorization", "Bearer"},
		"a blank Bearer":      {"Authorization", "Bearer   "},
		"an empty token":      {"X-Tapis-Token", ""},
		"another scheme":      {"Authorization", "Token " + signed(t, header(nil), claims(nil))},
		"no scheme":           {"Authorization", signed(t, header(nil), claims(nil))},
		"only the OBO header": {"X-Tapis-Tenant", "dev", "X-Tapis-User", "testuser1"},
	} {
		got := ask(t, newEngine(t, httpapi.Options{}, keyring{}, io.Discard), "/me", headers...)
		if got.code != http.StatusUnauthorized || got.challenge != noToken || got.Error != "invalid_token" ||
			!strings.Contains(got.Message, "token is needed") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestATokenThatIsNotGoodIsRefusedByTheMiddleware(t *testing.T) {
	good := signed(t, header(nil), claims(nil))
	const notValid, expired = "The access token is not valid for this request.", "The access token has expired."
	const wrongType = "The token is not an access token."
	for name, test := range map[string]struct{ token, message string }{
		"expired":             {signed(t, header(nil), claims(object{"exp": 1})), expired},
		"revoked":             {signed(t, header(nil), claims(object{"jti": "revoked"})), "The access token has been revoked."},
		"of another tenant":   {signed(t, header(nil), claims(object{"tapis/tenant_id": "other"})), notValid},
		"a refresh token":     {signed(t, header(nil), claims(object{"tapis/token_type": "refresh"})), wrongType},
		"expired and foreign": {signed(t, header(nil), claims(object{"exp": 1, "tapis/tenant_id": "other"})), notValid},
		"tampered with":       {good[:len(good)-20] + "AAAA" + good[len(good)-16:], notValid},
		"no token at all":     {"None", "The access token is malformed; was it cut, or sent with more than the token?"},
	} {
		for _, headers := range [][]string{{"X-Tapis-Token", test.token}, {"Authorization", "Bearer " + test.token}} {
			var log bytes.Buffer
			got := ask(t, newEngine(t, httpapi.Options{}, keyring{}, &log), "/me", headers...)
			if got.code != http.StatusUnauthorized || got.challenge != badToken || got.Error != "invalid_token" ||
				got.Message != test.message {
				t.Errorf("%s: %+v", name, got)
			}
			if strings.Contains(log.String(), `"user"`) || (len(test.token) > 100 && strings.Contains(log.String(), test.token)) {
				t.Errorf("%s: the log names a user, or shows the token:\n%s", name, &log)
			}
		}
	}
}

func TestAServiceAccountIsForbidden(t *testing.T) {
	for _, account := range []any{authn.ServiceAccount, "", "admin", nil} {
		token := signed(t, header(nil), claims(object{"tapis/account_type": account}))
		for _, headers := range [][]string{{}, {"X-Tapis-Tenant", "dev", "X-Tapis-User", "testuser1"}} {
			got := ask(t, newEngine(t, httpapi.Options{}, keyring{}, io.Discard), "/me", append(headers, "X-Tapis-Token", token)...)
			if got.code != http.StatusForbidden || got.challenge != "" || got.Error != "access_denied" {
				t.Errorf("account type %v: %+v", account, got)
			}
		}
	}
}

func TestAUserCannotActOnBehalfOfOthers(t *testing.T) {
	good := signed(t, header(nil), claims(nil))
	for _, name := range []string{"X-Tapis-Tenant", "X-Tapis-User", "x-tapis-user"} {
		got := ask(t, newEngine(t, httpapi.Options{}, keyring{}, io.Discard), "/me", "X-Tapis-Token", good, name, "dev")
		if got.code != http.StatusUnauthorized || got.challenge != badToken || got.Error != "invalid_token" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestATokenThatCannotBeCheckedIsNotRefused(t *testing.T) {
	good := signed(t, header(nil), claims(nil))
	for name, test := range map[string]struct {
		err  error
		code int
	}{
		"a dependency is away": {apierr.Away(io.ErrUnexpectedEOF, "The database"), http.StatusServiceUnavailable},
		"a fault of ours":      {errors.New("cannot unseal"), http.StatusInternalServerError},
	} {
		got := ask(t, newEngine(t, httpapi.Options{}, keyring{away: test.err}, io.Discard), "/me", "X-Tapis-Token", good)
		if got.code != test.code || got.challenge != "" || strings.Contains(got.Message, "unseal") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestLegacyErrorCodesTreatNoTokenAndABadOneAlike(t *testing.T) {
	e := newEngine(t, httpapi.Options{LegacyErrorCodes: true}, keyring{}, io.Discard)
	if got := ask(t, e, "/me"); got.code != http.StatusBadRequest || got.challenge != noToken {
		t.Errorf("no token: %+v", got)
	}
	if got := ask(t, e, "/me", "X-Tapis-Token", "bad"); got.code != http.StatusBadRequest || got.challenge != badToken {
		t.Errorf("a bad token: %+v", got)
	}
}

func TestARouteOutsideOfTheMiddlewareHasNoCaller(t *testing.T) {
	good := signed(t, header(nil), claims(nil))
	got := ask(t, newEngine(t, httpapi.Options{}, keyring{}, io.Discard), "/unguarded", "X-Tapis-Token", good)
	if got.code != http.StatusInternalServerError || got.Result != "" {
		t.Errorf("got %+v", got)
	}
	if c, err := authn.From(context.Background()); !apierr.Is(err, apierr.Internal) || c != (authn.Caller{}) {
		t.Errorf("got %+v, %v", c, err)
	}
}
