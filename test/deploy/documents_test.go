package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// steps returns the commands below a heading of docs/deploy.md, each with the
// lines that continue it.
func steps(t testing.TB, heading string) []string {
	t.Helper()
	_, text, found := strings.Cut(read(t, "docs/deploy.md"), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("docs/deploy.md has no heading %q", heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	var all []string
	for i, block := range strings.Split(text, "\n```") {
		block, console := strings.CutPrefix(block, "console\n")
		if i%2 == 0 || !console {
			continue
		}
		for line := range strings.Lines(block + "\n") {
			if command, begins := strings.CutPrefix(line, "$ "); begins {
				all = append(all, command)
			} else if len(all) > 0 && strings.HasSuffix(all[len(all)-1], "\\\n") {
				all[len(all)-1] += line
			}
		}
	}
	if len(all) == 0 {
		t.Fatalf("no command below %q", heading)
	}
	return all
}

// engines stand in for docker and kubectl: what they are asked to run in a
// container runs in a script of that program's name, made by offer. What they
// are asked to start, the test starts.
var engines = map[string]string{
	"docker": `#!/bin/sh
set -eu
case "$*" in
"compose build" | "compose up --detach") exit 0 ;;
"compose run --rm --no-TTY authenticator "*) shift 5; exec in-authenticator "$@" ;;
"compose exec tenants /tenants "*) shift 4; exec in-tenants "$@" ;;
esac
echo "nobody stands in for: docker $*" >&2
exit 1
`,
	"kubectl": `#!/bin/sh
set -eu
[ "$1" != -n ] || [ "$2" != tapis ] || shift 2
case "$*" in
"exec deploy/authenticator-api -- /authenticator "*) shift 4; exec in-authenticator "$@" ;;
"exec -i deploy/authenticator-api -- /authenticator "*) shift 5; exec in-authenticator "$@" ;;
"exec deploy/tenants-api -- /tenants "*) shift 4; exec in-tenants "$@" ;;
"apply -k "* | "wait --for="* | "rollout status "* | "delete job "*) exit 0 ;;
esac
echo "nobody stands in for: kubectl $*" >&2
exit 1
`,
}

func script(t testing.TB, path, text string) {
	t.Helper()
	if err := os.Chmod(write(t, path, text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// offer lets the stand-ins run a program in its jail.
func (a *arrangement) offer(t testing.TB, program string) *jail {
	t.Helper()
	j := a.jail(t, program)
	var b strings.Builder
	b.WriteString("#!/bin/sh\nexec env")
	for _, word := range append(append([]string{}, j.env...), "PATH="+os.Getenv("PATH")) {
		b.WriteString(" '" + strings.ReplaceAll(word, "'", `'\''`) + "'")
	}
	for _, word := range j.argv() {
		b.WriteString(" '" + strings.ReplaceAll(word, "'", `'\''`) + "'")
	}
	b.WriteString(" \"$@\"\n")
	script(t, filepath.Join(a.bin, "in-"+program), b.String())
	return j
}

// shell runs a command as it stands in the document, in a copy of the sources.
func (a *arrangement) shell(t testing.TB, command string) string {
	t.Helper()
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", command)
	cmd.Dir, cmd.Env = a.sources, []string{"PATH=" + a.bin + ":" + os.Getenv("PATH")}
	return succeed(t, cmd)
}

// kubernetes runs what the document tells an operator with a cluster, in the
// arrangement that is there already.
func (a *arrangement) kubernetes(t *testing.T) {
	t.Helper()
	write(t, filepath.Join(a.sources, "bind-password"), read(t, filepath.Join(a.secrets, "ldap-bind-password")))
	write(t, filepath.Join(a.sources, "service-password"), read(t, filepath.Join(a.secrets, "tenants-service-password")))
	if err := os.MkdirAll(filepath.Join(a.sources, "site/config"), 0o755); err != nil {
		t.Fatal(err)
	}
	commands := steps(t, "Kubernetes")
	for _, command := range commands {
		a.shell(t, command)
	}
	for _, tenant := range []string{"admin", "science"} {
		if key := read(t, filepath.Join(a.sources, "site/config", tenant+".pem")); !strings.Contains(key, "BEGIN PUBLIC KEY") {
			t.Errorf("the key of %s: %q", tenant, key)
		}
	}
	kustomized(t, func(t *testing.T, m *manifests) {
		for _, word := range strings.Fields(strings.Join(commands, " ")) {
			name, isDeployment := strings.CutPrefix(word, "deploy/")
			if isDeployment && m.deployments[name] == nil {
				t.Errorf("there is no Deployment %s", name)
			}
			if name := strings.TrimPrefix(word, "job/"); strings.HasSuffix(name, "-migrations") && m.jobs[name] == nil {
				t.Errorf("there is no Job %s", name)
			}
		}
	})
}
