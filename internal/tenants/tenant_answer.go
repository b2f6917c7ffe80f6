package tenants

import (
	"encoding/json"
	"slices"
	"strings"

	"gatehouse/internal/apierr"
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

// tenantMembers are the names that select may ask for: all of tenantAnswer's.
var tenantMembers = []string{
	"tenant_id", "base_url", "site_id", "status", "token_service", "security_kernel", "authenticator", "owner",
	"admin_user", "token_gen_services", "public_key", "service_ldap_connection_id", "user_ldap_connection_id",
	"description", "create_time", "created_by", "last_update_time", "last_updated_by",
	"is_owned_by_associate_site", "allowable_x_tenant_ids",
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
		if name = strings.TrimSpace(name); slices.Contains(tenantMembers, name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// selected returns the named members of a, as far as a has them.
func (a tenantAnswer) selected(names []string) (map[string]json.RawMessage, error) {
	raw, err := json.Marshal(a)
	if err != nil {
		return nil, apierr.Wrap(err, "encode tenant")
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, apierr.Wrap(err, "select members of tenant")
	}
	for name := range members {
		if !slices.Contains(names, name) {
			delete(members, name)
		}
	}
	return members, nil
}
