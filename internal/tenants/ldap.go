package tenants

import (
	"strings"
	"time"

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

	CreateTime     time.Time
	LastUpdateTime time.Time
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
	for _, f := range []struct{ name, value string }{
		{"user_dn", l.UserDN}, {"bind_dn", l.BindDN}, {"bind_credential", l.BindCredential},
	} {
		if err := field.Text(f.name, f.value, 200); err != nil {
			return err
		}
	}
	if l.AccountType != UserAccounts && l.AccountType != ServiceAccounts {
		return apierr.Invalidf("The field account_type must be user or service.")
	}
	return nil
}

// sameSettings reports whether l and other differ at most in their times.
func (l LDAPConnection) sameSettings(other LDAPConnection) bool {
	l.CreateTime, l.LastUpdateTime = other.CreateTime, other.LastUpdateTime
	return l == other
}
