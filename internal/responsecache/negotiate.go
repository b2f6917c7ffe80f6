package responsecache

import (
	"strconv"
	"strings"
)

// acceptsGzip reads Accept-Encoding as RFC 9110 section 12.5.3 says: gzip is
// welcome when it is named, or covered by *, with a weight above zero.
func acceptsGzip(values []string) bool {
	star := false
	for _, value := range values {
		for value != "" {
			var item string
			item, value, _ = strings.Cut(value, ",")
			coding, params, _ := strings.Cut(item, ";")
			switch coding = strings.TrimSpace(coding); {
			case strings.EqualFold(coding, "gzip"), strings.EqualFold(coding, "x-gzip"):
				return weight(params) > 0
			case coding == "*":
				star = weight(params) > 0
			}
		}
	}
	return star
}

// weight reads ";q=0.5"; an absent or unreadable weight counts as 1.
func weight(params string) float64 {
	name, value, _ := strings.Cut(params, "=")
	if !strings.EqualFold(strings.TrimSpace(name), "q") {
		return 1
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil {
		return 1
	}
	return q
}

// matches reads If-None-Match (RFC 9110 section 13.1.2): * or a list of
// entity tags, compared weakly, that is without regard to a W/ before them.
// What follows something unreadable is ignored.
func matches(values []string, is func(tag string) bool) bool {
	for _, value := range values {
		rest := strings.TrimLeft(value, " \t,")
		if strings.TrimRight(rest, " \t") == "*" {
			return true
		}
		for rest != "" {
			rest = strings.TrimPrefix(rest, "W/")
			if rest == "" || rest[0] != '"' {
				break
			}
			end := strings.IndexByte(rest[1:], '"')
			if end < 0 {
				break
			}
			if is(rest[:end+2]) {
				return true
			}
			rest = strings.TrimLeft(rest[end+2:], " \t,")
		}
	}
	return false
}
