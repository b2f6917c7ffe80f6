package tenants

import (
	"context"
	"slices"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authn"
	"gatehouse/internal/kernelclient"
)

// The roles that let people and services write; docs/registry.md says how
// they are given.
const (
	// creatorRole, in the primary site's administrative tenant, is needed for
	// everything that is not an update of a tenant or site.
	creatorRole = "tenant_creator"
	// updaterRole counts in the tenant of the token.
	updaterRole = "tenant_definition_updater"
	// adminRole is held by the administrators of a tenant.
	adminRole = "$!tenant_admin"
)

// What those may change who may not change everything. The rest of a tenant
// decides whom others believe and who signs in: keys, endpoints, directories,
// status. That is for the site.
var (
	ofUpdaters   = []string{"description"}
	ofAdmins     = []string{"description", "admin_user"}
	ofKeyHolder  = []string{"public_key"}
	ofSiteItself = []string{"services", "base_url"}
)

// keyHolders are the services that hold a site's private keys, and so can
// publish the public halves without a role: whoever has their password can
// have anything signed with these keys in any case.
var keyHolders = []string{"tokens", "authenticator"}

// permit is what a caller may change of one record.
type permit struct {
	everything bool
	fields     []string
}

// precondition refuses to change what p does not cover, and records that are
// not there.
func (p permit) precondition(title, id string, found bool, differences []Difference) error {
	if !found {
		return missing(title, id)
	}
	if p.everything {
		return nil
	}
	if others := differing(differences, p.fields); others != nil {
		return apierr.New(apierr.Forbidden, "You may not change %s of the %s %s; you may change %s.",
			strings.Join(others, ", "), title, id, strings.Join(p.fields, ", "))
	}
	return nil
}

// access decides who may write what.
type access struct {
	snapshots *snapshots
	kernel    *kernelclient.Client
}

// writer is a caller who wants to write, with the registry as it was when he
// asked.
type writer struct {
	authn.Caller

	now     *snapshot
	primary Site
}

// String returns the caller as records and their history name him.
func (w writer) String() string { return w.Username + "@" + w.TenantID }

// writer returns who asks for a write. Errors: Forbidden, Unavailable.
func (a access) writer(ctx context.Context) (writer, error) {
	caller, err := authn.From(ctx)
	if err != nil {
		return writer{}, err
	}
	if caller.ThirdParty != "" {
		return writer{}, authn.ThirdPartyRefused(caller.ThirdParty)
	}
	now, err := a.snapshots.current(ctx)
	if err != nil {
		return writer{}, err
	}
	primary, found := now.primary()
	if !found {
		return writer{}, apierr.Away(errNoPrimary, "The primary site")
	}
	who := writer{Caller: caller, now: now, primary: primary}
	if who.posesAsService() {
		return writer{}, apierr.New(apierr.Forbidden, "The user %s has the name of a service and cannot change the registry.",
			caller.Username)
	}
	return who, nil
}

// posesAsService reports whether the caller is a user of an administrative
// tenant who is called like a service. Roles are given to names, and those of
// services must not count for people.
func (w writer) posesAsService() bool {
	if _, administrative := w.now.administered(w.TenantID); w.Service() || !administrative {
		return false
	}
	names := []string{serviceName, "tokens", "authenticator", "security"}
	for _, site := range w.now.content.Sites {
		names = append(names, site.Services...)
	}
	return slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, w.Username) })
}

// creator returns who asks, if he may create and delete. Errors: Forbidden,
// Unavailable.
func (a access) creator(ctx context.Context) (writer, error) {
	who, err := a.writer(ctx)
	if err != nil {
		return writer{}, err
	}
	may, err := a.creates(ctx, who)
	switch {
	case err != nil:
		return writer{}, err
	case !may:
		return writer{}, apierr.New(apierr.Forbidden, "Only holders of the role %s in the tenant %s may do that.",
			creatorRole, who.primary.AdminTenantID)
	}
	return who, nil
}

func (a access) creates(ctx context.Context, who writer) (bool, error) {
	if who.TenantID != who.primary.AdminTenantID {
		return false, nil
	}
	return a.kernel.HasRole(ctx, who.TenantID, who.Username, creatorRole)
}

// runsSite reports whether the caller is a service of the administrative
// tenant of the site.
func (w writer) runsSite(siteID string) bool {
	site, _ := w.now.site(siteID)
	return w.Service() && w.TenantID == site.AdminTenantID
}

// tenant returns what the caller may change of t, of which he wants to change
// no field but those given. Errors: Forbidden, Unavailable.
func (a access) tenant(ctx context.Context, who writer, t Tenant, given map[string]bool) (permit, error) {
	switch {
	case who.Service() && who.TenantID == who.primary.AdminTenantID && who.Username == serviceName:
		return permit{everything: true}, nil
	case who.runsSite(t.SiteID) && slices.Contains(keyHolders, who.Username) && only(given, ofKeyHolder):
		return permit{fields: ofKeyHolder}, nil
	}
	if who.runsSite(t.SiteID) {
		if may, err := a.kernel.HasRole(ctx, who.TenantID, who.Username, updaterRole); may || err != nil {
			return permit{everything: true}, err
		}
	}
	if may, err := a.creates(ctx, who); may || err != nil {
		return permit{everything: true}, err
	}
	if who.TenantID != t.ID {
		return permit{}, apierr.New(apierr.Forbidden, "You may not change the tenant %s.", t.ID)
	}
	for _, own := range []struct {
		role   string
		fields []string
	}{{adminRole, ofAdmins}, {updaterRole, ofUpdaters}} {
		if may, err := a.kernel.HasRole(ctx, who.TenantID, who.Username, own.role); may || err != nil {
			return permit{fields: own.fields}, err
		}
	}
	return permit{}, apierr.New(apierr.Forbidden, "Only administrators of the tenant %s and holders of the role %s may change it.",
		t.ID, updaterRole)
}

// site returns what the caller may change of the site with the id. Errors:
// Forbidden, Unavailable.
func (a access) site(ctx context.Context, who writer, id string) (permit, error) {
	if may, err := a.creates(ctx, who); may || err != nil {
		return permit{everything: true}, err
	}
	if who.runsSite(id) {
		if may, err := a.kernel.HasRole(ctx, who.TenantID, who.Username, updaterRole); may || err != nil {
			return permit{fields: ofSiteItself}, err
		}
	}
	return permit{}, apierr.New(apierr.Forbidden, "You may not change the site %s.", id)
}

// administers reports whether the caller is an administrator of his own
// tenant; when that cannot be found out, he is not.
func (a access) administers(ctx context.Context, caller authn.Caller) bool {
	if caller.Service() {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	may, err := a.kernel.HasRole(ctx, caller.TenantID, caller.Username, adminRole)
	return may && err == nil
}

// only reports whether no field is given but these.
func only(given map[string]bool, fields []string) bool {
	for name, is := range given {
		if is && !slices.Contains(fields, name) {
			return false
		}
	}
	return true
}
