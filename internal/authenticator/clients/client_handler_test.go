package clients_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/authenticator/oauth2"
	"gatehouse/internal/authn"
	"gatehouse/internal/seal"
	"gatehouse/internal/testlog"
)

// via is ada with a token that was made through a client.
func via(clientID string) authn.Caller {
	c := authtest.Person("ada", "tacc")
	c.ClientID = clientID
	return c
}

// device is ada by a device code, for which any program may give a client's id.
func device(clientID string) authn.Caller {
	c := via(clientID)
	c.GrantType = oauth2.DeviceCode
	return c
}

// jobs is the service jobs, which acts for somebody.
func jobs(username, tenantID string) authn.Caller {
	c := authtest.ServiceAccount("jobs", "admin", "main")
	c.OnBehalfOf = authn.Subject{TenantID: tenantID, Username: username}
	return c
}

// The tokens of these tests and whose they are.
var callers = authtest.Callers{
	"ada":                              authtest.Person("ada", "tacc"),
	"ada of dev":                       authtest.Person("ada", "dev"),
	"bob":                              authtest.Person("bob", "tacc"),
	"jobs, a person":                   authtest.Person("jobs", "tacc"),
	"ada via portal":                   via("portal"),
	"ada via a device code of portal":  device("portal"),
	"ada via a device code of her own": device("test"),
	"ada via webapp":                   via("tacc.CIC.tokenapp"),
	"ada via dev's":                    via("dev.CIC.tokenapp"),
	"jobs":                             jobs("jobs", "tacc"),
	"_tapis_jobs":                      jobs("_tapis_jobs", "tacc"),
	"jobs for dev":                     jobs("jobs", "dev"),
	"jobs as ada":                      jobs("ada", "tacc"),
	"jobs as files":                    jobs("files", "tacc"),
}

// call sends a request about clients with a token.
type call func(token, method, path, body string) authtest.Reply

func (f *fixture) mayAdminister(ctx context.Context, who authn.Caller) error {
	stranger, err := f.ThirdParty(ctx, who)
	if err != nil || stranger == "" {
		return err
	}
	return authn.ThirdPartyRefused(stranger)
}

// serve mounts the clients behind authentication.
func (f *fixture) serve(showKeys bool) call {
	f.T.Helper()
	s := authtest.Serve(f.T, func(r *gin.Engine) {
		clients.NewHandler(f.Service, f.Kernel(), f.mayAdminister, showKeys).Mount(r.Group("/v3/oauth2", authn.Require(callers.Check)))
	})
	return func(token, method, path, body string) authtest.Reply {
		f.T.Helper()
		var header []string
		if token != "" {
			header = []string{"X-Tapis-Token", token}
		}
		reply := s.Send(method, "/v3/oauth2/clients"+path, body, header...)
		if got := reply.Header.Get("Content-Type"); got != "application/json" || reply.Body == nil {
			f.T.Errorf("%s %s: Content-Type %q, %.200s", method, path, got, reply.Raw)
		}
		return reply
	}
}

func wantAnswer(t *testing.T, got authtest.Reply, status int, body string) {
	t.Helper()
	if body = strings.ReplaceAll(body, "\n", ""); got.Status != status || got.Raw != body {
		t.Errorf("\n got %d %s\nwant %d %s", got.Status, got.Raw, status, body)
	}
}

func TestAClientOnTheWire(t *testing.T) {
	f := onSQLite(t)
	call := f.serve(true)
	key := seal.NewSecret()
	testlog.Secret(t, key)
	const (
		head  = `{"result":{"client_id":"test","client_key":`
		tail  = `,"version":"test","metadata":{}}`
		times = `"create_time":"Sat, 18 Jul 2020 19:09:47 GMT","last_update_time":"Sat, 18 Jul 2020 19:09:47 GMT"}`
		rest  = `,"owner":"ada","tenant_id":"tacc","callback_url":"https://a.example.org/x?y=1\u0026z",
"redirect_uris":["https://a.example.org/x?y=1\u0026z"],"display_name":"test","description":"d é",
"token_endpoint_auth_method":"client_secret_basic","active":true,"trusted":false,` + times
	)
	const got = `,"status":"success","message":"Client object retrieved successfully."` + tail
	made := call("ada", http.MethodPost, "", `{"client_id":"test","client_key":"`+key+
		`","callback_url":"https://a.example.org/x?y=1&z","description":"d é","unknown":1,"display_name":null}`)
	wantAnswer(t, made, 201, head+`"`+key+`"`+rest+`,"status":"success","message":"Client created successfully."`+tail)
	wantAnswer(t, call("ada", http.MethodGet, "/test", ""), 200, head+`"`+key+`"`+rest+got)
	call("ada via portal", http.MethodGet, "/test", "").Want(403, "the client portal, which belongs to somebody else")

	f.Clock.Advance(time.Hour)
	changed := `"` + key + `","owner":"ada","tenant_id":"tacc","callback_url":"","redirect_uris":[],"display_name":"Test",
"description":"d é","token_endpoint_auth_method":"client_secret_basic","active":%t,"trusted":false,
"create_time":"Sat, 18 Jul 2020 19:09:47 GMT","last_update_time":"Sat, 18 Jul 2020 20:09:47 GMT"}`
	update := call("ada", http.MethodPut, "/test", `{"callback_url":"","redirect_uris":[],"display_name":"Test"}`)
	wantAnswer(t, update, 200, head+fmt.Sprintf(changed, true)+`,"status":"success","message":"Client updated successfully."`+tail)

	for range 2 {
		wantAnswer(t, call("ada", http.MethodDelete, "/test", ""), 200,
			`{"result":null,"status":"success","message":"Client status updated to inactive successfully."`+tail)
	}
	const listed = `,"status":"success","message":"Clients retrieved successfully.","version":"test","metadata":`
	wantAnswer(t, call("ada", http.MethodGet, "?show_inactive=True", ""), 200,
		`{"result":[{"client_id":"test","client_key":`+fmt.Sprintf(changed, false)+`]`+listed+
			`{"recordCount":1,"recordLimit":-1,"recordsSkipped":0,"totalCount":1}}`)
	wantAnswer(t, call("ada", http.MethodGet, "?show_inactive=false&limit=5&offset=1", ""), 200,
		`{"result":[]`+listed+`{"recordCount":0,"recordLimit":5,"recordsSkipped":1,"totalCount":0}}`)
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
			f := onSQLite(t)
			call := f.serve(c.showKeys)
			client := f.register("tacc", "ada", clients.Registration{ID: "test"})
			for _, ask := range [][3]string{
				{"GET", "/test", ""}, {"GET", "", ""}, {"PUT", "/test", `{"display_name":"x"}`}, {"PUT", "/test", `{}`},
			} {
				got := call(c.token, ask[0], ask[1], ask[2])
				if ask[1] != "" && c.token != "ada" { // a stranger's portal may list, and nothing else
					got.Want(403)
				} else if got.Want(200); strings.Contains(got.Raw, `"client_key":null`) == c.shown {
					t.Errorf("%v: shown %t, want %t", ask, !c.shown, c.shown)
				}
				if strings.Contains(got.Raw, client.Key) != c.shown {
					t.Errorf("%v: shown %t, want %t", ask, !c.shown, c.shown)
				}
			}
			if c.token != "ada" {
				call(c.token, http.MethodPost, "", `{}`).Want(403)
				return
			}
			// Whoever registers a client needs its key, once.
			if n := len(call(c.token, http.MethodPost, "", `{}`).Want(201).Text("result", "client_key")); n != 43 {
				t.Errorf("created with a key of %d characters", n)
			}
			// A public client has none to show.
			call(c.token, http.MethodPost, "", `{"token_endpoint_auth_method":"none"}`).
				Want(201, `"client_key":null,`, `"token_endpoint_auth_method":"none"`)
		})
	}
}

func TestRequestsAboutClientsThatAreRefused(t *testing.T) {
	f := onSQLite(t)
	call := f.serve(true)
	mine := f.register("tacc", "ada", clients.Registration{ID: "test"})
	long := strings.Repeat("x", 100)
	fixed := func(field string) string { return "Changing the field " + field + " is not currently supported." }
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
		"update the id":               {"ada", "PUT", "/test", `{"client_id":"test"}`, 400, fixed("client_id")},
		"update the key":              {"ada", "PUT", "/test", `{"client_key":"` + long[:20] + `"}`, 400, fixed("client_key")},
		"update the description":      {"ada", "PUT", "/test", `{"description":""}`, 400, fixed("description")},
		"update with a bad callback":  {"ada", "PUT", "/test", `{"callback_url":"http://a.example"}`, 400, "The field callback_url "},
		"update with a number":        {"ada", "PUT", "/test", `{"display_name":1}`, 400, "display_name must be of type string"},
		"list with no number":         {"ada", "GET", "?limit=many", "", 400, "limit"},
		"list below nothing":          {"ada", "GET", "?limit=-2", "", 400, "limit"},
		"list before the first":       {"ada", "GET", "?offset=-1", "", 400, "offset"},
		"list far beyond all":         {"ada", "GET", "?offset=99999999999", "", 400, "offset"},
		"list with no boolean":        {"ada", "GET", "?show_inactive=1", "", 400, "show_inactive"},
		"list with a parameter twice": {"ada", "GET", "?limit=1&limit=2", "", 400, "limit"},
		"patch":                       {"ada", "PATCH", "/test", `{}`, 405, "PATCH"},
	} {
		got := call(c.token, c.method, c.path, c.body)
		message := got.Text("message")
		if got.Status != c.status || !strings.Contains(message, c.message) || got.Text("status") != "error" || got.At("result") != nil {
			t.Errorf("%s: got %d %s; want %d with %q", name, got.Status, got.Raw, c.status, c.message)
		}
		if strings.Contains(got.Raw, mine.Key) || c.token == "bob" && strings.Contains(message, "ada") {
			t.Errorf("%s: the answer tells too much: %s", name, got.Raw)
		}
	}
	f.wantClient(mine)
	f.wantStored(1)
}

func TestADeletedClientCanNoLongerBeChangedOverHTTP(t *testing.T) {
	f := onSQLite(t)
	call := f.serve(true)
	f.register("tacc", "ada", clients.Registration{ID: "test"})
	call("ada", http.MethodDelete, "/test", "").Want(200)
	call("ada", http.MethodPut, "/test", `{"display_name":"back"}`).Want(409)
	call("ada", http.MethodGet, "/test", "").Want(200, `"active":false`)
	call("bob", http.MethodPost, "", `{"client_id":"test"}`).Want(409) // its id is not given away
}

// A client of somebody else may administer nothing, unless an administrator of
// the tenant trusts it; whoever changes where it leads begins anew.
func TestAdministratorsSayThroughWhichClientsPeopleAdminister(t *testing.T) {
	f := onSQLite(t)
	call := f.serve(true)
	f.Grant("tacc", "ada", kernel.AdminRole)
	f.register("tacc", "bob", clients.Registration{ID: "portal", CallbackURL: "https://a.example.org/"})
	f.register("tacc", "ada", clients.Registration{ID: "test"})
	refused := func(token, body string) {
		t.Helper()
		call(token, http.MethodPut, "/portal", body).Want(403)
	}
	refused("bob", `{"trusted":true}`)
	refused("ada via portal", `{"trusted":true}`)
	refused("ada", `{"display_name":"x"}`)
	call("ada", http.MethodPut, "/portal", `{"trusted":true,"display_name":"x"}`).Want(400, "trusted")
	call("ada", http.MethodPut, "/nothing", `{"trusted":true}`).Want(404)
	call("ada via portal", http.MethodPost, "", `{}`).Want(403)

	call("ada", http.MethodPut, "/portal", `{"trusted":true}`).Want(200, `"trusted":true`, `"client_key":null`)
	call("ada via portal", http.MethodPost, "", `{}`).Want(201)
	call("ada via a device code of portal", http.MethodPost, "", `{}`).Want(403)
	call("ada via a device code of her own", http.MethodPost, "", `{}`).Want(403)
	call("bob", http.MethodPut, "/portal", `{"display_name":"New"}`).Want(200, `"trusted":true`)
	call("bob", http.MethodPut, "/portal", `{"callback_url":"https://b.example.org/"}`).Want(200, `"trusted":false`)
	call("ada via portal", http.MethodPost, "", `{}`).Want(403)
	call("ada", http.MethodPut, "/portal", `{"trusted":true}`).Want(200)
	call("ada", http.MethodPut, "/portal", `{"trusted":false}`).Want(200, `"trusted":false`)
	call("ada via portal", http.MethodPost, "", `{}`).Want(403)
}
