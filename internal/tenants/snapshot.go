package tenants

import (
	"slices"
	"strings"

	"gatehouse/internal/responsecache"
	"gatehouse/internal/tenants/field"
)

// snapshot is the whole registry at one moment, with the responses about it.
// It never changes and is safe for concurrent use.
type snapshot struct {
	counter    int64 // the database's count of changes
	generation int64 // this process's count of writes, taken before reading

	content   Content
	index     map[string]int   // of content.Tenants, by id
	keys      []parsedKey      // of content.Tenants
	responses []tenantResponse // of content.Tenants
	secure    map[string]bool  // the hosts of tenants whose base URL has https

	list    responsecache.Lazy // the default list of tenants
	sites   *responsecache.Cache[siteResponse]
	tenants *responsecache.Cache[tenantResponse]
	owners  *responsecache.Cache[ownerResponse]
	ldaps   *responsecache.Cache[ldapResponse] // as everybody sees them
	secrets *responsecache.Cache[ldapResponse] // as services see them
}

func newSnapshot(counter, generation int64, c Content) *snapshot {
	s := &snapshot{
		counter: counter, generation: generation, content: c,
		index: make(map[string]int, len(c.Tenants)), keys: make([]parsedKey, len(c.Tenants)), secure: map[string]bool{},
	}
	for i, t := range c.Tenants {
		s.index[t.ID] = i
		if strings.HasPrefix(t.BaseURL, "https://") {
			s.secure[field.Host(t.BaseURL)] = true
		}
	}
	s.responses = converted(c.Tenants, func(t Tenant) tenantResponse {
		site, _ := s.site(t.SiteID) // a foreign key says that it is there
		return newTenantResponse(t, site, c.Tenants)
	})
	s.sites = responsecache.New(converted(c.Sites, newSiteResponse), siteResponse.id)
	s.tenants = responsecache.New(s.responses, tenantResponse.id)
	s.owners = responsecache.New(converted(c.Owners, newOwnerResponse), ownerResponse.id)
	s.ldaps = s.connections(func(LDAPConnection) bool { return false })
	s.secrets = s.connections(func(LDAPConnection) bool { return true })
	return s
}

// connections returns the LDAP connections, those whole for which is holds.
func (s *snapshot) connections(whole func(l LDAPConnection) bool) *responsecache.Cache[ldapResponse] {
	return responsecache.New(converted(s.content.LDAPs, func(l LDAPConnection) ldapResponse {
		return newLDAPResponse(l, whole(l))
	}), ldapResponse.id)
}

func converted[From, To any](all []From, convert func(From) To) []To {
	to := make([]To, len(all))
	for i, from := range all {
		to[i] = convert(from)
	}
	return to
}

// site returns the site with the id.
func (s *snapshot) site(id string) (Site, bool) {
	return s.siteWhere(func(s Site) bool { return s.ID == id })
}

// primary returns the primary site; false while there is none.
func (s *snapshot) primary() (Site, bool) { return s.siteWhere(func(s Site) bool { return s.Primary }) }

// administered returns the site of which the tenant is the administrative one.
func (s *snapshot) administered(tenantID string) (Site, bool) {
	return s.siteWhere(func(s Site) bool { return s.AdminTenantID == tenantID })
}

func (s *snapshot) siteWhere(is func(s Site) bool) (Site, bool) {
	i := slices.IndexFunc(s.content.Sites, is)
	if i < 0 {
		return Site{}, false
	}
	return s.content.Sites[i], true
}

// tenant returns the tenant with the id, and what holds its key.
func (s *snapshot) tenant(id string) (t Tenant, key *parsedKey, found bool) {
	i, found := s.index[id]
	if !found {
		return Tenant{}, nil, false
	}
	return s.content.Tenants[i], &s.keys[i], true
}

// filter returns the responses about tenants that are active or, when asked
// for, drafts or inactive.
func (s *snapshot) filter(drafts, inactive bool) []tenantResponse {
	var responses []tenantResponse
	for i, t := range s.content.Tenants {
		if t.Status == Active || (t.Status == Draft && drafts) || (t.Status == Inactive && inactive) {
			responses = append(responses, s.responses[i])
		}
	}
	return responses
}
