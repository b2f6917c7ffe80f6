package field

import (
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"gatehouse/internal/apierr"
	"gatehouse/internal/server"
)

// Limits in characters.
const (
	MaxID    = 50
	MaxURL   = 2000
	MaxEmail = 120
	// MaxServices bounds a list of service names.
	MaxServices = 100
)

var (
	siteID      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)
	connection  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	tenantID    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*$`)
	serviceName = regexp.MustCompile(`^[A-Za-z0-9-]+$`)
	hostName    = regexp.MustCompile(`^([a-z0-9]([a-z0-9_.-]*[a-z0-9])?|\[[0-9a-f:.]+\])$`)
)

// IsSiteID reports whether id could be the id of a site, and so may be
// repeated in a response.
func IsSiteID(id string) bool { return len(id) <= MaxID && siteID.MatchString(id) }

// IsTenantID reports whether id has the shape of a tenant id. Which of these
// are reserved is the tenants' rule.
func IsTenantID(id string) bool { return len(id) <= MaxID && tenantID.MatchString(id) }

// SiteID checks the id of a site.
func SiteID(name, id string) error {
	if !IsSiteID(id) {
		return apierr.Invalidf("The field %s must be 1 to %d letters, digits, hyphens or underscores and begin with a letter or digit.",
			name, MaxID)
	}
	return nil
}

// TenantID checks the shape of a tenant id.
func TenantID(name, id string) error {
	if !IsTenantID(id) {
		return apierr.Invalidf("The field %s must be 1 to %d letters, digits or hyphens and begin with a letter or digit.", name, MaxID)
	}
	return nil
}

// ConnectionID checks the id of an LDAP connection.
func ConnectionID(name, id string) error {
	if len(id) > MaxID || !connection.MatchString(id) {
		return apierr.Invalidf("The field %s must be 1 to %d letters, digits, dots, hyphens or underscores "+
			"and begin with a letter or digit.", name, MaxID)
	}
	return nil
}

// Text checks a required single-line text of at most limit characters.
func Text(name, value string, limit int) error {
	if strings.TrimSpace(value) == "" {
		return apierr.Invalidf("The field %s is required and must not be empty.", name)
	}
	if strings.ContainsFunc(value, unicode.IsControl) {
		return apierr.Invalidf("The field %s must not contain control characters.", name)
	}
	return length(name, value, limit)
}

// Prose checks an optional text of several lines.
func Prose(name, value string, limit int) error {
	if strings.ContainsFunc(value, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }) {
		return apierr.Invalidf("The field %s must not contain control characters other than line breaks and tabs.", name)
	}
	return length(name, value, limit)
}

func length(name, value string, limit int) error {
	if !utf8.ValidString(value) {
		return apierr.Invalidf("The field %s must be valid UTF-8.", name)
	}
	if utf8.RuneCountInString(value) > limit {
		return apierr.Invalidf("The field %s must be at most %d characters long.", name, limit)
	}
	return nil
}

// Email checks a bare e-mail address, without a display name.
func Email(name, value string) error {
	if err := Text(name, value, MaxEmail); err != nil {
		return err
	}
	if a, err := mail.ParseAddress(value); err != nil || a.Address != value {
		return apierr.Invalidf("The field %s must be an e-mail address.", name)
	}
	return nil
}

// Origin checks a base URL: scheme and host, a port unless it is the scheme's
// default, and nothing after it. Requests are matched to tenants by it, and
// SDKs compare it as a string, so there is only one way to write it.
func Origin(name, value string) error {
	if err := Text(name, value, MaxURL); err != nil {
		return err
	}
	u, err := url.Parse(value)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Scheme+"://"+u.Host != value {
		return apierr.Invalidf("The field %s must be a URL of the form https://host or https://host:port, "+
			"without path, query or trailing slash.", name)
	}
	host, port := u.Host, u.Port()
	if port != "" {
		host = strings.TrimSuffix(host, ":"+port)
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
			return apierr.Invalidf("The field %s must contain a port of at most 65535, or none.", name)
		}
	}
	if !hostName.MatchString(host) {
		return apierr.Invalidf("The field %s must contain a host name in lower case, or an address.", name)
	}
	if (u.Scheme == "https" && port == "443") || (u.Scheme == "http" && port == "80") {
		return apierr.Invalidf("The field %s must not spell out the default port.", name)
	}
	return nil
}

// Secure refuses an address without TLS, over which passwords and tokens would
// travel, unless it is this machine's own. Records from before this rule keep
// such an address until it is changed.
func Secure(name, value string) error {
	u, err := url.Parse(value)
	if err == nil && u.Scheme == "http" && !server.LoopbackName(u.Hostname()) {
		return apierr.Invalidf("The field %s must begin with https://; http is for localhost, names that end in .localhost and "+
			"loopback addresses.", name)
	}
	return nil // what is no URL is refused by others
}

// Host returns what a request's Host header says at an address: the host in
// lower case, with its port unless it is the scheme's own. The address is an
// origin, or a bare domain as associate sites give it.
func Host(address string) string {
	scheme, rest, found := strings.Cut(strings.ToLower(address), "://")
	if !found {
		scheme, rest = "https", scheme
	}
	host, _, _ := strings.Cut(rest, "/")
	port := map[string]string{"http": ":80", "https": ":443"}[scheme]
	return strings.TrimSuffix(host, port)
}

// Endpoint checks the absolute http or https URL of a service.
func Endpoint(name, value string) error {
	if err := Text(name, value, MaxURL); err != nil {
		return err
	}
	u, err := url.Parse(value)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return apierr.Invalidf("The field %s must be an absolute http or https URL.", name)
	}
	return nil
}

// Services checks a list of service names; it may be empty.
func Services(name string, values []string) error {
	if len(values) > MaxServices {
		return apierr.Invalidf("The field %s must not list more than %d services.", name, MaxServices)
	}
	for i, v := range values {
		if len(v) > MaxID || !serviceName.MatchString(v) {
			return apierr.Invalidf("The items of the field %s must be service names: 1 to %d letters, digits or hyphens.", name, MaxID)
		}
		if slices.Contains(values[:i], v) {
			return apierr.Invalidf("The field %s lists the service %s twice.", name, v)
		}
	}
	return nil
}
