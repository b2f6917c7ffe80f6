package deploy

import (
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
)

// arrangement is what docker-compose.yml starts, by hand: Postgres and slapd
// as they are installed here, our programs in jails, nginx in front. Only
// addresses differ: of the machines, which compose calls by name, and the
// ports.
type arrangement struct {
	project            *types.Project
	sources            string // a copy of what the commands need of the sources
	bin                string // of the stand-ins for docker and kubectl
	secrets            string // the folder of secrets.sh
	config             string // the folder of the configs, with addresses of here
	database           *url.URL
	directory          string
	registry, issuance string
}

// inNamespace runs a script of the arrangement where files lie as in its
// container: the secrets in /run/secrets, and what setup mounts besides.
func inNamespace(t testing.TB, secrets, setup string, command ...string) *exec.Cmd {
	t.Helper()
	script := `
mount -t tmpfs tmpfs /run
mkdir /run/secrets
cp "$1"/* /run/secrets
shift
` + setup + `
exec setpriv --reuid=65532 --regid=65532 --clear-groups --no-new-privs "$@"
`
	return exec.Command("unshare", append([]string{"--mount", "--", "sh", "-euc", script, "sh", secrets}, command...)...)
}

func arrange(t *testing.T) *arrangement {
	t.Helper()
	needRoot(t)
	needProgram(t, "nginx", "slapd", "psql", "openssl", "curl")
	a := &arrangement{
		project: composed(t), sources: tempDir(t), bin: tempDir(t), config: tempDir(t),
		registry: freeAddr(t), issuance: freeAddr(t), directory: freeAddr(t),
	}
	for _, name := range []string{"first.sh", "secrets.sh"} {
		script(t, filepath.Join(a.sources, "deploy/docker", name), read(t, "deploy/docker/"+name))
	}
	a.secrets = filepath.Join(a.sources, "deploy/docker/secrets")
	for name, text := range engines {
		script(t, filepath.Join(a.bin, name), text)
	}
	return a
}

// begin starts what is not ours, with the secrets that are made by now.
func (a *arrangement) begin(t *testing.T) {
	t.Helper()
	a.startPostgres(t)
	a.startDirectory(t)
	for _, name := range []string{"tenants", "authenticator"} {
		file := filepath.Join(a.secrets, name+"-database-url")
		text := replaced(t, read(t, file), "@postgres:5432/", "@"+a.database.Host+"/")
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		write(t, file, text)
	}
	host, port, _ := net.SplitHostPort(a.directory)
	for name, pairs := range map[string][]string{
		"tenants.yaml":       {"http://authenticator:5000", "http://" + a.issuance},
		"authenticator.yaml": {"http://tenants:5000", "http://" + a.registry},
		"site.yaml":          {"ldaps://openldap\n", "ldaps://" + host + "\n", "port: 1636\n", "port: " + port + "\n"},
	} {
		copied(t, filepath.Join(a.config, name), "deploy/docker/"+name, pairs...)
	}
}

// startPostgres starts a cluster and runs the script of the Postgres image in it.
func (a *arrangement) startPostgres(t *testing.T) {
	t.Helper()
	dir := filepath.Join(tempDir(t), "postgres")
	script := filepath.Join(top, "test/postgres.sh")
	t.Cleanup(func() { _ = exec.Command(script, "stop", dir).Run() })
	address, err := url.Parse(strings.TrimSpace(succeed(t, exec.Command(script, "start", dir))))
	if err != nil {
		t.Fatal(err)
	}
	a.database = address
	initialize := inNamespace(t, a.secrets, "", filepath.Join(top, "deploy/docker/postgres/init.sh"))
	initialize.Env = append(os.Environ(), "PGHOST="+address.Hostname(), "PGPORT="+address.Port(),
		"POSTGRES_USER="+address.User.Username())
	succeed(t, initialize)

	ask := func(user, database string) string {
		u := *address
		u.User, u.Path = url.User(user), "/"+database
		args := []string{"--no-psqlrc", "--tuples-only", "--no-align", "--command=SELECT current_user", u.String()}
		out, err := exec.Command("psql", args...).CombinedOutput()
		if err != nil {
			return "refused: " + string(out)
		}
		return strings.TrimSpace(string(out))
	}
	for _, service := range []string{"tenants", "authenticator"} {
		for _, database := range []string{"tenants", "authenticator", "postgres"} {
			got, denied := ask(service, database), "permission denied for database"
			if (got == service) != (service == database) || got != service && !strings.Contains(got, denied) {
				t.Errorf("%s in the database %s: %s", service, database, got)
			}
		}
	}
}

// startDirectory starts slapd as the image of the test directory does.
func (a *arrangement) startDirectory(t *testing.T) {
	t.Helper()
	installed, err := exec.LookPath("slapd")
	if err != nil {
		t.Fatal(err)
	}
	dir := tempDir(t)
	// A copy, since AppArmor confines the installed program.
	write(t, filepath.Join(dir, "slapd"), read(t, installed))
	if err := os.Chmod(filepath.Join(dir, "slapd"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, pairs := range map[string][]string{
		// Its folder is below one that every machine has.
		"start.sh":   {"ldaps://:1636 ", "ldaps://" + a.directory + " ", "/openldap/", "/run/openldap/"},
		"slapd.conf": nil, "people.ldif": nil,
	} {
		copied(t, filepath.Join(dir, name), "deploy/docker/openldap/"+name, pairs...)
	}
	cmd := inNamespace(t, a.secrets, `
mkdir /run/openldap
cp "$OPENLDAP"/* /run/openldap
mount -t tmpfs -o mode=0700,uid=65532,gid=65532 tmpfs /var/lib/ldap
mount -t tmpfs -o mode=1777 tmpfs /tmp
`, "sh", "/run/openldap/start.sh")
	cmd.Env = append(os.Environ(), "OPENLDAP="+dir, "SLAPD=/run/openldap/slapd")
	p := start(t, cmd)
	await(t, p, "slapd answers", func() bool { return answers(a.directory) })
}

// jail returns the container of a service, as compose would make it.
func (a *arrangement) jail(t testing.TB, service string) *jail {
	t.Helper()
	s := a.project.Services[service]
	j := newJail(t, ours[service])
	for key, value := range s.Environment {
		j.env = append(j.env, key+"="+*value)
	}
	for _, secret := range s.Secrets {
		j.add(t, mount{filepath.Join(a.secrets, secret.Source), "/run/secrets/" + secret.Source, false})
	}
	for _, c := range s.Configs {
		source, from := a.project.Configs[c.Source].File, a.config
		if filepath.Ext(source) == ".pem" {
			from = a.secrets
		}
		j.add(t, mount{filepath.Join(from, filepath.Base(source)), c.Target, false})
	}
	if ours[service] == "tenants" {
		j.env = append(j.env, "GATEHOUSE_LISTEN="+a.registry)
	} else {
		j.env = append(j.env, "GATEHOUSE_LISTEN="+a.issuance)
	}
	return j
}

// The commands of docs/deploy.md, one after the other; what an engine would do
// besides, the test does.
func TestTheDocumentedCommandsLeadToALogin(t *testing.T) {
	a := arrange(t)
	migrate := func(program string) {
		j := a.jail(t, program+"-migrations")
		succeed(t, j.command(nil, a.project.Services[program+"-migrations"].Command...))
	}
	login := func(string) (int, string) { return 0, "" }
	var issuing, serving *process
	var nginx *proxy
	var password, said string
	for _, command := range steps(t, "One machine: Docker Compose") {
		switch {
		case strings.HasPrefix(command, "docker compose build"):
			a.begin(t)
		case strings.HasPrefix(command, "deploy/docker/first.sh"):
			migrate("authenticator")
			a.offer(t, "authenticator")
			a.shell(t, command) // it may run again
		case strings.HasPrefix(command, "docker compose up"):
			migrate("tenants")
			tenants, authenticator := a.offer(t, "tenants"), a.jail(t, "authenticator")
			issuing = start(t, authenticator.command(nil, "serve"))
			serving = start(t, tenants.command(nil, "serve"))
			await(t, serving, "the registry is healthy", func() bool { return tenants.health(t, nil) == nil })
			await(t, issuing, "the authenticator is healthy", func() bool { return authenticator.health(t, nil) == nil })
			nginx = serve(t, map[string][]string{"tenants": {a.registry}, "authenticator": {a.issuance}})
			// The document's address leads to this nginx.
			_, port, _ := net.SplitHostPort(strings.TrimPrefix(nginx.url, "http://"))
			curl, err := exec.LookPath("curl")
			if err != nil {
				t.Fatal(err)
			}
			script(t, filepath.Join(a.bin, "curl"), "#!/bin/sh\nexec "+curl+" --connect-to dev.localhost:8080:127.0.0.1:"+port+" \"$@\"\n")
		case strings.HasPrefix(command, "curl"):
			password = strings.TrimSpace(read(t, filepath.Join(a.secrets, "ldap-people-password")))
			login = func(password string) (int, string) {
				form := url.Values{"grant_type": {"password"}, "username": {"testuser1"}, "password": {password}}
				resp, body := do(t, "POST", nginx.url+"/v3/oauth2/tokens", form.Encode(), "Host", "dev.localhost:8080",
					"Content-Type", "application/x-www-form-urlencoded")
				return resp.StatusCode, body
			}
			// The authenticator asks the registry every few seconds: dev is new to it.
			await(t, issuing, "somebody can sign in", func() bool { status, _ := login(password); return status == http.StatusOK })
		}
		said = a.shell(t, command)
	}
	if status, body := login(password + "x"); status != 400 || !strings.Contains(body, "invalid_grant") {
		t.Errorf("a wrong password: %d, %s", status, body)
	}
	var issued struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(said), &issued); err != nil || issued.Token == "" {
		t.Fatalf("no token: %v, %s", err, said)
	}
	resp, body := do(t, "GET", nginx.url+"/v3/oauth2/userinfo", "", "Host", "dev.localhost:8080", "X-Tapis-Token", issued.Token)
	if resp.StatusCode != http.StatusOK || !strings.Contains(body, "testuser1") {
		t.Errorf("the token's owner: %s, %s", resp.Status, body)
	}
	resp, body = do(t, "GET", nginx.url+"/v3/tenants", "")
	if resp.StatusCode != http.StatusOK || !strings.Contains(body, `"dev"`) || !strings.Contains(body, `"admin"`) {
		t.Errorf("the tenants: %s, %s", resp.Status, body)
	}
	a.writes(t, nginx.url)
	a.kubernetes(t)

	logs := serving.said() + issuing.said() + nginx.said()
	for name, secret := range secretValues(t, a.secrets) {
		if strings.Contains(logs, secret) {
			t.Errorf("%s stands in a log", name)
		}
	}
	if strings.Contains(logs, issued.Token) {
		t.Error("the token stands in a log")
	}
	for _, p := range []*process{issuing, serving, nginx.process} {
		if err := p.stop(t, syscall.SIGTERM); err != nil {
			t.Errorf("%v ends with %v", p.cmd.Args, err)
		}
	}
}

// secretValues are the secrets of the folder that are not public.
func secretValues(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if filepath.Ext(file) != ".pem" {
			all[filepath.Base(file)] = strings.TrimSpace(read(t, file))
		}
	}
	return all
}

// writes checks that the registry finds out who may write to it.
func (a *arrangement) writes(t *testing.T, site string) {
	t.Helper()
	password := strings.TrimSpace(read(t, filepath.Join(a.secrets, "tenants-service-password")))
	send := func(path, body string, headers ...string) (*http.Response, string) {
		headers = append(headers, "Content-Type", "application/json", "X-Tapis-Tenant", "admin", "X-Tapis-User", "tenants")
		return do(t, "POST", site+path, body, headers...)
	}
	resp, body := send("/v3/tokens",
		`{"account_type": "service", "token_tenant_id": "admin", "token_username": "tenants", "target_site_id": "main"}`,
		"Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("tenants:"+password)))
	var issued struct {
		Result struct {
			Access struct {
				Token string `json:"access_token"`
			} `json:"access_token"`
		} `json:"result"`
	}
	if err := json.Unmarshal([]byte(body), &issued); err != nil || issued.Result.Access.Token == "" {
		t.Fatalf("no service token: %s, %v", resp.Status, err)
	}
	resp, body = send("/v3/tenants/owners", `{"email": "new@example.org", "name": "New", "institution": "Example"}`,
		"X-Tapis-Token", issued.Result.Access.Token)
	if resp.StatusCode != http.StatusCreated {
		t.Errorf("an owner is not made: %s, %s", resp.Status, body)
	}
}
