package tenants

import "gatehouse/internal/tenants/field"

type tenantRow struct {
	TenantID                string `gorm:"primaryKey"`
	BaseURL                 string
	SiteID                  string
	Status                  string
	TokenService            string
	SecurityKernel          string
	Authenticator           string
	Owner                   string
	AdminUser               string
	TokenGenServices        []string `gorm:"serializer:json"`
	PublicKey               *string
	ServiceLDAPConnectionID *string `gorm:"column:service_ldap_connection_id"`
	UserLDAPConnectionID    *string `gorm:"column:user_ldap_connection_id"`
	Description             *string
	Stamps                  stampsRow `gorm:"embedded"`
}

// TableName implements GORM's Tabler.
func (tenantRow) TableName() string { return "tenants" }

func newTenantRow(t Tenant) tenantRow {
	return tenantRow{
		TenantID: t.ID, BaseURL: t.BaseURL, SiteID: t.SiteID, Status: string(t.Status),
		TokenService: t.TokenService, SecurityKernel: t.SecurityKernel, Authenticator: t.Authenticator,
		Owner: t.Owner, AdminUser: t.AdminUser, TokenGenServices: field.List(t.TokenGenServices),
		PublicKey: field.Null(t.PublicKey), Description: field.Null(t.Description),
		ServiceLDAPConnectionID: field.Null(t.ServiceLDAPConnectionID),
		UserLDAPConnectionID:    field.Null(t.UserLDAPConnectionID),
		Stamps:                  newStampsRow(t.Stamps),
	}
}

func (r tenantRow) record() Tenant {
	return Tenant{
		ID: r.TenantID, BaseURL: r.BaseURL, SiteID: r.SiteID, Status: Status(r.Status),
		TokenService: r.TokenService, SecurityKernel: r.SecurityKernel, Authenticator: r.Authenticator,
		Owner: r.Owner, AdminUser: r.AdminUser, TokenGenServices: r.TokenGenServices,
		PublicKey: field.NotNull(r.PublicKey), Description: field.NotNull(r.Description),
		ServiceLDAPConnectionID: field.NotNull(r.ServiceLDAPConnectionID),
		UserLDAPConnectionID:    field.NotNull(r.UserLDAPConnectionID),
		Stamps:                  r.Stamps.stamps(),
	}
}
