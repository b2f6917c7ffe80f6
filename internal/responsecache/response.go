package responsecache

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"sync"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/httpapi"
)

// minGzip is the size in bytes below which compressing saves no packet.
const minGzip = 1400

var (
	cacheControl   = []string{"no-cache"}
	privateControl = []string{"private, no-cache"}
	encodingGzip   = []string{"gzip"}
)

// Response is one immutable JSON body. It is safe for concurrent use.
type Response struct {
	plain form
	once  sync.Once
	gzip  form // without a body until it is asked for, and when compressing does not help
}

// form is one representation of the body; etag is a ready header value.
type form struct {
	body []byte
	etag []string
}

// NewResponse returns the response whose body is the JSON of value. It fails
// only when value cannot be encoded.
func NewResponse(value any) (*Response, error) {
	body, err := json.Marshal(value)
	if err != nil {
		return nil, apierr.Wrap(err, "encode response")
	}
	// Strong tags: equal exactly when the bytes and their encoding are.
	sum := sha256.Sum256(body)
	tag := base64.RawURLEncoding.EncodeToString(sum[:18])
	return &Response{
		plain: form{body: body, etag: []string{`"` + tag + `"`}},
		gzip:  form{etag: []string{`"` + tag + `-gzip"`}},
	}, nil
}

// Write sends the response in the form that the request's headers ask for, or
// 304 without a body to a caller who has it already.
func (r *Response) Write(c *gin.Context) { r.write(c, cacheControl) }

// WritePrivate is Write for a response that was chosen by who asks, which the
// request headers in vary tell: only the asker may keep it.
func (r *Response) WritePrivate(c *gin.Context, vary ...string) {
	for _, name := range vary {
		c.Writer.Header().Add("Vary", name)
	}
	r.write(c, privateControl)
}

func (r *Response) write(c *gin.Context, control []string) {
	header := c.Writer.Header()
	chosen := &r.plain
	if len(r.plain.body) >= minGzip {
		header.Add("Vary", "Accept-Encoding")
		if acceptsGzip(c.Request.Header["Accept-Encoding"]) {
			chosen = r.compressed()
		}
	}
	header["Etag"], header["Cache-Control"] = chosen.etag, control
	if tags := c.Request.Header["If-None-Match"]; len(tags) > 0 && matches(tags, r.hasTag) {
		c.Status(http.StatusNotModified)
		return
	}
	if chosen != &r.plain {
		header["Content-Encoding"] = encodingGzip
	}
	httpapi.Bytes(c, http.StatusOK, chosen.body)
}

// hasTag reports whether the tag is of this response, in either form.
func (r *Response) hasTag(tag string) bool { return tag == r.plain.etag[0] || tag == r.gzip.etag[0] }

// compressed makes the gzip form once; where it is not smaller, it is the
// plain one.
func (r *Response) compressed() *form {
	r.once.Do(func() {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write(r.plain.body) // a buffer does not fail
		_ = w.Close()
		if b.Len() < len(r.plain.body) {
			r.gzip.body = b.Bytes()
		}
	})
	if r.gzip.body == nil {
		return &r.plain
	}
	return &r.gzip
}

// Lazy makes a response at its first use and keeps it. The zero Lazy is ready;
// it is safe for concurrent use.
type Lazy struct {
	once     sync.Once
	response *Response
	err      error
}

// Get returns the response, made from what value returns the first time.
func (l *Lazy) Get(value func() any) (*Response, error) {
	l.once.Do(func() { l.response, l.err = NewResponse(value()) })
	return l.response, l.err
}
