package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/config"
	"gatehouse/internal/testdb"
	"gatehouse/internal/testdoc"
)

func TestTheReadmeListsTheSettings(t *testing.T) {
	testdoc.Section(t, "README.md", "settings tenants", config.Table(settings{}))
}

// adminKey is the key of the administrative tenant, made once for all tests.
var adminKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// publicKey is its public half.
func publicKey(t testing.TB) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&adminKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// call runs the program with the variables of environ.
func call(t testing.TB, environ []string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(t.Context(), args, environ, &out, &errs)
	return status, out.String(), errs.String()
}

// succeed runs the program and returns what it prints.
func succeed(t testing.TB, environ []string, args ...string) string {
	t.Helper()
	status, stdout, stderr := call(t, environ, args...)
	if status != 0 || stderr != "" {
		t.Fatalf("%v: status %d, stderr %q", args, status, stderr)
	}
	return stdout
}

// each runs test with the URL of an empty database of each dialect.
func each(t *testing.T, test func(t *testing.T, environ []string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		test(t, []string{"GATEHOUSE_DATABASE_URL=sqlite:" + filepath.Join(t.TempDir(), "tenants.db")})
	})
	t.Run("postgres", func(t *testing.T) { test(t, []string{"GATEHOUSE_DATABASE_URL=" + testdb.PostgresDSN(t)}) })
}

func TestCommandsAnswerAsTheyShould(t *testing.T) {
	dir := t.TempDir()
	database := func(url string) []string { return []string{"GATEHOUSE_DATABASE_URL=" + url} }
	empty, migrated := database("sqlite:"+filepath.Join(dir, "empty.db")), database("sqlite:"+filepath.Join(dir, "migrated.db"))
	succeed(t, migrated, "migrate")
	with := func(environ ...string) []string {
		all := slices.Clone(migrated)
		for _, variable := range environ {
			all = append(all, "GATEHOUSE_"+variable)
		}
		return all
	}
	owned := func(environ ...string) []string {
		return with(append(environ, "SITE_ID=main", "OWNER_EMAIL=a@b", "OWNER_NAME=a", "OWNER_INSTITUTION=b")...)
	}
	const address = "ADMIN_BASE_URL=https://admin.example.org"
	taken, _ := busy(t)
	nothing := write(t, dir, "nothing.yaml", "tenants: []")
	bad := write(t, dir, "bad.yaml", "tenants: [{tenant_id: a, descriptio: x}]")
	refused := write(t, dir, "refused.yaml", "owners: [{email: nobody, name: a, institution: b}]")
	for name, test := range map[string]struct {
		args    string
		environ []string
		status  int
		stdout  string
		stderr  string
	}{
		"no command":        {"", nil, 2, "", "COMMAND"},
		"help":              {"help", nil, 0, "export", ""},
		"help on a command": {"apply -h", nil, 0, "-dry-run", ""},
		"version":           {"version", nil, 0, "tenants", ""},
		"unknown command":   {"exprot", nil, 2, "", `did you mean "export"?`},
		"no database": {
			"serve", nil, 1, "",
			"tenants: database.url: is required; GATEHOUSE_DATABASE_URL or GATEHOUSE_DATABASE_URL_FILE can set it\n",
		},
		"no database, migrate":  {"migrate", nil, 1, "", "database.url"},
		"no database, apply":    {"apply -f " + nothing, nil, 1, "", "database.url"},
		"no database, export":   {"export", nil, 1, "", "database.url"},
		"no database, probe":    {"healthcheck", nil, 1, "", "database.url"},
		"a database of no kind": {"serve", database("mysql://root:hunter2@db"), 1, "", "must begin with sqlite: or postgres://"},
		"database away":         {"migrate", database("postgres://u:hunter2@127.0.0.1:1/x"), 1, "", "refused"},
		"too many arguments":    {"serve now", migrated, 2, "", "no arguments"},
		"migrate up":            {"migrate up", migrated, 2, "", "no arguments"},
		"export to":             {"export x", migrated, 2, "", "no arguments"},
		"older schema, serve":   {"serve", empty, 1, "", "run the migrate command first"},
		"older schema, apply":   {"apply -f " + nothing, empty, 1, "", "run the migrate command first"},
		"older schema, export":  {"export", empty, 1, "", "run the migrate command first"},
		"migrate again":         {"migrate", migrated, 0, "at schema version 2", ""},
		"a busy port":           {"serve", with("LISTEN=" + taken), 1, "", "address already in use"},
		"nobody there":          {"healthcheck", with("LISTEN=127.0.0.1:1"), 1, "", "not ready"},
		"misspelt variable":     {"serve", with("LISTN=x"), 1, "", "GATEHOUSE_LISTEN"},
		"loud":                  {"config validate", with("LOG_LEVEL=loud"), 1, "", "log_level: must be"},
		"config":                {"config validate", migrated, 0, "valid", ""},
		"config shown":          {"config print", database("postgres://u:hunter2@db/x"), 0, "url: '********'", ""},

		"apply nothing":       {"apply", migrated, 2, "", "apply takes -f FILE"},
		"apply without flag":  {"apply " + nothing, migrated, 2, "", "apply takes -f FILE"},
		"apply two":           {"apply -f " + nothing + " " + nothing, migrated, 2, "", "apply takes -f FILE"},
		"apply what is gone":  {"apply -f " + nothing + "x", migrated, 1, "", nothing + "x cannot be read: no such file"},
		"apply an empty list": {"apply -f " + nothing, migrated, 0, "nothing to do\n", ""},
		"apply what is bad": {
			"apply -f " + bad, migrated, 1, "",
			bad + ":1: tenants[0] (a) has the unknown key descriptio; did you mean description?\n",
		},
		"apply what is refused": {
			"apply --dry-run -f " + refused, migrated, 1, "",
			refused + ":1: owners[0] (nobody): The field email must be an e-mail address.\n",
		},

		"a password for nobody": {
			"config validate", with("SERVICE_PASSWORD=hunter2"), 1, "",
			"authenticator.url: is required with service_password",
		},
		"an authenticator unlocked": {
			"config validate", with("AUTHENTICATOR_URL=http://a:5000"), 1, "",
			"authenticator.service_password: is required with url",
		},
		"an authenticator's path": {
			"config validate", with("AUTHENTICATOR_URL=http://a/v3", "SERVICE_PASSWORD=hunter2"), 1, "",
			"authenticator.url: must be an http or https URL",
		},
		"an authenticator": {"config validate", with("AUTHENTICATOR_URL=http://a:5000/", "SERVICE_PASSWORD=hunter2"), 0, "valid", ""},
		"bootstrap of half a site": {
			"serve", with("SITE_ID=main", "OWNER_NAME=Ops"), 1, "",
			"bootstrap.admin_base_url: is required with site_id\ntenants: bootstrap.owner_email",
		},
		"bootstrap with two keys": {
			"config validate", owned(address, "ADMIN_PUBLIC_KEY=x", "ADMIN_PUBLIC_KEY_FILE=y"), 1, "",
			"cannot be given beside",
		},
		"bootstrap without its key": {
			"config validate", owned(address, "ADMIN_PUBLIC_KEY_FILE="+dir+"/gone"), 1, "",
			"admin_public_key_file: open " + dir + "/gone",
		},
		"bootstrap by a rule":     {"config validate", owned(address + "/"), 1, "", "bootstrap: The field admin_base_url must be"},
		"bootstrap without a key": {"serve", owned(address), 1, "", "no public key is configured"},
	} {
		t.Run(name, func(t *testing.T) {
			status, stdout, stderr := call(t, test.environ, strings.Fields(test.args)...)
			if status != test.status || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) {
				t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
			}
			if (status != 0) == (stderr == "") || strings.Contains(stdout+stderr, "hunter2") {
				t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
			}
		})
	}
}

func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// busy returns an address that somebody else listens on, until free is called.
func busy(t testing.TB) (address string, free func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free = func() { _ = l.Close() }
	t.Cleanup(free)
	return l.Addr().String(), free
}

// served runs the program's serve until the test ends or stop is called,
// which checks that it ended well.
func served(t *testing.T, environ []string) (url string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var stdout, stderr bytes.Buffer
	done := make(chan int, 1)
	return ready(t, environ, &stderr, func(environ []string) (stop func()) {
		go func() { done <- run(ctx, []string{"serve"}, environ, &stdout, &stderr) }()
		return func() {
			cancel()
			if status := <-done; status != 0 {
				t.Errorf("serve ended with status %d: %s", status, &stderr)
			}
		}
	})
}

// ready starts a server on an address of its own and waits until it is ready.
// What stops it is called at the end of the test at the latest, and once.
func ready(
	t *testing.T, environ []string, stderr fmt.Stringer, start func(environ []string) (stop func()),
) (url string, stop func()) {
	t.Helper()
	address, free := busy(t)
	free()
	environ = append([]string{"GATEHOUSE_LISTEN=" + address}, environ...)
	stop = sync.OnceFunc(start(environ))
	t.Cleanup(stop)
	for range 500 {
		if status, _, _ := call(t, environ, "healthcheck"); status == 0 {
			return "http://" + address, stop
		}
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	t.Fatalf("the server does not become ready: %s", stderr)
	return "", nil
}

// fetch returns the rows of a list.
func fetch(t testing.TB, url string) []map[string]any {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, readErr := io.ReadAll(w.Body)
	var envelope struct {
		Result []map[string]any `json:"result"`
	}
	if err := errors.Join(readErr, w.Body.Close(), json.Unmarshal(body, &envelope)); err != nil || w.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v: %s", url, w.Status, err, body)
	}
	return envelope.Result
}

// bootstrap adds what makes the site main and its administrative tenant.
func bootstrap(t testing.TB, environ []string) []string {
	t.Helper()
	return append(environ, "GATEHOUSE_SITE_ID=main", "GATEHOUSE_ADMIN_BASE_URL=https://admin.tapis.example.org",
		"GATEHOUSE_ADMIN_PUBLIC_KEY_FILE="+write(t, t.TempDir(), "admin.pem", publicKey(t)),
		"GATEHOUSE_OWNER_EMAIL=ops@example.org", "GATEHOUSE_OWNER_NAME=Ops", "GATEHOUSE_OWNER_INSTITUTION=Example")
}

func TestBootstrapMakesARegistryThatIsServed(t *testing.T) {
	each(t, func(t *testing.T, environ []string) {
		environ = bootstrap(t, append(environ, "GATEHOUSE_SITE_SERVICES=tokens,tenants"))
		if got := succeed(t, environ, "migrate"); got != "The tenants database is at schema version 2.\n" {
			t.Errorf("migrate says %q", got)
		}
		for range 2 { // a second start finds everything there
			url, stop := served(t, environ)
			sites, tenants := fetch(t, url+"/v3/sites"), fetch(t, url+"/v3/tenants")
			if len(sites) != 1 || sites[0]["tenant_base_url_template"] != "https://${tenant_id}.tapis.example.org" ||
				fmt.Sprint(sites[0]["services"]) != "[tokens tenants]" {
				t.Errorf("the sites are %v", sites)
			}
			if len(tenants) != 1 || tenants[0]["tenant_id"] != "admin" ||
				tenants[0]["token_service"] != "https://admin.tapis.example.org/v3/tokens" ||
				tenants[0]["admin_user"] != "admin" || tenants[0]["created_by"] != "tenants@admin" {
				t.Errorf("the tenants are %v", tenants)
			}
			stop()
		}
	})
}

const siteYAML = `
sites:
  - site_id: main
    primary: true
    base_url: https://tapis.example.org
    tenant_base_url_template: https://${tenant_id}.tapis.example.org
    site_admin_tenant_id: root
    services: [tokens, tenants]
owners: [{email: ops@example.org, name: Ops, institution: Example}]
ldaps:
  - {ldap_id: people, url: ldaps://ldap.example.org, port: 636, use_ssl: true, user_dn: ou=p, bind_dn: cn=r,
    bind_credential: ldap.people, account_type: user}
tenants:
  - {tenant_id: root, base_url: https://root.tapis.example.org, site_id: main, owner: ops@example.org, admin_user: root,
    status: active, public_key_file: root.pem}
  - {tenant_id: dev, base_url: https://dev.tapis.example.org, site_id: main, owner: ops@example.org, admin_user: ada,
    user_ldap_connection_id: people}
`

const created = "create site main\ncreate owner ops@example.org\ncreate ldap people\ncreate tenant root\ncreate tenant dev\n"

func TestARegistryIsFilledAndChangedByApply(t *testing.T) {
	each(t, func(t *testing.T, environ []string) {
		succeed(t, environ, "migrate")
		url, _ := served(t, environ)
		dir := t.TempDir()
		write(t, dir, "root.pem", publicKey(t))
		site := write(t, dir, "site.yaml", siteYAML)
		for range 2 {
			if got, want := succeed(t, environ, "apply", "-f", site, "--dry-run"), created+"dry run: nothing was written\n"; got != want {
				t.Errorf("the dry run says\n%s", got)
			}
		}
		if got := fetch(t, url+"/v3/tenants?show_draft=true"); len(got) != 0 {
			t.Errorf("after the dry run there are tenants: %v", got)
		}
		if got := succeed(t, environ, "apply", "-f", site); got != created {
			t.Errorf("apply says\n%s", got)
		}
		if got := succeed(t, environ, "apply", "-f", site); got != "nothing to do\n" {
			t.Errorf("the second apply says\n%s", got)
		}
		exported := write(t, dir, "exported.yaml", succeed(t, environ, "export"))
		if got := succeed(t, environ, "apply", "-f", exported); got != "nothing to do\n" {
			t.Errorf("applying the export says\n%s", got)
		}
		activate := write(t, dir, "dev.yaml",
			"tenants: [{tenant_id: dev, status: active, public_key_file: root.pem, description: For us.}]")
		if got, want := succeed(t, environ, "apply", "-f",
			activate), "update tenant dev: status, public_key, description\n"; got != want {
			t.Errorf("the update says\n%s", got)
		}
		sees := func() bool { return len(fetch(t, url+"/v3/tenants")) == 2 }
		for start := time.Now(); !sees(); time.Sleep(50 * time.Millisecond) {
			if time.Since(start) > 2*time.Second {
				t.Fatal("the served list is the old one after two seconds")
			}
		}
		dev := fetch(t, url+"/v3/tenants?select=tenant_id,description,last_updated_by")[0]
		if dev["description"] != "For us." || dev["last_updated_by"] != "apply@root" {
			t.Errorf("the tenant is %v", dev)
		}
		moved := write(t, dir, "moved.yaml", "tenants:\n- tenant_id: dev\n  base_url: https://elsewhere.example.org\n")
		status, stdout, stderr := call(t, environ, "apply", "-f", moved)
		want := "tenants: " + moved + ":2: tenants[0] (dev): The field base_url of an existing tenant cannot be changed; " +
			"it is https://dev.tapis.example.org.\n"
		if status != 1 || stdout != "" || stderr != want {
			t.Errorf("moving a tenant: status %d, stdout %q, stderr %q", status, stdout, stderr)
		}
	})
}
