package command

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestTheVersionIsTheModulesOrTheCommits(t *testing.T) {
	for name, test := range map[string]struct{ module, revision, modified, want string }{
		"a released module": {"v1.2.3", "0123456789abcdef", "", "v1.2.3"},
		"a commit":          {"(devel)", "0123456789abcdef", "false", "0123456789ab"},
		"a changed commit":  {"", "0123456789abcdef", "true", "0123456789ab-dirty"},
		"a short revision":  {"", "42", "", "42"},
		"nothing known":     {"(devel)", "", "true", "unknown"},
	} {
		info := &debug.BuildInfo{Main: debug.Module{Version: test.module}, Settings: []debug.BuildSetting{
			{Key: "vcs.modified", Value: test.modified}, {Key: "vcs.revision", Value: test.revision},
		}}
		if got := versionOf(info); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestAnOverrideIsTheVersion(t *testing.T) {
	if got := BuildVersion("9.9"); got != "9.9" {
		t.Errorf("BuildVersion = %q, want 9.9", got)
	}
	if got := BuildVersion(""); got == "" || strings.ContainsAny(got, " \n") {
		t.Errorf("BuildVersion = %q, want one word", got)
	}
}

func TestVersionPrintsNameVersionAndGo(t *testing.T) {
	var b strings.Builder
	if err := Version("gate", "1.2").Run(t.Context(), IO{Stdout: &b}, nil); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(b.String(), "gate 1.2 (go1.") || !strings.HasSuffix(b.String(), ")\n") {
		t.Errorf("version prints %q", b.String())
	}
}
