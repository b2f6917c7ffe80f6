package tenants

import "gatehouse/internal/database"

type ldapRow struct {
	LDAPID         string `gorm:"column:ldap_id;primaryKey"`
	URL            string
	Port           int
	UseSSL         bool `gorm:"column:use_ssl"`
	UserDN         string
	BindDN         string
	BindCredential string
	AccountType    string
	CreateTime     database.Micros
	LastUpdateTime database.Micros
}

// TableName implements GORM's Tabler.
func (ldapRow) TableName() string { return "ldap_connections" }

func newLDAPRow(l LDAPConnection) ldapRow {
	return ldapRow{
		LDAPID: l.ID, URL: l.URL, Port: l.Port, UseSSL: l.UseSSL, UserDN: l.UserDN, BindDN: l.BindDN,
		BindCredential: l.BindCredential, AccountType: string(l.AccountType),
		CreateTime: database.At(l.CreateTime), LastUpdateTime: database.At(l.LastUpdateTime),
	}
}

func (r ldapRow) record() LDAPConnection {
	return LDAPConnection{
		ID: r.LDAPID, URL: r.URL, Port: r.Port, UseSSL: r.UseSSL, UserDN: r.UserDN, BindDN: r.BindDN,
		BindCredential: r.BindCredential, AccountType: AccountType(r.AccountType),
		Stamps: Stamps{CreateTime: r.CreateTime.Time(), LastUpdateTime: r.LastUpdateTime.Time()},
	}
}
