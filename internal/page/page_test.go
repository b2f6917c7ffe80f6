package page_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gatehouse/internal/page"
)

func TestAPageEscapesWhatItShowsAndCannotBeFramed(t *testing.T) {
	r, err := page.New("/assets/", "welcome")
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
	if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") ||
		!strings.Contains(csp, "default-src 'none'") {
		t.Errorf("policy %q", csp)
	}
}

func TestAPageThatLacksWhatItShowsWritesNothing(t *testing.T) {
	r, err := page.New("/assets/", "welcome")
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

func assets(t *testing.T) *page.Assets {
	t.Helper()
	a, err := page.NewAssets()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAPageNamesItsStyleSheetByVersionWhichMayBeKept(t *testing.T) {
	r, err := page.New("/assets/", "welcome")
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	err = r.Write(w, http.StatusOK, "welcome", map[string]any{"Version": "", "Tenants": nil, "Curl": "", "Python": nil})
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(w.Body.String(), `<link rel="stylesheet" href="/assets/`)
	address, _, _ := strings.Cut(rest, `"`)
	for query, kept := range map[string]bool{strings.TrimPrefix(address, "gatehouse.css"): true, "?v=old": false, "": false} {
		w := httptest.NewRecorder()
		if !assets(t).Write(w, httptest.NewRequest(http.MethodGet, "/x"+query, nil), "gatehouse.css") {
			t.Fatalf("%q is not there", address)
		}
		h := w.Header()
		if w.Code != http.StatusOK || !strings.HasPrefix(h.Get("Content-Type"), "text/css") ||
			h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("got %d %v", w.Code, h)
		}
		if strings.Contains(h.Get("Cache-Control"), "immutable") != kept {
			t.Errorf("%q: %s", query, h.Get("Cache-Control"))
		}
	}
}

func TestNothingButAssetsIsServed(t *testing.T) {
	for _, name := range []string{
		"", ".", "..", "nothing.css", "../templates/layout.html", "layout.html", "/gatehouse.css",
		"gatehouse.css/",
	} {
		w := httptest.NewRecorder()
		if assets(t).Write(w, httptest.NewRequest(http.MethodGet, "/x", nil), name) || w.Body.Len() > 0 {
			t.Errorf("%q was served", name)
		}
	}
}

func TestFormsLeadToThisServerAndWhereTheyAreMeantTo(t *testing.T) {
	r, err := page.New("/assets/", "welcome")
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	err = r.Write(w, http.StatusOK, "welcome", map[string]any{"Version": "", "Tenants": nil, "Curl": "", "Python": nil},
		"https://a.example.org")
	if csp := w.Header().Get("Content-Security-Policy"); err != nil ||
		!strings.Contains(csp, "; form-action 'self' https://a.example.org; ") {
		t.Errorf("policy %q, %v", csp, err)
	}
}
