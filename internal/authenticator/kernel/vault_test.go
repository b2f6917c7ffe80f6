package kernel_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/database"
	"gatehouse/internal/seal"
	"gatehouse/internal/testdb"
	"gatehouse/internal/testlog"
)

const check = "/vault/secret/validateServicePassword/"

func passwordBody(tenantID, service, password string) string {
	return fmt.Sprintf(`{"tenant":%q,"user":%q,"password":%q}`, tenantID, service, password)
}

func TestTokensAndTheServiceItselfHaveItsPasswordChecked(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		k := newKernel(t, db, "main")
		password := authtest.Secret(t)
		set(t, k.Service, "admin", "files", password)
		for _, caller := range []string{"tokens@admin!", "files@admin!"} {
			k.want(caller, "POST", check+"password", passwordBody("admin", "files", password), 200, yes)
		}
		// Nobody else learns anything.
		for _, caller := range []string{
			"systems@admin!", "tokens@edge-admin!", "files@edge-admin!", "root@admin", "files@admin",
			"tokens@admin", "ada@dev",
		} {
			k.want(caller, "POST", check+"password", passwordBody("admin", "files", password), 403, "null", caller)
		}
		k.want("tokens@admin!", "POST", check+"password", passwordBody("edge-admin", "files", password), 403, "null")
		k.want("tokens@admin!", "POST", check+"password", passwordBody("dev", "files", password), 403, "null")
		k.want("tokens@admin!", "POST", check+"password", `{"tenant":"admin","user":"files"}`, 400, "null")
	})
}

func TestAWrongPasswordAndAnUnknownServiceAreAnsweredAlike(t *testing.T) {
	k := primary(t)
	password := authtest.Secret(t)
	set(t, k.Service, "admin", "files", password)
	answers := map[string]bool{}
	for _, ask := range [][3]string{
		{"password", "files", authtest.Secret(t)},
		{"password", "files", password[:20]},
		{"password", "nothing", password},
		{"password", "Odd Name", password},
		{"other", "files", password},
		{"other", "nothing", "x"},
	} {
		a := k.want("tokens@admin!", "POST", check+ask[0], passwordBody("admin", ask[1], ask[2]), 403, "null")
		answers[a.Raw] = true
	}
	if len(answers) != 1 {
		t.Errorf("the answers differ: %v", answers)
	}
}

func TestGuessesAtAServicesPasswordAreSlowedDown(t *testing.T) {
	k := primary(t)
	password := authtest.Secret(t)
	set(t, k.Service, "admin", "files", password)
	set(t, k.Service, "admin", "jobs", password)
	for range 10 {
		k.want("tokens@admin!", "POST", check+"password", passwordBody("admin", "files", "wrong"), 403, "")
	}
	a := k.want("tokens@admin!", "POST", check+"password", passwordBody("admin", "files", password), 429, "null")
	if a.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	k.want("tokens@admin!", "POST", check+"password", passwordBody("admin", "jobs", password), 200, yes)
	k.Clock.Advance(time.Minute)
	k.want("tokens@admin!", "POST", check+"password", passwordBody("admin", "files", password), 200, yes)
}

// secretBody is the body of a write of one value.
func secretBody(tenantID, username, value, options string) string {
	return fmt.Sprintf(`{"tenant":%q,"user":%q,"data":{"password":%q}%s}`, tenantID, username, value, options)
}

func TestASecretOnTheWire(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		k := newKernel(t, db, "main")
		const (
			path, query = "/vault/secret/user/ldap+dev", "?tenant=dev&user=ada"
			created     = `"created_time":"2026-11-21T12:00:00.000000Z"`
			one         = `{` + created + `,"deletion_time":"","destroyed":false,"version":1}`
			two         = `{` + created + `,"deletion_time":"","destroyed":false,"version":2}`
		)
		k.want("ada@dev", "GET", path+query, "", 404, "null")
		k.want("ada@dev", "POST", path, secretBody("dev", "ada", "first", ""), 200, one)
		k.want("ada@dev", "POST", "/vault/secret/user/ldap%2Fdev", secretBody("dev", "ada", "second", ""), 200, two)
		k.want("ada@dev", "POST", "/vault/secret/user/other", secretBody("dev", "ada", "x", ""), 200, one)
		k.want("ada@dev", "GET", path+query, "", 200, `{"metadata":`+two+`,"secretMap":{"password":"second"}}`)
		k.want("ada@dev", "GET", path+query+"&version=0", "", 200, `{"metadata":`+two+`,"secretMap":{"password":"second"}}`)
		k.want("ada@dev", "GET", path+query+"&version=1", "", 200, `{"metadata":`+one+`,"secretMap":{"password":"first"}}`)
		k.want("ada@dev", "GET", path+query+"&version=3", "", 404, "null")
		k.want("ada@dev", "GET", "/vault/secret/list/meta/user"+query, "", 200,
			`{"keys":["ldap/","other"],"secretPath":"secret/tapis/tenant/dev/user/ada/kv"}`)
		k.want("ada@dev", "GET", "/vault/secret/read/meta/user/ldap+dev"+query, "", 200,
			`{`+created+`,"current_version":2,"max_versions":10,"oldest_version":1,`+
				`"updated_time":"2026-11-21T12:00:00.000000Z","versions":[`+one+`,`+two+`]}`)

		versions := func(list string) string { return `{"tenant":"dev","user":"ada","versions":` + list + `}` }
		k.want("ada@dev", "POST", "/vault/secret/delete/user/ldap+dev", versions("[0]"), 200, "[2]")
		k.want("ada@dev", "GET", path+query, "", 404, "null")
		k.want("ada@dev", "GET", path+query+"&version=1", "", 200, "")
		k.want("ada@dev", "POST", "/vault/secret/undelete/user/ldap+dev", versions("[2,7]"), 200, "[2]")
		k.want("ada@dev", "GET", path+query, "", 200, "")
		k.want("ada@dev", "POST", "/vault/secret/destroy/user/ldap+dev", versions("[1]"), 200, "[1]")
		k.want("ada@dev", "GET", path+query+"&version=1", "", 404, "null")
		k.want("ada@dev", "POST", "/vault/secret/undelete/user/ldap+dev", versions("[]"), 200, "[1,2]")
		k.want("ada@dev", "GET", path+query+"&version=1", "", 404, "null")
		if a := k.ask("ada@dev", "GET", "/vault/secret/read/meta/user/ldap+dev"+query, ""); !strings.Contains(
			a.Raw, `"destroyed":true`) {
			t.Errorf("got %s", a.Raw)
		}
		var contents int
		if err := db.Conn(t.Context()).Raw("SELECT COUNT(*) FROM secrets WHERE name = 'ldap+dev' AND content <> ''").Scan(
			&contents).Error; err != nil || contents != 1 {
			t.Errorf("%d contents left, %v", contents, err)
		}
		k.want("ada@dev", "DELETE", "/vault/secret/destroy/meta/user/ldap+dev"+query, "", 200, "null")
		k.want("ada@dev", "GET", "/vault/secret/read/meta/user/ldap+dev"+query, "", 404, "null")
		k.want("ada@dev", "POST", "/vault/secret/delete/user/ldap+dev", versions("[]"), 404, "null")
		k.want("ada@dev", "GET", "/vault/secret/user/other"+query, "", 200, "")
	})
}

func TestTheLastTenVersionsAreKept(t *testing.T) {
	k := primary(t)
	for i := range 12 {
		k.want("ada@dev", "POST", "/vault/secret/user/x", secretBody("dev", "ada", fmt.Sprint(i+1), ""), 200, "")
	}
	for version, want := range map[int]int{2: 404, 3: 200, 12: 200} {
		k.want("ada@dev", "GET", fmt.Sprintf("/vault/secret/user/x?tenant=dev&user=ada&version=%d", version), "", want, "")
	}
}

func TestAConditionalWriteNeedsTheNewestVersion(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		k := newKernel(t, db, "main")
		for _, step := range []struct {
			cas    string
			status int
		}{{"1", 409}, {"0", 200}, {"0", 409}, {"2", 409}, {"1", 200}, {"-1", 409}, {"null", 200}, {"3", 200}} {
			k.want("ada@dev", "POST", "/vault/secret/user/x", secretBody("dev", "ada", step.cas, `,"options":{"cas":`+step.cas+`}`),
				step.status, "")
		}
	})
}

func TestOfConditionalWritesAtOnceOneSucceedsAndOthersAllDo(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		k := newKernel(t, db, "main")
		const writers = 8
		for _, test := range []struct {
			options string
			want    int32
		}{{`,"options":{"cas":0}`, 1}, {"", writers}} {
			var wg sync.WaitGroup
			var written atomic.Int32
			for i := range writers {
				wg.Go(func() {
					if a := k.ask("ada@dev", "POST", "/vault/secret/user/x", secretBody(
						"dev", "ada", fmt.Sprint(i), test.options)); a.Status == 200 {
						written.Add(1)
					} else if a.Status != 409 {
						t.Errorf("got %d %s", a.Status, a.Raw)
					}
				})
			}
			wg.Wait()
			if written.Load() != test.want {
				t.Errorf("%d were written, want %d", written.Load(), test.want)
			}
		}
	})
}

func TestASecretIsOpenToItsOwnerAlone(t *testing.T) {
	k := primary(t)
	write := func(token, path, tenantID, username, value string) {
		t.Helper()
		k.want(token, "POST", path, secretBody(tenantID, username, value, ""), 200, "")
	}
	write("bob@dev", "/vault/secret/user/x", "dev", "bob", "bob's")
	write("bob@tacc", "/vault/secret/user/x", "tacc", "bob", "other bob's")
	write("authenticator@admin!", "/vault/secret/user/x", "admin", "authenticator", "bind")
	write("files@admin!", "/vault/secret/service/x", "far", "files", "files'")
	write("files@edge-admin!", "/vault/secret/service/x", "far", "files", "edge files'")
	for request, want := range map[string]string{
		"bob@dev user dev bob":                               "bob's",
		"bob@tacc user tacc bob":                             "other bob's",
		"ada@dev user dev bob":                               "", // not even the administrator
		"bob@dev user tacc bob":                              "",
		"bob@dev service dev bob":                            "",
		"files@admin! user dev bob":                          "",
		"bob@admin! user dev bob":                            "",
		"authenticator@admin! user admin authenticator":      "bind",
		"tokens@admin! user admin authenticator":             "",
		"authenticator@edge-admin! user admin authenticator": "",
		"files@admin! service far files":                     "files'",
		"files@edge-admin! service far files":                "edge files'",
		"jobs@admin! service far files":                      "",
		"files@edge-admin! service dev files":                "",
	} {
		f := strings.Fields(request)
		status := 200
		if want == "" {
			status = 403
		}
		a := k.want(f[0], "GET", "/vault/secret/"+f[1]+"/x?tenant="+f[2]+"&user="+f[3], "", status, "")
		if got := strings.Contains(a.Raw, `"password":"`); got != (want != "") || want != "" && !strings.Contains(a.Raw, `"`+want+`"`) {
			t.Errorf("%s: got %s", request, a.Raw)
		}
	}
}

func TestSystemAndDatabaseSecretsAreTheServices(t *testing.T) {
	k := primary(t)
	sys, db := "/vault/secret/system/x?sysid=s1&sysuser=u%2Fv", "/vault/secret/dbcred/x?dbhost=h&dbname=n&dbservice=files"
	k.want("systems@admin!", "POST", sys, secretBody("dev", "bob", "sys", ""), 200, "")
	k.want("systems@admin!", "POST", sys+"&keytype=password", secretBody("dev", "bob", "pw", ""), 200, "")
	k.want("files@admin!", "POST", db, secretBody("admin", "dbuser", "db", ""), 200, "")
	for path, status := range map[string]int{
		sys + "&tenant=dev&user=bob": 200, sys + "&tenant=dev&user=bob&keytype=sshkey": 200,
		sys + "&tenant=dev&user=bob&keytype=password": 200,
		sys + "&tenant=tacc&user=bob":                 404, sys + "&tenant=dev&user=bob&keytype=token": 404,
		sys + "&tenant=dev&user=bob&keytype=x":                            400,
		"/vault/secret/system/x?sysid=s1/u&sysuser=v&tenant=dev&user=bob": 404,
		"/vault/secret/system/x?sysid=s1&tenant=dev&user=bob":             400,
		db + "&tenant=admin&user=dbuser":                                  200,
		db + "&tenant=admin&user=other":                                   404,
		"/vault/secret/dbcred/x?dbhost=h&dbname=n&tenant=admin&user=bob":  400,
	} {
		k.want("files@admin!", "GET", path, "", status, "")
	}
	for _, person := range []string{"bob@dev", "ada@dev"} {
		k.want(person, "GET", sys+"&tenant=dev&user=bob", "", 403, "null")
		k.want(person, "POST", sys, secretBody("dev", "bob", "x", ""), 403, "null")
		k.want(person, "GET", db+"&tenant=dev&user=bob", "", 403, "null")
	}
	k.want("files@edge-admin!", "GET", sys+"&tenant=dev&user=bob", "", 403, "null")
}

func TestSigningKeysAreNeitherReadNorReplacedHere(t *testing.T) {
	k := primary(t)
	for _, caller := range []string{"tokens@admin!", "authenticator@admin!", "root@admin!"} {
		name, _, _ := strings.Cut(caller, "@")
		query := "?tenant=dev&user=" + name
		for _, request := range []string{
			"GET /vault/secret/jwtsigning/keys" + query, "GET /vault/secret/read/meta/jwtsigning/keys" + query,
			"GET /vault/secret/list/meta/jwtsigning" + query,
			"DELETE /vault/secret/destroy/meta/jwtsigning/keys" + query,
			`POST /vault/secret/jwtsigning/keys {"tenant":"dev","user":"` + name + `","data":{"privateKey":"<generate-secret>"}}`,
			`POST /vault/secret/destroy/jwtsigning/keys {"tenant":"dev","user":"` + name + `","versions":[]}`,
			`POST /vault/secret/delete/jwtsigning/keys {"tenant":"dev","user":"` + name + `","versions":[]}`,
			`POST /vault/secret/undelete/jwtsigning/keys {"tenant":"dev","user":"` + name + `","versions":[]}`,
		} {
			k.refused(caller, 403, []string{request})
		}
	}
	if dump := testdb.Dump(t, k.DB); strings.Contains(dump, "secrets:") || strings.Contains(dump, "signing_keys:") {
		t.Errorf("something was stored:\n%s", dump)
	}
}

func TestSecretsAreGeneratedWhereAsked(t *testing.T) {
	k := primary(t)
	read := func(name string) map[string]string {
		t.Helper()
		a := k.want("ada@dev", "GET", "/vault/secret/user/"+name+"?tenant=dev&user=ada", "", 200, "")
		var got struct {
			Result struct{ SecretMap map[string]string }
		}
		if err := json.Unmarshal([]byte(a.Raw), &got); err != nil {
			t.Fatal(err)
		}
		return got.Result.SecretMap
	}
	body := func(data string) string { return `{"tenant":"dev","user":"ada","data":` + data + `}` }
	a := k.want("ada@dev", "POST", "/vault/secret/user/p",
		body(`{"a":"<generate-secret>","b":"<generate-secret>","c":"kept <generate-secret>"}`), 200, "")
	got := read("p")
	if len(got["a"]) != 43 || len(got["b"]) != 43 || got["a"] == got["b"] || got["c"] != "kept <generate-secret>" ||
		strings.Contains(a.Raw, got["a"]) {
		t.Errorf("got %d and %d characters, %q", len(got["a"]), len(got["b"]), got["c"])
	}
	k.want("ada@dev", "POST", "/vault/secret/user/k", body(`{"privateKey":"<generate-secret>","publicKey":"x"}`), 200, "")
	got = read("k")
	private, _ := pem.Decode([]byte(got["privateKey"]))
	public, _ := pem.Decode([]byte(got["publicKey"]))
	if private == nil || public == nil {
		t.Fatal("no PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(private.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	half, err := x509.ParsePKIXPublicKey(public.Bytes)
	if pair, ok := key.(*rsa.PrivateKey); err != nil || !ok || !pair.PublicKey.Equal(half) || pair.N.BitLen() != 2048 {
		t.Errorf("the halves do not go together: %v", err)
	}
}

func TestAPersonMayKeepSoManySecretsAndNoMore(t *testing.T) {
	k := primary(t)
	for i := range 200 {
		k.want("ada@dev", "POST", fmt.Sprintf("/vault/secret/user/n%d", i), secretBody("dev", "ada", "x", ""), 200, "")
	}
	k.want("ada@dev", "POST", "/vault/secret/user/more", secretBody("dev", "ada", "x", ""), 409, "null")
	k.want("ada@dev", "POST", "/vault/secret/user/n7", secretBody("dev", "ada", "x", ""), 200, "")
	k.want("bob@dev", "POST", "/vault/secret/user/more", secretBody("dev", "bob", "x", ""), 200, "")
	k.want("ada@dev", "POST", "/vault/secret/user/n7", secretBody("dev", "ada", strings.Repeat("x", 16<<10), ""), 400, "null")
}

func TestNoSecretStandsInTheDatabaseOrTheLog(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		k := newKernel(t, db, "main")
		value := seal.NewSecret()
		testlog.Secret(t, value)
		k.want("ada@dev", "POST", "/vault/secret/user/x", secretBody("dev", "ada", value, ""), 200, "")
		k.want("ada@dev", "POST", "/vault/secret/user/x", `{"tenant":"dev","user":"ada","data":{"`+value+`":1}}`, 400, "")
		if strings.Contains(testdb.Dump(t, db), value) {
			t.Error("the secret stands in the database")
		}
	})
}
