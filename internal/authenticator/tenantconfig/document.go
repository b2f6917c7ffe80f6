package tenantconfig

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// members are the settings that can be sent, by their names on the wire.
var members = []string{
	"allowable_grant_types", "use_ldap", "use_token_webapp", "mfa_config",
	"default_access_token_ttl", "default_refresh_token_ttl", "max_access_token_ttl", "max_refresh_token_ttl",
	"custom_idp_configuration", "token_url",
	"impers_oauth_client_id", "impers_oauth_client_secret", "impersadmin_username", "impersadmin_password",
	"rotate_refresh_tokens", "profile_visibility", "implicit_response_mode", "password_grant_without_mfa",
	"strict_revoke", "site_admin_users", "device_refresh_ttl", "device_authentication",
	"third_party_administration",
}

// document is a tenant's configuration as it is stored: members that differ
// from the defaults, secrets sealed.
type document map[string]json.RawMessage

// Values are the settings by their names on the wire, with the defaults where
// a tenant has none of its own. Lifetimes are seconds.
type Values struct {
	GrantTypes         []string        `json:"allowable_grant_types"`
	UseLDAP            bool            `json:"use_ldap"`
	UseTokenWebapp     bool            `json:"use_token_webapp"`
	MFA                json.RawMessage `json:"mfa_config"`
	AccessTTL          int64           `json:"default_access_token_ttl"`
	RefreshTTL         int64           `json:"default_refresh_token_ttl"`
	MaxAccessTTL       int64           `json:"max_access_token_ttl"`
	MaxRefreshTTL      int64           `json:"max_refresh_token_ttl"`
	CustomIDP          json.RawMessage `json:"custom_idp_configuration"`
	TokenURL           *string         `json:"token_url"`
	ImpersClientID     *string         `json:"impers_oauth_client_id"`
	ImpersClientSecret *string         `json:"impers_oauth_client_secret"`
	ImpersUsername     *string         `json:"impersadmin_username"`
	ImpersPassword     *string         `json:"impersadmin_password"`
	RotateRefresh      bool            `json:"rotate_refresh_tokens"`
	ProfileVisibility  string          `json:"profile_visibility"`
	ImplicitMode       string          `json:"implicit_response_mode"`
	PasswordWithoutMFA bool            `json:"password_grant_without_mfa"`
	StrictRevoke       bool            `json:"strict_revoke"`
	SiteAdminUsers     bool            `json:"site_admin_users"`
	DeviceRefreshTTL   int64           `json:"device_refresh_ttl"`
	DeviceAuth         bool            `json:"device_authentication"`
	ThirdParty         bool            `json:"third_party_administration"`
}

// values reads a document over the defaults.
func (d document) values() (Values, error) {
	defaults := Defaults()
	v := Values{
		GrantTypes: defaults.GrantTypes, UseLDAP: true, UseTokenWebapp: defaults.UseTokenWebapp,
		AccessTTL: seconds(defaults.AccessTTL), RefreshTTL: seconds(defaults.RefreshTTL),
		MaxAccessTTL: seconds(defaults.MaxAccessTTL), MaxRefreshTTL: seconds(defaults.MaxRefreshTTL),
		ProfileVisibility: defaults.ProfileVisibility, ImplicitMode: defaults.ImplicitResponseMode,
		DeviceRefreshTTL: seconds(defaults.DeviceRefreshTTL),
	}
	set := document{}
	for name, raw := range d {
		if string(raw) != "null" {
			set[name] = raw
		}
	}
	text, err := json.Marshal(set)
	if err != nil {
		return Values{}, err
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return Values{}, err
	}
	if v.MFA == nil {
		v.MFA = json.RawMessage(`{}`)
	}
	if v.CustomIDP == nil {
		v.CustomIDP = json.RawMessage(`{}`)
	}
	return v, nil
}

// longest bounds lifetimes, in seconds: the century that the service SDK asks for.
const longest = 100 * 365 * 24 * 3600

func lifetime(s int64) time.Duration { return time.Duration(min(max(s, 1), longest)) * time.Second }

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// settings returns what v means for those who act on it.
func (v Values) settings() (Settings, error) {
	s := Settings{
		GrantTypes: v.GrantTypes, RotateRefresh: v.RotateRefresh,
		MaxAccessTTL: lifetime(v.MaxAccessTTL), MaxRefreshTTL: lifetime(v.MaxRefreshTTL),
		UseTokenWebapp: v.UseTokenWebapp, ProfileVisibility: v.ProfileVisibility, ImplicitResponseMode: v.ImplicitMode,
		IdentitySource: LDAPSource, People: Defaults().People, PasswordWithoutMFA: v.PasswordWithoutMFA,
		StrictRevoke: v.StrictRevoke, SiteAdminUsers: v.SiteAdminUsers, DeviceAuthentication: v.DeviceAuth,
		ThirdPartyAdministration: v.ThirdParty,
		DeviceRefreshTTL:         time.Duration(min(max(v.DeviceRefreshTTL, 0), longest)) * time.Second,
	}
	s.AccessTTL = min(lifetime(v.AccessTTL), s.MaxAccessTTL)
	s.RefreshTTL = min(lifetime(v.RefreshTTL), s.MaxRefreshTTL)
	var mfa, idp map[string]json.RawMessage
	if err := json.Unmarshal(v.MFA, &mfa); err != nil {
		return Settings{}, fmt.Errorf("mfa_config: %w", err)
	}
	s.MFA = len(mfa) > 0
	if err := json.Unmarshal(v.CustomIDP, &idp); err != nil {
		return Settings{}, fmt.Errorf("custom_idp_configuration: %w", err)
	}
	for source, raw := range idp {
		s.IdentitySource = source
		if source != LDAPSource {
			continue
		}
		if err := s.People.read(raw); err != nil {
			return Settings{}, fmt.Errorf("custom_idp_configuration.ldap: %w", err)
		}
	}
	if len(idp) > 1 {
		return Settings{}, fmt.Errorf("custom_idp_configuration has %d sources", len(idp))
	}
	return s, nil
}

// read takes the members of custom_idp_configuration.ldap.
func (p *People) read(raw json.RawMessage) error {
	var ldap struct {
		PageLimit    int      `json:"default_page_limit"`
		Prefix       string   `json:"user_search_prefix"`
		Supplemental string   `json:"user_search_supplemental_filter"`
		Filter       string   `json:"user_search_filter"`
		GroupBaseDN  string   `json:"posix_group_base_dn"`
		Groups       []string `json:"posix_groups"`
	}
	if err := json.Unmarshal(raw, &ldap); err != nil {
		return err
	}
	if ldap.PageLimit > 0 {
		p.PageLimit = ldap.PageLimit
	}
	p.GroupBaseDN, p.Groups, p.Filter = ldap.GroupBaseDN, ldap.Groups, ldap.Filter
	parts := slices.DeleteFunc([]string{ldap.Prefix, ldap.Supplemental}, func(f string) bool { return f == "" })
	switch {
	case p.Filter != "":
	case len(parts) == 1:
		p.Filter = parts[0]
	case len(parts) == 2:
		p.Filter = "(&" + parts[0] + parts[1] + ")"
	}
	return nil
}
