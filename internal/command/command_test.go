package command_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/command"
)

// program is a program whose commands note that they ran.
func program(ran *[]string) command.Program {
	note := func(name string) func(context.Context, command.IO, []string) error {
		return func(_ context.Context, _ command.IO, args []string) error {
			*ran = append([]string{name}, args...)
			return nil
		}
	}
	return command.Program{
		Name: "gate", Summary: "Keeps the gate.",
		Commands: []command.Command{
			{Name: "serve", Summary: "Answer requests.", Usage: "[-config FILE]", Run: serve(ran)},
			{Name: "config print", Summary: "Show the configuration.", Run: note("config print")},
			{Name: "config check", Summary: "Check the configuration.", Run: note("config check")},
			{Name: "service-password set", Summary: "Set a password.", Usage: "NAME", Run: note("service-password set")},
			{Name: "keys", Summary: "List keys.", Run: note("keys")},
			{Name: "keys init", Summary: "Make keys.", Run: note("keys init")},
			{Name: "fail", Summary: "Fail.", Run: func(context.Context, command.IO, []string) error {
				return errors.New("first thing\nsecond thing\n")
			}},
			{Name: "raw", Summary: "Parse flags without Parse.", Run: func(_ context.Context, _ command.IO, args []string) error {
				flags := flag.NewFlagSet("raw", flag.ContinueOnError)
				flags.SetOutput(io.Discard)
				return flags.Parse(args)
			}},
			command.Version("gate", "1.2.3"),
		},
	}
}

func serve(ran *[]string) func(context.Context, command.IO, []string) error {
	return func(_ context.Context, std command.IO, args []string) error {
		flags := flag.NewFlagSet("serve", flag.ExitOnError)
		config := flags.String("config", "", "read `FILE`")
		if err := command.Parse(flags, args); err != nil {
			return err
		}
		if flags.NArg() > 0 {
			return fmt.Errorf("wrapped: %w", command.Usagef("too many arguments"))
		}
		*ran = []string{"serve", *config, strings.Join(std.Environ, " ")}
		_, err := fmt.Fprintln(std.Stdout, "serving")
		return err
	}
}

func run(p command.Program, args ...string) (status int, stdout, stderr string) {
	var out, errs strings.Builder
	status = p.Run(context.Background(), args, []string{"A=b"}, &out, &errs)
	return status, out.String(), errs.String()
}

func TestTheLongestNameThatFitsIsRun(t *testing.T) {
	for line, want := range map[string][]string{
		"serve -config x":             {"serve", "x", "A=b"},
		"config print":                {"config print"},
		"config check -x help":        {"config check", "-x", "help"},
		"service-password set tokens": {"service-password set", "tokens"},
		"keys":                        {"keys"},
		"keys init":                   {"keys init"},
		"keys other":                  {"keys", "other"},
	} {
		for _, reversed := range []bool{false, true} { // the order of the commands does not matter
			var ran []string
			p := program(&ran)
			if reversed {
				slices.Reverse(p.Commands)
			}
			status, _, stderr := run(p, strings.Fields(line)...)
			if status != 0 || stderr != "" || !slices.Equal(ran, want) {
				t.Errorf("%s: status %d, %q ran, stderr %q, want %q", line, status, ran, stderr, want)
			}
		}
	}
}

func TestErrorsAreOneLineWithTheProgramsName(t *testing.T) {
	for _, tt := range []struct {
		line   string
		status int
		want   string
	}{
		{"fail", 1, "gate: first thing\ngate: second thing\n"},
		{"serve -x", 2, "gate: flag provided but not defined: -x\n"},
		{"serve x", 2, "gate: wrapped: too many arguments\n"},
		{"raw -x", 1, "gate: flag provided but not defined: -x\n"},
		{"version x", 2, "gate: version takes no arguments\n"},
		{"sevre", 2, "gate: unknown command \"sevre\"; did you mean \"serve\"?\n"},
		{"confg print", 2, "gate: unknown command \"confg\"; did you mean \"config print\"?\n"},
		{"kesy init", 2, "gate: unknown command \"kesy\"; did you mean \"keys init\"?\n"},
		{"config", 2, "gate: command \"config\" goes on with print or check\n"},
		{"config pirnt x", 2, "gate: command \"config\" goes on with print or check; did you mean \"config print\"?\n"},
		{"service-password hunter2", 2, "gate: command \"service-password\" goes on with set\n"},
		{"nothing like that", 2, "gate: unknown command \"nothing\"; see \"gate help\"\n"},
		{"-config x serve", 2, "gate: flags come after the command; see \"gate help\"\n"},
		{"--version", 2, "gate: unknown command \"--version\"; did you mean \"version\"?\n"},
		{"", 2, "gate: unknown command \"\"; see \"gate help\"\n"},
		{"help sevre", 2, "gate: unknown command \"sevre\"; did you mean \"serve\"?\n"},
	} {
		var ran []string
		status, stdout, stderr := run(program(&ran), strings.Split(tt.line, " ")...)
		if status != tt.status || stderr != tt.want || stdout != "" || ran != nil {
			t.Errorf("%s: status %d, stdout %q, stderr %q, ran %q\nwant %d, %q", tt.line, status, stdout, stderr, ran, tt.status, tt.want)
		}
	}
}

func TestHelpListsTheCommands(t *testing.T) {
	want := `gate - Keeps the gate.

Usage: gate COMMAND [ARGUMENTS]

Commands:
  serve                  Answer requests. (default)
  config print           Show the configuration.
  config check           Check the configuration.
  service-password set   Set a password.
  keys                   List keys.
  keys init              Make keys.
  fail                   Fail.
  raw                    Parse flags without Parse.
  version                Print the version.

See "gate help COMMAND" for one of them, or give it -h.
`
	var ran []string
	p := program(&ran)
	p.Default = "serve"
	for _, arg := range []string{"help", "-h", "-help", "--help"} {
		if status, stdout, stderr := run(p, arg); status != 0 || stdout != want || stderr != "" {
			t.Errorf("%s: status %d, stderr %q, stdout\n%s", arg, status, stderr, stdout)
		}
	}
}

func TestHelpOnACommandShowsItsUsageAndWithHItsFlags(t *testing.T) {
	const serve, flags = "Usage: gate serve [-config FILE]\n\nAnswer requests.\n", "\nFlags:\n  -config FILE\n    \tread FILE\n"
	for line, want := range map[string]string{
		"help serve":             serve,
		"help keys init":         "Usage: gate keys init\n\nMake keys.\n",
		"serve -h":               serve + flags,
		"serve -config x --help": serve + flags,
		"raw -h":                 "Usage: gate raw\n\nParse flags without Parse.\n",
	} {
		var ran []string
		status, stdout, stderr := run(program(&ran), strings.Fields(line)...)
		if status != 0 || stdout != want || stderr != "" || ran != nil {
			t.Errorf("%s: status %d, stderr %q, stdout\n%s\nwant\n%s", line, status, stderr, stdout, want)
		}
	}
}

func TestWithoutArgumentsTheDefaultRuns(t *testing.T) {
	var ran []string
	p := program(&ran)
	p.Default = "config print"
	if status, _, _ := run(p); status != 0 || !slices.Equal(ran, []string{"config print"}) {
		t.Errorf("status %d, %q ran, want config print", status, ran)
	}
}

func TestWithoutArgumentsAndDefaultHelpIsAMisuse(t *testing.T) {
	var ran []string
	status, stdout, stderr := run(program(&ran))
	if status != 2 || stdout != "" || !strings.Contains(stderr, "Usage: gate COMMAND") || ran != nil {
		t.Errorf("status %d, stdout %q, stderr %q, want help on stderr", status, stdout, stderr)
	}
}

func TestTheContextReachesTheCommand(t *testing.T) {
	type key struct{}
	p := command.Program{Name: "gate", Commands: []command.Command{{
		Name: "look",
		Run: func(ctx context.Context, std command.IO, _ []string) error {
			_, err := fmt.Fprint(std.Stdout, ctx.Value(key{}))
			return err
		},
	}}}
	var out strings.Builder
	if p.Run(context.WithValue(t.Context(), key{}, "seen"), []string{"look"}, nil, &out, io.Discard); out.String() != "seen" {
		t.Errorf("the command saw %q, want seen", out.String())
	}
}

func FuzzRun(f *testing.F) {
	f.Add("config print")
	f.Add("-h\x00")
	f.Add("serve --config")
	f.Add("help help")
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, " ")
		var ran []string
		status, stdout, stderr := run(program(&ran), args...)
		if status < 0 || status > 2 || (status == 0) != (stderr == "") || (status != 0 && stdout != "") {
			t.Errorf("%q: status %d, stdout %q, stderr %q", args, status, stdout, stderr)
		}
	})
}
