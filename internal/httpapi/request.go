package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
)

// request is what the edge remembers of one request while it is served.
type request struct {
	id    string
	opts  *Options
	attrs []slog.Attr
	oauth bool
	quiet bool
	page  ErrorPage // nil: errors are JSON
}

type requestKey struct{}

// requestOf returns what is remembered of the request in ctx; outside of an
// engine that is nothing.
func requestOf(ctx context.Context) *request {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r
	}
	return &request{opts: &Options{Log: slog.New(slog.DiscardHandler)}}
}

// maxTime bounds the work for one request, so that a database that has
// stopped answering makes 503s and no heap of waiting requests.
const maxTime = 15 * time.Second

// trackingID is the form that Tapis clients send: a namespace of word
// characters, a dot, and an identifier.
var trackingID = regexp.MustCompile(`^[A-Za-z0-9_]+\.[A-Za-z0-9-]+$`)

// maxTrackingID is the longest tracking id that is kept, in characters.
const maxTrackingID = 126

// begin gives the request its identity and, when it is done, logs it.
func begin(o *Options) gin.HandlerFunc {
	unlisted := sync.Once{}
	return func(c *gin.Context) {
		started := time.Now()
		r := &request{id: newRequestID(), opts: o}
		ctx, cancel := context.WithTimeout(context.WithValue(c.Request.Context(), requestKey{}, r), maxTime)
		defer cancel()
		c.Request = c.Request.WithContext(ctx)
		header := c.Writer.Header()
		header.Set("X-Request-Id", r.id)
		header.Set("X-Content-Type-Options", "nosniff")
		if o.IsSecure != nil && o.IsSecure(c.Request.Host) {
			header.Set("Strict-Transport-Security", "max-age=31536000")
		}
		o.allowOrigins(c)
		if id := c.GetHeader("X-Tapis-Tracking-Id"); len(id) <= maxTrackingID && trackingID.MatchString(id) {
			header.Set("X-Tapis-Tracking-Id", id)
			r.attrs = append(r.attrs, slog.String("tracking_id", id))
		}
		if len(o.TrustedProxies) == 0 && c.GetHeader("X-Forwarded-For") != "" {
			unlisted.Do(func() {
				o.Log.WarnContext(c.Request.Context(), "requests carry X-Forwarded-For and no proxy is trusted: all callers behind the "+
					"proxy count as one address; list it in trusted_proxies",
					slog.String("peer", c.RemoteIP()))
			})
		}
		c.Next()
		o.finish(c, r, time.Since(started))
	}
}

// finish logs a request that was answered and tells Observe of it.
func (o *Options) finish(c *gin.Context, r *request, took time.Duration) {
	status := c.Writer.Status()
	if o.Observe != nil {
		o.Observe(c.Request.Method, c.FullPath(), status, took)
	}
	level := slog.LevelInfo
	if r.quiet || status == http.StatusNotModified {
		level = slog.LevelDebug
	}
	if !o.Log.Enabled(c.Request.Context(), level) {
		return
	}
	o.Log.LogAttrs(c.Request.Context(), level, "request", append(r.attrs,
		slog.String("request_id", r.id),
		slog.String("method", printable(c.Request.Method, 16)),
		slog.String("path", loggedPath(c)),
		slog.Int("status", status),
		slog.Int("bytes", max(c.Writer.Size(), 0)),
		slog.Duration("took", took),
		slog.String("address", c.ClientIP()))...)
}

// Annotate adds attributes to the access log line of the request in ctx.
// Never pass a secret, a token or a password.
func Annotate(ctx context.Context, attrs ...slog.Attr) {
	r := requestOf(ctx)
	r.attrs = append(r.attrs, attrs...)
}

// Quiet has the request in ctx logged at debug level only, as the probes of
// machines are.
func Quiet(ctx context.Context) { requestOf(ctx).quiet = true }

// RequestID returns the id that the answer carries in X-Request-Id, or "".
func RequestID(ctx context.Context) string { return requestOf(ctx).id }

func newRequestID() string {
	var b [12]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// loggedPath is the path of a known route; of an unknown one only the first
// segments, because people paste secrets into addresses.
func loggedPath(c *gin.Context) string {
	path := printable(c.Request.URL.Path, 256)
	if c.FullPath() != "" {
		return path
	}
	segments := strings.SplitN(path, "/", 5)
	if len(segments) == 5 {
		segments[4] = "..."
	}
	for i, s := range segments {
		if len(s) > 24 {
			segments[i] = s[:24] + "..."
		}
	}
	return strings.Join(segments, "/")
}

// printable keeps the visible ASCII of s and cuts it to limit bytes.
func printable(s string, limit int) string {
	clean := strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '?'
		}
		return r
	}, s[:min(len(s), limit)])
	return clean
}
