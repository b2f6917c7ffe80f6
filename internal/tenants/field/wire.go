package field

import (
	"net/http"
	"time"
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
