package e2e

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"gatehouse/internal/testlog"
)

func TestThePrintedCurlLineGetsAToken(t *testing.T) {
	g := start(t)
	line := g.printed(t, "curl ")[0]
	out, err := exec.CommandContext(t.Context(), "bash", "-c", line).Output()
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	var reply struct {
		Result tokens `json:"result"`
	}
	if err := json.Unmarshal(out, &reply); err != nil || reply.Result.Access.Token == "" {
		t.Fatalf("the printed line got no token (%v): %s", err, line)
	}
	testlog.Secret(t, reply.Result.Access.Token)
	g.username(t, reply.Result.Access.Token)
}

func TestThePrintedPythonGetsAToken(t *testing.T) {
	g := start(t)
	lines := g.printed(t, "from tapipy")
	if len(lines) != 3 {
		t.Fatalf("%d lines of Python are printed, want 3: %q", len(lines), lines)
	}
	script := strings.Join(lines, "\n") + `
print()
print([v.access_token.access_token for v in list(globals().values()) if isinstance(v, Tapis)][0])
`
	out, err := exec.CommandContext(t.Context(), python(t), "-c", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	printed := strings.Split(strings.TrimSpace(string(out)), "\n")
	token := printed[len(printed)-1]
	testlog.Secret(t, token)
	g.username(t, token)
}

// printed returns the lines of the banner from the one that begins with start
// to the end of its paragraph, without their indentation.
func (g *gatehouse) printed(t *testing.T, start string) []string {
	t.Helper()
	var found []string
	for line := range strings.Lines(g.stdout.String()) {
		line = strings.TrimSpace(line)
		switch {
		case len(found) == 0 && !strings.HasPrefix(line, start):
		case line == "":
			return found
		default:
			found = append(found, line)
		}
	}
	if len(found) == 0 {
		t.Fatalf("no line of the banner begins with %q:\n%s", start, g.stdout.String())
	}
	return found
}
