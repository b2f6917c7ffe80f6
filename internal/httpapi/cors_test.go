package httpapi_test

import (
	"testing"

	"gatehouse/internal/httpapi"
)

func TestScriptsOfEveryOriginMayUseTheJSONAPIWithoutCredentials(t *testing.T) {
	e := withRoutes(t)
	for _, test := range []struct{ method, path string }{
		{"GET", "/items"}, {"POST", "/orders"}, {"GET", "/refused"}, {"GET", "/broken"}, {"GET", "/nowhere"}, {"DELETE", "/items"},
	} {
		w := e.do(test.method, test.path, "", "Origin", "https://portal.example.org")
		if got := w.Header().Get("Access-Control-Allow-Origin"); got != "*" ||
			w.Header().Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s %s: %q, %q", test.method, test.path, got, w.Header())
		}
	}
}

func TestABrowserIsToldWhatItMaySend(t *testing.T) {
	e := withRoutes(t)
	for _, test := range []struct {
		path, method string
		status       int
		allowed      string
	}{
		{"/items/1", "PUT", 204, "GET, HEAD, PUT"},
		{"/items/special", "GET", 204, "GET, HEAD"},
		{"/items/special", "PUT", 405, ""}, // belongs to the more concrete route
		{"/items", "DELETE", 405, ""},
		{"/items", "", 405, ""}, // not a browser's question
		{"/nowhere", "GET", 404, ""},
	} {
		w := e.do("OPTIONS", test.path, "", "Origin", "https://portal.example.org", "Access-Control-Request-Method", test.method)
		if w.Code != test.status || w.Header().Get("Access-Control-Allow-Methods") != test.allowed {
			t.Errorf("%s %s: %d %q", test.method, test.path, w.Code, w.Header())
		}
		if test.status == 204 && (w.Body.Len() > 0 || w.Header().Get("Access-Control-Allow-Headers") == "") {
			t.Errorf("%s %s: %q %s", test.method, test.path, w.Header(), w.Body)
		}
	}
}

func TestScriptsOfOtherOriginsAreKeptOutOfPages(t *testing.T) {
	e := newEdge(t, httpapi.Options{IsPage: func(path string) bool { return path == "/login" }})
	httpapi.Get(e, "/login", ok)
	e.POST("/login", httpapi.Handle(ok))
	for _, method := range []string{"GET", "POST", "OPTIONS"} {
		w := e.do(method, "/login", "", "Origin", "https://elsewhere.example.org", "Access-Control-Request-Method", "POST")
		for name := range w.Header() {
			if len(name) > 14 && name[:14] == "Access-Control" {
				t.Errorf("%s: %s: %s", method, name, w.Header().Get(name))
			}
		}
		if method == "OPTIONS" && w.Code != 405 {
			t.Errorf("OPTIONS: %d", w.Code)
		}
	}
}
