package userinfo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apitest"
	"gatehouse/internal/authenticator/directory"
	"gatehouse/internal/authenticator/tenancy"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/authenticator/userinfo"
	"gatehouse/internal/authn"
	"gatehouse/internal/devldap"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/seal"
	"gatehouse/internal/testlog"
)

// world is a tenant dev with ada, who administers it, and bob in its
// directory, and a tenant lab whose people are in none.
type world struct {
	t           *testing.T
	people      *directory.Directory
	server      *devldap.Server
	settings    tenantconfig.Settings
	kernelFails bool
	handler     http.Handler
}

func (w *world) For(context.Context, string) (tenantconfig.Settings, error) { return w.settings, nil }

func (w *world) IsAdmin(_ context.Context, tenantID, username string) (bool, error) {
	if w.kernelFails {
		return true, errors.New("gone")
	}
	return tenantID == "dev" && username == "ada", nil
}

func callers() map[string]authn.Caller {
	user := func(name string) authn.Caller {
		return authn.Caller{Username: name, TenantID: "dev", AccountType: authn.UserAccount}
	}
	service := user("files")
	service.AccountType, service.TenantID, service.OnBehalfOf = authn.ServiceAccount, "admin", authn.Subject{TenantID: "dev", Username: "bob"}
	return map[string]authn.Caller{"ada": user("ada"), "bob": user("bob"), "gone": user("gone"), "files for bob": service}
}

func newWorld(t *testing.T, people ...devldap.Person) *world {
	t.Helper()
	w := &world{t: t, settings: tenantconfig.Defaults()}
	password := seal.NewSecret()
	testlog.Secret(t, password)
	for _, name := range []string{"ada", "bob"} {
		people = append(people, devldap.Person{
			Username: name, Password: password, GivenName: "Given", LastName: strings.ToUpper(name), Email: name + "@example.org",
		})
	}
	var err error
	w.server, err = devldap.Start(devldap.Config{
		BaseDN: "dc=test", BindDN: "cn=reader,dc=test", BindPassword: password, People: map[string][]devldap.Person{"dev": people},
		Now: func() time.Time { return time.Date(2020, 7, 2, 23, 45, 16, 0, time.UTC) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.server.Close() })
	w.people, err = directory.New(directory.Config{
		URL: w.server.URL(), AllowPlaintext: true, UserDN: w.server.UserDN("dev"), BindDN: "cn=reader,dc=test", BindPassword: password,
	}, testlog.New(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.people.Close() })
	engine, err := httpapi.New(httpapi.Options{Version: "test", Log: testlog.New(t)})
	if err != nil {
		t.Fatal(err)
	}
	check := func(_ context.Context, raw string, _ authn.Subject) (authn.Caller, error) {
		caller, ok := callers()[raw]
		if !ok {
			return caller, authn.ErrSignature
		}
		return caller, nil
	}
	tenant := func(c *gin.Context) {
		c.Request = c.Request.WithContext(tenancy.With(c.Request.Context(), registryclient.Tenant{ID: c.Request.Host}))
	}
	directories := func(_ context.Context, t registryclient.Tenant) (userinfo.Directory, bool, error) {
		return w.people, t.ID == "dev", nil
	}
	userinfo.NewHandler(directories, w, w).Mount(engine.Group("/v3/oauth2", httpapi.OAuthErrors, httpapi.NoStore, authn.Require(check), tenant))
	w.handler = apitest.New(t, engine, "authenticator")
	return w
}

// get asks as somebody in a tenant.
func (w *world) get(token, tenant, path string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, "/v3/oauth2"+path, nil)
	r.Host = tenant
	r.Header.Set("X-Tapis-Token", token)
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, r)
	return answer
}

func (w *world) wantResult(answer *httptest.ResponseRecorder, want string) {
	w.t.Helper()
	var envelope struct{ Result json.RawMessage }
	if err := json.Unmarshal(answer.Body.Bytes(), &envelope); err != nil || answer.Code != 200 || string(envelope.Result) != strings.ReplaceAll(want, "\n", "") {
		w.t.Errorf("\n got %d %s, %v\nwant %s", answer.Code, answer.Body, err, want)
	}
}

const (
	adaFull = `{"username":"ada","name":"Given ADA","dn":"uid=ada,ou=dev,dc=test","given_name":"Given","last_name":"ADA",
"email":"ada@example.org","phone":null,"mobile_phone":null,"uid":"10001","create_time":"Thu, 02 Jul 2020 23:45:16 GMT"}`
	bobFull = `{"username":"bob","name":"Given BOB","dn":"uid=bob,ou=dev,dc=test","given_name":"Given","last_name":"BOB",
"email":"bob@example.org","phone":null,"mobile_phone":null,"uid":"10002","create_time":"Thu, 02 Jul 2020 23:45:16 GMT"}`
	adaBasic = `{"username":"ada","name":"Given ADA","dn":null,"given_name":"Given","last_name":"ADA",
"email":null,"phone":null,"mobile_phone":null,"uid":null,"create_time":null}`
	adaAlone = `{"username":"ada","name":"ada","dn":null,"given_name":null,"last_name":null,
"email":null,"phone":null,"mobile_phone":null,"uid":null,"create_time":null}`
	bobAlone = `{"username":"bob","name":"bob","dn":null,"given_name":null,"last_name":null,
"email":null,"phone":null,"mobile_phone":null,"uid":null,"create_time":null}`
)

// A-B17: whoever asks, the profile is of the person who was asked for.
func TestAProfileIsOfWhomItWasAskedFor(t *testing.T) {
	w := newWorld(t)
	w.wantResult(w.get("ada", "dev", "/profiles/bob"), bobFull)
	w.wantResult(w.get("bob", "dev", "/profiles/ada"), adaFull)
	w.wantResult(w.get("bob", "dev", "/profiles/ADA"), adaFull)
	w.wantResult(w.get("files for bob", "dev", "/profiles/ada"), adaFull)
	w.wantResult(w.get("files for bob", "dev", "/userinfo"), bobFull)
	w.wantResult(w.get("ada", "dev", "/userinfo"), adaFull)
	for _, name := range []string{"nobody", "*", "a*", "ada)(uid=*", "%20", "ada%00", "a%2Cou=dev", strings.Repeat("x", 300)} {
		if answer := w.get("ada", "dev", "/profiles/"+name); answer.Code != 404 {
			t.Errorf("%s: got %d %s", name, answer.Code, answer.Body)
		}
	}
	if answer := w.get("gone", "dev", "/userinfo"); answer.Code != 404 {
		t.Errorf("somebody who left: got %d", answer.Code)
	}
}

// A-B17: where there is no directory, nobody is taken for somebody else.
func TestWithoutADirectoryEverybodySeesHimselfAlone(t *testing.T) {
	w := newWorld(t)
	w.wantResult(w.get("ada", "lab", "/userinfo"), adaAlone)
	w.wantResult(w.get("ada", "lab", "/profiles/ada"), adaAlone)
	w.wantResult(w.get("ada", "lab", "/profiles"), "["+adaAlone+"]")
	w.wantResult(w.get("ada", "lab", "/profiles?offset=1"), "[]")
	w.wantResult(w.get("files for bob", "lab", "/profiles"), "["+bobAlone+"]")
	if answer := w.get("ada", "lab", "/profiles/bob"); answer.Code != 404 {
		t.Errorf("got %d %s", answer.Code, answer.Body)
	}
}

// A-B17: a tenant that configures its LDAP search lists its people like any other.
func TestPeopleAreListedInWindows(t *testing.T) {
	var more []devldap.Person
	var names []string
	for i := range 150 {
		names = append(names, fmt.Sprintf("user%03d", i))
		more = append(more, devldap.Person{Username: names[i], Password: seal.NewSecret()})
	}
	names = append(names, "ada", "bob")
	w := newWorld(t, more...)
	for query, want := range map[string][]string{
		"": names[:100], "?limit=7": names[:7], "?limit=1000": names, "?limit=10&offset=145": names[145:], "?offset=151&limit=1": names[151:],
		"?offset=152": nil, "?offset=1000000&limit=1": nil, "?limit=1&offset=0&unknown=x": names[:1], "?limit=&offset=": names[:100],
	} {
		answer := w.get("ada", "dev", "/profiles"+query)
		var got struct {
			Result   []struct{ Username string }
			Metadata struct{ RecordCount, RecordsSkipped, RecordLimit, TotalCount int }
		}
		if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		var listed []string
		for _, p := range got.Result {
			listed = append(listed, p.Username)
		}
		if !slices.Equal(listed, want) || got.Metadata.RecordCount != len(want) || got.Metadata.TotalCount != -1 ||
			answer.Header().Get("X-Tapis-Offset") != fmt.Sprint(got.Metadata.RecordsSkipped+len(want)) {
			t.Errorf("%s: got %d people, %+v, offset %s", query, len(listed), got.Metadata, answer.Header().Get("X-Tapis-Offset"))
		}
	}
	w.settings.People.PageLimit = 3
	if answer := w.get("ada", "dev", "/profiles"); strings.Count(answer.Body.String(), `"username"`) != 3 {
		t.Errorf("got %s with a page limit of 3", answer.Body)
	}
	for _, query := range []string{
		"limit=0", "limit=-1", "limit=1001", "limit=x", "limit=1.5", "limit=1&limit=2", "offset=-1", "offset=x", "offset=1000001", "offset=99999999999999999999", "limit=%zz",
	} {
		if answer := w.get("ada", "dev", "/profiles?"+query); answer.Code != 400 || !strings.Contains(answer.Body.String(), `"invalid_request"`) {
			t.Errorf("%s: got %d %s", query, answer.Code, answer.Body)
		}
	}
}

func TestBasicProfilesShowOthersTheNameOnly(t *testing.T) {
	w := newWorld(t)
	w.settings.ProfileVisibility = tenantconfig.BasicProfiles
	w.wantResult(w.get("bob", "dev", "/profiles/ada"), adaBasic)
	w.wantResult(w.get("bob", "dev", "/profiles"), "["+adaBasic+","+bobFull+"]")
	w.wantResult(w.get("files for bob", "dev", "/profiles"), "["+adaBasic+","+bobFull+"]")
	w.wantResult(w.get("bob", "dev", "/profiles/bob"), bobFull)
	w.wantResult(w.get("bob", "dev", "/userinfo"), bobFull)
	w.wantResult(w.get("ada", "dev", "/profiles"), "["+adaFull+","+bobFull+"]") // who administers the tenant
	w.kernelFails = true
	for _, path := range []string{"/profiles", "/profiles/ada"} {
		if answer := w.get("bob", "dev", path); answer.Code != 503 || strings.Contains(answer.Body.String(), "ada@") {
			t.Errorf("%s without a security kernel: got %d %s", path, answer.Code, answer.Body)
		}
	}
}

func TestWithoutATokenOrDirectoryNothingIsShown(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/userinfo", "/profiles", "/profiles/ada"} {
		if answer := w.get("nobody", "dev", path); answer.Code != 401 {
			t.Errorf("%s without a token: got %d", path, answer.Code)
		}
	}
	if err := w.server.Close(); err != nil {
		t.Error(err)
	}
	for _, path := range []string{"/userinfo", "/profiles", "/profiles/ada"} {
		if answer := w.get("ada", "dev", path); answer.Code != 503 {
			t.Errorf("%s without the directory: got %d %s", path, answer.Code, answer.Body)
		}
	}
}
