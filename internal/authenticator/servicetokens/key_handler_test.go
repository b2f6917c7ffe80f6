package servicetokens_test

import (
	"net/http"
	"strings"
	"testing"

	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/httpapi"
)

const keysPath = "/v3/tokens/keys"

// withUpdaters returns a fixture with callers of whom those hold the role
// that lets them have keys rotated.
func withUpdaters(t *testing.T, updaters ...string) *fixture {
	t.Helper()
	f := onSQLite(t)
	for _, who := range updaters {
		name, tenantID, _ := strings.Cut(who, "@")
		f.Grant(tenantID, name, kernel.DefinitionUpdater)
	}
	f.serve(httpapi.Options{}, authtest.Callers{
		"tokens": authtest.ServiceAccount("tokens", "admin", "main"), "files": authtest.ServiceAccount("files", "admin", "main"),
		"edge": authtest.ServiceAccount("tokens", "edge-admin", "edge"), "impostor": authtest.Person("tokens", "dev"),
		"ada": authtest.Person("ada", "dev"), "bob": authtest.Person("bob", "dev"),
	}.Check)
	return f
}

func as(token string) headers {
	if token == "" {
		return nil
	}
	return headers{"X-Tapis-Token": token, "X-Tapis-Tenant": "admin", "X-Tapis-User": token}
}

// listed are the keys of a tenant, or of all.
func (f *fixture) listed(tenantID string) []keys.Info {
	f.T.Helper()
	list, err := f.Keys().List(f.T.Context(), tenantID)
	if err != nil {
		f.T.Fatal(err)
	}
	return list
}

func TestWhoMayRotateWhoseKey(t *testing.T) {
	f := withUpdaters(t, "tokens@admin", "tokens@edge-admin", "ada@dev")
	f.Grant("admin", "files", "something_else")
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
		before := len(f.listed(""))
		got := f.send("PUT", keysPath, as(c.token), c.body)
		if got.Status != c.status {
			t.Errorf("%s asks for %s: got %d %s; want %d", c.token, c.body, got.Status, got.Raw, c.status)
		}
		if after := len(f.listed("")); (after > before) != (c.status == 200) {
			t.Errorf("%s asks for %s: %d keys became %d", c.token, c.body, before, after)
		}
		if c.status == 400 && strings.HasPrefix(c.body, "{") && !strings.Contains(got.Raw, "tenant_id") {
			t.Errorf("%s: the answer does not name the field: %s", c.body, got.Raw)
		}
	}
}

func TestTheReturnedKeyIsTheOneThatSigns(t *testing.T) {
	f := withUpdaters(t, "tokens@admin")
	public := f.send("PUT", keysPath, as("tokens"), `{"tenant_id":"dev"}`).Need("result", "public_key")
	if public != f.EnsureKey("dev") || public != f.Registry().PublicKey("dev") {
		t.Errorf("got %s", public)
	}
}

func TestWhatIsAwayIsSaidAndChangesNothingVisible(t *testing.T) {
	for name, fail := range map[string]func(f *fixture){
		"the database": func(f *fixture) { _ = f.DB.Close() },
		"the registry": func(f *fixture) { f.Registry().Fail(http.StatusBadGateway) },
		"its writing": func(f *fixture) {
			f.Registry().Before(func(r *http.Request) int {
				if r.Method == http.MethodPut {
					return http.StatusBadGateway
				}
				return 0
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := withUpdaters(t, "tokens@admin")
			old := f.EnsureKey("dev")
			signs, err := f.Keys().Active(t.Context(), "dev")
			if err != nil {
				t.Fatal(err)
			}
			fail(f)
			f.send("PUT", keysPath, as("tokens"), `{"tenant_id":"dev"}`).Want(503)
			if f.Registry().PublicKey("dev") != old {
				t.Error("another key is published")
			}
			if key, err := f.Keys().Active(t.Context(), "dev"); err != nil || key.ID != signs.ID {
				t.Errorf("another key signs, %v", err)
			}
		})
	}
}
