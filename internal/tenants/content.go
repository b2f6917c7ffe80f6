package tenants

import (
	"context"
	"maps"
	"slices"
	"strings"

	"gatehouse/internal/database"
	"gatehouse/internal/tenants/field"
	"gatehouse/internal/tenants/history"
	"gatehouse/internal/tenants/sites"
)

// Content is all that the registry knows, except for the history of its rows:
// every row, each kind ordered by its id.
type Content struct {
	Sites   []sites.Site
	Owners  []Owner
	LDAPs   []LDAPConnection
	Tenants []Tenant
}

// tables are where the registry is stored.
type tables struct {
	sites   *sites.Service
	owners  ownerStore
	ldaps   ldapStore
	tenants tenantStore
	history history.Store // of tenants
}

func newTables(db *database.DB) tables {
	return tables{
		sites: sites.New(db), owners: ownerStore{db: db}, ldaps: ldapStore{db: db},
		tenants: tenantStore{db: db}, history: history.New(db, "tenant_history", "tenant_id"),
	}
}

// content reads all rows. They are of one moment when no write can come
// between, or when the reader makes sure that none has.
func (t tables) content(ctx context.Context) (c Content, err error) {
	if c.Sites, err = t.sites.All(ctx); err != nil {
		return Content{}, err
	}
	if c.Owners, err = t.owners.all(ctx); err != nil {
		return Content{}, err
	}
	if c.LDAPs, err = t.ldaps.all(ctx); err != nil {
		return Content{}, err
	}
	c.Tenants, err = t.tenants.all(ctx)
	return c, err
}

// known is content at hand by what identifies it: what the rules ask that
// look beyond a single row.
type known struct {
	sites   map[string]sites.Site
	owners  map[string]Owner
	ldaps   map[string]LDAPConnection
	tenants map[string]Tenant
	folded  map[string]string // tenant ids by themselves in lower case
	hosts   map[string]string // tenant ids by the hosts of their base URLs
}

func newKnown(c Content) *known {
	k := &known{
		sites: map[string]sites.Site{}, owners: map[string]Owner{}, ldaps: map[string]LDAPConnection{},
		tenants: make(map[string]Tenant, len(c.Tenants)), folded: make(map[string]string, len(c.Tenants)), hosts: make(map[string]string, len(c.Tenants)),
	}
	for _, s := range c.Sites {
		k.sites[s.ID] = s
	}
	for _, o := range c.Owners {
		k.owners[o.Email] = o
	}
	for _, l := range c.LDAPs {
		k.ldaps[l.ID] = l
	}
	for _, t := range c.Tenants {
		k.put(t)
	}
	return k
}

// put adds a tenant, or overwrites its earlier state.
func (k *known) put(t Tenant) {
	k.tenants[t.ID], k.folded[strings.ToLower(t.ID)], k.hosts[field.Host(t.BaseURL)] = t, t.ID, t.ID
}

// primary returns the primary site; false while there is none.
func (k *known) primary() (sites.Site, bool) {
	for _, s := range k.sites {
		if s.Primary {
			return s, true
		}
	}
	return sites.Site{}, false
}

// allSites returns the sites in any order.
func (k *known) allSites() []sites.Site {
	all := make([]sites.Site, 0, len(k.sites))
	for _, s := range k.sites {
		all = append(all, s)
	}
	return all
}

// first returns the least id of a tenant for which is holds; false: of none.
func (k *known) first(is func(t Tenant) bool) (string, bool) {
	var ids []string
	for id, t := range k.tenants {
		if is(t) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return "", false
	}
	return slices.Min(ids), true
}

// answer returns the tenant with the id as answers show it.
func (k *known) answer(id string) tenantAnswer {
	t := k.tenants[id]
	site := k.sites[t.SiteID]
	all := make([]Tenant, 0, len(k.tenants))
	for _, id := range slices.Sorted(maps.Keys(k.tenants)) {
		all = append(all, k.tenants[id])
	}
	return newTenantAnswer(t, !site.Primary, allowable(t, site, all))
}
