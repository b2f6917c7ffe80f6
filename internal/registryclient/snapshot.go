package registryclient

import (
	"crypto/rsa"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Tenant is what the authenticator needs to know of a tenant.
type Tenant struct {
	ID               string
	SiteID           string
	BaseURL          string // without a trailing slash
	TokenService     string // the claim iss of its Tapis tokens
	UserLDAP         string // id of its LDAP connection for people; empty: none
	AdminUser        string // who administers it
	TokenGenServices []string
	SiteAdmin        bool // it is the administrative tenant of its site
	OwnedByThisOne   bool // its site is the one that this authenticator serves
}

// Site is what the authenticator needs to know of a site.
type Site struct {
	ID          string
	Primary     bool
	AdminTenant string
	Services    []string
}

// OAuthURL returns the address of a path below the tenant's /v3/oauth2.
func (t Tenant) OAuthURL(path string) string { return t.BaseURL + "/v3/oauth2" + path }

// site and tenant are the registry's responses, as far as they are read.
type siteJSON struct {
	SiteID      string `json:"site_id"`
	Primary     bool   `json:"primary"`
	Template    string `json:"tenant_base_url_template"`
	AdminTenant string `json:"site_admin_tenant_id"`

	Services []string `json:"services"`
}

type tenantJSON struct {
	TenantID     string `json:"tenant_id"`
	SiteID       string `json:"site_id"`
	BaseURL      string `json:"base_url"`
	TokenService string `json:"token_service"`
	PublicKey    string `json:"public_key"`
	UserLDAP     string `json:"user_ldap_connection_id"`
	AdminUser    string `json:"admin_user"`
	Status       string `json:"status"`

	TokenGenServices []string `json:"token_gen_services"`
}

// snapshot is one state of the registry, indexed; it is never changed.
type snapshot struct {
	byHost    map[string]*Tenant // nil: several tenants claim the host
	byID      map[string]*Tenant
	sites     map[string]Site
	keys      map[string]func() (*rsa.PublicKey, error) // by tenant, each parsed when it is first needed
	contested []string                                  // the hosts that several tenants claim
	primary   string                                    // id of the primary site
	admin     *Tenant                                   // administrative tenant of the site that is served here
}

// newSnapshot indexes the active tenants by their hosts: that of base_url first,
// then that of the primary site's template. A host that several claim is
// nobody's: serving one of them would show its login to the other's people.
func newSnapshot(siteID string, sites []siteJSON, tenants []tenantJSON) (*snapshot, error) {
	v := &snapshot{byID: map[string]*Tenant{}, sites: map[string]Site{}, keys: map[string]func() (*rsa.PublicKey, error){}}
	template := ""
	for _, s := range sites {
		v.sites[s.SiteID] = Site{ID: s.SiteID, Primary: s.Primary, AdminTenant: s.AdminTenant, Services: s.Services}
		if s.Primary {
			v.primary, template = s.SiteID, s.Template
		}
	}
	if _, known := v.sites[siteID]; !known {
		return nil, fmt.Errorf("the registry has no site %s, the one that this authenticator serves", siteID)
	}
	for _, t := range tenants {
		if t.Status != "ACTIVE" || t.TenantID == "" {
			continue
		}
		tenant := &Tenant{
			ID: t.TenantID, SiteID: t.SiteID, BaseURL: strings.TrimRight(t.BaseURL, "/"), TokenService: t.TokenService,
			UserLDAP: t.UserLDAP, AdminUser: t.AdminUser, TokenGenServices: t.TokenGenServices,
			SiteAdmin: v.sites[t.SiteID].AdminTenant == t.TenantID, OwnedByThisOne: t.SiteID == siteID,
		}
		v.byID[tenant.ID] = tenant
		if t.PublicKey != "" {
			v.keys[tenant.ID] = sync.OnceValues(func() (*rsa.PublicKey, error) { return publicKey(t.PublicKey) })
		}
	}
	v.admin = v.byID[v.sites[siteID].AdminTenant]
	// What comes later counts more: a base URL more than the template, and the
	// tenants of this site more than those that other sites have registered.
	v.byHost = map[string]*Tenant{}
	for _, ours := range []bool{false, true} {
		maps.Copy(v.byHost, v.claims(ours, func(t *Tenant) string { return strings.ReplaceAll(template, "${tenant_id}", t.ID) }))
		maps.Copy(v.byHost, v.claims(ours, func(t *Tenant) string { return t.BaseURL }))
	}
	for host, tenant := range v.byHost {
		if tenant == nil {
			v.contested = append(v.contested, host)
		}
	}
	slices.Sort(v.contested)
	return v, nil
}

// claims says whose each host is when the tenants of this site, or those of
// the others, are at the given URLs.
func (v *snapshot) claims(ours bool, urlOf func(t *Tenant) string) map[string]*Tenant {
	byHost := map[string]*Tenant{}
	for _, tenant := range v.byID {
		if tenant.OwnedByThisOne != ours {
			continue
		}
		for _, host := range hostsOf(urlOf(tenant)) {
			if _, taken := byHost[host]; taken {
				byHost[host] = nil
			} else {
				byHost[host] = tenant
			}
		}
	}
	return byHost
}

// hostsOf returns the Host headers that a URL stands for: lower case, with
// its port, and without it where it is the scheme's own.
func hostsOf(raw string) []string {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" {
		return nil
	}
	host, port := fold(u.Hostname()), u.Port()
	bare := host
	if strings.Contains(host, ":") {
		bare = "[" + host + "]"
	}
	byScheme := map[string]string{"https": "443", "http": "80"}[u.Scheme]
	switch {
	case byScheme == "":
		return nil
	case port == "" || port == byScheme:
		return []string{bare, net.JoinHostPort(host, byScheme)}
	}
	return []string{net.JoinHostPort(host, port)}
}

// tenantFor returns the tenant whose host this is, compared exactly.
func (v *snapshot) tenantFor(host string) (Tenant, bool) {
	if t := v.byHost[fold(host)]; t != nil {
		return *t, true
	}
	return Tenant{}, false
}

// fold writes ASCII letters in lower case, as names are compared (RFC 4343),
// and nothing else: Unicode has letters whose lower case is an ASCII one.
func fold(host string) string {
	folded := []byte(host)
	for i, b := range folded {
		if 'A' <= b && b <= 'Z' {
			folded[i] = b + 'a' - 'A'
		}
	}
	return string(folded)
}
