package main

import (
	"context"
	"fmt"
	"strings"

	"gatehouse/internal/command"
)

// roleCommands let an operator name the first administrators, and look.
func roleCommands() []command.Command {
	return []command.Command{
		{Name: "role grant", Usage: "TENANT USER ROLE", Summary: "Give an account a role; '$!tenant_admin' makes an administrator.", Run: grantRole},
		{Name: "role revoke", Usage: "TENANT USER ROLE", Summary: "Take a role from an account.", Run: revokeRole},
		{Name: "role list", Usage: "TENANT", Summary: "List the roles of a tenant and who has them.", Run: listRoles},
	}
}

func grantRole(ctx context.Context, std command.IO, args []string) error {
	return changeRole(ctx, std, args, "role grant", "Granted %s.\n", "There was nothing to do: the account has %s already.\n",
		func(o *opened) (bool, error) { return o.GrantRole(ctx, args[0], args[1], args[2]) })
}

func revokeRole(ctx context.Context, std command.IO, args []string) error {
	return changeRole(ctx, std, args, "role revoke", "Revoked %s.\n", "There was nothing to do: the account does not have %s.\n",
		func(o *opened) (bool, error) { return o.RevokeRole(ctx, args[0], args[1], args[2]) })
}

func changeRole(ctx context.Context, std command.IO, args []string, name, changed, unchanged string, change func(*opened) (bool, error)) error {
	if len(args) != 3 {
		return command.Usagef("%s takes a tenant, an account and a role", name)
	}
	o, err := open(ctx, std)
	if err != nil {
		return err
	}
	defer o.close()
	done, err := change(o)
	if err != nil {
		return err
	}
	if !done {
		changed = unchanged
	}
	_, err = fmt.Fprintf(std.Stdout, changed, args[2])
	return err
}

func listRoles(ctx context.Context, std command.IO, args []string) error {
	if len(args) != 1 {
		return command.Usagef("role list takes the id of one tenant")
	}
	o, err := open(ctx, std)
	if err != nil {
		return err
	}
	defer o.close()
	names, holders, err := o.Roles(ctx, args[0])
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := fmt.Fprintf(std.Stdout, "%s: %s\n", name, strings.Join(holders[name], " ")); err != nil {
			return err
		}
	}
	return nil
}
