package tenants

import (
	"cmp"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/tenants/field"
)

// AccountType tells whose accounts an LDAP connection finds.
type AccountType string

// The account types.
const (
	UserAccounts    AccountType = "user"
	ServiceAccounts AccountType = "service"
)

// LDAPConnection says how to reach a directory of people or services.
type LDAPConnection struct {
	ID     string
	URL    string // ldap://host or ldaps://host
	Port   int
	UseSSL bool
	UserDN string // search base
	BindDN string
	// BindCredential is the name of a secret in the security service of the
	// tenant, never the secret itself.
	BindCredential string
	AccountType    AccountType

	Stamps
}

// LDAPs describes LDAP connections.
func LDAPs() Resource[LDAPConnection] {
	type ldap = LDAPConnection
	return Resource[ldap]{
		Name: "ldap", title: "LDAP connection", stamps: func(l *ldap) *Stamps { return &l.Stamps },
		validID: func(id string) bool { return field.ConnectionID("ldap_id", id) == nil },
		Fields: []Field[ldap]{
			{"ldap_id", true, func(l *ldap) any { return &l.ID }},
			{"url", false, func(l *ldap) any { return &l.URL }},
			{"port", false, func(l *ldap) any { return &l.Port }},
			{"use_ssl", false, func(l *ldap) any { return &l.UseSSL }},
			{"user_dn", false, func(l *ldap) any { return &l.UserDN }},
			{"bind_dn", false, func(l *ldap) any { return &l.BindDN }},
			{"bind_credential", false, func(l *ldap) any { return &l.BindCredential }},
			{"account_type", false, func(l *ldap) any { return (*string)(&l.AccountType) }},
		},
	}
}

// Check reports the first field that breaks a rule, as an apierr.Invalid.
func (l LDAPConnection) Check() error {
	if err := field.ConnectionID("ldap_id", l.ID); err != nil {
		return err
	}
	if err := field.Text("url", l.URL, field.MaxURL); err != nil {
		return err
	}
	if !strings.HasPrefix(l.URL, "ldap://") && !strings.HasPrefix(l.URL, "ldaps://") {
		return apierr.Invalidf("The field url must begin with ldap:// or ldaps://.")
	}
	if l.Port < 1 || l.Port > 65535 {
		return apierr.Invalidf("The field port must be between 1 and 65535.")
	}
	if err := cmp.Or(
		field.Text("user_dn", l.UserDN, 200), field.Text("bind_dn", l.BindDN, 200),
		field.Text("bind_credential", l.BindCredential, 200),
	); err != nil {
		return err
	}
	if l.AccountType != UserAccounts && l.AccountType != ServiceAccounts {
		return apierr.Invalidf("The field account_type must be user or service.")
	}
	return nil
}

// ldapResponse is an LDAP connection on the wire. All members are always
// there, but for the two that only those see who use the connection.
type ldapResponse struct {
	LDAPID         string `json:"ldap_id"`
	URL            string `json:"url"`
	Port           int    `json:"port"`
	UseSSL         bool   `json:"use_ssl"`
	UserDN         string `json:"user_dn"`
	BindDN         string `json:"bind_dn,omitempty"`
	BindCredential string `json:"bind_credential,omitempty"`
	AccountType    string `json:"account_type"`
	timesResponse
}

func (r ldapResponse) id() string { return r.LDAPID }

// newLDAPResponse writes l; whole tells whether with the account that looks
// people up, and the name of its secret.
func newLDAPResponse(l LDAPConnection, whole bool) ldapResponse {
	r := ldapResponse{
		LDAPID: l.ID, URL: l.URL, Port: l.Port, UseSSL: l.UseSSL, UserDN: l.UserDN, AccountType: string(l.AccountType),
		timesResponse: newTimesResponse(l.Stamps),
	}
	if whole {
		r.BindDN, r.BindCredential = l.BindDN, l.BindCredential
	}
	return r
}
