package deploy

import (
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

var (
	dockerfiles = []string{
		"deploy/docker/tenants.Dockerfile", "deploy/docker/authenticator.Dockerfile", "deploy/docker/openldap/Dockerfile",
	}

	// pinned is an image with a version of at least two numbers, or a digest.
	pinned   = regexp.MustCompile(`^[a-z0-9./-]+(:v?[0-9]+\.[0-9]+[A-Za-z0-9.-]*|@sha256:[0-9a-f]{64})$`)
	ordinary = regexp.MustCompile(`^[1-9][0-9]{3,}:[1-9][0-9]{3,}$`)
	secret   = regexp.MustCompile(`(?i)password|secret|token|credential|key|_url`)
)

// stages parses a Dockerfile as the builder does.
func stages(t testing.TB, file string) []instructions.Stage {
	t.Helper()
	parsed, err := parser.Parse(strings.NewReader(read(t, file)))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range parsed.Warnings {
		t.Errorf("%s: %s", file, w.Short)
	}
	all, args, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if len(args) > 0 {
		t.Errorf("%s: the base image depends on an argument", file)
	}
	return all
}

// commands returns the commands of one kind in a stage.
func commands[C any](stage instructions.Stage) []C {
	var found []C
	for _, command := range stage.Commands {
		if c, ok := command.(C); ok {
			found = append(found, c)
		}
	}
	return found
}

// last returns the command of a kind that counts.
func last[C any](t testing.TB, stage instructions.Stage) C {
	t.Helper()
	found := commands[C](stage)
	if len(found) == 0 {
		var none C
		t.Fatalf("there is no %T", none)
	}
	return found[len(found)-1]
}

func TestImagesAreBuiltFromPinnedBasesForAnOrdinaryUser(t *testing.T) {
	for _, file := range dockerfiles {
		t.Run(file, func(t *testing.T) {
			all := stages(t, file)
			var names []string
			for _, stage := range all {
				if stage.BaseName != "scratch" && !slices.Contains(names, stage.BaseName) && !pinned.MatchString(stage.BaseName) {
					t.Errorf("the base %s is not pinned to a version", stage.BaseName)
				}
				names = append(names, stage.Name)
				if len(commands[*instructions.AddCommand](stage)) > 0 {
					t.Error("ADD fetches and unpacks what COPY would not")
				}
				var kept []string
				for _, env := range commands[*instructions.EnvCommand](stage) {
					for _, pair := range env.Env {
						kept = append(kept, pair.Key)
					}
				}
				for _, arg := range commands[*instructions.ArgCommand](stage) {
					for _, pair := range arg.Args {
						kept = append(kept, pair.Key)
					}
				}
				if i := slices.IndexFunc(kept, secret.MatchString); i >= 0 {
					t.Errorf("the image keeps %s", kept[i])
				}
			}
			final := all[len(all)-1]
			if user := last[*instructions.UserCommand](t, final).User; !ordinary.MatchString(user) {
				t.Errorf("it runs as %q", user)
			}
			if entry := last[*instructions.EntrypointCommand](t, final); entry.PrependShell || len(entry.CmdLine) == 0 {
				t.Errorf("the entry point %q wants a shell, which would not pass signals on", entry.CmdLine)
			}
			if health := last[*instructions.HealthCheckCommand](t, final).Health; health.Test[0] != "CMD" {
				t.Errorf("the health check %q wants a shell", health.Test)
			}
		})
	}
}

func TestTheProgramsImagesHoldTheProgramAndAuthoritiesOnly(t *testing.T) {
	for _, program := range []string{"tenants", "authenticator"} {
		t.Run(program, func(t *testing.T) {
			all := stages(t, "deploy/docker/"+program+".Dockerfile")
			final := all[len(all)-1]
			if final.BaseName != "scratch" || len(commands[*instructions.RunCommand](final)) > 0 {
				t.Errorf("the image begins with %s and runs commands", final.BaseName)
			}
			var copies []string
			for _, c := range commands[*instructions.CopyCommand](final) {
				copies = append(copies, strings.Join(c.SourcePaths, " ")+" "+c.DestPath)
			}
			want := []string{"/etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt", "/out/" + program + " /" + program}
			if !slices.Equal(copies, want) {
				t.Errorf("it copies %q, want %q", copies, want)
			}
			arguments := last[*instructions.CmdCommand](t, final)
			for _, c := range []struct{ got, want []string }{
				{last[*instructions.EntrypointCommand](t, final).CmdLine, []string{"/" + program}},
				{arguments.CmdLine, []string{"serve"}},
				{last[*instructions.HealthCheckCommand](t, final).Health.Test, []string{"CMD", "/" + program, "healthcheck"}},
				{last[*instructions.ExposeCommand](t, final).Ports, []string{"5000"}},
			} {
				if !slices.Equal(c.got, c.want) || arguments.PrependShell {
					t.Errorf("the image says %q, want %q", c.got, c.want)
				}
			}
		})
	}
}

func dockerignore() (*patternmatcher.PatternMatcher, error) {
	patterns, err := os.Open(filepath.Join(top, ".dockerignore"))
	if err != nil {
		return nil, err
	}
	defer patterns.Close()
	list, err := ignorefile.ReadAll(patterns)
	if err != nil {
		return nil, err
	}
	return patternmatcher.New(list)
}

// buildContext copies what .dockerignore lets through, once for all tests.
var buildContext = sync.OnceValues(func() (string, error) {
	ignored, err := dockerignore()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(shared, "context")
	if err != nil {
		return "", err
	}
	return dir, filepath.WalkDir(top, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == top {
			return err
		}
		rel, err := filepath.Rel(top, name)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if strings.HasPrefix(rel, ".") || rel == "test" {
				return fs.SkipDir // large, and checked by the test below
			}
			return nil
		}
		if out, err := ignored.MatchesOrParentMatches(rel); err != nil || out {
			return err
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(rel)), 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, rel), content, 0o644)
	})
})

func TestNothingButSourcesReachesABuild(t *testing.T) {
	dir, err := buildContext()
	if err != nil {
		t.Fatal(err)
	}
	tops := map[string]bool{}
	err = filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, name)
		if strings.HasSuffix(rel, "_test.go") || strings.HasPrefix(path.Base(rel), ".") && rel != "." {
			t.Errorf("%s reaches the build", rel)
		}
		if first, _, _ := strings.Cut(rel, "/"); first != "." {
			tops[first] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range tops {
		if !slices.Contains([]string{"api", "cmd", "go.mod", "go.sum", "internal", "migrations", "web"}, name) {
			t.Errorf("%s reaches the build", name)
		}
	}
	ignored, err := dockerignore()
	if err != nil {
		t.Fatal(err)
	}
	for _, private := range []string{
		".git/config", "data/master-key", "deploy/docker/secrets/master-key", "test/all.sh", ".env", "bin/tenants",
	} {
		if out, err := ignored.MatchesOrParentMatches(private); err != nil || !out {
			t.Errorf("%s would reach the build (%v)", private, err)
		}
	}
}

// built are the programs as the Dockerfiles build them, made once.
var built = map[string]func() (string, error){"tenants": builder("tenants"), "authenticator": builder("authenticator")}

// version is what the builds are told to be.
const version = "1.2.3-test"

func builder(program string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		dir, err := buildContext()
		if err != nil {
			return "", err
		}
		text, err := os.ReadFile(filepath.Join(top, "deploy/docker", program+".Dockerfile"))
		if err != nil {
			return "", err
		}
		line := regexp.MustCompile(`(?m)^RUN (.*go build.*)$`).FindSubmatch(text)
		if line == nil {
			return "", os.ErrNotExist
		}
		out := filepath.Join(shared, "out")
		cmd := exec.Command("sh", "-c", strings.ReplaceAll(string(line[1]), "/out/", out+"/"))
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "VERSION="+version)
		if said, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%w\n%s", err, said)
		}
		return filepath.Join(out, program), nil
	})
}

// binary returns the path of a program as its Dockerfile builds it.
func binary(t testing.TB, program string) string {
	t.Helper()
	file, err := built[program]()
	if err != nil {
		t.Fatalf("build %s: %v", program, err)
	}
	return file
}

func TestTheProgramsAreStatic(t *testing.T) {
	for program := range built {
		f, err := elf.Open(binary(t, program))
		if err != nil {
			t.Fatal(err)
		}
		libraries, err := f.ImportedLibraries()
		if err != nil || len(libraries) > 0 {
			t.Errorf("%s wants the libraries %q (%v)", program, libraries, err)
		}
		for _, segment := range f.Progs {
			if segment.Type == elf.PT_INTERP {
				t.Errorf("%s wants a loader", program)
			}
		}
		_ = f.Close()
	}
}

// shared is a folder for all tests of this run.
var shared string

func TestMain(m *testing.M) {
	// Where Debian has nginx, slapd and chroot, for those who are not root too.
	if err := os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin"); err != nil {
		panic(err)
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "gatehouse-deploy")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		if err := os.Chmod(dir, 0o755); err != nil {
			panic(err)
		}
		shared = dir
		return m.Run()
	}())
}
