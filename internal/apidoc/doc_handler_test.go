package apidoc_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"gatehouse/internal/apidoc"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/testlog"
)

func get(t *testing.T, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	engine, err := httpapi.New(httpapi.Options{Version: "test", Log: testlog.New(t)})
	if err != nil {
		t.Fatal(err)
	}
	apidoc.Mount(engine, "/v3/tenants", apidoc.Document{Name: "tenants", Path: "/v3/tenants/openapi.yaml"})
	req := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	engine.ServeHTTP(rec, req)
	return rec
}

func TestTheDocumentIsServed(t *testing.T) {
	rec := get(t, "/v3/tenants/openapi.yaml")
	if rec.Code != http.StatusOK || rec.Header().Get("Content-Type") != "application/yaml" ||
		!strings.HasPrefix(rec.Body.String(), "openapi: 3.") {
		t.Errorf("got %d %s %.40q", rec.Code, rec.Header().Get("Content-Type"), rec.Body)
	}
}

// Everything that the page loads comes from where the page is, and is there.
func TestThePageNeedsNoOutsideAddress(t *testing.T) {
	page := get(t, apidoc.Page("/v3/tenants"))
	if page.Code != http.StatusOK {
		t.Fatalf("got %d", page.Code)
	}
	addresses := regexp.MustCompile(`(?:src|href|data-path)="([^"]*)"`).FindAllStringSubmatch(page.Body.String(), -1)
	if len(addresses) < 4 {
		t.Fatalf("the page refers to %v", addresses)
	}
	for _, address := range addresses {
		if rec := get(t, address[1]); !strings.HasPrefix(address[1], "/v3/tenants/") || rec.Code != http.StatusOK ||
			rec.Body.Len() == 0 {
			t.Errorf("%s answers %d", address[1], rec.Code)
		}
	}
	if policy := page.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'; script-src 'self';") {
		t.Errorf("policy %q", policy)
	}
}

func TestTheViewerIsTheSamePackedOrNot(t *testing.T) {
	plain, packed := get(t, "/v3/tenants/docs.js"), get(t, "/v3/tenants/docs.js", "Accept-Encoding", "gzip")
	from, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(from)
	if err != nil || !bytes.Equal(text, plain.Body.Bytes()) || packed.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("%v, %d and %d bytes", err, len(text), plain.Body.Len())
	}
}
