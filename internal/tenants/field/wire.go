package field

import (
	"net/http"
	"net/url"
	"time"

	"gatehouse/internal/apierr"
)

// Time writes a time as RFC 1123 in GMT, as Tapis clients are used to:
// Thu, 02 Jul 2020 23:45:16 GMT.
func Time(t time.Time) string { return t.UTC().Format(http.TimeFormat) }

// Null returns nil for an empty text: NULL in a column, null in JSON.
func Null(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// NotNull is the reverse of Null.
func NotNull(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// List returns an empty list for none, which JSON writes as [] and not null.
func List(values []string) []string {
	if values == nil {
		return []string{}
	}
	return values
}

// Query reads the parameters of a raw query. Where net/url leaves out what it
// cannot read, so that a mangled limit would mean no limit, this is an error.
func Query(raw string) (url.Values, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, apierr.Invalidf("The query of the URL is not well-formed.")
	}
	return values, nil
}
