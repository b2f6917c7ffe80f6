package servicetokens

import (
	"encoding/json"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/people"
	"gatehouse/internal/authn"
)

// IssueRequest is the body of a request for tokens, as it was sent.
type IssueRequest struct {
	AccountType        string          `json:"account_type"`
	TenantID           string          `json:"token_tenant_id"`
	Username           string          `json:"token_username"`
	TargetSite         string          `json:"target_site_id"`
	AccessTTL          int64           `json:"access_token_ttl"` // seconds; 0 or less: the default
	Refresh            bool            `json:"generate_refresh_token"`
	RefreshTTL         int64           `json:"refresh_token_ttl"`
	Delegation         bool            `json:"delegation_token"`
	DelegationTenantID string          `json:"delegation_sub_tenant_id"`
	DelegationUsername string          `json:"delegation_sub_username"`
	Claims             json.RawMessage `json:"claims"`
}

// maxName is more than any name of an account has, in characters.
const maxName = 256

// check says what is wrong with a request whoever asks.
func (r IssueRequest) check() error {
	switch r.AccountType {
	case authn.UserAccount, authn.ServiceAccount:
	case "":
		return apierr.Invalidf("The field account_type is missing; it is user or service.")
	default:
		return apierr.Invalidf("The field account_type must be user or service.")
	}
	if r.TenantID == "" {
		return apierr.Invalidf("The field token_tenant_id is missing.")
	}
	if err := checkName("token_username", r.Username); err != nil {
		return err
	}
	if !r.Delegation {
		return nil
	}
	if r.DelegationTenantID == "" {
		return apierr.Invalidf("The field delegation_sub_tenant_id is missing; a delegation token needs it.")
	}
	return checkName("delegation_sub_username", r.DelegationUsername)
}

func checkName(field, name string) error {
	switch {
	case name == "":
		return apierr.Invalidf("The field %s is missing.", field)
	case utf8.RuneCountInString(name) > maxName:
		return apierr.Invalidf("The field %s has more than %d characters.", field, maxName)
	case strings.TrimSpace(name) != name || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return apierr.Invalidf("The field %s must be a name in visible characters.", field)
	case people.CheckName(name) != nil:
		return apierr.Invalidf("The field %s must not begin with client: or service:; such names belong to nobody.", field)
	}
	return nil
}

// lifetime is what is granted of a lifetime asked for in seconds.
func lifetime(asked int64, absent, longest time.Duration) time.Duration {
	switch {
	case asked <= 0:
		return min(absent, longest)
	case asked > math.MaxInt64/int64(time.Second):
		return longest
	}
	return min(time.Duration(asked)*time.Second, longest)
}
