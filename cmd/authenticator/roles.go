package main

import (
	"context"
	"fmt"
	"strings"

	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/command"
)

// roleCommands let an operator name the first administrators, and look.
func roleCommands() []command.Command {
	return []command.Command{
		{
			Name: "role grant", Usage: "TENANT USER ROLE", Summary: "Give an account a role; '$!tenant_admin' makes an administrator.",
			Run: grantRole,
		},
		{Name: "role revoke", Usage: "TENANT USER ROLE", Summary: "Take a role from an account.", Run: revokeRole},
		{Name: "role list", Usage: "TENANT", Summary: "List the roles of a tenant and who has them.", Run: listRoles},
	}
}

// operator is who grants here; in no tenant, so that nobody of that name owns
// what it makes.
const operator = "operator"

func grantRole(ctx context.Context, std command.IO, args []string) error {
	return changeRole(ctx, std, args, "role grant", "Granted %s.\n", "There was nothing to do: the account has %s already.\n",
		func(k *kernel.Service) (int, error) {
			tenantID, username, role := args[0], args[1], args[2]
			if _, err := k.CreateRole(ctx, kernel.Role{TenantID: tenantID, Name: role, Owner: operator}); err != nil {
				return 0, err
			}
			return k.GrantRole(ctx, tenantID, username, role, operator)
		})
}

func revokeRole(ctx context.Context, std command.IO, args []string) error {
	return changeRole(ctx, std, args, "role revoke", "Revoked %s.\n", "There was nothing to do: the account does not have %s.\n",
		func(k *kernel.Service) (int, error) { return k.RevokeRole(ctx, args[0], args[1], args[2]) })
}

func changeRole(
	ctx context.Context, std command.IO, args []string, name, changed, unchanged string, change func(*kernel.Service) (int, error),
) error {
	if len(args) != 3 {
		return command.Usagef("%s takes a tenant, an account and a role", name)
	}
	o, err := open(ctx, std)
	if err != nil {
		return err
	}
	defer o.close()
	changes, err := change(o.Kernel)
	if err != nil {
		return err
	}
	if changes == 0 {
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
	names, err := o.Kernel.RoleNames(ctx, args[0])
	if err != nil {
		return err
	}
	for _, name := range names {
		holders, err := o.Kernel.UsersWithRole(ctx, args[0], name)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(std.Stdout, "%s: %s\n", name, strings.Join(holders, " ")); err != nil {
			return err
		}
	}
	return nil
}
