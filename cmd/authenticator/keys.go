package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/command"
)

func keyCommands() []command.Command {
	return []command.Command{
		{
			Name: "keys init", Usage: "TENANT", Summary: "Make a tenant's first signing key if it has none, and print its public half.",
			Run: keysInit,
		},
		{Name: "keys list", Usage: "[TENANT]", Summary: "List the signing keys of a tenant, or of all.", Run: keysList},
		{Name: "keys rotate", Usage: "[-now | -emergency] TENANT", Summary: "Replace a tenant's signing key.", Run: keysRotate},
		{
			Name: "keys retire", Usage: "[-end] TENANT KID", Summary: "Take a key that does not sign out of the key set.",
			Run: keysRetire,
		},
	}
}

func keysInit(ctx context.Context, std command.IO, args []string) error {
	if len(args) != 1 {
		return command.Usagef("keys init takes the id of one tenant")
	}
	o, err := open(ctx, std)
	if err != nil {
		return err
	}
	defer o.close()
	public, err := o.Keys.Ensure(ctx, args[0])
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(std.Stdout, public)
	return err
}

func keysList(ctx context.Context, std command.IO, args []string) error {
	if len(args) > 1 {
		return command.Usagef("keys list takes the id of one tenant, or nothing")
	}
	o, err := open(ctx, std)
	if err != nil {
		return err
	}
	defer o.close()
	list, err := o.Keys.List(ctx, strings.Join(args, ""))
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(std.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "TENANT\tKEY\tSTATE\tCREATED\tSIGNS FROM\tUNTIL\tPUBLISHED UNTIL\tNOTES")
	registry := registryNotes{known: true}
	for _, k := range list {
		notes := keyNotes(k)
		if k.State == keys.Active {
			notes = append(notes, registry.of(ctx, o, k)...)
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.TenantID, k.KeyID, k.State, when(k.Created), when(k.Switch),
			when(k.Retired), when(k.Leave), strings.Join(notes, "; "))
	}
	return table.Flush()
}

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

func keyNotes(k keys.Info) []string {
	var notes []string
	switch {
	case !k.Ended.IsZero():
		notes = append(notes, "ended "+when(k.Ended)+", verifies nothing")
	case k.PublicKey == "":
		notes = append(notes, "does not open with this master key")
	}
	if k.Emergency {
		notes = append(notes, "emergency: the active key ends when this one signs")
	}
	return notes
}

// registryNotes compares keys with what the registry publishes, as long as it
// can be reached.
type registryNotes struct{ known bool }

func (r *registryNotes) of(ctx context.Context, o *opened, k keys.Info) []string {
	if !r.known || k.PublicKey == "" {
		return nil
	}
	published, err := o.Records.PublishedKey(ctx, k.TenantID)
	switch {
	case err != nil:
		r.known = false // the next would only wait as long
		return []string{"what the registry publishes is not known"}
	case published == "":
		return []string{"THE REGISTRY HAS NO KEY of the tenant"}
	case strings.TrimSpace(published) != k.PublicKey:
		return []string{"THE REGISTRY PUBLISHES ANOTHER KEY"}
	}
	return nil
}

func keysRotate(ctx context.Context, std command.IO, args []string) error {
	flags := flag.NewFlagSet("keys rotate", flag.ContinueOnError)
	now := flags.Bool("now", false, "Let the new key sign at once; the old one goes on verifying.")
	emergency := flags.Bool("emergency", false, "Let the new key sign at once and end the old one: whatever it signed is refused.")
	if err := command.Parse(flags, flagsFirst(flags, args)); err != nil {
		return err
	}
	mode := keys.Graceful
	switch {
	case flags.NArg() != 1 || *now && *emergency:
		return command.Usagef("keys rotate takes the id of one tenant and at most one of -now and -emergency")
	case *now:
		mode = keys.Now
	case *emergency:
		mode = keys.Emergency
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	o, err := open(ctx, std)
	if err != nil {
		return err
	}
	defer o.close()
	done, err := o.rotate(ctx, flags.Arg(0), mode)
	if err != nil {
		return fmt.Errorf("%w\nkeys list %s tells whether a rotation has begun; a running authenticator completes it", err,
			flags.Arg(0))
	}
	return sayRotated(std.Stdout, flags.Arg(0), done)
}

// rotate asks the registry for what a rotation needs to know, as a process that
// serves has done.
func (o *opened) rotate(ctx context.Context, tenantID string, mode keys.Mode) (keys.Rotation, error) {
	if err := o.Registry.Start(ctx); err != nil {
		return keys.Rotation{}, err
	}
	if _, err := o.Keys.Active(ctx, tenantID); apierr.Is(err, apierr.NotFound) {
		return keys.Rotation{}, apierr.New(apierr.NotFound, "The tenant %s has no signing key; keys init makes the first.", tenantID)
	}
	return o.Rotator.Rotate(ctx, tenantID, mode)
}

// flagsFirst lets flags stand behind the tenant as well; none takes a value.
// The id of a key may begin with a hyphen and is no flag for that.
func flagsFirst(flags *flag.FlagSet, args []string) []string {
	var known, rest []string
	for _, arg := range args {
		if strings.HasPrefix(arg, "-") && flags.Lookup(strings.TrimLeft(arg, "-")) != nil {
			known = append(known, arg)
		} else {
			rest = append(rest, arg)
		}
	}
	return append(known, rest...)
}

func sayRotated(out io.Writer, tenantID string, done keys.Rotation) error {
	text := "The key " + done.KeyID + " of tenant " + tenantID + " signs now."
	if !done.SwitchTime.IsZero() {
		text = "The key " + done.KeyID + " of tenant " + tenantID + " is published now and signs from " + when(done.SwitchTime) +
			" on, if an authenticator runs."
	}
	_, err := fmt.Fprintf(out, "%s\n%s\n", text, done.PublicKey)
	return err
}

func keysRetire(ctx context.Context, std command.IO, args []string) error {
	flags := flag.NewFlagSet("keys retire", flag.ContinueOnError)
	end := flags.Bool("end", false, "Let it verify nothing any more, no refresh token either.")
	if err := command.Parse(flags, flagsFirst(flags, args)); err != nil {
		return err
	}
	if flags.NArg() != 2 {
		return command.Usagef("keys retire takes the id of a tenant and of one of its keys")
	}
	o, err := open(ctx, std)
	if err != nil {
		return err
	}
	defer o.close()
	if err := o.Rotator.Retire(ctx, flags.Arg(0), flags.Arg(1), *end); err != nil {
		return err
	}
	what := "is not published any more"
	if *end {
		what = "verifies nothing any more"
	}
	_, err = fmt.Fprintf(std.Stdout, "The key %s of tenant %s %s.\n", flags.Arg(1), flags.Arg(0), what)
	return err
}
