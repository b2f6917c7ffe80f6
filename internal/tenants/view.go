package tenants

import (
	"gatehouse/internal/responsecache"
	"gatehouse/internal/tenants/sites"
)

// view is the whole registry at one moment, with the answers about it. It
// never changes and is safe for concurrent use.
type view struct {
	counter    int64 // the database's count of changes
	generation int64 // this process's count of writes, taken before reading

	content Content
	sites   *sites.View
	byID    map[string]int     // of content.Tenants
	keys    []parsedKey        // of content.Tenants
	answers []tenantAnswer     // of content.Tenants
	list    responsecache.Lazy // the default list of tenants
	tenants *responsecache.Cache[tenantAnswer]
	owners  *responsecache.Cache[ownerAnswer]
	ldaps   *responsecache.Cache[ldapAnswer] // as everybody sees them
	secrets *responsecache.Cache[ldapAnswer] // as services see them
}

func newView(counter, generation int64, c Content) *view {
	v := &view{
		counter: counter, generation: generation, content: c, sites: sites.NewView(c.Sites),
		byID: make(map[string]int, len(c.Tenants)), keys: make([]parsedKey, len(c.Tenants)), answers: make([]tenantAnswer, len(c.Tenants)),
	}
	for i, t := range c.Tenants {
		site, _ := v.sites.Get(t.SiteID) // a foreign key says that it is there
		v.byID[t.ID] = i
		v.answers[i] = newTenantAnswer(t, !site.Primary, allowable(t, site, c.Tenants))
	}
	v.tenants = responsecache.New(v.answers, func(a tenantAnswer) string { return a.TenantID })
	owners := make([]ownerAnswer, len(c.Owners))
	for i, o := range c.Owners {
		owners[i] = newOwnerAnswer(o)
	}
	v.owners = responsecache.New(owners, func(a ownerAnswer) string { return a.Email })
	ldaps, secrets := make([]ldapAnswer, len(c.LDAPs)), make([]ldapAnswer, len(c.LDAPs))
	for i, l := range c.LDAPs {
		ldaps[i], secrets[i] = newLDAPAnswer(l, false), newLDAPAnswer(l, true)
	}
	v.ldaps, v.secrets = responsecache.New(ldaps, ldapAnswer.id), responsecache.New(secrets, ldapAnswer.id)
	return v
}

// tenant returns the tenant with the id, and what holds its key.
func (v *view) tenant(id string) (t Tenant, key *parsedKey, found bool) {
	i, found := v.byID[id]
	if !found {
		return Tenant{}, nil, false
	}
	return v.content.Tenants[i], &v.keys[i], true
}

// allowable lists the tenants that services of t may act for: t itself; for
// the admin tenant of a site the active tenants of that site; for the primary
// site's admin tenant all active ones. Java services derive the same from the
// default list.
func allowable(t Tenant, site sites.Site, all []Tenant) []string {
	if t.ID != site.AdminTenantID {
		return []string{t.ID}
	}
	var ids []string
	for _, other := range all {
		if other.ID == t.ID || (other.Status == Active && (site.Primary || other.SiteID == site.ID)) {
			ids = append(ids, other.ID)
		}
	}
	return ids
}

// filter returns the answers about tenants that are active or, when asked
// for, drafts or inactive.
func (v *view) filter(drafts, inactive bool) []tenantAnswer {
	var answers []tenantAnswer
	for i, t := range v.content.Tenants {
		if t.Status == Active || (t.Status == Draft && drafts) || (t.Status == Inactive && inactive) {
			answers = append(answers, v.answers[i])
		}
	}
	return answers
}
