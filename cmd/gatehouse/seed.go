package main

import (
	"net"
	"net/url"
	"strconv"
	"time"

	"gatehouse/internal/devldap"
	"gatehouse/internal/tenants"
)

// The names of the development site.
const (
	siteID      = "main"
	devTenant   = "dev"
	adminTenant = "admin"
	ownerEmail  = "owner@example.org"
	baseDN      = "dc=tapis"
	bindDN      = "cn=reader,dc=tapis"

	// bindCredential is the name of the secret with bindDN's password.
	bindCredential = "ldap.development"
)

// serviceAccounts belong to the admin tenant and share one password.
var serviceAccounts = []string{"tenants", "tokens", "authenticator", "systems", "files"}

// peopleSince is when the test people joined: the same at every start.
func peopleSince() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// plan is what a site begins with: its tenants and their people.
type plan struct {
	addresses addresses
	tenants   []plannedTenant
}

// plannedTenant is a tenant and, if it has any, its people. Their part of the
// directory and its LDAP connection are named after the tenant.
type plannedTenant struct {
	id, baseURL, description, admin string
	people                          []devldap.Person
}

// development is the plan of a first run: dev, where people are, and admin,
// where services are.
func development(a addresses) plan {
	return plan{addresses: a, tenants: []plannedTenant{
		{
			id: devTenant, baseURL: a.dev, admin: "testadmin", people: testPeople(),
			description: "Development tenant with test accounts.",
		},
		{
			id: adminTenant, baseURL: a.admin, admin: "admin",
			description: "Administrative tenant of the site; services belong to it.",
		},
	}}
}

// testPeople are testuser1 to testuser10, testadmin and admin; each one's
// password is the name.
func testPeople() []devldap.Person {
	names := []string{"testadmin", "admin"}
	for i := range 10 {
		names = append(names, "testuser"+strconv.Itoa(i+1))
	}
	list := make([]devldap.Person, 0, len(names))
	for _, name := range names {
		list = append(list, devldap.Person{
			Username: name, Password: name, GivenName: "Test", LastName: name, Email: name + "@example.org",
		})
	}
	return list
}

// addresses are the base URLs of the site, which follow the listener's port.
type addresses struct {
	dev, admin, template string
}

func newAddresses(addr net.Addr) addresses {
	port := ""
	if _, p, err := net.SplitHostPort(addr.String()); err == nil && p != "80" {
		port = ":" + p
	}
	return addresses{
		dev: "http://localhost" + port, admin: "http://127.0.0.1" + port, template: "http://${tenant_id}.localhost" + port,
	}
}

func ldapID(tenantID string) string { return "tapis-" + tenantID }

// units are the people of all tenants, for the embedded directory.
func (p plan) units() map[string][]devldap.Person {
	units := map[string][]devldap.Person{}
	for _, t := range p.tenants {
		if t.people != nil {
			units[t.id] = t.people
		}
	}
	return units
}

// seed is the content of the registry, given the public keys by tenant.
func (p plan) seed(s *devldap.Server, keys map[string]string) (tenants.Seed, error) {
	u, err := url.Parse(s.URL())
	if err != nil {
		return tenants.Seed{}, err
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		return tenants.Seed{}, err
	}
	seed := tenants.Seed{
		Site: tenants.Site{
			ID: siteID, Primary: true, BaseURL: p.addresses.dev, TenantBaseURLTemplate: p.addresses.template,
			AdminTenantID: adminTenant, Services: tenants.DefaultServices(),
		},
		Owner: tenants.Owner{Email: ownerEmail, Name: "Development owner", Institution: "Development site"},
	}
	for _, t := range p.tenants {
		tenant := tenants.Tenant{ID: t.id, BaseURL: t.baseURL, AdminUser: t.admin, PublicKey: keys[t.id], Description: t.description}
		if t.people != nil {
			tenant.TokenGenServices, tenant.UserLDAPConnectionID = []string{"authenticator"}, ldapID(t.id)
			seed.LDAPs = append(seed.LDAPs, tenants.LDAPConnection{
				ID: ldapID(t.id), URL: "ldap://" + u.Hostname(), Port: port, UserDN: s.UserDN(t.id), BindDN: bindDN,
				BindCredential: bindCredential, AccountType: tenants.UserAccounts,
			})
		}
		seed.Tenants = append(seed.Tenants, tenant)
	}
	return seed, nil
}
