package clients

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/apierr"
)

// loopbackURI splits http URIs on loopback hosts into what is compared and
// the port, which a native application chooses when it starts.
var loopbackURI = regexp.MustCompile(`^(http://(?:127\.0\.0\.1|\[::1\]|localhost))(?::([0-9]{1,5}))?([/?].*)?$`)

// Redirect returns the redirect URI to use when a request sent one, or sent
// none: the registered one, if there is only one. URIs are compared exactly,
// but for the port on loopback hosts (RFC 8252 section 7.3): there people are
// asked, which for the tenant's own web application they are not.
func (c Client) Redirect(sent string) (uri string, ok bool) {
	if sent == "" {
		return c.CallbackURL(), len(c.RedirectURIs) == 1
	}
	if slices.Contains(c.RedirectURIs, sent) {
		return sent, true
	}
	given := loopbackURI.FindStringSubmatch(sent)
	if given == nil || c.FirstParty {
		return "", false
	}
	if port, err := strconv.ParseUint(given[2], 10, 16); given[2] != "" && (err != nil || port == 0) {
		return "", false
	}
	for _, registered := range c.RedirectURIs {
		known := loopbackURI.FindStringSubmatch(registered)
		if known != nil && known[1] == given[1] && known[3] == given[3] {
			return sent, true
		}
	}
	return "", false
}

// Public reports whether the client has no secret.
func (c Client) Public() bool { return c.AuthMethod == AuthNone }

// redirectList puts the callback URL, if there is one, before the other
// redirect URIs and checks them all.
func redirectList(callbackURL string, others []string) ([]string, error) {
	if err := validateCallback("callback_url", callbackURL); err != nil {
		return nil, err
	}
	list := []string{}
	if callbackURL != "" {
		list = append(list, callbackURL)
	}
	for i, uri := range others {
		field := fmt.Sprintf("redirect_uris[%d]", i)
		if uri == "" {
			return nil, apierr.Invalidf("The field %s must be an absolute URI.", field)
		}
		if err := validateCallback(field, uri); err != nil {
			return nil, err
		}
		if !slices.Contains(list, uri) {
			list = append(list, uri)
		}
	}
	if len(list) > maxRedirects {
		return nil, apierr.Invalidf("The field redirect_uris must have at most %d members.", maxRedirects)
	}
	return list, nil
}

// validateCallback admits absolute URIs without a fragment: https anywhere,
// http on loopback, and private-use schemes, which contain a dot (RFC 8252
// section 7.1).
func validateCallback(field, raw string) error {
	if raw == "" {
		return nil
	}
	if len(raw) > maxCallback {
		return tooLong(field, maxCallback)
	}
	if !keyPattern.MatchString(raw) || strings.ContainsAny(raw, `#\"<>^`+"`{|}") {
		return apierr.Invalidf("The field %s must be an absolute URI without spaces, quotes or a fragment.", field)
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" {
		return apierr.Invalidf("The field %s must be an absolute URI.", field)
	}
	if !keyPattern.MatchString(u.Host) && u.Host != "" { // people are shown it, and must not take it for another
		return apierr.Invalidf("The field %s must write its host in ASCII, as browsers do: xn--...", field)
	}
	switch scheme := strings.ToLower(u.Scheme); {
	case scheme == "https" && u.Hostname() != "" && u.User == nil:
		return nil
	case scheme == "http" && loopback(u.Hostname()) && u.User == nil:
		return nil
	case strings.Contains(scheme, ".") && u.Opaque == "": // host.example.org:8443/cb lacks the slash of RFC 8252
		return nil
	}
	return apierr.Invalidf(
		"The field %s must use https, http on a loopback address, or a private scheme with a dot in its name.", field)
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
