package kernel

import (
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"gatehouse/internal/apierr"
)

// Names of roles that mean something to the services of a site. Of these only
// AdminRole counts in every tenant; the others count in the administrative
// tenant of a site alone.
const (
	// AdminRole is held by the administrators of a tenant.
	AdminRole = "$!tenant_admin"
	// TenantCreator may create sites, owners, LDAP connections and tenants.
	TenantCreator = "tenant_creator"
	// DefinitionUpdater may change the tenants of its site.
	DefinitionUpdater = "tenant_definition_updater"
	// SiteAdminUser lets a person have tokens in the administrative tenant, if
	// that tenant's configuration permits it at all.
	SiteAdminUser = "site_admin_user"

	generatorSuffix   = "_token_generator"
	defaultRolePrefix = "$$"
)

// GeneratorRole returns the name of the role whose holders, services of the
// site's administrative tenant, may ask for tokens of the tenant's people.
func GeneratorRole(tenantID string) string { return tenantID + generatorSuffix }

const (
	maxRoleName    = 58
	maxDescription = 2048
	maxUsername    = 255
)

var (
	roleName      = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)
	generatorRole = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*` + generatorSuffix + `$`)
)

// Role is a name in a tenant that can be granted to its people and services.
type Role struct {
	TenantID    string
	Name        string
	Owner       string // who may grant it beside the administrators
	OwnerTenant string // differs from TenantID when the owner is a service
	Description string
	Created     time.Time
	LastUpdated time.Time
}

func (r Role) validate() error {
	ordinary := len(r.Name) <= maxRoleName && roleName.MatchString(r.Name)
	switch {
	case !ordinary && r.Name != AdminRole && (len(r.Name) > maxUsername || !generatorRole.MatchString(r.Name)):
		return apierr.Invalidf("The field roleName must begin with a letter and have "+
			"letters, digits and underscores only, at most %d of them.", maxRoleName)
	case !utf8.ValidString(r.Description) || utf8.RuneCountInString(r.Description) > maxDescription:
		return apierr.Invalidf("The field description must have at most %d characters.", maxDescription)
	}
	return nil
}

// isName reports whether a database can hold s as a name.
func isName(s string) bool {
	return s != "" && len(s) <= maxUsername && utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}

func checkUsername(username string) error {
	if !isName(username) || strings.ContainsFunc(username, func(r rune) bool { return r < ' ' || r == 0x7f }) ||
		strings.TrimSpace(username) != username {
		return apierr.Invalidf("The field user must be the name of an account: "+
			"at most %d bytes, without control characters or outer spaces.", maxUsername)
	}
	return nil
}

// roleType says what kind of role a name stands for, in the words of the
// Security Kernel.
func roleType(name string) string {
	switch {
	case name == AdminRole:
		return "TENANT_ADMIN"
	case isBuiltin(name):
		return "RESTRICTED_SVC"
	}
	return "USER"
}

// isBuiltin reports whether a name is kept for roles that mean something to
// the services, in whatever tenant.
func isBuiltin(name string) bool {
	return strings.HasPrefix(name, "$") || name == TenantCreator || name == DefinitionUpdater || name == SiteAdminUser ||
		strings.HasSuffix(name, generatorSuffix)
}
