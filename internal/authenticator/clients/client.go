package clients

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gatehouse/internal/apierr"
)

// The ways in which a client authenticates at the token endpoint (RFC 7591
// section 2). Clients with a secret may send it in the header or in the body,
// whichever of the two they registered.
const (
	AuthSecret = "client_secret_basic"
	AuthPost   = "client_secret_post"
	AuthNone   = "none"
)

// Limits on what can be registered.
const (
	maxID          = 80
	minKey         = 16
	maxKey         = 80
	maxCallback    = 200
	maxDisplayName = 50
	maxDescription = 70
	maxRedirects   = 20
	// MaxPerOwner is how many active clients one person may have in a tenant.
	MaxPerOwner = 100
	// MaxEver also counts those that were deleted, whose ids stay taken.
	MaxEver = 1000
)

// Client is one OAuth client of one tenant.
type Client struct {
	TenantID   string
	ID         string
	Owner      string
	Key        string // in clear; empty for public clients and where it was not asked for
	AuthMethod string
	// AuthChosen says that AuthMethod was asked for, not a default: only then
	// is a secret demanded where existing clients have never sent one.
	AuthChosen   bool
	RedirectURIs []string // where codes may be sent; may be empty
	GrantTypes   []string // the only grants that it may use; empty: all
	DisplayName  string
	Description  string
	FirstParty   bool // the tenant's own web application: people are not asked for consent
	Active       bool
	Trusted      bool // an administrator of the tenant lets people administer through it
	Created      time.Time
	LastUpdated  time.Time
	// PreviousKeyEnds is when the key before the last rotation stops being
	// good; zero when there is none.
	PreviousKeyEnds time.Time
}

// CallbackURL returns the first redirect URI, or "".
func (c Client) CallbackURL() string {
	if len(c.RedirectURIs) == 0 {
		return ""
	}
	return c.RedirectURIs[0]
}

// Allows reports whether the client may use a grant type.
func (c Client) Allows(grantType string) bool {
	return len(c.GrantTypes) == 0 || slices.Contains(c.GrantTypes, grantType)
}

// Registration is what a person asks for; empty fields get defaults. The
// CallbackURL becomes the first of the RedirectURIs.
type Registration struct {
	ID, Key, CallbackURL, DisplayName, Description, AuthMethod string
	RedirectURIs, GrantTypes                                   []string
}

// idPattern keeps ids printable, free of the colon that ends them in Basic
// credentials, and harmless in paths.
var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~@+-]*$`)

// keyPattern is visible ASCII.
var keyPattern = regexp.MustCompile(`^[\x21-\x7e]+$`)

// validate checks a registration where the given grant types exist.
func (r Registration) validate(known []string) error {
	if r.ID != "" {
		if len(r.ID) > maxID {
			return tooLong("client_id", maxID)
		}
		if !idPattern.MatchString(r.ID) {
			return apierr.Invalidf(
				"The field client_id must begin with a letter or digit and contain only letters, digits and . _ ~ @ + -.")
		}
		if reserved(r.ID) {
			return apierr.Invalidf("The field client_id has a value that is reserved for Tapis itself.")
		}
	}
	if r.AuthMethod == AuthNone && r.Key != "" {
		return apierr.Invalidf("The field client_key does not go with token_endpoint_auth_method none.")
	}
	if r.AuthMethod != "" && r.AuthMethod != AuthNone && r.AuthMethod != AuthSecret && r.AuthMethod != AuthPost {
		return apierr.Invalidf("The field token_endpoint_auth_method must be client_secret_basic, client_secret_post or none.")
	}
	if err := validateKey(r.Key); err != nil {
		return err
	}
	if err := validateText("description", r.Description, maxDescription); err != nil {
		return err
	}
	if err := validateGrantTypes(r.GrantTypes, known); err != nil {
		return err
	}
	return validateText("display_name", r.DisplayName, maxDisplayName)
}

// validateKey checks a key that somebody chose; empty: nobody did.
func validateKey(key string) error {
	switch {
	case key != "" && len(key) < minKey:
		return apierr.Invalidf("The field client_key must have at least %d characters.", minKey)
	case len(key) > maxKey:
		return tooLong("client_key", maxKey)
	case key != "" && !keyPattern.MatchString(key):
		return apierr.Invalidf("The field client_key must consist of visible ASCII characters.")
	}
	return nil
}

// validateGrantTypes checks those to which a client is held, RFC 7591 section 2,
// with the names that Tapis gives them.
func validateGrantTypes(grantTypes, known []string) error {
	for i, name := range grantTypes {
		if !slices.Contains(known, name) || slices.Contains(grantTypes[:i], name) {
			return apierr.Invalidf("The field grant_types must list each at most once of %s.", strings.Join(known, ", "))
		}
	}
	return nil
}

// webAppSuffix follows a tenant's id in that of its token web application.
const webAppSuffix = ".CIC.tokenapp"

// reserved ids belong to the token web application of a tenant, whose id a
// person could otherwise take first.
func reserved(id string) bool {
	lower, suffix := strings.ToLower(id), strings.ToLower(webAppSuffix)
	return strings.HasPrefix(lower, "local.") || "."+lower == suffix || strings.HasSuffix(lower, suffix)
}

func validateText(field, value string, limit int) error {
	if utf8.RuneCountInString(value) > limit {
		return tooLong(field, limit)
	}
	for _, r := range value {
		if unicode.IsControl(r) || r == utf8.RuneError || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp) {
			return apierr.Invalidf("The field %s must not contain control characters, nor those that turn or break lines.", field)
		}
	}
	return nil
}

func tooLong(field string, limit int) error {
	return apierr.Invalidf("The field %s must have at most %d characters.", field, limit)
}
