package command

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestTheVersionIsTheModulesOrTheCommits(t *testing.T) {
	setting := func(key, value string) debug.BuildSetting { return debug.BuildSetting{Key: key, Value: value} }
	tests := []struct {
		name     string
		module   string
		settings []debug.BuildSetting
		want     string
	}{
		{"a released module", "v1.2.3", []debug.BuildSetting{setting("vcs.revision", "0123456789abcdef")}, "v1.2.3"},
		{
			"a commit", "(devel)",
			[]debug.BuildSetting{setting("vcs.revision", "0123456789abcdef"), setting("vcs.modified", "false")},
			"0123456789ab",
		},
		{
			"a changed commit", "",
			[]debug.BuildSetting{setting("vcs.modified", "true"), setting("vcs.revision", "0123456789abcdef")},
			"0123456789ab-dirty",
		},
		{"a short revision", "", []debug.BuildSetting{setting("vcs.revision", "42")}, "42"},
		{"nothing known", "(devel)", []debug.BuildSetting{setting("vcs.modified", "true")}, "unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			info := &debug.BuildInfo{Main: debug.Module{Version: tt.module}, Settings: tt.settings}
			if got := versionOf(info); got != tt.want {
				t.Errorf("versionOf = %q, want %q", got, tt.want)
			}
		})
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
