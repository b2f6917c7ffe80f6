package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"gatehouse/internal/config/spelling"
)

// Exit statuses.
const (
	done   = 0
	failed = 1
	misuse = 2
)

// IO is what a command may read and write.
type IO struct {
	Stdout  io.Writer // the answer
	Stderr  io.Writer // what a person should know besides
	Environ []string  // "NAME=value", as os.Environ returns it
}

// Command is one thing that a program can do.
type Command struct {
	Name    string // one or more words: "serve", "config print"
	Summary string // one line for the list of commands
	Usage   string // the arguments after the name, "[-config FILE] NAME"; may be empty
	// Run does it. args are the arguments after the name. An error is shown
	// to the user; one made by Usagef, or by Parse, is a misuse.
	Run func(ctx context.Context, std IO, args []string) error
}

// Program is a set of commands under one name.
type Program struct {
	Name     string
	Summary  string // one line
	Commands []Command
	Default  string // name of the command that runs without arguments; empty: help
}

// usageError is a misuse of a command.
type usageError struct{ error }

// Unwrap returns what Usagef has formatted.
func (e usageError) Unwrap() error { return e.error }

// Usagef returns an error, made as fmt.Errorf does, that blames the arguments.
func Usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// helpWanted is the wish for help on a command, with its flags.
type helpWanted struct{ flags *flag.FlagSet }

// Error implements error.
func (helpWanted) Error() string { return flag.ErrHelp.Error() }

// Unwrap returns flag.ErrHelp.
func (helpWanted) Unwrap() error { return flag.ErrHelp }

// Parse parses a command's arguments. Wrong flags are a misuse; -h and -help
// make Run print the command's help with its flags.
func Parse(flags *flag.FlagSet, args []string) error {
	output := flags.Output()
	flags.Init(flags.Name(), flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	defer flags.SetOutput(output)
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return helpWanted{flags}
	case err != nil:
		return Usagef("%w", err)
	}
	return nil
}

// Run runs the command that args (without the program's own name) ask for and
// returns the exit status. Errors go to stderr, every line with the program's name.
func (p Program) Run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		if p.Default == "" {
			p.help(stderr)
			return misuse
		}
		args = strings.Fields(p.Default)
	}
	if slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		return p.answer(args[1:], stdout, stderr)
	}
	c, rest, err := p.find(args)
	if err == nil {
		err = c.Run(ctx, IO{stdout, stderr, environ}, rest)
	}
	if errors.Is(err, flag.ErrHelp) {
		var help helpWanted
		errors.As(err, &help)
		p.commandHelp(stdout, c, help.flags)
		return done
	}
	return p.status(err, stderr)
}

// status reports err, if there is one, and returns the exit status for it.
func (p Program) status(err error, stderr io.Writer) int {
	if err == nil {
		return done
	}
	for line := range strings.SplitSeq(strings.TrimRight(err.Error(), "\n"), "\n") {
		fmt.Fprintf(stderr, "%s: %s\n", p.Name, line)
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return misuse
	}
	return failed
}

// find returns the command with the longest name that args begin with, and
// the arguments after it.
func (p Program) find(args []string) (Command, []string, error) {
	best, words := -1, 0
	for i := range p.Commands {
		name := strings.Fields(p.Commands[i].Name)
		if len(name) > words && len(name) <= len(args) && slices.Equal(name, args[:len(name)]) {
			best, words = i, len(name)
		}
	}
	if best < 0 {
		return Command{}, nil, p.unknown(args)
	}
	return p.Commands[best], args[words:], nil
}

// unknown says what may have been meant by arguments that begin with no
// command. It repeats only the first of them: what follows might be a secret.
func (p Program) unknown(args []string) error {
	var names, next []string
	for _, c := range p.Commands {
		names = append(names, c.Name)
		if rest, ok := strings.CutPrefix(c.Name, args[0]+" "); ok {
			next = append(next, rest)
		}
	}
	meant := ""
	for words := min(len(args), 3); words > 0 && meant == ""; words-- {
		typed := strings.TrimLeft(strings.Join(args[:words], " "), "-")
		if near, ok := spelling.Nearest(typed, names); ok {
			meant = fmt.Sprintf("; did you mean %q?", near)
		}
	}
	switch {
	case len(next) > 0:
		return Usagef("command %q goes on with %s%s", args[0], strings.Join(next, " or "), meant)
	case meant != "":
		return Usagef("unknown command %q%s", args[0], meant)
	case strings.HasPrefix(args[0], "-"):
		return Usagef("flags come after the command; see %q", p.Name+" help")
	}
	return Usagef("unknown command %q; see %q", args[0], p.Name+" help")
}

// answer prints the help that was asked for: on one command, or all.
func (p Program) answer(topic []string, stdout, stderr io.Writer) int {
	if len(topic) == 0 {
		p.help(stdout)
		return done
	}
	c, _, err := p.find(topic)
	if err != nil {
		return p.status(err, stderr)
	}
	p.commandHelp(stdout, c, nil)
	return done
}

// help prints what the program can do.
func (p Program) help(w io.Writer) {
	fmt.Fprintf(w, "%s - %s\n\nUsage: %s COMMAND [ARGUMENTS]\n\nCommands:\n", p.Name, p.Summary, p.Name)
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, c := range p.Commands {
		summary := c.Summary
		if c.Name == p.Default {
			summary += " (default)"
		}
		fmt.Fprintf(table, "  %s\t%s\n", c.Name, summary)
	}
	table.Flush()
	fmt.Fprintf(w, "\nSee %q for one of them, or give it -h.\n", p.Name+" help COMMAND")
}

// commandHelp prints how a command is used, with its flags if they are known.
func (p Program) commandHelp(w io.Writer, c Command, flags *flag.FlagSet) {
	fmt.Fprintf(w, "Usage: %s\n\n%s\n", strings.TrimSpace(p.Name+" "+c.Name+" "+c.Usage), c.Summary)
	if flags == nil {
		return
	}
	some := false
	flags.VisitAll(func(*flag.Flag) { some = true })
	if some {
		fmt.Fprint(w, "\nFlags:\n")
		flags.SetOutput(w)
		flags.PrintDefaults()
	}
}
