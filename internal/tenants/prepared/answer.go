// Package prepared holds answers that are ready before they are asked for:
// the bytes, their strong ETag, and the gzip form of both. What the bytes say
// and when they stop being true is the business of whoever made them.
//
// Cache-Control is no-cache: everyone may keep an answer but asks again
// before using it. A tenant's key or status must be seen within seconds, and
// a 304 costs next to nothing. Answers that depend on who asks are private.
package prepared

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"sync"

	"gatehouse/internal/apierr"
)

// minGzip is the size in bytes below which compressing saves no packet.
const minGzip = 1400

var (
	cacheControl   = []string{"no-cache"}
	privateControl = []string{"private, no-cache"}
	encodingGzip   = []string{"gzip"}
)

// Answer is one immutable JSON body, safe for concurrent use.
type Answer struct {
	plain form
	once  sync.Once
	gzip  form // without a body until it is asked for, and when compressing does not help
}

// form is one representation of the body; etag is a ready header value.
type form struct {
	body []byte
	etag []string
}

// New returns the answer whose body is the JSON of value.
func New(value any) (*Answer, error) {
	body, err := json.Marshal(value)
	if err != nil {
		return nil, apierr.Wrap(err, "encode answer")
	}
	// Strong tags: equal exactly when the bytes and their encoding are.
	sum := sha256.Sum256(body)
	tag := base64.RawURLEncoding.EncodeToString(sum[:18])
	return &Answer{
		plain: form{body: body, etag: []string{`"` + tag + `"`}},
		gzip:  form{etag: []string{`"` + tag + `-gzip"`}},
	}, nil
}

// choose returns the representation that r asks for, or nil bytes and 304
// when the caller has it already, and sets the headers that go with it.
func (a *Answer) choose(r *http.Request, header http.Header) (status int, body []byte) {
	chosen := &a.plain
	if len(a.plain.body) >= minGzip {
		header.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header["Accept-Encoding"]) {
			chosen = a.compressed()
		}
	}
	header["Etag"] = chosen.etag
	header["Cache-Control"] = cacheControl
	if known := r.Header["If-None-Match"]; len(known) > 0 && a.known(known) {
		return http.StatusNotModified, nil
	}
	if chosen != &a.plain {
		header["Content-Encoding"] = encodingGzip
	}
	return http.StatusOK, chosen.body
}

// known reports whether a caller that lists these tags holds this answer, in
// either form.
func (a *Answer) known(ifNoneMatch []string) bool {
	return matches(ifNoneMatch, func(tag string) bool {
		return tag == a.plain.etag[0] || tag == a.gzip.etag[0]
	})
}

// compressed makes the gzip form once; where it is not smaller, it is the
// plain one.
func (a *Answer) compressed() *form {
	a.once.Do(func() {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write(a.plain.body) // a buffer does not fail
		_ = w.Close()
		if b.Len() < len(a.plain.body) {
			a.gzip.body = b.Bytes()
		}
	})
	if a.gzip.body == nil {
		return &a.plain
	}
	return &a.gzip
}

// Once makes an answer at its first use and keeps it.
type Once struct {
	once   sync.Once
	answer *Answer
	err    error
}

// Get returns the answer, made from what value returns the first time.
func (o *Once) Get(value func() any) (*Answer, error) {
	o.once.Do(func() { o.answer, o.err = New(value()) })
	return o.answer, o.err
}
