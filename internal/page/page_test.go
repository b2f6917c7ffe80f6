package page_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gatehouse/internal/page"
)

func TestAPageEscapesWhatItShowsAndCannotBeFramed(t *testing.T) {
	r, err := page.New("welcome")
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	err = r.Write(w, http.StatusOK, "welcome", map[string]any{
		"Version": "<script>alert(1)</script>", "Tenants": nil, "Curl": "curl", "Python": nil,
	})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(w.Body.String(), "<script>") {
		t.Error("the page does not escape")
	}
	if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") || !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("policy %q", csp)
	}
}

func TestAPageThatLacksWhatItShowsWritesNothing(t *testing.T) {
	r, err := page.New("welcome")
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := r.Write(w, http.StatusOK, "welcome", map[string]any{}); err == nil || w.Body.Len() > 0 {
		t.Errorf("got %v and %d bytes", err, w.Body.Len())
	}
	if err := r.Write(w, http.StatusOK, "nowhere", nil); err == nil {
		t.Error("an unknown page was rendered")
	}
}

func TestStaticFilesAreServedWithTheirTypes(t *testing.T) {
	w := httptest.NewRecorder()
	page.Static().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/static/gatehouse.css", nil))
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/css") {
		t.Errorf("got %d %s", w.Code, w.Header().Get("Content-Type"))
	}
}

func TestStaticFoldersAreNotListed(t *testing.T) {
	for _, path := range []string{"/static/", "/static/../", "/static/nothing.css"} {
		w := httptest.NewRecorder()
		page.Static().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code == http.StatusOK {
			t.Errorf("%s answered %d", path, w.Code)
		}
	}
}
