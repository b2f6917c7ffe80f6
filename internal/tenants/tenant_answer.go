package tenants

import (
	"slices"
	"strings"

	"gatehouse/internal/tenants/field"
)

// tenantAnswer is a tenant on the wire. SDKs ask whether a member is there,
// so null and empty ones are left out; the two computed ones always are.
type tenantAnswer struct {
	TenantID                string   `json:"tenant_id,omitempty"`
	BaseURL                 string   `json:"base_url,omitempty"`
	SiteID                  string   `json:"site_id,omitempty"`
	Status                  string   `json:"status,omitempty"`
	TokenService            string   `json:"token_service,omitempty"`
	SecurityKernel          string   `json:"security_kernel,omitempty"`
	Authenticator           string   `json:"authenticator,omitempty"`
	Owner                   string   `json:"owner,omitempty"`
	AdminUser               string   `json:"admin_user,omitempty"`
	TokenGenServices        []string `json:"token_gen_services,omitempty"`
	PublicKey               string   `json:"public_key,omitempty"`
	ServiceLDAPConnectionID string   `json:"service_ldap_connection_id,omitempty"`
	UserLDAPConnectionID    string   `json:"user_ldap_connection_id,omitempty"`
	Description             string   `json:"description,omitempty"`
	CreateTime              string   `json:"create_time,omitempty"`
	CreatedBy               string   `json:"created_by,omitempty"`
	LastUpdateTime          string   `json:"last_update_time,omitempty"`
	LastUpdatedBy           string   `json:"last_updated_by,omitempty"`
	IsOwnedByAssociateSite  bool     `json:"is_owned_by_associate_site"`
	AllowableXTenantIDs     []string `json:"allowable_x_tenant_ids"`
}

// tenantMembers are what select may ask for: all members of tenantAnswer.
var tenantMembers = []struct {
	name string
	of   func(a *tenantAnswer) any
}{
	{"tenant_id", func(a *tenantAnswer) any { return a.TenantID }},
	{"base_url", func(a *tenantAnswer) any { return a.BaseURL }},
	{"site_id", func(a *tenantAnswer) any { return a.SiteID }},
	{"status", func(a *tenantAnswer) any { return a.Status }},
	{"token_service", func(a *tenantAnswer) any { return a.TokenService }},
	{"security_kernel", func(a *tenantAnswer) any { return a.SecurityKernel }},
	{"authenticator", func(a *tenantAnswer) any { return a.Authenticator }},
	{"owner", func(a *tenantAnswer) any { return a.Owner }},
	{"admin_user", func(a *tenantAnswer) any { return a.AdminUser }},
	{"token_gen_services", func(a *tenantAnswer) any { return a.TokenGenServices }},
	{"public_key", func(a *tenantAnswer) any { return a.PublicKey }},
	{"service_ldap_connection_id", func(a *tenantAnswer) any { return a.ServiceLDAPConnectionID }},
	{"user_ldap_connection_id", func(a *tenantAnswer) any { return a.UserLDAPConnectionID }},
	{"description", func(a *tenantAnswer) any { return a.Description }},
	{"create_time", func(a *tenantAnswer) any { return a.CreateTime }},
	{"created_by", func(a *tenantAnswer) any { return a.CreatedBy }},
	{"last_update_time", func(a *tenantAnswer) any { return a.LastUpdateTime }},
	{"last_updated_by", func(a *tenantAnswer) any { return a.LastUpdatedBy }},
	{"is_owned_by_associate_site", func(a *tenantAnswer) any { return a.IsOwnedByAssociateSite }},
	{"allowable_x_tenant_ids", func(a *tenantAnswer) any { return a.AllowableXTenantIDs }},
}

func isTenantMember(name string) bool {
	for _, m := range tenantMembers {
		if m.name == name {
			return true
		}
	}
	return false
}

// newTenantAnswer writes t. byAssociate tells whether its site is not the
// primary one; allowable are the tenants that its services may act for.
func newTenantAnswer(t Tenant, byAssociate bool, allowable []string) tenantAnswer {
	return tenantAnswer{
		TenantID: t.ID, BaseURL: t.BaseURL, SiteID: t.SiteID, Status: strings.ToUpper(string(t.Status)),
		TokenService: t.TokenService, SecurityKernel: t.SecurityKernel, Authenticator: t.Authenticator,
		Owner: t.Owner, AdminUser: t.AdminUser, TokenGenServices: t.TokenGenServices, PublicKey: t.PublicKey,
		ServiceLDAPConnectionID: t.ServiceLDAPConnectionID, UserLDAPConnectionID: t.UserLDAPConnectionID,
		Description: t.Description,
		CreateTime:  field.Time(t.CreateTime), CreatedBy: t.CreatedBy,
		LastUpdateTime: field.Time(t.LastUpdateTime), LastUpdatedBy: t.LastUpdatedBy,
		IsOwnedByAssociateSite: byAssociate, AllowableXTenantIDs: field.List(allowable),
	}
}

// parseSelect reads a comma-separated list of member names. Unknown names are
// dropped, as clients are used to; none that is known means all members: nil.
func parseSelect(list string) []string {
	var names []string
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); isTenantMember(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// selected returns the named members of a, as far as a has them.
func (a *tenantAnswer) selected(names []string) map[string]any {
	members := make(map[string]any, len(names))
	for _, m := range tenantMembers {
		if !slices.Contains(names, m.name) {
			continue
		}
		switch value := m.of(a).(type) {
		case string:
			if value != "" {
				members[m.name] = value
			}
		case []string:
			if len(value) > 0 || m.name == "allowable_x_tenant_ids" {
				members[m.name] = field.List(value)
			}
		default:
			members[m.name] = value
		}
	}
	return members
}
