package sites

import "gatehouse/internal/tenants/prepared"

// View is all sites at one moment, with the answers about them. It never
// changes and is safe for concurrent use.
type View struct {
	all     []Site // ordered by id
	answers []siteAnswer
	byID    map[string]int
	list    prepared.Once
	each    []prepared.Once
}

// NewView returns a view of all sites; it keeps the slice.
func NewView(all []Site) *View {
	v := &View{
		all: all, answers: make([]siteAnswer, len(all)),
		byID: make(map[string]int, len(all)), each: make([]prepared.Once, len(all)),
	}
	for i, s := range all {
		v.byID[s.ID], v.answers[i] = i, newSiteAnswer(s)
	}
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
