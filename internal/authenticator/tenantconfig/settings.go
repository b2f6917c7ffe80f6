package tenantconfig

import (
	"slices"
	"time"

	"gatehouse/internal/authenticator/oauth2"
)

// LDAPSource is the identity source whose people are in an LDAP directory.
const LDAPSource = "ldap"

// What others may see of a person's profile, and how the implicit grant
// answers.
const (
	FullProfiles  = "full"
	BasicProfiles = "basic" // the name only
	InFragment    = "fragment"
	InQuery       = "query"
)

// Settings are what one tenant permits.
type Settings struct {
	GrantTypes    []string
	AccessTTL     time.Duration // of an access token, unless the grant says otherwise
	RefreshTTL    time.Duration // of a refresh token
	MaxAccessTTL  time.Duration
	MaxRefreshTTL time.Duration // absolute lifetime of a refresh token family
	RotateRefresh bool          // rotate the refresh tokens of confidential clients too

	UseTokenWebapp       bool
	ProfileVisibility    string // FullProfiles or BasicProfiles
	ImplicitResponseMode string // InFragment or InQuery
	// IdentitySource is where the tenant's people sign in: LDAPSource, or the
	// type of its custom identity provider.
	IdentitySource string
	People         People // meaningful where IdentitySource is LDAPSource

	MFA                bool // people must show a second factor to sign in
	PasswordWithoutMFA bool // but not for tokens for a password

	// DeviceRefreshTTL is the lifetime of the refresh tokens of public clients
	// that got theirs by a device code; 0: they get none.
	DeviceRefreshTTL time.Duration
	// DeviceAuthentication: clients with a secret show it to use device codes.
	DeviceAuthentication bool

	// ThirdPartyAdministration: people may administer through anybody's client.
	ThirdPartyAdministration bool
	// StrictRevoke: revoking what is no token of the tenant is an error.
	StrictRevoke bool
	// SiteAdminUsers: people may have tokens in the tenant although it is the
	// administrative one of its site, those who hold a role for it. Elsewhere it
	// means nothing.
	SiteAdminUsers bool
}

// People says which entries of the tenant's directory are its people.
type People struct {
	Filter      string // LDAP filter; empty: everybody
	GroupBaseDN string
	Groups      []string // POSIX groups of which a person must be in one; empty: everybody
	PageLimit   int      // how many profiles a list has unless the caller says
}

// Defaults returns the settings of a tenant that has none of its own.
func Defaults() Settings {
	return Settings{
		GrantTypes: []string{oauth2.Password, oauth2.AuthorizationCode, oauth2.RefreshToken, oauth2.DeviceCode},
		AccessTTL:  4 * time.Hour, RefreshTTL: 365 * 24 * time.Hour,
		MaxAccessTTL: 365 * 24 * time.Hour, MaxRefreshTTL: 2 * 365 * 24 * time.Hour,
		DeviceRefreshTTL: 30 * 24 * time.Hour, UseTokenWebapp: true, ProfileVisibility: FullProfiles, ImplicitResponseMode: InFragment,
		IdentitySource: LDAPSource, People: People{PageLimit: 100},
	}
}

// Allows reports whether the tenant permits a grant type.
func (s Settings) Allows(grantType string) bool { return slices.Contains(s.GrantTypes, grantType) }

// PasswordNeedsMFA reports whether a password alone must not give tokens.
func (s Settings) PasswordNeedsMFA() bool { return s.MFA && !s.PasswordWithoutMFA }
