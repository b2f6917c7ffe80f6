package kernel

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
	"gatehouse/internal/registryclient"
)

const (
	// kernelAccount owns the built-in roles; nobody gains anything by its name.
	kernelAccount = "security"
	// checkEvery is how often what has not changed is compared with the database
	// all the same, which mends what was lost to a restored backup.
	checkEvery = 5 * time.Minute
	// maxSites bounds of how many sites it is remembered.
	maxSites = 1000
)

// grant is a role in the hands of an account.
type grant struct{ tenantID, role, username string }

// EnsureBuiltinRoles makes the roles that a site needs and grants them to
// those whom the registry names. Call it with whatever the registry says now:
// it costs nothing while that stays the same, may run on several replicas at
// once, and changes only what differs.
//
// Granted are, in the administrative tenant, TenantCreator to the registry
// (at the primary site), DefinitionUpdater to those who publish signing keys,
// and a tenant's GeneratorRole to its TokenGenServices, from which it is also
// taken when the registry names them no longer; and in each tenant AdminRole
// to AdminUser as long as nobody has it.
func (s *Service) EnsureBuiltinRoles(ctx context.Context, site registryclient.Site, tenants []registryclient.Record) error {
	if site.ID == "" || site.AdminTenant == "" {
		return apierr.Wrap(fmt.Errorf("a site without id or administrative tenant: %q, %q", site.ID, site.AdminTenant),
			"ensure built-in roles")
	}
	w := wanted{site: site, tenants: tenants}
	print, now := sha256.Sum256(fmt.Appendf(nil, "%#v", w)), s.now()
	if last, found := s.ensured.Find(site.ID, now); found && last == print {
		return nil
	}
	difference, err := s.difference(ctx, w)
	if err != nil {
		return apierr.DatabaseAway(err)
	}
	if !difference.empty() {
		err := s.store.db.InSerializableTx(ctx, func(ctx context.Context) error {
			d, err := s.difference(ctx, w)
			if err != nil {
				return err
			}
			return s.apply(ctx, d)
		})
		if err != nil {
			return apierr.DatabaseAway(err)
		}
	}
	s.ensured.Keep(site.ID, print, now, s.ensured.Turn())
	return nil
}

// wanted is what the registry says of a site and of its tenants, drafts
// included, from which follows who is to hold which role.
type wanted struct {
	site    registryclient.Site
	tenants []registryclient.Record
}

// difference is what has to be done for the database to be as a site needs it.
type difference struct {
	roles   []Role
	grants  []grant
	revokes []grant
}

func (d difference) empty() bool { return len(d.roles)+len(d.grants)+len(d.revokes) == 0 }

func (s *Service) difference(ctx context.Context, w wanted) (difference, error) {
	roles, grants, err := s.store.builtinState(ctx, w.site.AdminTenant)
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
	granted := map[grant]bool{}
	for _, r := range w.roles() {
		if !haveRole[grant{tenantID: r.TenantID, role: r.Name}] {
			d.roles = append(d.roles, r)
		}
	}
	for _, g := range w.grants() {
		granted[g] = true
		if haveGrant[g] || g.role == AdminRole && hasAdmin[g.tenantID] || checkUsername(g.username) != nil {
			continue
		}
		d.grants = append(d.grants, g)
	}
	listed := map[string]bool{}
	for _, t := range w.tenants {
		listed[GeneratorRole(t.ID)] = true
	}
	for _, g := range grants {
		if g.TenantID == w.site.AdminTenant && g.Source == fromRegistry && listed[g.Role] &&
			strings.HasSuffix(g.Role, generatorSuffix) && !granted[grant{g.TenantID, g.Role, g.Username}] {
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
			TenantID: g.tenantID, Role: g.role, Username: g.username, Source: fromRegistry, GrantedBy: "",
			CreateTime: database.At(s.now()),
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
func (w wanted) roles() []Role {
	builtin := func(tenantID, name, description string) Role {
		return Role{TenantID: tenantID, Name: name, Owner: kernelAccount, OwnerTenant: w.site.AdminTenant, Description: description}
	}
	all := []Role{
		builtin(w.site.AdminTenant, DefinitionUpdater, "May change the tenants of this site."),
		builtin(w.site.AdminTenant, SiteAdminUser, "People who may have tokens in this tenant, if its configuration permits it."),
	}
	if w.site.Primary {
		all = append(all, builtin(w.site.AdminTenant, TenantCreator, "May create sites, owners, LDAP connections and tenants."))
	}
	for _, t := range w.tenants {
		all = append(all, builtin(t.ID, AdminRole, "Administrators of the tenant."))
		if t.ID != w.site.AdminTenant {
			all = append(all, builtin(w.site.AdminTenant, GeneratorRole(t.ID), "May ask for tokens of the people of tenant "+t.ID+"."))
		}
	}
	return all
}

// grants lists who should hold the built-in roles of a site. Keys are
// published by the account tokens where Tokens is a service of its own, and
// by authenticator where, as here, one process mints for both.
func (w wanted) grants() []grant {
	all := []grant{{w.site.AdminTenant, DefinitionUpdater, "tokens"}, {w.site.AdminTenant, DefinitionUpdater, "authenticator"}}
	if w.site.Primary {
		all = append(all, grant{w.site.AdminTenant, TenantCreator, "tenants"})
	}
	for _, t := range w.tenants {
		if t.AdminUser != "" {
			all = append(all, grant{t.ID, AdminRole, t.AdminUser})
		}
		if t.ID == w.site.AdminTenant {
			continue
		}
		for _, service := range t.TokenGenServices {
			all = append(all, grant{w.site.AdminTenant, GeneratorRole(t.ID), service})
		}
	}
	return all
}
