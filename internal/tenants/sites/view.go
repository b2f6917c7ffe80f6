package sites

import (
	"slices"

	"gatehouse/internal/responsecache"
)

// View is all sites at one moment, with the answers about them. It never
// changes and is safe for concurrent use.
type View struct {
	all     []Site // ordered by id
	byID    map[string]int
	answers *responsecache.Cache[siteAnswer]
}

// NewView returns a view of all sites; it keeps the slice.
func NewView(all []Site) *View {
	v := &View{all: all, byID: make(map[string]int, len(all))}
	answers := make([]siteAnswer, len(all))
	for i, s := range all {
		v.byID[s.ID], answers[i] = i, newSiteAnswer(s)
	}
	v.answers = responsecache.New(answers, func(a siteAnswer) string { return a.SiteID })
	return v
}

// Get returns the site with the id.
func (v *View) Get(id string) (Site, bool) {
	i, ok := v.byID[id]
	if !ok {
		return Site{}, false
	}
	return v.all[i], true
}

// Primary returns the primary site; false while there is none.
func (v *View) Primary() (Site, bool) {
	for _, s := range v.all {
		if s.Primary {
			return s, true
		}
	}
	return Site{}, false
}

// HasAdminTenant reports whether the tenant is the administrative one of a
// site.
func (v *View) HasAdminTenant(tenantID string) bool {
	return slices.ContainsFunc(v.all, func(s Site) bool { return s.AdminTenantID == tenantID })
}

// Services returns the names of all services of all sites, and those given.
func (v *View) Services(names ...string) []string {
	for _, s := range v.all {
		names = append(names, s.Services...)
	}
	return names
}
