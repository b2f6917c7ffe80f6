package httpapi

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
)

// MaxBody is the largest request body that is read, in bytes.
const MaxBody = 1 << 20

// Options configure an engine.
type Options struct {
	Version        string       // shown in every envelope
	Log            *slog.Logger // access log and causes of failures
	TrustedProxies []string     // addresses or networks whose X-Forwarded-For is believed; empty: nobody's
	// LegacyErrorCodes answers every 4xx of a Tapis JSON endpoint as 400, for
	// old tooling that reads exactly 400 as "absent".
	LegacyErrorCodes bool
	// IsPage reports of a path whether people visit it in a browser: scripts of
	// other origins are kept out of it. Nil: none is.
	IsPage func(path string) bool
	// IsSecure reports of a host whether it is served over TLS alone, which
	// browsers are told with every answer. Nil: none is.
	IsSecure func(host string) bool
	// LocalOrigins opens the API to the scripts of origins on this machine alone;
	// it is for development.
	LocalOrigins bool
	// Observe is told of every request that was answered; nil: nobody is. route
	// is the pattern that matched, empty for none.
	Observe func(method, route string, status int, took time.Duration)
}

// New returns an engine that speaks the Tapis envelope on every path,
// unknown ones included.
func New(o Options) (*gin.Engine, error) {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	if err := e.SetTrustedProxies(o.TrustedProxies); err != nil {
		return nil, fmt.Errorf("trusted proxies: %w", err)
	}
	e.ForwardedByClientIP = len(o.TrustedProxies) > 0
	e.RemoteIPHeaders = []string{"X-Forwarded-For"} // proxies that set only this one pass X-Real-IP on from anyone
	e.RedirectTrailingSlash = false
	e.HandleMethodNotAllowed = false // Gin's own search over all methods can panic where /a/b and /a/:id meet
	e.UseRawPath = true              // an encoded slash in a path parameter stays in it
	e.UnescapePathValues = true
	e.ContextWithFallback = true
	routes := &routeTable{engine: e, opts: &o}
	e.Use(begin(&o), recovery, Handle(readablePath), Handle(routes.check))
	e.NoRoute(Handle(func(c *gin.Context) error {
		if strings.HasPrefix(c.Request.URL.Path, oauthPath) {
			OAuthErrors(c)
		}
		if err := routes.wrongMethod(c); err != nil || c.Writer.Written() {
			return err
		}
		if strings.HasPrefix(c.Request.URL.Path, "//") {
			return apierr.New(apierr.NotFound, "There is no path that begins with two slashes; does your base URL end in one?")
		}
		return errNoPath()
	}))
	return e, nil
}

// oauthPath is below which clients expect the errors of RFC 6749 whatever they
// ask for.
const oauthPath = "/v3/oauth2/"

func errNoPath() error {
	return apierr.New(apierr.NotFound, "There is no such path.")
}

// maxPath is longer than any path that is served, in bytes.
const maxPath = 2048

// readablePath refuses paths that are too long to be worth comparing, and
// those with NUL bytes or invalid UTF-8: no object has such a name, and
// Postgres fails on them as parameters.
func readablePath(c *gin.Context) error {
	if len(pathOf(c)) > maxPath || !isText(c.Request.URL.Path) {
		return errNoPath()
	}
	return nil
}

// Get registers a handler for GET and HEAD.
func Get(r gin.IRoutes, path string, h Handler) {
	r.Match([]string{http.MethodGet, http.MethodHead}, path, Handle(h))
}

// Handler serves one request: it writes an answer and returns nil, or writes
// nothing and returns an error.
type Handler func(c *gin.Context) error

// Handle adapts a Handler to Gin; the error, if any, goes to the one writer.
func Handle(h Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := h(c); err != nil {
			Fail(c, err)
		}
	}
}

// recovery turns a panic into a plain 500 and logs where it happened.
func recovery(c *gin.Context) {
	defer func() {
		if r := recover(); r != nil {
			if r == http.ErrAbortHandler { //nolint:errorlint // net/http compares it the same way
				panic(r)
			}
			Fail(c, apierr.Wrap(fmt.Errorf("panic: %v\n%s", r, debug.Stack()), "serve request"))
		}
	}()
	c.Next()
}
