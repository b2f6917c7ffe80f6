// Package tenantconfig holds what each tenant permits: grants, lifetimes and
// rotation. A tenant without settings of its own has the defaults.
//
// Reading and writing the settings over HTTP belongs to a handler of its own;
// which tenant a request is for belongs to tenancy.
package tenantconfig

import (
	"slices"
	"time"
)

// The grant types that exist, by the names that Tapis tokens carry.
const (
	Password          = "password"
	RefreshToken      = "refresh_token"
	AuthorizationCode = "authorization_code"
	DeviceCode        = "device_code"
	Implicit          = "implicit"
	ClientCredentials = "client_credentials"
)

// Settings are what one tenant permits.
type Settings struct {
	GrantTypes    []string
	AccessTTL     time.Duration // of an access token, unless the grant says otherwise
	RefreshTTL    time.Duration // of a refresh token
	MaxAccessTTL  time.Duration
	MaxRefreshTTL time.Duration // absolute lifetime of a refresh token family
	RotateRefresh bool          // rotate the refresh tokens of confidential clients too
}

// Defaults returns the settings of a tenant that has none of its own.
func Defaults() Settings {
	return Settings{
		GrantTypes: []string{Password, AuthorizationCode, RefreshToken, DeviceCode},
		AccessTTL:  4 * time.Hour, RefreshTTL: 365 * 24 * time.Hour,
		MaxAccessTTL: 365 * 24 * time.Hour, MaxRefreshTTL: 2 * 365 * 24 * time.Hour,
	}
}

// Allows reports whether the tenant permits a grant type.
func (s Settings) Allows(grantType string) bool { return slices.Contains(s.GrantTypes, grantType) }
