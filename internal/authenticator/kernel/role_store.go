package kernel

import (
	"context"
	"fmt"

	"gorm.io/gorm/clause"

	"gatehouse/internal/database"
)

type roleRow struct {
	TenantID       string
	Name           string
	Owner          string
	OwnerTenant    string
	Description    string
	CreateTime     database.Micros
	LastUpdateTime database.Micros
}

// TableName names the table for GORM.
func (roleRow) TableName() string { return "roles" }

// The sources of a grant.
const (
	fromRegistry = "registry" // what the registry says of a site
	fromRequest  = "request"  // somebody who was allowed to
)

type grantRow struct {
	TenantID   string
	Role       string
	Username   string
	Source     string
	GrantedBy  string
	CreateTime database.Micros
}

// TableName names the table for GORM.
func (grantRow) TableName() string { return "role_grants" }

// insertRole stores a role; false when it exists already.
func (s store) insertRole(ctx context.Context, r roleRow) (bool, error) {
	done := s.db.Conn(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&r)
	if done.Error != nil {
		return false, fmt.Errorf("store role: %w", done.Error)
	}
	return done.RowsAffected == 1, nil
}

// role returns one role; false when there is none.
func (s store) role(ctx context.Context, tenantID, name string) (roleRow, bool, error) {
	var rows []roleRow
	err := s.db.Conn(ctx).Where("tenant_id = ? AND name = ?", tenantID, name).Limit(1).Find(&rows).Error
	if err != nil {
		return roleRow{}, false, fmt.Errorf("read role: %w", err)
	}
	if len(rows) == 0 {
		return roleRow{}, false, nil
	}
	return rows[0], true, nil
}

func (s store) roleNames(ctx context.Context, tenantID string) ([]string, error) {
	names := []string{}
	if err := s.db.Conn(ctx).Model(&roleRow{}).Where("tenant_id = ?", tenantID).Pluck("name", &names).Error; err != nil {
		return nil, fmt.Errorf("list roles: %w", err)
	}
	return names, nil
}

// deleteRole removes a role and its grants; false when there was none.
func (s store) deleteRole(ctx context.Context, tenantID, name string) (bool, error) {
	done := s.db.Conn(ctx).Where("tenant_id = ? AND name = ?", tenantID, name).Delete(&roleRow{})
	if done.Error != nil {
		return false, fmt.Errorf("delete role: %w", done.Error)
	}
	return done.RowsAffected == 1, nil
}

// insertGrant stores a grant; false when it exists already.
func (s store) insertGrant(ctx context.Context, g grantRow) (bool, error) {
	done := s.db.Conn(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&g)
	if done.Error != nil {
		return false, fmt.Errorf("store grant: %w", done.Error)
	}
	return done.RowsAffected == 1, nil
}

// deleteGrant removes a grant; false when there was none.
func (s store) deleteGrant(ctx context.Context, tenantID, role, username string) (bool, error) {
	done := s.db.Conn(ctx).Where("tenant_id = ? AND role = ? AND username = ?", tenantID, role, username).Delete(&grantRow{})
	if done.Error != nil {
		return false, fmt.Errorf("delete grant: %w", done.Error)
	}
	return done.RowsAffected == 1, nil
}

func (s store) isGranted(ctx context.Context, tenantID, role, username string) (bool, error) {
	var one int
	found, err := s.db.QueryRow(ctx, `SELECT 1 FROM role_grants WHERE tenant_id = ? AND role = ? AND username = ?`,
		[]any{tenantID, role, username}, &one)
	if err != nil {
		return false, fmt.Errorf("read grant: %w", err)
	}
	return found, nil
}

// isService reports whether the registry gives an account a role that is a
// service's. Administrators are people.
func (s store) isService(ctx context.Context, tenantID, username string) (bool, error) {
	var held int64
	err := s.db.Conn(ctx).Model(&grantRow{}).
		Where("tenant_id = ? AND username = ? AND source = ? AND role <> ?", tenantID, username, fromRegistry, AdminRole).
		Count(&held).Error
	if err != nil {
		return false, fmt.Errorf("read grants of services: %w", err)
	}
	return held > 0, nil
}

func (s store) usersWith(ctx context.Context, tenantID, role string) ([]string, error) {
	return s.pluckGrants(ctx, "username", grantRow{TenantID: tenantID, Role: role})
}

func (s store) rolesOf(ctx context.Context, tenantID, username string) ([]string, error) {
	return s.pluckGrants(ctx, "role", grantRow{TenantID: tenantID, Username: username})
}

// pluckGrants lists a column of the grants that equal like where it is set.
func (s store) pluckGrants(ctx context.Context, column string, like grantRow) ([]string, error) {
	names := []string{}
	if err := s.db.Conn(ctx).Model(&grantRow{}).Where(&like).Pluck(column, &names).Error; err != nil {
		return nil, fmt.Errorf("list grants: %w", err)
	}
	return names, nil
}

// builtinState returns the roles and grants that EnsureBuiltinRoles minds: all
// of a site's administrative tenant, and the administrators of every tenant.
func (s store) builtinState(ctx context.Context, adminTenant string) ([]roleRow, []grantRow, error) {
	var roles []roleRow
	if err := s.db.Conn(ctx).Select("tenant_id", "name").
		Where("tenant_id = ? OR name = ?", adminTenant, AdminRole).Find(&roles).Error; err != nil {
		return nil, nil, fmt.Errorf("list built-in roles: %w", err)
	}
	var grants []grantRow
	if err := s.db.Conn(ctx).Where("tenant_id = ? OR role = ?", adminTenant, AdminRole).Find(&grants).Error; err != nil {
		return nil, nil, fmt.Errorf("list grants of built-in roles: %w", err)
	}
	return roles, grants, nil
}
