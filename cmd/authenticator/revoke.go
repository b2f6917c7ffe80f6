package main

import (
	"context"
	"fmt"

	"gatehouse/internal/command"
)

func revokeUser(ctx context.Context, std command.IO, args []string) error {
	return revoke(ctx, std, args, "tokens revoke-user takes a tenant and the name of a person or service", func(o *opened) error {
		return o.RevokeUser(ctx, args[0], args[1])
	})
}

func revokeClient(ctx context.Context, std command.IO, args []string) error {
	return revoke(ctx, std, args, "tokens revoke-client takes a tenant and the id of a client", func(o *opened) error {
		return o.RevokeIssuedTo(ctx, args[0], args[1])
	})
}

func revoke(ctx context.Context, std command.IO, args []string, usage string, mark func(*opened) error) error {
	if len(args) != 2 || args[0] == "" || args[1] == "" {
		return command.Usagef("%s", usage)
	}
	o, err := open(ctx, std)
	if err != nil {
		return err
	}
	defer o.close()
	if err := mark(o); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Stdout, "Every token that %s has in the tenant %s until now is void; running programs know it "+
		"within two seconds.\n", args[1], args[0])
	return err
}
