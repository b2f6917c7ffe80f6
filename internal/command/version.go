package command

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Version returns the command that prints the program's name, its version as
// BuildVersion gives it, and the version of Go.
func Version(program, override string) Command {
	return Command{
		Name: "version", Summary: "Print the version.",
		Run: func(_ context.Context, std IO, args []string) error {
			if len(args) > 0 {
				return Usagef("version takes no arguments")
			}
			_, err := fmt.Fprintf(std.Stdout, "%s %s (%s)\n", program, BuildVersion(override), runtime.Version())
			return err
		},
	}
}

// BuildVersion returns override or, if that is empty, the version that the Go
// tool has recorded in this binary: of the module, else of the commit with
// "-dirty" when it had been changed, else "unknown".
func BuildVersion(override string) string {
	if override != "" {
		return override
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return versionOf(info)
}

func versionOf(info *debug.BuildInfo) string {
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	revision, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if revision == "" {
		return "unknown"
	}
	return revision + dirty
}
