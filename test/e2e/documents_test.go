package e2e

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"gatehouse/internal/testlog"
)

// section returns the part of a document below a heading, up to the next of
// the same kind.
func section(t *testing.T, document, heading string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", document))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("%s has no heading %q", document, heading)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	return rest
}

// blocks returns the blocks of code in a text that are marked as a language's.
func blocks(text, language string) []string {
	var found []string
	for {
		_, rest, is := strings.Cut(text, "\n```"+language+"\n")
		if !is {
			return found
		}
		block, rest, _ := strings.Cut(rest, "\n```")
		found, text = append(found, block), rest
	}
}

// steps returns the commands that a text shows, each with the lines that
// continue it.
func steps(t *testing.T, text string) []string {
	t.Helper()
	var found []string
	for _, block := range blocks(text, "console") {
		for line := range strings.Lines(block + "\n") {
			if command, is := strings.CutPrefix(line, "$ "); is {
				found = append(found, command)
			} else if len(found) > 0 && (strings.HasSuffix(found[len(found)-1], "\\\n") || strings.HasPrefix(line, "    ")) {
				found[len(found)-1] += line
			}
		}
	}
	if len(found) == 0 {
		t.Fatalf("no command in:\n%s", text)
	}
	return found
}

// follow carries out the commands of a section of the README in one shell in a
// folder and then its Python in one session. Only the port is another. It
// returns what the answers say and what the session prints.
func follow(t *testing.T, g *gatehouse, heading, dir string, env ...string) (messages []string, printed string) {
	t.Helper()
	text := strings.ReplaceAll(section(t, "README.md", heading), "localhost:8080", "localhost:"+g.port)
	shell := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", strings.Join(steps(t, text), "echo ---\n"))
	shell.Dir, shell.Stderr = dir, os.Stderr
	said, err := shell.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for said := range strings.SplitSeq(string(said), "---\n") {
		if said == "" { // a variable was set, or something was waited for
			continue
		}
		var answer struct{ Status, Message string }
		if err := json.Unmarshal([]byte(said), &answer); err != nil || answer.Status != "success" {
			t.Errorf("a command was answered with %q, %q (%v)", answer.Status, answer.Message, err)
		}
		messages = append(messages, answer.Message)
	}
	session := exec.CommandContext(t.Context(), python(t), "-c", strings.Join(blocks(text, "python"), "\n"))
	session.Env = append(os.Environ(), env...)
	out, err := session.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return messages, strings.TrimSpace(string(out))
}

func TestTheFirstFiveMinutesOfTheReadmeWork(t *testing.T) {
	messages, printed := follow(t, start(t), "Five minutes", "")
	if len(messages) < 4 {
		t.Errorf("%d answers", len(messages))
	}
	if !strings.HasSuffix(printed, "\n1") {
		t.Error("the last line of Python does not print 1, as its comment says")
	}
}

// A tenant is made, opened and signed in to by the commands of the README.
func TestTheReadmeLeadsToATenantOfOnesOwn(t *testing.T) {
	g := start(t)
	env := "http_proxy=" + g.url() // in place of the line in /etc/hosts
	messages, printed := follow(t, g, "A tenant of your own", filepath.Dir(g.dataDir), env)
	if len(messages) != 9 || !strings.HasSuffix(printed, "testadmin@science") {
		t.Errorf("the answers are %q and Python prints %s", messages, printed)
	}
}

// An application is registered and started by the commands of the README, and
// a person signs in to it; what is shown as sh works with what came of that.
func TestTheReadmeLeadsToAnApplicationOfOnesOwn(t *testing.T) {
	g := start(t)
	port := freePort(t)
	text := strings.NewReplacer("localhost:8080", "localhost:"+g.port, "localhost:9999", "localhost:"+port).
		Replace(section(t, "README.md", "An application of your own"))
	commands := steps(t, text)
	shell := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", commands[0]+`printf %s "$KEY"`)
	shell.Env = append(os.Environ(), "JWT="+g.person(t, "testuser1"))
	said, err := shell.Output()
	if err != nil {
		t.Fatal(err)
	}
	key := string(said)
	testlog.Secret(t, key)

	home := filepath.Join("..", "..")
	(&program{t: t, path: "bash", args: []string{"-euc", commands[1]}, dir: home, env: append(os.Environ(), "KEY="+key)}).run()
	listening := func() bool {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}
	for end := time.Now().Add(time.Minute); !listening(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the portal does not listen")
		}
	}
	b := browse(t)
	b.do("sign in to the portal", chromedp.Navigate("http://localhost:"+port), logIn("testuser2"),
		shows("Allow My portal to act for you?"), press("Allow"), shows("Hello Test testuser2"))

	b.do("ask for a code", chromedp.Navigate(blocks(text, "text")[0]), press("Allow"), chromedp.WaitVisible(chromedp.CSS("pre")))
	back, err := url.Parse(see(b, chromedp.Location()))
	if err != nil {
		t.Fatal(err)
	}
	redeem := func(block, placeholder, code string) (says struct {
		IDToken string `json:"id_token"`
		Error   string
	},
	) {
		testlog.Secret(t, code)
		shell := exec.CommandContext(t.Context(), "bash", "-euc", strings.Replace(block, placeholder, code, 1))
		shell.Env = append(os.Environ(), "KEY="+key)
		out, err := shell.Output()
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out, &says); err != nil {
			t.Fatal(err)
		}
		return says
	}
	if says := redeem(blocks(text, "sh")[0], "code=CODE", "code="+back.Query().Get("code")); says.IDToken == "" {
		t.Errorf("the code gives no ID token: %q", says.Error)
	}

	var device struct {
		Code string `json:"device_code"`
	}
	out, err := exec.CommandContext(t.Context(), "bash", "-euc", commands[2]).Output()
	if err != nil || json.Unmarshal(out, &device) != nil {
		t.Fatalf("there is no device code: %v", err)
	}
	if says := redeem(blocks(text, "sh")[1], "DEVICE_CODE", device.Code); says.Error != "authorization_pending" {
		t.Errorf("polling says %q", says.Error)
	}
}

// From two empty databases and a directory to a login, by the commands of the
// README alone.
func TestTheCommandsForACentreLeadToALogin(t *testing.T) {
	s := prepareServices(t, direct)
	bin := filepath.Join(s.dir, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, env := range map[string][]string{"tenants": s.registryEnv, "authenticator": s.issuerEnv} {
		script := "#!/bin/sh\n"
		for _, setting := range env {
			script += "export '" + setting + "'\n"
		}
		s.file(filepath.Join("bin", name), script+"exec "+s.built(name)+" \"$@\"\n")
		if err := os.Chmod(filepath.Join(bin, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	at := map[string]string{"tenants serve": s.registryAt, "authenticator serve": s.issuerAt}
	env := []string{"PATH=" + bin + ":" + os.Getenv("PATH")}
	for _, step := range steps(t, section(t, "README.md", "At a centre")) {
		command, _, _ := strings.Cut(step, "#")
		for serving, addr := range at {
			if strings.HasSuffix(strings.TrimSpace(command), serving) {
				(&program{t: t, path: "bash", args: []string{"-euc", command}, env: env, dir: s.dir}).run()
				s.eventually(serving, func() bool { return s.status("http://"+addr+"/healthz") == http.StatusOK })
				delete(at, serving)
				command = "true"
			}
		}
		shell := exec.CommandContext(t.Context(), "bash", "-euc", command)
		shell.Env, shell.Dir = env, s.dir
		if out, err := shell.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	if len(at) > 0 {
		t.Errorf("the README does not start all programs: %v are left", at)
	}
	s.startNginx(s.dir)
	s.eventually("people can sign in", func() bool { return s.login() == http.StatusOK })
}

func TestTheTargetsOfMakeInTheReadmeExist(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, step := range steps(t, string(text)) {
		command, _, _ := strings.Cut(step, "#")
		if words := strings.Fields(command); words[0] == "make" {
			seen++
			args := append([]string{"--dry-run", "--directory=" + filepath.Join("..", "..")}, words[1:]...)
			dry := exec.CommandContext(t.Context(), "make", args...)
			if out, err := dry.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", command, err, out)
			}
		}
	}
	if seen < 5 {
		t.Errorf("%d commands begin with make", seen)
	}
}
