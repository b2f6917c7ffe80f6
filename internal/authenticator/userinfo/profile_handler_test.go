package userinfo_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/authenticator/tenancy"
	"gatehouse/internal/authenticator/userinfo"
	"gatehouse/internal/authn"
	"gatehouse/internal/devldap"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/seal"
)

// world is a tenant dev with ada, who administers it, and bob in its
// directory, and a tenant lab whose people are in none.
type world struct {
	*authtest.Fixture
	*authtest.Server

	directory *devldap.Server
}

func newWorld(t *testing.T, people ...devldap.Person) *world {
	t.Helper()
	f := authtest.OnSQLite(t)
	f.Clock.Advance(time.Date(2020, 7, 2, 23, 45, 16, 0, time.UTC).Sub(f.Clock.Now()))
	for _, name := range []string{"ada", "bob"} {
		people = append(people, devldap.Person{
			Username: name, Password: authtest.Secret(t), GivenName: "Given", LastName: strings.ToUpper(name), Email: name +
				"@example.org",
		})
	}
	w := &world{Fixture: f, directory: f.Directory(map[string][]devldap.Person{"dev": people})}
	f.Grant("dev", "ada", kernel.AdminRole)
	files := authtest.ServiceAccount("files", "admin", "main")
	files.OnBehalfOf = authn.Subject{TenantID: "dev", Username: "bob"}
	callers := authtest.Callers{
		"ada": authtest.Person("ada", "dev"), "bob": authtest.Person("bob", "dev"), "gone": authtest.Person("gone", "dev"),
		"files for bob": files,
	}
	tenant := func(c *gin.Context) {
		tenant := registryclient.Tenant{ID: c.Request.Host}
		if tenant.ID == "dev" {
			tenant = f.Tenant("dev")
		}
		c.Request = c.Request.WithContext(tenancy.With(c.Request.Context(), tenant))
	}
	w.Server = authtest.Serve(t, func(r *gin.Engine) {
		userinfo.NewHandler(userinfo.New(f.People(), f.Tokens()), f.Settings(), f.Kernel()).Mount(
			r.Group("/v3/oauth2", httpapi.OAuthErrors, httpapi.NoStore, authn.Require(callers.Check), tenant))
	}, "authenticator")
	return w
}

// get asks as somebody in a tenant.
func (w *world) get(token, tenant, path string) authtest.Reply {
	w.Fixture.T.Helper()
	return w.Send(http.MethodGet, "/v3/oauth2"+path, nil, "Host", tenant, "X-Tapis-Token", token)
}

func (w *world) wantResult(answer authtest.Reply, want string) {
	w.Fixture.T.Helper()
	if answer.Status != 200 || answer.Result() != strings.ReplaceAll(want, "\n", "") {
		w.Fixture.T.Errorf("\n got %d %s\nwant %s", answer.Status, answer.Raw, want)
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
		if answer := w.get("ada", "dev", "/profiles/"+name); answer.Status != 404 {
			t.Errorf("%s: got %d %s", name, answer.Status, answer.Raw)
		}
	}
	if answer := w.get("gone", "dev", "/userinfo"); answer.Status != 404 {
		t.Errorf("somebody who left: got %d", answer.Status)
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
	if answer := w.get("ada", "lab", "/profiles/bob"); answer.Status != 404 {
		t.Errorf("got %d %s", answer.Status, answer.Raw)
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
		"": names[:100], "?limit=7": names[:7], "?limit=1000": names, "?limit=10&offset=145": names[145:],
		"?offset=151&limit=1":     names[151:],
		"?offset=152":             nil,
		"?offset=1000000&limit=1": nil, "?limit=1&offset=0&unknown=x": names[:1], "?limit=&offset=": names[:100],
	} {
		answer := w.get("ada", "dev", "/profiles"+query)
		var got struct {
			Result   []struct{ Username string }
			Metadata struct{ RecordCount, RecordsSkipped, RecordLimit, TotalCount int }
		}
		if err := json.Unmarshal([]byte(answer.Raw), &got); err != nil {
			t.Fatal(err)
		}
		var listed []string
		for _, p := range got.Result {
			listed = append(listed, p.Username)
		}
		if !slices.Equal(listed, want) || got.Metadata.RecordCount != len(want) || got.Metadata.TotalCount != -1 ||
			answer.Header.Get("X-Tapis-Offset") != fmt.Sprint(got.Metadata.RecordsSkipped+len(want)) {
			t.Errorf("%s: got %d people, %+v, offset %s", query, len(listed), got.Metadata, answer.Header.Get("X-Tapis-Offset"))
		}
	}
	w.Configure("dev", `{"custom_idp_configuration":{"ldap":{"default_page_limit":3}}}`)
	if answer := w.get("ada", "dev", "/profiles"); strings.Count(answer.Raw, `"username"`) != 3 {
		t.Errorf("got %s with a page limit of 3", answer.Raw)
	}
	for _, query := range []string{
		"limit=0", "limit=-1", "limit=1001", "limit=x", "limit=1.5", "limit=1&limit=2", "offset=-1", "offset=x", "offset=1000001",
		"offset=99999999999999999999", "limit=%zz",
	} {
		if answer := w.get("ada", "dev", "/profiles?"+query); answer.Status != 400 ||
			!strings.Contains(answer.Raw, `"invalid_request"`) {
			t.Errorf("%s: got %d %s", query, answer.Status, answer.Raw)
		}
	}
}

func TestBasicProfilesShowOthersTheNameOnly(t *testing.T) {
	w := newWorld(t)
	w.Configure("dev", `{"profile_visibility":"basic"}`)
	w.wantResult(w.get("bob", "dev", "/profiles/ada"), adaBasic)
	w.wantResult(w.get("bob", "dev", "/profiles"), "["+adaBasic+","+bobFull+"]")
	w.wantResult(w.get("files for bob", "dev", "/profiles"), "["+adaBasic+","+bobFull+"]")
	w.wantResult(w.get("bob", "dev", "/profiles/bob"), bobFull)
	w.wantResult(w.get("bob", "dev", "/userinfo"), bobFull)
	w.wantResult(w.get("ada", "dev", "/profiles"), "["+adaFull+","+bobFull+"]") // who administers the tenant
	if err := w.DB.Conn(t.Context()).Exec(`ALTER TABLE role_grants RENAME TO away`).Error; err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/profiles", "/profiles/ada"} {
		if answer := w.get("bob", "dev", path); answer.Status != 503 || strings.Contains(answer.Raw, "ada@") {
			t.Errorf("%s without a security kernel: got %d %s", path, answer.Status, answer.Raw)
		}
	}
}

func TestWithoutATokenOrDirectoryNothingIsShown(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/userinfo", "/profiles", "/profiles/ada"} {
		if answer := w.get("nobody", "dev", path); answer.Status != 401 {
			t.Errorf("%s without a token: got %d", path, answer.Status)
		}
	}
	if err := w.directory.Close(); err != nil {
		t.Error(err)
	}
	for _, path := range []string{"/userinfo", "/profiles", "/profiles/ada"} {
		if answer := w.get("ada", "dev", path); answer.Status != 503 {
			t.Errorf("%s without the directory: got %d %s", path, answer.Status, answer.Raw)
		}
	}
}
