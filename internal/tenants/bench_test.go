package tenants

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/httpapi"
)

// sink is a response writer that copies what it gets, as a socket does, and
// is used again for the next answer.
type sink struct {
	header http.Header
	buffer []byte
	status int
}

func (s *sink) Header() http.Header { return s.header }

func (s *sink) WriteHeader(status int) { s.status = status }

func (s *sink) Write(b []byte) (int, error) {
	s.buffer = append(s.buffer, b...)
	return len(b), nil
}

func (s *sink) reset() {
	clear(s.header)
	s.buffer, s.status = s.buffer[:0], 0
}

// fortyTenants returns a registry of that size.
func fortyTenants(b *testing.B) *Service {
	b.Helper()
	s := empty(b)
	seed(b, s, devSeed("8080"))
	for i := range 38 {
		add(b, s, Tenant{ID: fmt.Sprintf("tenant-%d", i), SiteID: "main", Status: Active})
	}
	return s
}

func run(b *testing.B, h http.Handler, status int, headers ...string) {
	b.Helper()
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/v3/tenants", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := &sink{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		w.reset()
		h.ServeHTTP(w, r)
	}
	if w.status != status {
		b.Fatalf("got %d, want %d", w.status, status)
	}
	b.SetBytes(int64(len(w.buffer)))
}

func BenchmarkListTenants(b *testing.B) { run(b, engine(b, fortyTenants(b)), http.StatusOK) }

func BenchmarkListTenantsGzip(b *testing.B) {
	run(b, engine(b, fortyTenants(b)), http.StatusOK, "Accept-Encoding", "gzip")
}

func BenchmarkListTenantsNotModified(b *testing.B) {
	run(b, engine(b, fortyTenants(b)), http.StatusNotModified, "If-None-Match", "*")
}

// BenchmarkBareGin writes the same bytes from a handler that does nothing
// else, on an engine without middlewares: what the list is measured against.
func BenchmarkBareGin(b *testing.B) {
	body := ask(b, engine(b, fortyTenants(b)), http.MethodGet, "/v3/tenants").raw
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.GET("/v3/tenants", func(c *gin.Context) { httpapi.Bytes(c, http.StatusOK, body) })
	run(b, e, http.StatusOK)
}

// BenchmarkBareEngine writes the same bytes through httpapi's middlewares:
// what of the list's cost is the edge's.
func BenchmarkBareEngine(b *testing.B) {
	body := ask(b, engine(b, fortyTenants(b)), http.MethodGet, "/v3/tenants").raw
	e, err := httpapi.New(httpapi.Options{Version: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	httpapi.Get(e, "/v3/tenants", func(c *gin.Context) error { httpapi.Bytes(c, http.StatusOK, body); return nil })
	run(b, e, http.StatusOK)
}
