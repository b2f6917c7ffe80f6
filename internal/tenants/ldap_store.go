package tenants

type ldapRow struct {
	LDAPID         string `gorm:"column:ldap_id;primaryKey"`
	URL            string
	Port           int
	UseSSL         bool `gorm:"column:use_ssl"`
	UserDN         string
	BindDN         string
	BindCredential string
	AccountType    string
	Times          timesRow `gorm:"embedded"`
}

// TableName implements GORM's Tabler.
func (ldapRow) TableName() string { return "ldap_connections" }

func newLDAPRow(l LDAPConnection) ldapRow {
	return ldapRow{
		LDAPID: l.ID, URL: l.URL, Port: l.Port, UseSSL: l.UseSSL, UserDN: l.UserDN, BindDN: l.BindDN,
		BindCredential: l.BindCredential, AccountType: string(l.AccountType),
		Times: newTimesRow(l.Stamps),
	}
}

func (r ldapRow) record() LDAPConnection {
	return LDAPConnection{
		ID: r.LDAPID, URL: r.URL, Port: r.Port, UseSSL: r.UseSSL, UserDN: r.UserDN, BindDN: r.BindDN,
		BindCredential: r.BindCredential, AccountType: AccountType(r.AccountType),
		Stamps: r.Times.stamps(),
	}
}
