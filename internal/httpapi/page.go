package httpapi

import (
	"mime"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
)

// ErrorPage writes an error as a page for people. It must not fail.
type ErrorPage func(c *gin.Context, status int, message string)

// ErrorPages makes the errors of a group pages for people, except towards
// those who say that they prefer JSON.
func ErrorPages(page ErrorPage) gin.HandlerFunc {
	return func(c *gin.Context) { requestOf(c.Request.Context()).page = page }
}

// prefersJSON reports whether an Accept header puts JSON before HTML (RFC
// 9110 section 12.5.1). Without a preference it is false.
func prefersJSON(accept string) bool {
	json, html, rest := 0.0, -1.0, 0.0
	for part := range strings.SplitSeq(accept, ",") {
		media, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		weight := 1.0
		if q, ok := params["q"]; ok {
			if weight, err = strconv.ParseFloat(q, 64); err != nil {
				continue
			}
		}
		switch media {
		case ContentType, "application/*":
			json = max(json, weight)
		case "text/html", "text/*", "application/xhtml+xml":
			html = max(html, weight)
		case "*/*":
			rest = max(rest, weight)
		}
	}
	if json == 0 {
		return false // not named, or refused
	}
	if html < 0 {
		html = rest
	}
	return json > html || json == html && strings.HasPrefix(strings.TrimSpace(accept), ContentType)
}
