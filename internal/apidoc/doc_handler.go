// Package apidoc serves the OpenAPI documents of a service and a page to read
// and try them with: Swagger UI from the binary itself, no outside address.
//
// The documents are written in api/openapi; each service says which are its own.
package apidoc

import (
	"bytes"
	"compress/gzip"
	"embed"
	"html/template"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/swaggest/swgui/v5/static"

	"gatehouse/api/openapi"
	"gatehouse/internal/apierr"
	"gatehouse/internal/httpapi"
)

// Document is one OpenAPI document and where it is served.
type Document struct {
	Name string // of its file in api/openapi, without the suffix
	Path string // for example /v3/tenants/openapi.yaml
}

// Page is where Mount puts the page for a service below base. The names of its
// files have a dot, which no tenant's id has.
func Page(base string) string { return base + "/docs.html" }

// contentType of OpenAPI documents in YAML, RFC 9512.
const contentType = "application/yaml"

// policy lets Swagger UI style itself, which it does with attributes, and send
// requests to the service that it describes; nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

//go:embed docs.html docs-start.js
var own embed.FS

// Mount serves documents at their paths, and the page that shows them below
// base, for example /v3/tenants. It panics when the binary was built without
// one of them.
func Mount(r gin.IRouter, base string, documents ...Document) {
	for _, d := range documents {
		serve(r, d.Path, contentType, carried(func() ([]byte, error) { return openapi.Document(d.Name) }))
	}
	var page bytes.Buffer
	if err := template.Must(template.ParseFS(own, "docs.html")).Execute(&page, struct {
		Base      string
		Documents []Document
	}{base, documents}); err != nil {
		panic(err)
	}
	serve(r, Page(base), "text/html; charset=utf-8", func() ([]byte, error) { return page.Bytes(), nil })
	serve(r, base+"/docs-start.js", script, file(own, "docs-start.js"))
	serve(r, base+"/docs.css", "text/css; charset=utf-8", file(static.FS, "swagger-ui.css.gz"))
	serve(r, base+"/docs.js", script, file(static.FS, "swagger-ui-bundle.js.gz"))
}

// source returns a text that the binary carries. It is read for each request:
// hardly anybody asks, and a copy in memory would be there for good.
type source func() ([]byte, error)

func file(from embed.FS, name string) source {
	return carried(func() ([]byte, error) { return from.ReadFile(name) })
}

// carried panics unless the binary carries what s returns.
func carried(s source) source {
	if _, err := s(); err != nil {
		panic(err)
	}
	return s
}

const script = "text/javascript; charset=utf-8"

// serve answers GET and HEAD with a text that never changes while the program
// runs.
func serve(r gin.IRouter, path, kind string, from source) {
	httpapi.Get(r, path, func(c *gin.Context) error {
		text, err := from()
		if err == nil && bytes.HasPrefix(text, []byte(gzipMagic)) {
			text, err = unpacked(c, text)
		}
		if err != nil {
			return apierr.Wrap(err, "read "+path)
		}
		write(c, kind, text)
		return nil
	})
}

// gzipMagic is how gzip files begin, such as those of Swagger UI.
const gzipMagic = "\x1f\x8b"

// unpacked returns a gzip file as it is to everybody who can unpack it.
func unpacked(c *gin.Context, packed []byte) ([]byte, error) {
	c.Header("Vary", "Accept-Encoding")
	if strings.Contains(c.GetHeader("Accept-Encoding"), "gzip") {
		c.Header("Content-Encoding", "gzip")
		return packed, nil
	}
	unpacking, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(unpacking)
}

func write(c *gin.Context, kind string, text []byte) {
	h := c.Writer.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache")
	c.Status(http.StatusOK)
	_, _ = c.Writer.Write(text)
}
