package deploy

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// jail is a root that holds what a program's image holds and what a container
// adds, and nothing else. Its file system is read-only and its user has no
// rights, like a container's.
type jail struct {
	program string
	root    string
	mounts  []mount
	env     []string
}

// mount is a file or folder of this machine in the jail.
type mount struct {
	source, target string
	writable       bool
}

// enter is run by sh in a mount namespace of its own. Its arguments: the root,
// then source, target and ro or rw of each mount, then -- and the command.
const enter = `
root=$1; shift
mount --bind "$root" "$root"
mount -o remount,bind,ro,nosuid,nodev "$root"
while [ "$1" != -- ]; do
  mount --bind "$1" "$root$2"
  mount -o "remount,bind,$3,nosuid,nodev" "$root$2"
  shift 3
done
shift
exec chroot --userspec=65532:65532 --groups= "$root" "$@"
`

// newJail makes the root that a program's Dockerfile describes.
func newJail(t testing.TB, program string) *jail {
	t.Helper()
	needRoot(t)
	j := &jail{program: program, root: filepath.Join(tempDir(t), "root"), env: []string{"PATH=/"}}
	all := stages(t, "deploy/docker/"+program+".Dockerfile")
	for _, c := range commands[*instructions.CopyCommand](all[len(all)-1]) {
		from := c.SourcePaths[0]
		if from == "/out/"+program {
			from = binary(t, program)
		}
		write(t, filepath.Join(j.root, c.DestPath), read(t, from))
	}
	if err := os.Chmod(filepath.Join(j.root, program), 0o755); err != nil {
		t.Fatal(err)
	}
	return j
}

// add mounts a file or folder; what it is mounted on is made.
func (j *jail) add(t testing.TB, m mount) {
	t.Helper()
	info, err := os.Stat(m.source)
	if err != nil {
		t.Fatal(err)
	}
	if info.IsDir() {
		if err := os.MkdirAll(filepath.Join(j.root, m.target), 0o755); err != nil {
			t.Fatal(err)
		}
	} else {
		write(t, filepath.Join(j.root, m.target), "")
	}
	j.mounts = append(j.mounts, m)
}

// folder adds a folder that the program may write to.
func (j *jail) folder(t testing.TB, target string) string {
	t.Helper()
	dir := tempDir(t)
	if err := os.Chown(dir, 65532, 65532); err != nil {
		t.Fatal(err)
	}
	j.add(t, mount{dir, target, true})
	return dir
}

// argv returns the command that runs the program in the jail.
func (j *jail) argv(args ...string) []string {
	line := []string{"unshare", "--mount", "--", "setpriv", "--no-new-privs", "--", "sh", "-euc", enter, "sh", j.root}
	for _, m := range j.mounts {
		mode := "ro"
		if m.writable {
			mode = "rw"
		}
		line = append(line, m.source, m.target, mode)
	}
	return append(append(line, "--", "/"+j.program), args...)
}

// command returns the program in the jail, with env besides the jail's.
func (j *jail) command(env []string, args ...string) *exec.Cmd {
	line := j.argv(args...)
	cmd := exec.Command(line[0], line[1:]...)
	// The tools that enter the jail are found in this machine's PATH.
	cmd.Env = append(slices.Concat(j.env, env), "PATH="+os.Getenv("PATH"))
	return cmd
}

func TestTheJailIsEmptyAndReadOnly(t *testing.T) {
	j := newJail(t, "tenants")
	if err := os.Chmod(j.root, 0o777); err != nil { // were it writable, it would be for everybody
		t.Fatal(err)
	}
	j.folder(t, "/data")
	for where, works := range map[string]bool{"/x.db": false, "/data/x.db": true} {
		out, err := j.command([]string{"GATEHOUSE_DATABASE_URL=sqlite:" + where}, "migrate").CombinedOutput()
		if (err == nil) != works {
			t.Errorf("migrate %s: %v, %s", where, err, out)
		}
	}
	var files []string
	err := filepath.WalkDir(j.root, func(name string, entry fs.DirEntry, err error) error {
		if !entry.IsDir() {
			files = append(files, strings.TrimPrefix(name, j.root))
		}
		return err
	})
	if err != nil || !slices.Equal(files, []string{"/etc/ssl/certs/ca-certificates.crt", "/tenants"}) {
		t.Errorf("the jail holds %q (%v)", files, err)
	}
	cmd := j.command(nil, "version")
	if out := succeed(t, cmd); !strings.Contains(out, version) {
		t.Errorf("version says %q, want %s", out, version)
	}
}

// health runs the health check of the program's image.
func (j *jail) health(t testing.TB, env []string) error {
	t.Helper()
	all := stages(t, "deploy/docker/"+j.program+".Dockerfile")
	test := last[*instructions.HealthCheckCommand](t, all[len(all)-1]).Health.Test
	if test[1] != "/"+j.program {
		t.Fatalf("the health check is %q", test)
	}
	if out, err := j.command(env, test[2:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func TestEachProgramRunsInAnEmptyRootWithoutRights(t *testing.T) {
	tenants := newJail(t, "tenants")
	tenants.folder(t, "/data")
	registry := freeAddr(t)
	tenants.env = append(tenants.env, "GATEHOUSE_DATABASE_URL=sqlite:/data/tenants.db", "GATEHOUSE_LISTEN="+registry)

	authenticator := newJail(t, "authenticator")
	authenticator.folder(t, "/data")
	key := filepath.Join(tempDir(t), "master-key")
	write(t, key, succeed(t, exec.Command("openssl", "rand", "-hex", "32")))
	authenticator.add(t, mount{key, "/run/secrets/master-key", false})
	authenticator.env = append(authenticator.env, "GATEHOUSE_DATABASE_URL=sqlite:/data/authenticator.db",
		"GATEHOUSE_LISTEN="+freeAddr(t), "GATEHOUSE_MASTER_KEY_FILE=/run/secrets/master-key", "GATEHOUSE_SITE_ID=main",
		"GATEHOUSE_REGISTRY_URL=http://"+registry)

	for _, j := range []*jail{tenants, authenticator} {
		if err := j.health(t, nil); err == nil {
			t.Errorf("%s is healthy before it runs", j.program)
		}
		succeed(t, j.command(nil, "migrate"))
	}
	tenants.env = append(tenants.env, "GATEHOUSE_ADMIN_PUBLIC_KEY="+succeed(t, authenticator.command(nil, "keys", "init", "admin")),
		"GATEHOUSE_SITE_ID=main", "GATEHOUSE_ADMIN_BASE_URL=https://admin.example.org",
		"GATEHOUSE_OWNER_EMAIL=ops@example.org", "GATEHOUSE_OWNER_NAME=Ops", "GATEHOUSE_OWNER_INSTITUTION=Example")

	var running []*process
	for _, j := range []*jail{authenticator, tenants} { // in any order
		running = append(running, start(t, j.command(nil, "serve")))
	}
	for i, j := range []*jail{authenticator, tenants} {
		await(t, running[i], j.program+" is healthy", func() bool { return j.health(t, nil) == nil })
		status := read(t, fmt.Sprintf("/proc/%d/status", running[i].cmd.Process.Pid))
		for _, line := range []string{
			"Uid:\t65532\t65532\t65532\t65532\n", "Gid:\t65532\t65532\t65532\t65532\n", "CapPrm:\t0000000000000000\n", "NoNewPrivs:\t1\n",
		} {
			if !strings.Contains(status, line) {
				t.Errorf("%s does not run with %q:\n%s", j.program, line, status)
			}
		}
	}
	if resp, _ := do(t, "GET", "http://"+registry+"/v3/tenants", ""); resp.StatusCode != http.StatusOK {
		t.Errorf("the registry answers %s", resp.Status)
	}
	for _, p := range running {
		if err := p.stop(t, syscall.SIGTERM); err != nil {
			t.Errorf("%v ends with %v", p.cmd.Args, err)
		}
	}
}
