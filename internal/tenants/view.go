package tenants

import (
	"gatehouse/internal/tenants/prepared"
	"gatehouse/internal/tenants/sites"
)

// view is the whole registry at one moment, with the answers about it. It
// never changes and is safe for concurrent use.
type view struct {
	counter    int64 // the database's count of changes
	generation int64 // this process's count of writes, taken before reading

	sites   *sites.View
	tenants []Tenant // of every status, ordered by id
	answers []tenantAnswer
	byID    map[string]int
	list    prepared.Once // the default list
	each    []prepared.Once
}

func newView(counter, generation int64, allSites []sites.Site, all []Tenant) *view {
	v := &view{
		counter: counter, generation: generation, sites: sites.NewView(allSites),
		tenants: all, answers: make([]tenantAnswer, len(all)),
		byID: make(map[string]int, len(all)), each: make([]prepared.Once, len(all)),
	}
	for i, t := range all {
		site, _ := v.sites.Get(t.SiteID) // a foreign key says that it is there
		v.byID[t.ID] = i
		v.answers[i] = newTenantAnswer(t, !site.Primary, allowable(t, site, all))
	}
	return v
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
	for i, t := range v.tenants {
		if t.Status == Active || (t.Status == Draft && drafts) || (t.Status == Inactive && inactive) {
			answers = append(answers, v.answers[i])
		}
	}
	return answers
}
