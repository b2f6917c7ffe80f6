package kernel

import (
	"context"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authn"
	"gatehouse/internal/registryclient"
)

// kernel is the service's name in the lists of services.
const kernel = "security"

// policy decides what a caller may ask and change. What counts is the account
// in the token: for whom a service says that it asks gives it nothing,
// because it can say what it likes. docs/security.md lists the rules.
type policy struct {
	roles    *Service
	registry *registryclient.Client
	siteID   string // where this service runs
}

// scope returns the tenant that a request names, if the caller may ask about
// it: a user about the own tenant, a service about those that its site may act
// for, and either only about tenants that are served here.
func (p policy) scope(ctx context.Context, caller authn.Caller, tenantID string) (authn.Tenant, error) {
	if !caller.Service() && tenantID != caller.TenantID {
		return authn.Tenant{}, forbidden("A user may ask about the tenant of the token only.")
	}
	tenant, found, err := p.registry.Tenant(ctx, tenantID)
	if err != nil {
		return authn.Tenant{}, err
	}
	if !found {
		return authn.Tenant{}, apierr.Invalidf("The field tenant does not name an active tenant.")
	}
	primary, err := p.registry.PrimarySite(ctx)
	if err != nil {
		return authn.Tenant{}, err
	}
	if caller.Service() && p.siteID == primary && caller.SiteID == primary {
		return tenant, nil // the registry asks of every site's accounts what they may write there
	}
	if err := p.served(ctx, tenant, primary); err != nil || !caller.Service() {
		return tenant, err
	}
	switch {
	case p.siteID != primary && caller.SiteID != p.siteID:
		return authn.Tenant{}, forbidden("Only services of this site may ask here.")
	case caller.SiteID != primary && caller.SiteID != tenant.SiteID:
		return authn.Tenant{}, forbidden("The service's site may not act for that tenant.")
	}
	return tenant, nil
}

// served fails for tenants whose roles and secrets are kept at another site.
func (p policy) served(ctx context.Context, tenant authn.Tenant, primary string) error {
	if tenant.SiteID == p.siteID {
		return nil
	}
	itself := true
	if p.siteID == primary {
		var err error
		if itself, err = p.registry.RunsItself(ctx, tenant.SiteID, kernel); err != nil {
			return err
		}
	}
	if itself {
		return forbidden("The roles and secrets of that tenant are not kept at this site.")
	}
	return nil
}

// action is a change to a role.
type action int

const (
	create action = iota
	change        // grant, revoke, delete
)

// mayChange fails unless the caller may do that to a role of a tenant from
// scope; owner says whether the caller owns the role.
func (p policy) mayChange(ctx context.Context, caller authn.Caller, tenant authn.Tenant, role string, what action,
	owner bool,
) error {
	if allowed, err := p.administersSite(ctx, caller); allowed || err != nil {
		return err
	}
	admin := false
	if caller.TenantID == tenant.ID {
		var err error
		if admin, err = p.roles.IsAdmin(ctx, caller.TenantID, caller.Username); err != nil {
			return err
		}
	}
	own := caller.Service() && caller.TenantID == tenant.ID
	switch {
	case role == AdminRole && admin:
		return nil
	case isBuiltin(role):
		return forbidden("The role is kept for the site: only its administrators may change it.")
	case tenant.SiteAdmin && !caller.Service(): // a person may share the name of a service that owns a role
		return forbidden("Only the administrators of the tenant may do that.")
	case caller.Service() && !tenant.SiteAdmin, // services act for the tenants of their site
		admin, owner,
		own && what == create: // a service makes roles beside others in the administrative tenant
		return nil
	}
	return forbidden("Only the owner of the role and the administrators of the tenant may do that.")
}

// administersSite holds for administrators of the administrative tenant of a
// site. How far they reach is for scope to say: people to that tenant, services
// to all of the site's.
func (p policy) administersSite(ctx context.Context, caller authn.Caller) (bool, error) {
	home, found, err := p.registry.Tenant(ctx, caller.TenantID)
	if err != nil || !found || !home.SiteAdmin {
		return false, err
	}
	return p.roles.IsAdmin(ctx, caller.TenantID, caller.Username)
}

// ownerOf says who owns a role that the caller makes: the person for whom a
// service asks, if of the same tenant as the role, and otherwise the caller.
func ownerOf(caller authn.Caller, tenantID string) authn.Subject {
	if caller.Service() && caller.OnBehalfOf.TenantID == tenantID {
		return caller.OnBehalfOf
	}
	return authn.Subject{TenantID: caller.TenantID, Username: caller.Username}
}

func forbidden(message string) error { return apierr.New(apierr.Forbidden, "%s", message) }
