package grants

import (
	"slices"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/oidc"
)

// Granted returns what is granted of a requested scope: the members that mean
// something, each once, in the order in which they were asked for. All of them
// are OpenID Connect's: what a Tapis token may do is what its person may do.
func Granted(requested string) string {
	var granted []string
	for _, name := range strings.Fields(requested) {
		if slices.Contains(oidc.Scopes(), name) && !slices.Contains(granted, name) {
			granted = append(granted, name)
		}
	}
	return strings.Join(granted, " ")
}

// narrow returns the scope of a refreshed access token; nil: the whole of what
// was granted. Asking for more is an error, RFC 6749 section 6.
func narrow(granted, requested string) (*string, error) {
	if requested == "" {
		return nil, nil // the whole
	}
	less := Granted(requested)
	for _, name := range strings.Fields(less) {
		if !slices.Contains(strings.Fields(granted), name) {
			return nil, apierr.OAuth(apierr.Invalid, "invalid_scope", "The scope %s was not granted; a refresh cannot widen the scope.", name)
		}
	}
	return &less, nil
}
