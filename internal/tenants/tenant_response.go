package tenants

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"gatehouse/internal/tenants/field"
)

// tenantResponse is a tenant on the wire. SDKs ask whether a member is there,
// so null and empty ones are left out; the two computed ones always are.
type tenantResponse struct {
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

func (r tenantResponse) id() string { return r.TenantID }

// newTenantResponse writes t, a tenant of the site and one of all.
func newTenantResponse(t Tenant, site Site, all []Tenant) tenantResponse {
	return tenantResponse{
		TenantID: t.ID, BaseURL: t.BaseURL, SiteID: t.SiteID, Status: strings.ToUpper(string(t.Status)),
		TokenService: t.TokenService, SecurityKernel: t.SecurityKernel, Authenticator: t.Authenticator,
		Owner: t.Owner, AdminUser: t.AdminUser, TokenGenServices: t.TokenGenServices, PublicKey: t.PublicKey,
		ServiceLDAPConnectionID: t.ServiceLDAPConnectionID, UserLDAPConnectionID: t.UserLDAPConnectionID,
		Description: t.Description,
		CreateTime:  field.Time(t.CreateTime), CreatedBy: t.CreatedBy,
		LastUpdateTime: field.Time(t.LastUpdateTime), LastUpdatedBy: t.LastUpdatedBy,
		IsOwnedByAssociateSite: !site.Primary, AllowableXTenantIDs: field.List(allowable(t, site, all)),
	}
}

// allowable lists the tenants that services of t may act for: t itself; for
// the admin tenant of a site the active tenants of that site; for the primary
// site's admin tenant all active ones. Java services derive the same from the
// default list.
func allowable(t Tenant, site Site, all []Tenant) []string {
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

// Computed returns the members of responses that nobody can set.
func Computed() []string {
	return []string{
		"create_time", "created_by", "last_update_time", "last_updated_by", "is_owned_by_associate_site", "allowable_x_tenant_ids",
	}
}

// parseSelect reads a comma-separated list of member names. Unknown names are
// dropped, as clients are used to; none that is known means all members: nil.
func parseSelect(list string) []string {
	known := Computed()
	for _, f := range Tenants().Fields {
		known = append(known, f.Name)
	}
	var names []string
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); slices.Contains(known, name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// selected returns the named members of r, as far as r has them.
func (r tenantResponse) selected(names []string) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	text, err := json.Marshal(r)
	if err == nil {
		err = json.Unmarshal(text, &members)
	}
	maps.DeleteFunc(members, func(name string, _ json.RawMessage) bool { return !slices.Contains(names, name) })
	return members, err
}
