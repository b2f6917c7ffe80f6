package deploy

import (
	"context"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"sigs.k8s.io/yaml"
)

// composed loads docker-compose.yml as compose does, schema and all.
func composed(t testing.TB) *types.Project {
	t.Helper()
	project, err := loader.LoadWithContext(context.Background(), types.ConfigDetails{
		WorkingDir:  top,
		ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(top, "docker-compose.yml")}},
		Environment: types.Mapping{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// ours are the services that run our programs, and which.
var ours = map[string]string{
	"tenants": "tenants", "tenants-migrations": "tenants",
	"authenticator": "authenticator", "authenticator-migrations": "authenticator",
}

func TestComposeStartsTheWholeArrangement(t *testing.T) {
	project := composed(t)
	want := []string{"authenticator", "authenticator-migrations", "nginx", "openldap", "postgres", "tenants", "tenants-migrations"}
	if got := keysOf(project.Services); !slices.Equal(got, want) || project.Name != "gatehouse" {
		t.Errorf("project %s has the services %q, want %q", project.Name, got, want)
	}
	for _, edge := range []struct{ service, waits, condition string }{
		{"tenants-migrations", "postgres", types.ServiceConditionHealthy},
		{"authenticator-migrations", "postgres", types.ServiceConditionHealthy},
		{"tenants", "tenants-migrations", types.ServiceConditionCompletedSuccessfully},
		{"authenticator", "authenticator-migrations", types.ServiceConditionCompletedSuccessfully},
		{"nginx", "tenants", types.ServiceConditionHealthy},
		{"nginx", "authenticator", types.ServiceConditionHealthy},
	} {
		d, found := project.Services[edge.service].DependsOn[edge.waits]
		if !found || d.Condition != edge.condition || !d.Required || edge.service == "nginx" && !d.Restart {
			t.Errorf("%s waits for %s: %v", edge.service, edge.waits, d)
		}
	}
	// The programs start in any order.
	if _, found := project.Services["authenticator"].DependsOn["tenants"]; found {
		t.Error("the authenticator waits for the registry")
	}
}

func TestComposeServicesHaveNoRights(t *testing.T) {
	project := composed(t)
	for name, s := range project.Services {
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || len(s.CapAdd) > 0 || s.Privileged ||
			!slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.NetworkMode != "" || s.Pid != "" ||
			s.Ipc != "" || len(s.Devices) > 0 {
			t.Errorf("%s may do more than it must", name)
		}
		if user, _, _ := strings.Cut(s.User, ":"); user == "" || user == "root" || user == "0" {
			t.Errorf("%s runs as %q", name, s.User)
		}
		if s.Build == nil && !pinned.MatchString(s.Image) {
			t.Errorf("%s runs %s", name, s.Image)
		}
		if s.Build != nil {
			file := filepath.Join(s.Build.Context, s.Build.Dockerfile)
			rel, err := filepath.Rel(top, file)
			if err != nil || !slices.Contains(dockerfiles, rel) {
				t.Errorf("%s is built from %s", name, file)
			}
			all := stages(t, file)
			if user := last[*instructions.UserCommand](t, all[len(all)-1]).User; user != s.User {
				t.Errorf("%s runs as %s, its image as %s", name, s.User, user)
			}
		}
		job := s.Restart == types.RestartPolicyNo
		switch {
		case job && (s.HealthCheck == nil || !s.HealthCheck.Disable):
			t.Errorf("%s ends and has a health check", name)
		case !job && s.Restart != types.RestartPolicyUnlessStopped:
			t.Errorf("%s is restarted %q", name, s.Restart)
		case !job && s.HealthCheck == nil && s.Build == nil: // what is built has its own
			t.Errorf("%s has no health check", name)
		}
		for _, p := range s.Ports {
			if name != "nginx" || p.HostIP != "127.0.0.1" {
				t.Errorf("%s is open on %s:%s", name, p.HostIP, p.Published)
			}
		}
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				continue
			}
			if _, err := os.Stat(v.Source); err != nil || !v.ReadOnly {
				t.Errorf("%s mounts %s, read-only %t: %v", name, v.Source, v.ReadOnly, err)
			}
		}
	}
	for name := range ours {
		s := project.Services[name]
		if s.Restart != types.RestartPolicyNo && (s.StopGracePeriod == nil || time.Duration(*s.StopGracePeriod) < drain+5*time.Second) {
			t.Errorf("%s has %v to finish", name, s.StopGracePeriod)
		}
	}
	if !project.Networks["data"].Internal || project.Services["nginx"].Networks["data"] != nil {
		t.Error("what holds data can be reached from outside")
	}
	for _, name := range []string{"postgres", "openldap"} {
		if got := keysOf(project.Services[name].Networks); !slices.Equal(got, []string{"data"}) {
			t.Errorf("%s is in the networks %q", name, got)
		}
	}
}

func TestTheProgramsBelieveNginxAlone(t *testing.T) {
	project := composed(t)
	address := project.Services["nginx"].Networks["edge"].Ipv4Address
	pool := project.Networks["edge"].Ipam.Config[0]
	ip, err := netip.ParseAddr(address)
	if err != nil || !netip.MustParsePrefix(pool.Subnet).Contains(ip) || netip.MustParsePrefix(pool.IPRange).Contains(ip) {
		t.Errorf("nginx gets the address %q of %v (%v)", address, pool, err)
	}
	for _, file := range []string{"deploy/docker/tenants.yaml", "deploy/docker/authenticator.yaml"} {
		var settings struct {
			Listen  string
			Proxies []string `json:"trusted_proxies"`
		}
		err := yaml.Unmarshal([]byte(read(t, file)), &settings)
		if err != nil || settings.Listen != ":5000" || !slices.Equal(settings.Proxies, []string{address}) {
			t.Errorf("%s: %v (%v), nginx is %s", file, settings, err, address)
		}
	}
}

func TestNoSecretStandsInTheComposeFile(t *testing.T) {
	project := composed(t)
	for name, s := range project.Services {
		mounted := map[string]bool{}
		for _, secret := range s.Secrets {
			mounted["/run/secrets/"+secret.Source] = true
		}
		for key, value := range s.Environment {
			switch {
			case value == nil:
				t.Errorf("%s takes %s from the environment", name, key)
			case strings.HasSuffix(key, "_FILE"):
				if !mounted[*value] {
					t.Errorf("%s does not mount the secret %s", name, *value)
				}
			case secret.MatchString(key):
				t.Errorf("%s gets %s in the open", name, key)
			}
		}
	}
}

// secrets runs secrets.sh for a new folder.
func secrets(t testing.TB) string {
	t.Helper()
	needProgram(t, "openssl")
	dir := filepath.Join(tempDir(t), "secrets")
	succeed(t, exec.Command(filepath.Join(top, "deploy/docker/secrets.sh"), dir))
	return dir
}

func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || info.Mode() != 0o444 {
			t.Errorf("%s has the mode %v (%v)", entry.Name(), info.Mode(), err)
		}
		all[entry.Name()] = read(t, filepath.Join(dir, entry.Name()))
	}
	return all
}

func TestTheSecretsAreMadeOnce(t *testing.T) {
	project := composed(t)
	dir := secrets(t)
	if info, err := os.Stat(dir); err != nil || info.Mode() != fs.ModeDir|0o700 {
		t.Errorf("others can look into the folder: %v (%v)", info.Mode(), err)
	}
	made := contents(t, dir)
	if !slices.Equal(keysOf(made), keysOf(project.Secrets)) {
		t.Errorf("made %q, mounted are %q", keysOf(made), keysOf(project.Secrets))
	}
	used := map[string]bool{}
	for _, s := range project.Services {
		for _, secret := range s.Secrets {
			used[secret.Source] = true
		}
	}
	values := map[string]string{}
	for name, value := range made {
		if other := values[value]; other != "" || strings.TrimSpace(value) == "" {
			t.Errorf("%s is empty or the same as %s", name, other)
		}
		values[value] = name
		if secret := project.Secrets[name]; secret.File != filepath.Join(top, "deploy/docker/secrets", name) || !used[name] {
			t.Errorf("the secret %s comes from %s, used: %t", name, secret.File, used[name])
		}
	}
	for _, service := range []string{"tenants", "authenticator"} {
		password := strings.TrimSpace(made[service+"-database-password"])
		want := "postgres://" + service + ":" + password + "@postgres:5432/" + service + "?sslmode=disable\n"
		if made[service+"-database-url"] != want {
			t.Errorf("the URL of %s's database has not its password", service)
		}
	}

	if err := os.Remove(filepath.Join(dir, "postgres-password")); err != nil {
		t.Fatal(err)
	}
	if said := succeed(t, exec.Command(filepath.Join(top, "deploy/docker/secrets.sh"), dir)); said != "made postgres-password\n" {
		t.Errorf("a second run says %q", said)
	}
	again := contents(t, dir)
	if again["postgres-password"] == made["postgres-password"] {
		t.Error("the password that was deleted came back")
	}
	delete(again, "postgres-password")
	for name, value := range again {
		if made[name] != value {
			t.Errorf("%s changed", name)
		}
	}
}

func TestWhatComposeMountsIsThereAndPrivateThingsAreIgnored(t *testing.T) {
	project := composed(t)
	for name, config := range project.Configs {
		if path.Ext(config.File) == ".pem" { // made by first.sh
			if path.Dir(config.File) != filepath.Join(top, "deploy/docker/secrets") {
				t.Errorf("%s is %s", name, config.File)
			}
			continue
		}
		if _, err := os.Stat(config.File); err != nil {
			t.Error(err)
		}
	}
	if got := read(t, "deploy/docker/.gitignore"); got != "/secrets/\n" {
		t.Errorf("git ignores %q", got)
	}
}
