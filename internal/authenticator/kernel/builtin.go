package kernel

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
)

// SiteView is what the registry says of a site, as far as roles follow from it.
type SiteView struct {
	SiteID      string
	AdminTenant string // its administrative tenant
	Primary     bool
	Tenants     []TenantView // its active tenants
}

// TenantView is what roles follow from a tenant.
type TenantView struct {
	ID               string
	AdminUser        string   // its administrator while it has no other
	TokenGenServices []string // services that may ask for tokens of its people
}

const (
	// kernelAccount owns the built-in roles; nobody gains anything by its name.
	kernelAccount = "security"
	// checkEvery is how often a view that has not changed is compared with the
	// database all the same, which mends what was lost to a restored backup.
	checkEvery = 5 * time.Minute
)

// ensured remembers for each site what was last found in order, and when.
type ensured struct {
	mu    sync.Mutex
	sites map[string]ensuredSite
}

type ensuredSite struct {
	view [sha256.Size]byte
	at   time.Time
}

// grant is a role in the hands of an account.
type grant struct{ tenantID, role, username string }

// EnsureBuiltinRoles makes the roles that a site needs and grants them to
// those whom the registry names. Call it with every view of the registry: it
// costs nothing while the view stays the same, may run on several replicas at
// once, and changes only what differs.
//
// Granted are, in the administrative tenant, TenantCreator to the registry
// (at the primary site), DefinitionUpdater to those who publish signing keys,
// and a tenant's GeneratorRole to its TokenGenServices, from which it is also
// taken when the registry names them no longer; and in each tenant AdminRole
// to AdminUser as long as nobody has it.
func (s *Service) EnsureBuiltinRoles(ctx context.Context, v SiteView) error {
	if v.SiteID == "" || v.AdminTenant == "" {
		return apierr.Wrap(fmt.Errorf("a site without id or administrative tenant: %q, %q", v.SiteID, v.AdminTenant), "ensure built-in roles")
	}
	print, now := sha256.Sum256(fmt.Appendf(nil, "%#v", v)), s.now()
	s.ensured.mu.Lock()
	defer s.ensured.mu.Unlock()
	last, known := s.ensured.sites[v.SiteID]
	if age := now.Sub(last.at); known && last.view == print && age >= 0 && age < checkEvery {
		return nil
	}
	difference, err := s.difference(ctx, v)
	if err != nil {
		return apierr.DatabaseAway(err)
	}
	if !difference.empty() {
		err := s.store.db.InSerializableTx(ctx, func(ctx context.Context) error {
			d, err := s.difference(ctx, v)
			if err != nil {
				return err
			}
			return s.apply(ctx, d)
		})
		if err != nil {
			return apierr.DatabaseAway(err)
		}
	}
	if s.ensured.sites == nil {
		s.ensured.sites = map[string]ensuredSite{}
	}
	s.ensured.sites[v.SiteID] = ensuredSite{view: print, at: now}
	return nil
}

// difference is what has to be done for the database to be as a site needs it.
type difference struct {
	roles   []Role
	grants  []grant
	revokes []grant
}

func (d difference) empty() bool { return len(d.roles)+len(d.grants)+len(d.revokes) == 0 }

func (s *Service) difference(ctx context.Context, v SiteView) (difference, error) {
	roles, grants, err := s.store.builtinState(ctx, v.AdminTenant)
	if err != nil {
		return difference{}, err
	}
	haveRole, haveGrant, hasAdmin := map[grant]bool{}, map[grant]bool{}, map[string]bool{}
	for _, r := range roles {
		haveRole[grant{tenantID: r.TenantID, role: r.Name}] = true
	}
	for _, g := range grants {
		haveGrant[grant{g.TenantID, g.Role, g.Username}] = true
		if g.Role == AdminRole {
			hasAdmin[g.TenantID] = true
		}
	}
	var d difference
	wanted := map[grant]bool{}
	for _, r := range v.roles() {
		if !haveRole[grant{tenantID: r.TenantID, role: r.Name}] {
			d.roles = append(d.roles, r)
		}
	}
	for _, g := range v.grants() {
		wanted[g] = true
		if haveGrant[g] || g.role == AdminRole && hasAdmin[g.tenantID] || checkUsername(g.username) != nil {
			continue
		}
		d.grants = append(d.grants, g)
	}
	listed := map[string]bool{}
	for _, t := range v.Tenants {
		listed[GeneratorRole(t.ID)] = true
	}
	for _, g := range grants {
		if g.TenantID == v.AdminTenant && g.Source == fromRegistry && listed[g.Role] &&
			strings.HasSuffix(g.Role, generatorSuffix) && !wanted[grant{g.TenantID, g.Role, g.Username}] {
			d.revokes = append(d.revokes, grant{g.TenantID, g.Role, g.Username})
		}
	}
	return d, nil
}

func (s *Service) apply(ctx context.Context, d difference) error {
	for _, r := range d.roles {
		if _, err := s.store.insertRole(ctx, s.roleRow(r)); err != nil {
			return err
		}
	}
	for _, g := range d.grants {
		_, err := s.store.insertGrant(ctx, grantRow{
			TenantID: g.tenantID, Role: g.role, Username: g.username, Source: fromRegistry, GrantedBy: "", CreateTime: database.At(s.now()),
		})
		if err != nil {
			return err
		}
	}
	for _, g := range d.revokes {
		if _, err := s.store.deleteGrant(ctx, g.tenantID, g.role, g.username); err != nil {
			return err
		}
	}
	return nil
}

// roles lists the built-in roles of a site.
func (v SiteView) roles() []Role {
	builtin := func(tenantID, name, description string) Role {
		return Role{TenantID: tenantID, Name: name, Owner: kernelAccount, OwnerTenant: v.AdminTenant, Description: description}
	}
	all := []Role{
		builtin(v.AdminTenant, DefinitionUpdater, "May change the tenants of this site."),
		builtin(v.AdminTenant, SiteAdminUser, "People who may have tokens in this tenant, if its configuration permits it."),
	}
	if v.Primary {
		all = append(all, builtin(v.AdminTenant, TenantCreator, "May create sites, owners, LDAP connections and tenants."))
	}
	for _, t := range v.Tenants {
		all = append(all, builtin(t.ID, AdminRole, "Administrators of the tenant."))
		if t.ID != v.AdminTenant {
			all = append(all, builtin(v.AdminTenant, GeneratorRole(t.ID), "May ask for tokens of the people of tenant "+t.ID+"."))
		}
	}
	return all
}

// grants lists who should hold the built-in roles of a site. Keys are
// published by the account tokens where Tokens is a service of its own, and
// by authenticator where, as here, one process mints for both.
func (v SiteView) grants() []grant {
	all := []grant{{v.AdminTenant, DefinitionUpdater, "tokens"}, {v.AdminTenant, DefinitionUpdater, "authenticator"}}
	if v.Primary {
		all = append(all, grant{v.AdminTenant, TenantCreator, "tenants"})
	}
	for _, t := range v.Tenants {
		if t.AdminUser != "" {
			all = append(all, grant{t.ID, AdminRole, t.AdminUser})
		}
		if t.ID == v.AdminTenant {
			continue
		}
		for _, service := range t.TokenGenServices {
			all = append(all, grant{v.AdminTenant, GeneratorRole(t.ID), service})
		}
	}
	return all
}
