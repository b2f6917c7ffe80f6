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

// publicKey makes one key, once for all tests.
var publicKey = sync.OnceValue(func() string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
})

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
	empty := []string{"GATEHOUSE_DATABASE_URL=sqlite:" + filepath.Join(dir, "empty.db")}
	migrated := []string{"GATEHOUSE_DATABASE_URL=sqlite:" + filepath.Join(dir, "migrated.db")}
	succeed(t, migrated, "migrate")
	bootstrap := func(more ...string) []string {
		return append(append([]string{"GATEHOUSE_SITE_ID=main"}, more...), migrated...)
	}
	nothing := write(t, dir, "nothing.yaml", "tenants: []")
	bad := write(t, dir, "bad.yaml", "tenants: [{tenant_id: a, descriptio: x}]")
	refused := write(t, dir, "refused.yaml", "owners: [{email: nobody, name: a, institution: b}]")
	for name, test := range map[string]struct {
		args    []string
		environ []string
		status  int
		stdout  string
		stderr  string
	}{
		"no command":            {status: 2, stderr: "COMMAND"},
		"help":                  {args: []string{"help"}, stdout: "export"},
		"help on a command":     {args: []string{"apply", "-h"}, stdout: "-dry-run"},
		"version":               {args: []string{"version"}, stdout: "tenants"},
		"unknown command":       {args: []string{"exprot"}, status: 2, stderr: `did you mean "export"?`},
		"no database":           {args: []string{"serve"}, status: 1, stderr: "tenants: database.url: is required; GATEHOUSE_DATABASE_URL or GATEHOUSE_DATABASE_URL_FILE can set it\n"},
		"no database, migrate":  {args: []string{"migrate"}, status: 1, stderr: "database.url"},
		"no database, apply":    {args: []string{"apply", "-f", nothing}, status: 1, stderr: "database.url"},
		"no database, export":   {args: []string{"export"}, status: 1, stderr: "database.url"},
		"no database, probe":    {args: []string{"healthcheck"}, status: 1, stderr: "database.url"},
		"a database of no kind": {args: []string{"serve"}, environ: []string{"GATEHOUSE_DATABASE_URL=mysql://root:hunter2@db"}, status: 1, stderr: "must begin with sqlite: or postgres://"},
		"database away":         {args: []string{"migrate"}, environ: []string{"GATEHOUSE_DATABASE_URL=postgres://u:hunter2@127.0.0.1:1/x"}, status: 1, stderr: "refused"},
		"too many arguments":    {args: []string{"serve", "now"}, environ: migrated, status: 2, stderr: "no arguments"},
		"migrate up":            {args: []string{"migrate", "up"}, environ: migrated, status: 2, stderr: "no arguments"},
		"export to":             {args: []string{"export", "x"}, environ: migrated, status: 2, stderr: "no arguments"},
		"older schema, serve":   {args: []string{"serve"}, environ: empty, status: 1, stderr: "run the migrate command first"},
		"older schema, apply":   {args: []string{"apply", "-f", nothing}, environ: empty, status: 1, stderr: "run the migrate command first"},
		"older schema, export":  {args: []string{"export"}, environ: empty, status: 1, stderr: "run the migrate command first"},
		"migrate again":         {args: []string{"migrate"}, environ: migrated, stdout: "at schema version 2"},
		"a busy port":           {args: []string{"serve"}, environ: append([]string{"GATEHOUSE_LISTEN=" + busy(t)}, migrated...), status: 1, stderr: "address already in use"},
		"nobody there":          {args: []string{"healthcheck"}, environ: append([]string{"GATEHOUSE_LISTEN=127.0.0.1:1"}, migrated...), status: 1, stderr: "not ready"},
		"misspelt variable":     {args: []string{"serve"}, environ: append([]string{"GATEHOUSE_LISTN=x"}, migrated...), status: 1, stderr: "GATEHOUSE_LISTEN"},
		"loud":                  {args: []string{"config", "validate"}, environ: append([]string{"GATEHOUSE_LOG_LEVEL=loud"}, migrated...), status: 1, stderr: "log_level: must be"},
		"config":                {args: []string{"config", "validate"}, environ: migrated, stdout: "valid"},
		"config shown":          {args: []string{"config", "print"}, environ: []string{"GATEHOUSE_DATABASE_URL=postgres://u:hunter2@db/x"}, stdout: "url: '********'"},

		"apply nothing":         {args: []string{"apply"}, environ: migrated, status: 2, stderr: "apply takes -f FILE"},
		"apply without flag":    {args: []string{"apply", nothing}, environ: migrated, status: 2, stderr: "apply takes -f FILE"},
		"apply two":             {args: []string{"apply", "-f", nothing, nothing}, environ: migrated, status: 2, stderr: "apply takes -f FILE"},
		"apply what is gone":    {args: []string{"apply", "-f", nothing + "x"}, environ: migrated, status: 1, stderr: nothing + "x cannot be read: no such file"},
		"apply an empty list":   {args: []string{"apply", "-f", nothing}, environ: migrated, stdout: "nothing to do\n"},
		"apply what is bad":     {args: []string{"apply", "-f", bad}, environ: migrated, status: 1, stderr: bad + ":1: tenants[0] (a) has the unknown key descriptio; did you mean description?\n"},
		"apply what is refused": {args: []string{"apply", "--dry-run", "-f", refused}, environ: migrated, status: 1, stderr: refused + ":1: owners[0] (nobody): The field email must be an e-mail address.\n"},

		"a password for nobody":     {args: []string{"config", "validate"}, environ: append([]string{"GATEHOUSE_SERVICE_PASSWORD=hunter2"}, migrated...), status: 1, stderr: "authenticator.url: is required with service_password"},
		"an authenticator unlocked": {args: []string{"config", "validate"}, environ: append([]string{"GATEHOUSE_AUTHENTICATOR_URL=http://a:5000"}, migrated...), status: 1, stderr: "authenticator.service_password: is required with url"},
		"an authenticator's path":   {args: []string{"config", "validate"}, environ: append([]string{"GATEHOUSE_AUTHENTICATOR_URL=http://a/v3", "GATEHOUSE_SERVICE_PASSWORD=hunter2"}, migrated...), status: 1, stderr: "authenticator.url: must be an http or https URL"},
		"an authenticator":          {args: []string{"config", "validate"}, environ: append([]string{"GATEHOUSE_AUTHENTICATOR_URL=http://a:5000/", "GATEHOUSE_SERVICE_PASSWORD=hunter2"}, migrated...), stdout: "valid"},
		"bootstrap of half a site":  {args: []string{"serve"}, environ: bootstrap("GATEHOUSE_OWNER_NAME=Ops"), status: 1, stderr: "bootstrap.admin_base_url: is required with site_id\ntenants: bootstrap.owner_email"},
		"bootstrap with two keys": {args: []string{"config", "validate"}, environ: bootstrap("GATEHOUSE_ADMIN_PUBLIC_KEY=x", "GATEHOUSE_ADMIN_PUBLIC_KEY_FILE=y",
			"GATEHOUSE_ADMIN_BASE_URL=https://admin.example.org", "GATEHOUSE_OWNER_EMAIL=a@b", "GATEHOUSE_OWNER_NAME=a", "GATEHOUSE_OWNER_INSTITUTION=b"), status: 1, stderr: "cannot be given beside"},
		"bootstrap without its key": {args: []string{"config", "validate"}, environ: bootstrap("GATEHOUSE_ADMIN_PUBLIC_KEY_FILE="+dir+"/gone",
			"GATEHOUSE_ADMIN_BASE_URL=https://admin.example.org", "GATEHOUSE_OWNER_EMAIL=a@b", "GATEHOUSE_OWNER_NAME=a", "GATEHOUSE_OWNER_INSTITUTION=b"), status: 1, stderr: "admin_public_key_file: open " + dir + "/gone"},
		"bootstrap by a rule": {args: []string{"config", "validate"}, environ: bootstrap(
			"GATEHOUSE_ADMIN_BASE_URL=https://admin.example.org/", "GATEHOUSE_OWNER_EMAIL=a@b", "GATEHOUSE_OWNER_NAME=a", "GATEHOUSE_OWNER_INSTITUTION=b"), status: 1, stderr: "bootstrap: The field admin_base_url must be"},
		"bootstrap without a key": {args: []string{"serve"}, environ: bootstrap(
			"GATEHOUSE_ADMIN_BASE_URL=https://admin.example.org", "GATEHOUSE_OWNER_EMAIL=a@b", "GATEHOUSE_OWNER_NAME=a", "GATEHOUSE_OWNER_INSTITUTION=b"), status: 1, stderr: "no public key is configured"},
	} {
		t.Run(name, func(t *testing.T) {
			status, stdout, stderr := call(t, test.environ, test.args...)
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

// busy returns an address that somebody else listens on.
func busy(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// served runs the program's serve until the test ends or stop is called,
// which checks that it ended well.
func served(t *testing.T, environ []string) (url string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	environ = append([]string{"GATEHOUSE_LISTEN=" + address}, environ...)
	ctx, cancel := context.WithCancel(t.Context())
	var stdout, stderr bytes.Buffer
	done := make(chan int, 1)
	go func() { done <- run(ctx, []string{"serve"}, environ, &stdout, &stderr) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if status := <-done; status != 0 {
			t.Errorf("serve ended with status %d: %s", status, &stderr)
		}
	})
	t.Cleanup(stop)
	for range 250 {
		if status, _, _ := call(t, environ, "healthcheck"); status == 0 {
			return "http://" + address, stop
		}
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	t.Fatalf("the server does not become ready: %s", &stderr)
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

func TestBootstrapMakesARegistryThatIsServed(t *testing.T) {
	each(t, func(t *testing.T, environ []string) {
		environ = append(environ, "GATEHOUSE_SITE_ID=main", "GATEHOUSE_ADMIN_BASE_URL=https://admin.tapis.example.org",
			"GATEHOUSE_ADMIN_PUBLIC_KEY_FILE="+write(t, t.TempDir(), "admin.pem", publicKey()), "GATEHOUSE_SITE_SERVICES=tokens,tenants",
			"GATEHOUSE_OWNER_EMAIL=ops@example.org", "GATEHOUSE_OWNER_NAME=Ops", "GATEHOUSE_OWNER_INSTITUTION=Example")
		if got := succeed(t, environ, "migrate"); got != "The tenants database is at schema version 2.\n" {
			t.Errorf("migrate says %q", got)
		}
		for range 2 { // a second start finds everything there
			url, stop := served(t, environ)
			sites, tenants := fetch(t, url+"/v3/sites"), fetch(t, url+"/v3/tenants")
			if len(sites) != 1 || sites[0]["tenant_base_url_template"] != "https://${tenant_id}.tapis.example.org" || fmt.Sprint(sites[0]["services"]) != "[tokens tenants]" {
				t.Errorf("the sites are %v", sites)
			}
			if len(tenants) != 1 || tenants[0]["tenant_id"] != "admin" || tenants[0]["token_service"] != "https://admin.tapis.example.org/v3/tokens" ||
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
  - {ldap_id: people, url: ldaps://ldap.example.org, port: 636, use_ssl: true, user_dn: ou=p, bind_dn: cn=r, bind_credential: ldap.people, account_type: user}
tenants:
  - {tenant_id: root, base_url: https://root.tapis.example.org, site_id: main, owner: ops@example.org, admin_user: root, status: active, public_key_file: root.pem}
  - {tenant_id: dev, base_url: https://dev.tapis.example.org, site_id: main, owner: ops@example.org, admin_user: ada, user_ldap_connection_id: people}
`

const created = "create site main\ncreate owner ops@example.org\ncreate ldap people\ncreate tenant root\ncreate tenant dev\n"

func TestARegistryIsFilledAndChangedByApply(t *testing.T) {
	each(t, func(t *testing.T, environ []string) {
		succeed(t, environ, "migrate")
		url, _ := served(t, environ)
		dir := t.TempDir()
		write(t, dir, "root.pem", publicKey())
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
		activate := write(t, dir, "dev.yaml", "tenants: [{tenant_id: dev, status: active, public_key_file: root.pem, description: For us.}]")
		if got, want := succeed(t, environ, "apply", "-f", activate), "update tenant dev: status, public_key, description\n"; got != want {
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
		if want := "tenants: " + moved + ":2: tenants[0] (dev): The field base_url of an existing tenant cannot be changed; it is https://dev.tapis.example.org.\n"; status != 1 || stdout != "" || stderr != want {
			t.Errorf("moving a tenant: status %d, stdout %q, stderr %q", status, stdout, stderr)
		}
	})
}
