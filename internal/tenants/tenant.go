package tenants

import (
	"cmp"
	"slices"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/tenants/field"
)

// Status tells whether a tenant is in use. Responses show it in upper case.
type Status string

// The statuses. A draft may lack a public key; default lists show active
// tenants only.
const (
	Draft    Status = "draft"
	Active   Status = "active"
	Inactive Status = "inactive"
)

// Tenant is one logically isolated view of Tapis, owned by a site.
type Tenant struct {
	ID      string // unique without regard to letter case; becomes a DNS label
	BaseURL string // its origin, unique, never ending in a slash
	SiteID  string
	Status  Status

	TokenService   string // issuer of its tokens
	SecurityKernel string
	Authenticator  string

	Owner            string // e-mail address of an Owner
	AdminUser        string
	TokenGenServices []string // services that may generate tokens for it
	PublicKey        string   // as NormalizePublicKey returns it; empty: none
	Description      string

	ServiceLDAPConnectionID string // empty: none
	UserLDAPConnectionID    string // empty: none

	Stamps
}

// Tenants describes tenants.
func Tenants() Resource[Tenant] {
	return Resource[Tenant]{
		Name: "tenant", title: "tenant", stamps: func(t *Tenant) *Stamps { return &t.Stamps },
		validID: func(id string) bool { return field.IsTenantID(id) && !isReserved(id) },
		Fields: []Field[Tenant]{
			{"tenant_id", true, func(t *Tenant) any { return &t.ID }},
			{"base_url", true, func(t *Tenant) any { return &t.BaseURL }},
			{"site_id", true, func(t *Tenant) any { return &t.SiteID }},
			{"status", false, func(t *Tenant) any { return (*string)(&t.Status) }},
			{"token_service", false, func(t *Tenant) any { return &t.TokenService }},
			{"security_kernel", false, func(t *Tenant) any { return &t.SecurityKernel }},
			{"authenticator", false, func(t *Tenant) any { return &t.Authenticator }},
			{"owner", false, func(t *Tenant) any { return &t.Owner }},
			{"admin_user", false, func(t *Tenant) any { return &t.AdminUser }},
			{"token_gen_services", false, func(t *Tenant) any { return &t.TokenGenServices }},
			{"public_key", false, func(t *Tenant) any { return &t.PublicKey }},
			{"service_ldap_connection_id", false, func(t *Tenant) any { return &t.ServiceLDAPConnectionID }},
			{"user_ldap_connection_id", false, func(t *Tenant) any { return &t.UserLDAPConnectionID }},
			{"description", false, func(t *Tenant) any { return &t.Description }},
		},
	}
}

// defaultEndpoints fills the addresses of the services that every tenant has
// at its base URL.
func (t *Tenant) defaultEndpoints() {
	for _, e := range []struct {
		url  *string
		path string
	}{
		{&t.TokenService, "/v3/tokens"}, {&t.SecurityKernel, "/v3/security"}, {&t.Authenticator, "/v3/oauth2"},
	} {
		if *e.url == "" {
			*e.url = t.BaseURL + e.path
		}
	}
}

// names reports whether t names the LDAP connection with the id.
func (t Tenant) names(ldapID string) bool {
	return ldapID != "" && (t.UserLDAPConnectionID == ldapID || t.ServiceLDAPConnectionID == ldapID)
}

// reserved are words of paths below /v3/tenants and of the API itself; they
// never name a tenant, in any letter case.
var reserved = []string{"owners", "ldaps", "hello", "ready", "docs", "history", "sites", "tenants"}

func isReserved(id string) bool { return slices.Contains(reserved, strings.ToLower(id)) }

// Check reports the first field that breaks a rule, as an apierr.Invalid.
// Rules that need other records are in rules.go.
func (t Tenant) Check() error {
	if err := t.checkIdentity(); err != nil {
		return err
	}
	if err := cmp.Or(
		t.checkEndpoints(),
		field.Services("token_gen_services", t.TokenGenServices),
		field.Email("owner", t.Owner),
		field.Text("admin_user", t.AdminUser, 120),
		field.Prose("description", t.Description, 1000),
	); err != nil {
		return err
	}
	if t.PublicKey == "" {
		if t.Status == Active {
			return apierr.Invalidf("The field public_key is required for an active tenant; without a key it can only be a draft.")
		}
		return nil
	}
	canonical, err := NormalizePublicKey(t.PublicKey)
	if err != nil {
		return err
	}
	if canonical != t.PublicKey {
		return apierr.Invalidf("The field public_key is not in its canonical form.")
	}
	return nil
}

func (t Tenant) checkIdentity() error {
	if err := field.TenantID("tenant_id", t.ID); err != nil {
		return err
	}
	if isReserved(t.ID) {
		return apierr.Invalidf("The tenant_id %s is reserved.", t.ID)
	}
	if err := field.Origin("base_url", t.BaseURL); err != nil {
		return err
	}
	if err := field.SiteID("site_id", t.SiteID); err != nil {
		return err
	}
	switch t.Status {
	case Draft, Active, Inactive:
		return nil
	}
	return apierr.Invalidf("The field status must be draft, active or inactive.")
}

func (t Tenant) checkEndpoints() error {
	return cmp.Or(
		field.Endpoint("token_service", t.TokenService),
		field.Endpoint("security_kernel", t.SecurityKernel),
		field.Endpoint("authenticator", t.Authenticator),
	)
}
