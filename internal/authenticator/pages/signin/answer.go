package signin

import (
	"net/url"
	"regexp"
	"strings"

	"gatehouse/internal/apierr"
)

// location adds an answer to a redirect URI, which has no fragment, keeping
// the query that it has. Every value is encoded, so that none can add another.
func location(target, mode string, answer url.Values) (string, error) {
	u, err := url.Parse(target)
	if err != nil {
		return "", apierr.Wrap(err, "parse a registered redirect URI")
	}
	if len(answer) == 0 {
		return target, nil
	}
	if mode == "fragment" {
		return u.String() + "#" + answer.Encode(), nil
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += answer.Encode()
	return u.String(), nil
}

// plainHost is a host, with or without a port, that means one thing as a CSP
// source (CSP section 2.3.1).
var plainHost = regexp.MustCompile(`^[A-Za-z0-9.-]+(:[0-9]{1,5})?$`)

// formTarget is the CSP source for a redirect URI: browsers hold redirects
// after a form to form-action, too. It is its origin, or the scheme alone
// where an origin cannot be written or there is none.
func formTarget(target string) []string {
	u, err := url.Parse(target)
	switch {
	case err != nil || u.Scheme == "":
		return nil
	case (u.Scheme == "https" || u.Scheme == "http") && plainHost.MatchString(u.Host):
		return []string{u.Scheme + "://" + u.Host}
	}
	return []string{u.Scheme + ":"}
}

// destination says in words where a redirect URI leads. native is true for
// programs on the person's own computer, which nobody can tell apart.
func destination(target string) (words string, native bool) {
	u, err := url.Parse(target)
	switch {
	case err != nil:
		return "an unknown place", true
	case u.Scheme == "https":
		return u.Host, false
	case u.Scheme == "http":
		return "a program on this computer (" + u.Host + ")", true
	}
	return "an app on this device (" + strings.ToLower(u.Scheme) + ":)", true
}
