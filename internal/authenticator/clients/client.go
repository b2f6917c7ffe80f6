package clients

import (
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gatehouse/internal/apierr"
)

// The ways in which a client authenticates at the token endpoint (RFC 7591
// section 2). Secret clients may use the header or the body.
const (
	AuthSecret = "client_secret_basic"
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
	// MaxPerOwner is how many active clients one person may have in a tenant.
	MaxPerOwner = 100
	// MaxEver also counts those that were deleted, whose ids stay taken.
	MaxEver = 1000
)

// Client is one OAuth client of one tenant.
type Client struct {
	TenantID    string
	ID          string
	Owner       string
	Key         string // in clear; empty for public clients and where it was not asked for
	AuthMethod  string
	CallbackURL string
	DisplayName string
	Description string
	Active      bool
	Created     time.Time
	LastUpdated time.Time
}

// Public reports whether the client has no secret.
func (c Client) Public() bool { return c.AuthMethod == AuthNone }

// Registration is what a person asks for; empty fields get defaults.
type Registration struct {
	ID, Key, CallbackURL, DisplayName, Description, AuthMethod string
}

// idPattern keeps ids printable, free of the colon that ends them in Basic
// credentials, and harmless in paths.
var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~@+-]*$`)

// keyPattern is visible ASCII.
var keyPattern = regexp.MustCompile(`^[\x21-\x7e]+$`)

func (r Registration) validate() error {
	if r.ID != "" {
		if len(r.ID) > maxID {
			return tooLong("client_id", maxID)
		}
		if !idPattern.MatchString(r.ID) {
			return apierr.Invalidf("The field client_id must begin with a letter or digit and contain only letters, digits and . _ ~ @ + -.")
		}
		if reserved(r.ID) {
			return apierr.Invalidf("The field client_id has a value that is reserved for Tapis itself.")
		}
	}
	switch {
	case r.AuthMethod != "" && r.AuthMethod != AuthNone && r.AuthMethod != AuthSecret && r.AuthMethod != "client_secret_post":
		return apierr.Invalidf("The field token_endpoint_auth_method must be client_secret_basic, client_secret_post or none.")
	case r.AuthMethod == AuthNone && r.Key != "":
		return apierr.Invalidf("The field client_key does not go with token_endpoint_auth_method none.")
	case r.Key != "" && len(r.Key) < minKey:
		return apierr.Invalidf("The field client_key must have at least %d characters.", minKey)
	case len(r.Key) > maxKey:
		return tooLong("client_key", maxKey)
	case r.Key != "" && !keyPattern.MatchString(r.Key):
		return apierr.Invalidf("The field client_key must consist of visible ASCII characters.")
	}
	if err := validateText("description", r.Description, maxDescription); err != nil {
		return err
	}
	return validateSettings(r.CallbackURL, r.DisplayName)
}

func validateSettings(callbackURL, displayName string) error {
	if err := validateText("display_name", displayName, maxDisplayName); err != nil {
		return err
	}
	return validateCallback(callbackURL)
}

// reserved ids belong to the token web application of a tenant, whose id a
// person could otherwise take first.
func reserved(id string) bool {
	lower := strings.ToLower(id)
	return strings.HasPrefix(lower, "local.") || lower == "cic.tokenapp" || strings.HasSuffix(lower, ".cic.tokenapp")
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

// validateCallback admits absolute URIs without a fragment: https anywhere,
// http on loopback, and private-use schemes, which contain a dot (RFC 8252
// section 7.1).
func validateCallback(raw string) error {
	if raw == "" {
		return nil
	}
	if len(raw) > maxCallback {
		return tooLong("callback_url", maxCallback)
	}
	if !keyPattern.MatchString(raw) || strings.ContainsAny(raw, `#\"<>^`+"`{|}") {
		return apierr.Invalidf("The field callback_url must be an absolute URI without spaces, quotes or a fragment.")
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" {
		return apierr.Invalidf("The field callback_url must be an absolute URI.")
	}
	switch scheme := strings.ToLower(u.Scheme); {
	case scheme == "https" && u.Hostname() != "" && u.User == nil:
		return nil
	case scheme == "http" && loopback(u.Hostname()) && u.User == nil:
		return nil
	case strings.Contains(scheme, ".") && u.Opaque == "": // host.example.org:8443/cb lacks the slash of RFC 8252
		return nil
	}
	return apierr.Invalidf("The field callback_url must use https, http on a loopback address, or a private scheme with a dot in its name.")
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func tooLong(field string, limit int) error {
	return apierr.Invalidf("The field %s must have at most %d characters.", field, limit)
}
