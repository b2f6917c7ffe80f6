package httpapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
)

// ContentType is the exact Content-Type of every JSON answer. The Python SDK
// compares the whole value, so it carries no charset.
const ContentType = "application/json"

// Envelope is the body of every Tapis answer.
type Envelope struct {
	Result   any    `json:"result"`
	Status   string `json:"status"`
	Message  string `json:"message"`
	Version  string `json:"version"`
	Metadata any    `json:"metadata"`
}

type failure struct {
	Envelope
	Error       string `json:"error,omitempty"`
	Description string `json:"error_description,omitempty"`
}

// Page is the metadata of a list answer.
type Page struct {
	RecordCount    int `json:"recordCount"`
	RecordLimit    int `json:"recordLimit"`
	RecordsSkipped int `json:"recordsSkipped"`
	TotalCount     int `json:"totalCount"`
}

// Success returns the envelope of a success for the request in ctx.
func Success(ctx context.Context, result any, message string) Envelope {
	return Envelope{
		Result: result, Status: "success", Message: message, Version: requestOf(ctx).opts.Version, Metadata: struct{}{},
	}
}

// Reply writes a success envelope.
func Reply(c *gin.Context, status int, result any, message string) error {
	return JSON(c, status, Success(c.Request.Context(), result, message))
}

// JSON writes body as JSON with the exact content type.
func JSON(c *gin.Context, status int, body any) error {
	b := buffers.Get().(*bytes.Buffer) // nothing else is put into it
	defer func() {
		if b.Cap() <= maxBuffer {
			b.Reset()
			buffers.Put(b)
		}
	}()
	if err := json.NewEncoder(b).Encode(body); err != nil {
		return apierr.Wrap(err, "encode answer")
	}
	Bytes(c, status, bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	return nil
}

// buffers are what answers are written into on their way, which the next ones
// use again up to maxBuffer bytes.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const maxBuffer = 64 << 10

// Bytes writes ready JSON.
func Bytes(c *gin.Context, status int, body []byte) {
	c.Writer.Header().Set("Content-Type", ContentType)
	c.Writer.Header().Set("Content-Length", strconv.Itoa(len(body)))
	c.Status(status)
	_, _ = c.Writer.Write(body)
}

// NoStore marks the answers of a group as not to be kept by anyone, as RFC
// 6749 section 5.1 asks for tokens and credentials.
func NoStore(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	c.Header("Pragma", "no-cache")
}

// OAuthErrors makes every error of a group carry the members error and
// error_description of RFC 6749 section 5.2 beside the envelope.
func OAuthErrors(c *gin.Context) {
	requestOf(c.Request.Context()).oauth = true
}

// kinds has the status and the default OAuth error code of each kind of error.
var kinds = map[apierr.Kind]struct {
	status int
	code   string
}{
	apierr.Internal:         {http.StatusInternalServerError, "server_error"},
	apierr.Invalid:          {http.StatusBadRequest, "invalid_request"},
	apierr.Unauthenticated:  {http.StatusUnauthorized, "invalid_token"},
	apierr.Forbidden:        {http.StatusForbidden, "access_denied"},
	apierr.NotFound:         {http.StatusNotFound, "not_found"},
	apierr.MethodNotAllowed: {http.StatusMethodNotAllowed, "invalid_request"},
	apierr.Conflict:         {http.StatusConflict, "conflict"},
	apierr.TooLarge:         {http.StatusRequestEntityTooLarge, "invalid_request"},
	apierr.UnsupportedMedia: {http.StatusUnsupportedMediaType, "invalid_request"},
	apierr.TooMany:          {http.StatusTooManyRequests, "temporarily_unavailable"},
	apierr.Unavailable:      {http.StatusServiceUnavailable, "temporarily_unavailable"},
}

// Code returns the OAuth error code that an answer to err carries where codes
// are written.
func Code(err error) string {
	e := apierr.From(err)
	return cmp.Or(e.Code, kinds[e.Kind].code)
}

// statusClientClosed is logged, never read by anyone: the caller went away.
const statusClientClosed = 499

// Fail writes err: the one place where errors become answers. Failures of our
// own are logged with their cause and answered without it.
func Fail(c *gin.Context, err error) {
	ctx := c.Request.Context()
	r := requestOf(ctx)
	log := r.opts.Log.With(slog.String("request_id", r.id), slog.String("error", err.Error()))
	if c.Writer.Written() {
		log.ErrorContext(ctx, "answer already begun")
		return
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		c.Status(statusClientClosed)
		c.Abort()
		return
	}
	e := apierr.From(err)
	message, status := e.Message, kinds[e.Kind].status
	switch {
	case e.Kind == apierr.Internal:
		log.ErrorContext(ctx, "internal error")
		message = "An internal error occurred; please quote request id " + r.id + " when you report it."
	case e.Kind == apierr.Unavailable:
		log.WarnContext(ctx, "dependency away")
	case e.Unwrap() != nil:
		log.InfoContext(ctx, "request refused")
	}
	if e.RetryAfter > 0 {
		c.Header("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	NoStore(c)
	c.Abort()
	if r.page != nil && !prefersJSON(c.GetHeader("Accept")) {
		r.page(c, status, message)
		return
	}
	body := failure{Envelope: Envelope{Status: "error", Message: message, Version: r.opts.Version, Metadata: struct{}{}}}
	if r.oauth || e.Code != "" {
		body.Error, body.Description = Code(e), description(message)
	}
	if r.opts.LegacyErrorCodes && e.Code == "" && status >= 400 && status < 500 {
		status = http.StatusBadRequest
	}
	if e.Challenge != "" {
		c.Header("WWW-Authenticate", e.Challenge)
	}
	_ = JSON(c, status, body) // strings only: it always encodes
}

// description keeps to the characters that RFC 6749 section 5.2 allows.
func description(message string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"' || r == '\\':
			return '\''
		case r < 0x20 || r > 0x7e:
			return '?'
		}
		return r
	}, message)
}
