package kernel

import (
	"context"
	"slices"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
)

// HasRole reports whether an account of a tenant holds a role there. Everyone
// holds a default role of his own, "$$" and the name. It is one row read, so
// what was granted or revoked counts at once.
func (s *Service) HasRole(ctx context.Context, tenantID, username, role string) (bool, error) {
	switch {
	case !isName(tenantID), !isName(username), !isName(role):
		return false, nil // such names cannot have been granted anything, and may be more than the database can take
	case role == defaultRolePrefix+username:
		return true, nil
	}
	granted, err := s.store.isGranted(ctx, tenantID, role, username)
	return granted, apierr.DatabaseAway(err)
}

// IsAdmin reports whether an account administers a tenant.
func (s *Service) IsAdmin(ctx context.Context, tenantID, username string) (bool, error) {
	return s.HasRole(ctx, tenantID, username, AdminRole)
}

// IsSiteAdminUser reports whether a person may have tokens in the
// administrative tenant of a site, as far as roles decide it. Nobody may who is
// called as a service: one that has a password there, or to which the registry
// gives a role. Roles are given to names, and those of services must not count
// for people.
func (s *Service) IsSiteAdminUser(ctx context.Context, tenantID, username string) (bool, error) {
	holds, err := s.HasRole(ctx, tenantID, username, SiteAdminUser)
	if err != nil || !holds || username == kernelAccount {
		return false, err
	}
	service, err := s.HasPassword(ctx, tenantID, username)
	if err != nil || service {
		return false, err
	}
	service, err = s.store.isService(ctx, tenantID, username)
	return !service && err == nil, apierr.DatabaseAway(err)
}

// UsersWithRole returns, sorted, who holds a role of a tenant, and fails as
// not found when there is no such role.
func (s *Service) UsersWithRole(ctx context.Context, tenantID, role string) ([]string, error) {
	if _, err := s.Role(ctx, tenantID, role); err != nil {
		return nil, err
	}
	return sorted(s.store.usersWith(ctx, tenantID, role))
}

// Admins returns, sorted, who administers a tenant.
func (s *Service) Admins(ctx context.Context, tenantID string) ([]string, error) {
	if !isName(tenantID) {
		return []string{}, nil
	}
	return sorted(s.store.usersWith(ctx, tenantID, AdminRole))
}

// RolesOf returns, sorted, the roles of a tenant that were granted to an
// account; its default role is not among them.
func (s *Service) RolesOf(ctx context.Context, tenantID, username string) ([]string, error) {
	if !isName(tenantID) || !isName(username) {
		return []string{}, nil
	}
	return sorted(s.store.rolesOf(ctx, tenantID, username))
}

// RoleNames returns the roles of a tenant, sorted.
func (s *Service) RoleNames(ctx context.Context, tenantID string) ([]string, error) {
	return sorted(s.store.roleNames(ctx, tenantID))
}

// sorted sorts here, because databases sort by their own rules.
func sorted(names []string, err error) ([]string, error) {
	if err != nil {
		return nil, apierr.DatabaseAway(err)
	}
	slices.Sort(names)
	return names, nil
}

// Role returns a role of a tenant, or fails as not found.
func (s *Service) Role(ctx context.Context, tenantID, name string) (Role, error) {
	if !isName(tenantID) || !isName(name) {
		return Role{}, errNoRole()
	}
	r, found, err := s.store.role(ctx, tenantID, name)
	switch {
	case err != nil:
		return Role{}, apierr.DatabaseAway(err)
	case !found:
		return Role{}, errNoRole()
	}
	return Role{
		TenantID: r.TenantID, Name: r.Name, Owner: r.Owner, OwnerTenant: r.OwnerTenant, Description: r.Description,
		Created: r.CreateTime.Time(), LastUpdated: r.LastUpdateTime.Time(),
	}, nil
}

func errNoRole() error {
	return apierr.New(apierr.NotFound, "There is no such role in this tenant.")
}

// CreateRole makes a role; false when the tenant has one of that name, which
// stays as it is. Who may do so is the callers' to decide, here and below.
func (s *Service) CreateRole(ctx context.Context, r Role) (bool, error) {
	if err := r.validate(); err != nil {
		return false, err
	}
	created, err := s.store.insertRole(ctx, s.roleRow(r))
	return created, apierr.DatabaseAway(err)
}

func (s *Service) roleRow(r Role) roleRow {
	now := database.At(s.now())
	return roleRow{
		TenantID: r.TenantID, Name: r.Name, Owner: r.Owner, OwnerTenant: r.OwnerTenant, Description: r.Description,
		CreateTime: now, LastUpdateTime: now,
	}
}

// DeleteRole removes a role from everyone and for good, and returns how many
// roles that were. The role of the administrators cannot be removed.
func (s *Service) DeleteRole(ctx context.Context, tenantID, name string) (int, error) {
	if name == AdminRole {
		return 0, apierr.New(apierr.Conflict, "The role %s belongs to every tenant and cannot be deleted.", AdminRole)
	}
	if !isName(tenantID) || !isName(name) {
		return 0, nil
	}
	deleted, err := s.store.deleteRole(ctx, tenantID, name)
	return count(deleted), apierr.DatabaseAway(err)
}

// GrantRole gives an account a role and returns how many grants are new; by
// is who asked, as name@tenant. A role that does not exist is not found.
func (s *Service) GrantRole(ctx context.Context, tenantID, username, role, by string) (int, error) {
	if err := checkUsername(username); err != nil {
		return 0, err
	}
	granted := false
	err := s.store.db.InSerializableTx(ctx, func(ctx context.Context) error {
		_, err := s.Role(ctx, tenantID, role)
		if err != nil {
			return err
		}
		granted, err = s.store.insertGrant(ctx, grantRow{
			TenantID: tenantID, Role: role, Username: username, Source: fromRequest, GrantedBy: by, CreateTime: database.At(s.now()),
		})
		return err
	})
	return count(granted && err == nil), apierr.DatabaseAway(err)
}

// RevokeRole takes a role from an account and returns how many grants are
// gone. The last administrator of a tenant keeps that role: without one,
// nobody in the tenant could name another.
func (s *Service) RevokeRole(ctx context.Context, tenantID, username, role string) (int, error) {
	if err := checkUsername(username); err != nil {
		return 0, err
	}
	revoked := false
	err := s.store.db.InSerializableTx(ctx, func(ctx context.Context) error {
		if _, err := s.Role(ctx, tenantID, role); err != nil {
			return err
		}
		if role == AdminRole {
			admins, err := s.store.usersWith(ctx, tenantID, AdminRole)
			if err != nil {
				return err
			}
			if slices.Equal(admins, []string{username}) {
				return apierr.New(apierr.Conflict, "This is the last administrator of the tenant; name another one first.")
			}
		}
		var err error
		revoked, err = s.store.deleteGrant(ctx, tenantID, role, username)
		return err
	})
	return count(revoked && err == nil), apierr.DatabaseAway(err)
}

func count(changed bool) int {
	if changed {
		return 1
	}
	return 0
}
