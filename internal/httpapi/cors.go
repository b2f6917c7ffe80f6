package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/server"
)

// The headers of the Fetch standard by which browsers let the scripts of
// portals, which live at other origins, use the JSON API. Every origin may, and
// none with credentials: nothing of the API depends on a cookie.
const (
	corsRequestHeaders = "Authorization, Content-Type, If-None-Match, X-Tapis-Token, X-Tapis-Tenant, X-Tapis-User, " +
		"X-Tapis-Tracking-Id"
	corsExposedHeaders = "ETag, Retry-After, WWW-Authenticate, X-Request-Id, X-Tapis-Offset, X-Tapis-Tracking-Id"
	corsMaxAge         = "86400" // seconds
)

// private reports whether scripts of other origins are kept out of a path.
func (o *Options) private(path string) bool { return o.IsPage != nil && o.IsPage(path) }

// allowOrigins opens a response of the JSON API to the scripts of every origin.
func (o *Options) allowOrigins(c *gin.Context) {
	if o.private(c.Request.URL.Path) {
		return
	}
	allowed := "*"
	if o.LocalOrigins {
		c.Header("Vary", "Origin")
		if allowed = c.GetHeader("Origin"); !localOrigin(allowed) {
			return
		}
	}
	c.Header("Access-Control-Allow-Origin", allowed)
	c.Header("Access-Control-Expose-Headers", corsExposedHeaders)
}

func localOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.User == nil && server.LoopbackName(u.Hostname())
}

// preflight answers the question of a browser, whether it may send a request
// to a path that has the given methods, and reports whether it was one.
func (o *Options) preflight(c *gin.Context, allowed []string) bool {
	wanted := c.GetHeader("Access-Control-Request-Method")
	if c.Request.Method != http.MethodOptions || wanted == "" || !slices.Contains(allowed, wanted) ||
		o.private(c.Request.URL.Path) || (o.LocalOrigins && !localOrigin(c.GetHeader("Origin"))) {
		return false
	}
	c.Header("Access-Control-Allow-Methods", strings.Join(allowed, ", "))
	c.Header("Access-Control-Allow-Headers", corsRequestHeaders)
	c.Header("Access-Control-Max-Age", corsMaxAge)
	c.AbortWithStatus(http.StatusNoContent)
	return true
}
