package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/authenticator"
	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/authenticator/serviceaccount"
	"gatehouse/internal/authenticator/servicetokens"
	"gatehouse/internal/command"
	"gatehouse/internal/database"
	"gatehouse/internal/metrics"
	"gatehouse/internal/program"
	"gatehouse/migrations"
)

// version is set by the build.
var version = "dev"

// run is the program: arguments, environment and output in, exit code out.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	return command.Program{
		Name: "authenticator", Summary: "Signs people in and issues the tokens of a site's tenants.",
		Commands: slices.Concat([]command.Command{
			{Name: "serve", Summary: "Serve the authenticator; the schema must be the newest.", Run: serve},
			program.Migrate(migrations.Authenticator, func(environ []string) (program.Settings, error) {
				s, err := load(environ)
				return s.Settings, err
			}),
			{
				Name: "service-password set", Usage: "NAME [FILE] [--compromised]",
				Summary: "Give a service account the password in a file, or on standard input.", Run: setServicePassword,
			},
			{
				Name: "service-password remove", Usage: "NAME",
				Summary: "Take its password from a service account, and end the tokens that it gave.", Run: removeServicePassword,
			},
			{
				Name: "secret set", Usage: "NAME [FILE]",
				Summary: "Store the password for binding to a directory, from a file or standard input.", Run: setSecret,
			},
			{
				Name: "tokens revoke-user", Usage: "TENANT USER",
				Summary: "Void every token that a person or service of a tenant has until now.", Run: revokeUser,
			},
			{
				Name: "tokens revoke-client", Usage: "TENANT CLIENT",
				Summary: "Void every token that an OAuth client of a tenant has until now.", Run: revokeClient,
			},
			command.Version("authenticator", version),
			command.Healthcheck(func(std command.IO, _ []string) (string, error) {
				s, err := load(std.Environ)
				return s.Listen, err
			}),
		}, keyCommands(), roleCommands(), command.Config(load)),
	}.Run(ctx, args, environ, stdout, stderr)
}

// opened is the service on its database.
type opened struct {
	*authenticator.Service
	settings settings
	db       *database.DB
	log      *slog.Logger
	metrics  *metrics.Registry
}

func open(ctx context.Context, std command.IO) (*opened, error) {
	set, err := load(std.Environ)
	if err != nil {
		return nil, err
	}
	o := &opened{settings: set, log: set.Log(std.Stderr), metrics: metrics.New("authenticator", version)}
	box, err := set.box()
	if err != nil {
		return nil, err
	}
	authorities, err := set.rootCAs()
	if err != nil {
		return nil, err
	}
	if o.db, err = set.Open(ctx, migrations.Authenticator, o.log); err != nil {
		return nil, err
	}
	o.Service, err = authenticator.New(authenticator.Deps{
		DB: o.db, Box: box, Log: o.log, Now: time.Now, Registry: &http.Client{Timeout: 10 * time.Second},
		RegistryURL: set.Registry.URL, RegistryPoll: set.Registry.Poll, SiteID: set.SiteID,
		TokenRetention: set.TokenRetention, ShowClientKeys: set.ClientKeyDisplay == "owner", LDAPRootCAs: authorities,
		CountTokens: o.metrics.Token,
		TokenLifetimes: servicetokens.Lifetimes{
			Access: set.Tokens.AccessTTL, Refresh: set.Tokens.RefreshTTL, MaxService: set.Tokens.MaxServiceTTL,
		},
		SessionIdle: set.Session.Idle, SessionLifetime: set.Session.Lifetime,
	})
	if err != nil {
		return nil, errors.Join(err, o.db.Close())
	}
	if err := o.Keys.CheckMasterKey(ctx); err != nil {
		if errors.Is(err, keys.ErrMasterKey) {
			err = fmt.Errorf("master_key (GATEHOUSE_MASTER_KEY or GATEHOUSE_MASTER_KEY_FILE): %w", err)
		}
		o.close()
		return nil, err
	}
	return o, nil
}

func (o *opened) close() { _ = errors.Join(o.Close(), o.db.Close()) }

func serve(ctx context.Context, std command.IO, args []string) error {
	if len(args) > 0 {
		return command.Usagef("serve takes no arguments")
	}
	o, err := open(ctx, std)
	if err != nil {
		return err
	}
	defer o.close()
	return program.Server{
		Name: "authenticator", Version: version, Settings: o.settings.Settings, Log: o.log, DB: o.db, Metrics: o.metrics,
		IsPage: o.IsPage, IsSecure: o.IsSecure,
	}.Serve(ctx, o.Service)
}

func setServicePassword(ctx context.Context, std command.IO, args []string) error {
	flags := flag.NewFlagSet("service-password set", flag.ContinueOnError)
	compromised := flags.Bool("compromised", false, "End all tokens that the old password gave: somebody else may have it.")
	if err := command.Parse(flags, flagsFirst(flags, args)); err != nil {
		return err
	}
	return store(ctx, std, flags.Args(), "service-password set takes the name of one service and, if not standard input, a file",
		func(o *opened, value string) error {
			admin, service := o.settings.AdminTenantID, flags.Arg(0)
			if err := o.Kernel.SetPassword(ctx, admin, service, value); err != nil || !*compromised {
				return err
			}
			return o.RevokeUser(ctx, admin, service)
		})
}

func removeServicePassword(ctx context.Context, std command.IO, args []string) error {
	if len(args) != 1 {
		return command.Usagef("service-password remove takes the name of one service")
	}
	o, err := open(ctx, std)
	if err != nil {
		return err
	}
	defer o.close()
	admin := o.settings.AdminTenantID
	removed, err := o.Kernel.RemovePassword(ctx, admin, args[0])
	if err != nil {
		return err
	}
	// Also where there is none: an earlier attempt may have ended half-way.
	if err := o.RevokeUser(ctx, admin, args[0]); err != nil {
		return err
	}
	if !removed {
		return fmt.Errorf("the service %s has no password", args[0])
	}
	_, err = fmt.Fprintf(std.Stdout, "Removed the password of %s; the tokens that it gave are void.\n", args[0])
	return err
}

func setSecret(ctx context.Context, std command.IO, args []string) error {
	const usage = "secret set takes the name that the LDAP connection's bind_credential states and, if not standard input, a file"
	return store(ctx, std, args, usage, func(o *opened, value string) error {
		return o.Kernel.SetSecret(ctx, serviceaccount.Secret(o.settings.AdminTenantID, args[0]), map[string]string{"password": value})
	})
}

// store hands the secret in a file, or on standard input, to put. Arguments
// show up in process lists, so a secret is never one.
func store(ctx context.Context, std command.IO, args []string, usage string, put func(*opened, string) error) error {
	if len(args) < 1 || len(args) > 2 {
		return command.Usagef("%s", usage)
	}
	value, err := readSecret(args[1:])
	if err != nil {
		return err
	}
	o, err := open(ctx, std)
	if err != nil {
		return err
	}
	defer o.close()
	if err := put(o, value); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Stdout, "Stored %s.\n", args[0])
	return err
}

// maxSecret bounds what is read, in bytes.
const maxSecret = 4096

func readSecret(files []string) (string, error) {
	from := os.Stdin
	if len(files) == 1 {
		f, err := os.Open(files[0])
		if err != nil {
			return "", fmt.Errorf("read secret: %w", err)
		}
		defer func() { _ = f.Close() }()
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	value := strings.TrimRight(string(text), "\r\n")
	if value == "" || len(text) > maxSecret {
		return "", fmt.Errorf("the secret must have 1 to %d bytes", maxSecret)
	}
	return value, nil
}
