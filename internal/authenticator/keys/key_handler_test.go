package keys_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gatehouse/internal/apierr"
	"gatehouse/internal/apitest"
	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/testlog"
)

// roles are held by user@tenant; owners are sites by tenant.
type (
	roles  map[string]string
	owners map[string]string
)

func (r roles) HasRole(_ context.Context, tenantID, username, role string) (bool, error) {
	if r == nil {
		return false, apierr.Away(errors.New("down"), "The database")
	}
	return r[username+"@"+tenantID] == role, nil
}

func (o owners) SiteOf(_ context.Context, tenantID string) (string, error) {
	if o == nil {
		return "", errAway()
	}
	if site, ok := o[tenantID]; ok {
		return site, nil
	}
	return "", apierr.New(apierr.NotFound, "There is no tenant %s.", tenantID)
}

// callers by their tokens.
func callers() map[string]authn.Caller {
	service := func(name, tenant, site string) authn.Caller {
		return authn.Caller{Username: name, TenantID: tenant, SiteID: site, AccountType: authn.ServiceAccount}
	}
	user := func(name, tenant string) authn.Caller {
		return authn.Caller{Username: name, TenantID: tenant, SiteID: "main", AccountType: authn.UserAccount}
	}
	return map[string]authn.Caller{
		"tokens": service("tokens", "admin", "main"), "files": service("files", "admin", "main"),
		"edge": service("tokens", "edge-admin", "edge"),
		"ada":  user("ada", "dev"), "bob": user("bob", "dev"), "impostor": user("tokens", "dev"),
	}
}

func engine(t *testing.T, r replica, held roles, of owners) http.Handler {
	t.Helper()
	e, err := httpapi.New(httpapi.Options{Version: "test", Log: testlog.New(t)})
	if err != nil {
		t.Fatal(err)
	}
	check := func(_ context.Context, raw string, _ authn.Subject) (authn.Caller, error) {
		caller, ok := callers()[raw]
		if !ok {
			return authn.Caller{}, authn.ErrSignature
		}
		return caller, nil
	}
	keys.NewHandler(r.Rotator, held, of, "main").Mount(e.Group("/v3/tokens", httpapi.NoStore, authn.Require(check)))
	return apitest.New(t, e, "tokens")
}

func put(t *testing.T, h http.Handler, token, body string) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/v3/tokens/keys", strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("X-Tapis-Token", token)
	}
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, req)
	return answer
}

func TestWhoMayRotateWhoseKey(t *testing.T) {
	w := newWorld(t, newDB(t))
	r := w.started("dev", "draft", "admin")
	held := roles{
		"tokens@admin": "tenant_definition_updater", "tokens@edge-admin": "tenant_definition_updater",
		"ada@dev":     "tenant_definition_updater",
		"files@admin": "something_else",
	}
	h := engine(t, r, held, owners{"dev": "main", "draft": "main", "admin": "main", "far": "edge"})
	for _, c := range []struct {
		token, body string
		status      int
	}{
		{"tokens", `{"tenant_id":"dev"}`, 200},
		{"tokens", `{"tenant_id":"draft","more":1}`, 200},
		{"tokens", `{"tenant_id":"admin"}`, 200},
		{"ada", `{"tenant_id":"dev"}`, 200},
		{"tokens", `{"tenant_id":"unknown"}`, 404},
		{"tokens", `{"tenant_id":"far"}`, 403},
		{"edge", `{"tenant_id":"dev"}`, 403},
		{"edge", `{"tenant_id":"edge-admin"}`, 403},
		{"files", `{"tenant_id":"dev"}`, 403},
		{"ada", `{"tenant_id":"draft"}`, 403},
		{"ada", `{"tenant_id":"unknown"}`, 403},
		{"bob", `{"tenant_id":"dev"}`, 403},
		{"impostor", `{"tenant_id":"dev"}`, 403},
		{"impostor", `{"tenant_id":"draft"}`, 403},
		{"", `{"tenant_id":"dev"}`, 401},
		{"forged", `{"tenant_id":"dev"}`, 401},
		{"tokens", `{}`, 400},
		{"tokens", `{"tenant_id":""}`, 400},
		{"tokens", `{"tenant_id":null}`, 400},
		{"tokens", `{"tenant_id":7}`, 400},
		{"tokens", `{"tenant_id":"../sites"}`, 400},
		{"tokens", `{"tenant_id":"` + strings.Repeat("a", 51) + `"}`, 400},
		{"tokens", ``, 400},
		{"tokens", `[]`, 400},
	} {
		before := len(listed(t, r, "dev")) + len(listed(t, r, "draft")) + len(listed(t, r, "admin"))
		answer := put(t, h, c.token, c.body)
		if answer.Code != c.status {
			t.Errorf("%s asks for %s: got %d %s; want %d", c.token, c.body, answer.Code, answer.Body, c.status)
		}
		after := len(listed(t, r, "dev")) + len(listed(t, r, "draft")) + len(listed(t, r, "admin"))
		if (after > before) != (c.status == 200) {
			t.Errorf("%s asks for %s: %d keys became %d", c.token, c.body, before, after)
		}
		if c.status == 400 && c.body != "" && strings.HasPrefix(c.body, "{") && !strings.Contains(answer.Body.String(), "tenant_id") {
			t.Errorf("%s: the answer does not name the field: %s", c.body, answer.Body)
		}
	}
}

func listed(t *testing.T, r replica, tenantID string) []keys.Info {
	t.Helper()
	list, err := r.List(t.Context(), tenantID)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestTheReturnedKeyIsTheOneThatSigns(t *testing.T) {
	w := newWorld(t, newDB(t))
	r := w.started("dev")
	h := engine(t, r, roles{"tokens@admin": "tenant_definition_updater"}, owners{"dev": "main"})
	var reply struct {
		Result struct {
			PublicKey string `json:"public_key"`
		}
	}
	answer := put(t, h, "tokens", `{"tenant_id":"dev"}`)
	if err := json.Unmarshal(answer.Body.Bytes(), &reply); err != nil {
		t.Fatal(err)
	}
	if reply.Result.PublicKey != pemOf(t, active(t, r, "dev")) {
		t.Errorf("got %s", answer.Body)
	}
	w.wantConsistent(r, "dev")
}

func TestWhatIsAwayIsSaidAndChangesNothingVisible(t *testing.T) {
	w := newWorld(t, newDB(t))
	r := w.started("dev")
	old := active(t, r, "dev").ID
	held, of := roles{"tokens@admin": "tenant_definition_updater"}, owners{"dev": "main"}
	for name, h := range map[string]http.Handler{"roles": engine(t, r, nil, of), "owners": engine(t, r, held, nil)} {
		if answer := put(t, h, "tokens", `{"tenant_id":"dev"}`); answer.Code != http.StatusServiceUnavailable ||
			len(listed(t, r, "dev")) != 1 {
			t.Errorf("%s away: got %d, %d keys", name, answer.Code, len(listed(t, r, "dev")))
		}
	}
	w.registry.set(func() { w.registry.away = errAway() })
	if answer := put(t, engine(t, r, held, of), "tokens", `{"tenant_id":"dev"}`); answer.Code != http.StatusServiceUnavailable {
		t.Errorf("got %d %s", answer.Code, answer.Body)
	}
	if active(t, r, "dev").ID != old {
		t.Error("another key signs although the registry was not told")
	}
}
