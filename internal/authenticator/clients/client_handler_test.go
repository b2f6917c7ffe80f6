package clients_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/seal"
	"gatehouse/internal/testlog"
)

// The tokens of these tests and whose they are.
var callers = map[string]authn.Caller{
	"ada":            {Username: "ada", TenantID: "tacc", AccountType: authn.UserAccount},
	"ada via portal": {Username: "ada", TenantID: "tacc", AccountType: authn.UserAccount, ClientID: "portal"},
	"ada of dev":     {Username: "ada", TenantID: "dev", AccountType: authn.UserAccount},
	"bob":            {Username: "bob", TenantID: "tacc", AccountType: authn.UserAccount},
	"ada via webapp": {Username: "ada", TenantID: "tacc", AccountType: authn.UserAccount, ClientID: "tacc.CIC.tokenapp"},
	"ada via dev's":  {Username: "ada", TenantID: "tacc", AccountType: authn.UserAccount, ClientID: "dev.CIC.tokenapp"},
	"jobs, a person": {Username: "jobs", TenantID: "tacc", AccountType: authn.UserAccount},
	"jobs":           {Username: "jobs", TenantID: "admin", AccountType: authn.ServiceAccount, OnBehalfOf: authn.Subject{TenantID: "tacc", Username: "jobs"}},
	"_tapis_jobs":    {Username: "jobs", TenantID: "admin", AccountType: authn.ServiceAccount, OnBehalfOf: authn.Subject{TenantID: "tacc", Username: "_tapis_jobs"}},
	"jobs for dev":   {Username: "jobs", TenantID: "admin", AccountType: authn.ServiceAccount, OnBehalfOf: authn.Subject{TenantID: "dev", Username: "jobs"}},
	"jobs as ada":    {Username: "jobs", TenantID: "admin", AccountType: authn.ServiceAccount, OnBehalfOf: authn.Subject{TenantID: "tacc", Username: "ada"}},
	"jobs as files":  {Username: "jobs", TenantID: "admin", AccountType: authn.ServiceAccount, OnBehalfOf: authn.Subject{TenantID: "tacc", Username: "files"}},
}

// serve mounts the clients of w behind authentication.
func serve(t *testing.T, w *world, showKeys bool) http.Handler {
	t.Helper()
	engine, err := httpapi.New(httpapi.Options{Version: "test", Log: testlog.New(t)})
	if err != nil {
		t.Fatal(err)
	}
	check := func(_ context.Context, raw string, _ authn.Subject) (authn.Caller, error) {
		if caller, ok := callers[raw]; ok {
			return caller, nil
		}
		return authn.Caller{}, authn.ErrSignature
	}
	clients.NewHandler(w.Service, showKeys).Mount(engine.Group("/v3/oauth2", authn.Require(check)))
	return engine
}

// call sends a request with a token and returns the status and the body.
func call(t *testing.T, h http.Handler, token, method, path, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "/v3/oauth2/clients"+path, strings.NewReader(body))
	if token != "" {
		r.Header.Set("X-Tapis-Token", token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	if got := answer.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("%s %s: Content-Type %q", method, path, got)
	}
	return answer.Code, answer.Body.String()
}

func wantAnswer(t *testing.T, status int, body string, wantStatus int, wantBody string) {
	t.Helper()
	if wantBody = strings.ReplaceAll(wantBody, "\n", ""); status != wantStatus || body != wantBody {
		t.Errorf("\n got %d %s\nwant %d %s", status, body, wantStatus, wantBody)
	}
}

func TestAClientOnTheWire(t *testing.T) {
	w := onSQLite(t)
	h := serve(t, w, true)
	key := seal.NewSecret()
	testlog.Secret(t, key)
	const (
		head  = `{"result":{"client_id":"test","client_key":`
		tail  = `,"version":"test","metadata":{}}`
		times = `"create_time":"Sat, 18 Jul 2020 19:09:47 GMT","last_update_time":"Sat, 18 Jul 2020 19:09:47 GMT"}`
		rest  = `,"owner":"ada","tenant_id":"tacc","callback_url":"https://a.example.org/x?y=1\u0026z",
"redirect_uris":["https://a.example.org/x?y=1\u0026z"],"display_name":"test","description":"d é",
"token_endpoint_auth_method":"client_secret_basic","active":true,` + times
	)
	status, body := call(t, h, "ada", http.MethodPost, "",
		`{"client_id":"test","client_key":"`+key+`","callback_url":"https://a.example.org/x?y=1&z","description":"d é","unknown":1,"display_name":null}`)
	wantAnswer(t, status, body, 201, head+`"`+key+`"`+rest+`,"status":"success","message":"Client created successfully."`+tail)

	status, body = call(t, h, "ada", http.MethodGet, "/test", "")
	wantAnswer(t, status, body, 200, head+`"`+key+`"`+rest+`,"status":"success","message":"Client object retrieved successfully."`+tail)

	status, body = call(t, h, "ada via portal", http.MethodGet, "/test", "")
	wantAnswer(t, status, body, 200, head+`null`+rest+`,"status":"success","message":"Client object retrieved successfully."`+tail)

	w.clock.advance(time.Hour)
	status, body = call(t, h, "ada", http.MethodPut, "/test", `{"callback_url":"","redirect_uris":[],"display_name":"Test"}`)
	wantAnswer(t, status, body, 200, head+`"`+key+`","owner":"ada","tenant_id":"tacc","callback_url":"","redirect_uris":[],"display_name":"Test","description":"d é",
"token_endpoint_auth_method":"client_secret_basic","active":true,
"create_time":"Sat, 18 Jul 2020 19:09:47 GMT","last_update_time":"Sat, 18 Jul 2020 20:09:47 GMT"}
,"status":"success","message":"Client updated successfully."`+tail)

	for range 2 {
		status, body = call(t, h, "ada", http.MethodDelete, "/test", "")
		wantAnswer(t, status, body, 200, `{"result":null,"status":"success","message":"Client status updated to inactive successfully."`+tail)
	}
	status, body = call(t, h, "ada", http.MethodGet, "?show_inactive=True", "")
	wantAnswer(t, status, body, 200, `{"result":[{"client_id":"test","client_key":"`+key+`","owner":"ada","tenant_id":"tacc","callback_url":"","redirect_uris":[],
"display_name":"Test","description":"d é","token_endpoint_auth_method":"client_secret_basic","active":false,
"create_time":"Sat, 18 Jul 2020 19:09:47 GMT","last_update_time":"Sat, 18 Jul 2020 20:09:47 GMT"}],
"status":"success","message":"Clients retrieved successfully.","version":"test",
"metadata":{"recordCount":1,"recordLimit":-1,"recordsSkipped":0,"totalCount":1}}`)
	status, body = call(t, h, "ada", http.MethodGet, "?show_inactive=false&limit=5&offset=1", "")
	wantAnswer(t, status, body, 200, `{"result":[],"status":"success","message":"Clients retrieved successfully.","version":"test",
"metadata":{"recordCount":0,"recordLimit":5,"recordsSkipped":1,"totalCount":0}}`)
}

func TestKeysAreShownToTheirOwnerAloneAndOnlyWhereConfigured(t *testing.T) {
	for name, c := range map[string]struct {
		showKeys bool
		token    string
		shown    bool
	}{
		"own token":                   {true, "ada", true},
		"token of a portal":           {true, "ada via portal", false},
		"own token, shown once":       {false, "ada", false},
		"token of a portal, the same": {false, "ada via portal", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := onSQLite(t)
			h := serve(t, w, c.showKeys)
			client := w.register(t, "tacc", "ada", clients.Registration{ID: "test"})
			for _, ask := range [][3]string{{http.MethodGet, "/test", ""}, {http.MethodGet, "", ""}, {http.MethodPut, "/test", `{"display_name":"x"}`}, {http.MethodPut, "/test", `{}`}} {
				status, body := call(t, h, c.token, ask[0], ask[1], ask[2])
				if ask[0] == http.MethodPut && c.token != "ada" {
					if status != 403 || strings.Contains(body, client.Key) {
						t.Errorf("a portal changed another client: %d", status)
					}
					continue
				}
				if status != 200 || strings.Contains(body, client.Key) != c.shown || strings.Contains(body, `"client_key":null`) == c.shown {
					t.Errorf("%s %s: %d, shown %t, want %t", ask[0], ask[1], status, !c.shown, c.shown)
				}
			}
			// Whoever registers a client needs its key, once.
			status, body := call(t, h, c.token, http.MethodPost, "", `{}`)
			var made struct {
				Result struct {
					Key string `json:"client_key"`
				}
			}
			if err := json.Unmarshal([]byte(body), &made); err != nil || status != 201 || len(made.Result.Key) != 43 {
				t.Errorf("created: %d, a key of %d characters, %v", status, len(made.Result.Key), err)
			}
			testlog.Secret(t, made.Result.Key)
			// A public client has none to show.
			status, body = call(t, h, c.token, http.MethodPost, "", `{"token_endpoint_auth_method":"none"}`)
			if status != 201 || !strings.Contains(body, `"client_key":null,`) || !strings.Contains(body, `"token_endpoint_auth_method":"none"`) {
				t.Errorf("created: %d %s", status, body)
			}
		})
	}
}

func TestRequestsAboutClientsThatAreRefused(t *testing.T) {
	w := onSQLite(t)
	h := serve(t, w, true)
	mine := w.register(t, "tacc", "ada", clients.Registration{ID: "test"})
	long := strings.Repeat("x", 100)
	for name, c := range map[string]struct {
		token, method, path, body string
		status                    int
		message                   string
	}{
		"no token":                    {"", "GET", "", "", 401, "A Tapis access token is needed"},
		"bad token":                   {"forged", "GET", "", "", 401, "not valid"},
		"service for a person":        {"jobs as ada", "GET", "", "", 403, "own clients"},
		"get another's":               {"bob", "GET", "/test", "", 403, "Not authorized for this client."},
		"update another's":            {"bob", "PUT", "/test", `{"display_name":"mine"}`, 403, "Not authorized for this client."},
		"delete another's":            {"bob", "DELETE", "/test", "", 403, "Not authorized for this client."},
		"get from another tenant":     {"ada of dev", "GET", "/test", "", 404, "no client"},
		"update from another tenant":  {"ada of dev", "PUT", "/test", `{}`, 404, "no client"},
		"delete from another tenant":  {"ada of dev", "DELETE", "/test", "", 404, "no client"},
		"get an unknown one":          {"ada", "GET", "/unknown", "", 404, "no client"},
		"get NUL":                     {"ada", "GET", "/%00", "", 404, ""},
		"get invalid UTF-8":           {"ada", "GET", "/%ff%fe", "", 404, ""},
		"get with an encoded slash":   {"ada", "GET", "/a%2Ftest", "", 404, "no client"},
		"get with encoded dots":       {"ada", "GET", "/%2e%2e%2ftest", "", 404, "no client"},
		"delete an unknown one":       {"ada", "DELETE", "/unknown", "", 404, "no client"},
		"create with no body":         {"ada", "POST", "", "", 400, "body is empty"},
		"create from an array":        {"ada", "POST", "", "[]", 400, "JSON object"},
		"create with a number":        {"ada", "POST", "", `{"client_id":7}`, 400, "client_id must be of type string"},
		"create with a member twice":  {"ada", "POST", "", `{"client_id":"a","Client_ID":"b"}`, 400, "more than once"},
		"create with a short key":     {"ada", "POST", "", `{"client_key":"` + long[:15] + `"}`, 400, "The field client_key "},
		"create with a long id":       {"ada", "POST", "", `{"client_id":"` + long[:81] + `"}`, 400, "The field client_id "},
		"create a reserved id":        {"ada", "POST", "", `{"client_id":"x.cic.tokenapp"}`, 400, "The field client_id "},
		"create with a bad callback":  {"ada", "POST", "", `{"callback_url":"javascript:alert(1)"}`, 400, "The field callback_url "},
		"create with NUL in a name":   {"ada", "POST", "", `{"display_name":"\u0000"}`, 400, "The field display_name "},
		"create with half a pair":     {"ada", "POST", "", `{"description":"\ud800"}`, 400, "The field description "},
		"create a taken id":           {"bob", "POST", "", `{"client_id":"test"}`, 409, "The client_id is not available."},
		"update with no body":         {"ada", "PUT", "/test", "", 400, "body is empty"},
		"update the id":               {"ada", "PUT", "/test", `{"client_id":"test"}`, 400, "Changing the field client_id is not currently supported."},
		"update the key":              {"ada", "PUT", "/test", `{"client_key":"` + long[:20] + `"}`, 400, "Changing the field client_key is not currently supported."},
		"update the description":      {"ada", "PUT", "/test", `{"description":""}`, 400, "Changing the field description is not currently supported."},
		"update with a bad callback":  {"ada", "PUT", "/test", `{"callback_url":"http://a.example.org"}`, 400, "The field callback_url "},
		"update with a number":        {"ada", "PUT", "/test", `{"display_name":1}`, 400, "display_name must be of type string"},
		"list with no number":         {"ada", "GET", "?limit=many", "", 400, "limit"},
		"list below nothing":          {"ada", "GET", "?limit=-2", "", 400, "limit"},
		"list before the first":       {"ada", "GET", "?offset=-1", "", 400, "offset"},
		"list far beyond all":         {"ada", "GET", "?offset=99999999999", "", 400, "offset"},
		"list with no boolean":        {"ada", "GET", "?show_inactive=1", "", 400, "show_inactive"},
		"list with a parameter twice": {"ada", "GET", "?limit=1&limit=2", "", 400, "limit"},
		"patch":                       {"ada", "PATCH", "/test", `{}`, 405, "PATCH"},
	} {
		status, body := call(t, h, c.token, c.method, c.path, c.body)
		var envelope struct {
			Result          any
			Status, Message string
		}
		if err := json.Unmarshal([]byte(body), &envelope); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if status != c.status || !strings.Contains(envelope.Message, c.message) || envelope.Status != "error" || envelope.Result != nil {
			t.Errorf("%s: got %d %s; want %d with %q", name, status, body, c.status, c.message)
		}
		if strings.Contains(body, mine.Key) || c.token == "bob" && strings.Contains(envelope.Message, "ada") {
			t.Errorf("%s: the answer tells too much: %s", name, body)
		}
	}
	if got, err := w.Get(t.Context(), "tacc", "ada", "test", true); err != nil || !reflect.DeepEqual(got, mine) {
		t.Errorf("got %+v, %v; want it as it was", got, err)
	}
	if n := w.stored(t); n != 1 {
		t.Errorf("%d clients are stored, want 1", n)
	}
}

func TestADeletedClientCanNoLongerBeChangedOverHTTP(t *testing.T) {
	w := onSQLite(t)
	h := serve(t, w, true)
	w.register(t, "tacc", "ada", clients.Registration{ID: "test"})
	if status, _ := call(t, h, "ada", http.MethodDelete, "/test", ""); status != 200 {
		t.Fatalf("delete: %d", status)
	}
	if status, body := call(t, h, "ada", http.MethodPut, "/test", `{"display_name":"back"}`); status != 409 {
		t.Errorf("got %d %s", status, body)
	}
	if status, body := call(t, h, "ada", http.MethodGet, "/test", ""); status != 200 || !strings.Contains(body, `"active":false`) {
		t.Errorf("got %d %s", status, body)
	}
	if status, body := call(t, h, "bob", http.MethodPost, "", `{"client_id":"test"}`); status != 409 {
		t.Errorf("its id was given away: %d %s", status, body)
	}
}
