package command

import (
	"context"
	"fmt"

	"gatehouse/internal/config"
)

// Config returns the commands config validate and config print of a program
// whose settings load reads, from the environment and the file that it names.
func Config[S any](load func(environ []string) (S, error)) []Command {
	read := func(name string, do func(std IO, settings S) error) func(context.Context, IO, []string) error {
		return func(_ context.Context, std IO, args []string) error {
			if len(args) > 0 {
				return Usagef("%s takes no arguments", name)
			}
			settings, err := load(std.Environ)
			if err != nil {
				return err
			}
			return do(std, settings)
		}
	}
	const validate, show = "config validate", "config print"
	return []Command{
		{
			Name: validate, Summary: "Check the configuration and say everything that is wrong with it.",
			Run: read(validate, func(std IO, _ S) error {
				_, err := fmt.Fprintln(std.Stdout, "The configuration is valid.")
				return err
			}),
		},
		{
			Name: show, Summary: "Print the configuration as a YAML file, with secrets masked.",
			Run: read(show, func(std IO, settings S) error {
				return config.Print(std.Stdout, settings)
			}),
		},
	}
}
