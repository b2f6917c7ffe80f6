package tenants

import "gatehouse/internal/tenants/field"

// ldapAnswer is an LDAP connection on the wire. All members are always there,
// but for the two that only those see who use the connection.
type ldapAnswer struct {
	LDAPID         string `json:"ldap_id"`
	URL            string `json:"url"`
	Port           int    `json:"port"`
	UseSSL         bool   `json:"use_ssl"`
	UserDN         string `json:"user_dn"`
	BindDN         string `json:"bind_dn,omitempty"`
	BindCredential string `json:"bind_credential,omitempty"`
	AccountType    string `json:"account_type"`
	CreateTime     string `json:"create_time"`
	LastUpdateTime string `json:"last_update_time"`
}

func (a ldapAnswer) id() string { return a.LDAPID }

// newLDAPAnswer writes l; whole tells whether with the account that looks
// people up, and the name of its secret.
func newLDAPAnswer(l LDAPConnection, whole bool) ldapAnswer {
	a := ldapAnswer{
		LDAPID: l.ID, URL: l.URL, Port: l.Port, UseSSL: l.UseSSL, UserDN: l.UserDN, AccountType: string(l.AccountType),
		CreateTime: field.Time(l.CreateTime), LastUpdateTime: field.Time(l.LastUpdateTime),
	}
	if whole {
		a.BindDN, a.BindCredential = l.BindDN, l.BindCredential
	}
	return a
}
