package httpapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/httpapi"
)

// withRoutes returns an edge with routes of every shape that services have.
func withRoutes(t testing.TB) *edge {
	t.Helper()
	e := newEdge(t, httpapi.Options{})
	httpapi.Get(e, "/items", ok)
	e.POST("/items", httpapi.Handle(ok))
	httpapi.Get(e, "/items/:id", func(c *gin.Context) error {
		return httpapi.Reply(c, http.StatusOK, c.Param("id"), "Done.")
	})
	e.PUT("/items/:id", httpapi.Handle(ok))
	httpapi.Get(e, "/items/special", ok)
	e.POST("/orders", httpapi.Handle(ok))
	e.DELETE("/items/:id/parts/:part", httpapi.Handle(ok))
	httpapi.Get(e, "/static/*file", ok)
	e.GET("/panic", func(*gin.Context) { panic("secret internals") })
	e.GET("/broken", fails(errors.New("secret internals")))
	e.GET("/refused", fails(apierr.Invalidf("No.")))
	e.GET("/unencodable", httpapi.Handle(func(c *gin.Context) error {
		return httpapi.Reply(c, http.StatusOK, make(chan int), "Done.")
	}))
	return e
}

func TestEveryAnswerHasTheExactContentType(t *testing.T) {
	e := withRoutes(t)
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/items", 200},
		{"HEAD", "/items", 200},
		{"GET", "/refused", 400},
		{"GET", "/nowhere", 404},
		{"HEAD", "/nowhere", 404},
		{"GET", "/", 404},
		{"DELETE", "/items", 405},
		{"GET", "/panic", 500},
		{"GET", "/broken", 500},
		{"GET", "/unencodable", 500},
	} {
		w := e.do(test.method, test.path, "")
		if got := w.Header().Values("Content-Type"); w.Code != test.status || len(got) != 1 || got[0] != "application/json" {
			t.Errorf("%s %s: status %d, Content-Type %q", test.method, test.path, w.Code, got)
		}
		if got, want := w.Header().Get("Content-Length"), fmt.Sprint(w.Body.Len()); got != want {
			t.Errorf("%s %s: Content-Length %s of %s bytes", test.method, test.path, got, want)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" || len(w.Header().Get("X-Request-Id")) != 24 {
			t.Errorf("%s %s: headers %v", test.method, test.path, w.Header())
		}
	}
}

func TestAnUnknownPathIsNotFoundInTheEnvelope(t *testing.T) {
	e := withRoutes(t)
	for _, path := range []string{
		"/", "/nowhere", "/items/", "/ITEMS", "/items/a/", "/items/a/b", "//items", "/items/../items", "/items/a/parts/", "/ite",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "DELETE", "OPTIONS", "BREW"} {
			w := e.do(method, path, "")
			checkFailure(t, w, http.StatusNotFound)
			if w.Header().Get("Location") != "" || w.Header().Get("Allow") != "" {
				t.Errorf("%s %s: headers %v", method, path, w.Header())
			}
		}
	}
}

func TestAWrongMethodIsToldTheOnesThatThereAre(t *testing.T) {
	e := withRoutes(t)
	for _, test := range []struct{ method, path, allow string }{
		{"DELETE", "/items", "GET, HEAD, POST"},
		{"OPTIONS", "/items", "GET, HEAD, POST"},
		{"BREW", "/items", "GET, HEAD, POST"},
		{"get", "/items", "GET, HEAD, POST"},
		{"PATCH", "/items/a", "GET, HEAD, PUT"},
		{"PATCH", "/items/special", "GET, HEAD"},
		{"PUT", "/items/special", "GET, HEAD"}, // which /items/:id has
		{"PATCH", "/items/a%2Fb", "GET, HEAD, PUT"},
		{"PATCH", "/items/%C3%A9", "GET, HEAD, PUT"},
		{"GET", "/items/a/parts/b", "DELETE"},
		{"GET", "/items/a%2Fb/parts/c%2Fd", "DELETE"},
		{"GET", "/orders", "POST"},
		{"HEAD", "/orders", "POST"},
		{"POST", "/static/a/b.css", "GET, HEAD"},
	} {
		w := e.do(test.method, test.path, "")
		a := checkFailure(t, w, http.StatusMethodNotAllowed)
		if got := w.Header().Values("Allow"); len(got) != 1 || got[0] != test.allow {
			t.Errorf("%s %s: Allow is %q, want %q", test.method, test.path, got, test.allow)
		}
		if !strings.Contains(a.Message, test.method) || !strings.Contains(a.Message, test.allow) {
			t.Errorf("%s %s: the message is %q", test.method, test.path, a.Message)
		}
	}
}

func TestPathsAndMethodsThatOAuthLacksAreErrorsOfOAuth(t *testing.T) {
	e := withRoutes(t)
	e.POST("/v3/oauth2/tokens", httpapi.Handle(ok))
	for _, test := range []struct {
		method, path, code string
		status             int
	}{
		{"GET", "/v3/oauth2/nothing", "not_found", http.StatusNotFound},
		{"PUT", "/v3/oauth2/tokens", "invalid_request", http.StatusMethodNotAllowed},
		{"GET", "/v3/tokens/nothing", "", http.StatusNotFound},
	} {
		w := e.do(test.method, test.path, "")
		checkFailure(t, w, test.status)
		var got struct{ Error string }
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Error != test.code {
			t.Errorf("%s %s: %s", test.method, test.path, w.Body)
		}
	}
}

// Gin's own handling of wrong methods panics on these routes, outside of any
// middleware: the caller would see a closed connection.
func TestAWrongMethodIsAnsweredWhereNamedAndVariablePathsMeet(t *testing.T) {
	e := newEdge(t, httpapi.Options{})
	for _, route := range []string{"GET /clients", "PUT /:id", "GET /cl", "PUT /client", "POST /t", "GET /:id"} {
		method, path, _ := strings.Cut(route, " ")
		e.Handle(method, path, httpapi.Handle(ok))
	}
	for path, allow := range map[string]string{"/cl": "GET", "/client": "PUT", "/t": "POST", "/x": "GET, PUT"} {
		w := e.do("DELETE", path, "")
		checkFailure(t, w, http.StatusMethodNotAllowed)
		if got := w.Header().Get("Allow"); got != allow {
			t.Errorf("DELETE %s: Allow is %q, want %q", path, got, allow)
		}
	}
}

// Gin has a tree for each method and finds the less concrete route in it.
func TestAPathBelongsToItsMostConcreteRoute(t *testing.T) {
	e := newEdge(t, httpapi.Options{})
	for _, route := range []string{
		"GET /a/b", "PUT /a/:x", "POST /:x/b", "DELETE /:x/:y", "GET /a/b/c", "PUT /:x/b/c", "POST /a/:y/c", "DELETE /files/*rest",
		"GET /files/new", "GET /:x",
	} {
		method, path, _ := strings.Cut(route, " ")
		e.Handle(method, path, httpapi.Handle(func(c *gin.Context) error {
			return httpapi.Reply(c, http.StatusOK, c.FullPath(), "Done.")
		}))
	}
	for _, test := range []struct{ path, served, allow string }{
		{"/a/b", "GET", "GET"},
		{"/a/z", "PUT", "PUT"},
		{"/z/b", "POST", "POST"},
		{"/z/z", "DELETE", "DELETE"},
		{"/a/b/c", "GET", "GET"},
		{"/z/b/c", "PUT", "PUT"},
		{"/a/z/c", "POST", "POST"},
		{"/files/new", "GET", "GET"},
		{"/files/old", "DELETE", "DELETE"},
		{"/files/new/er", "DELETE", "DELETE"},
		{"/files", "GET", "GET"},
		{"/a%2Fb", "GET", "GET"}, // one segment
	} {
		for _, method := range []string{"GET", "PUT", "POST", "DELETE"} {
			w := e.do(method, test.path, "")
			if method == test.served {
				if w.Code != http.StatusOK {
					t.Errorf("%s %s: status %d, want 200", method, test.path, w.Code)
				}
				continue
			}
			checkFailure(t, w, http.StatusMethodNotAllowed)
			if got := w.Header().Get("Allow"); got != test.allow {
				t.Errorf("%s %s: Allow is %q, want %q", method, test.path, got, test.allow)
			}
		}
	}
	for _, path := range []string{"/a/", "/a/b/", "/a//c", "/files/"} {
		for _, method := range []string{"GET", "PUT", "POST"} {
			if w := e.do(method, path, ""); w.Code == http.StatusOK {
				t.Errorf("%s %s: status 200", method, path)
			}
		}
	}
}

func TestAnEncodedSlashStaysInItsParameter(t *testing.T) {
	e := withRoutes(t)
	for path, id := range map[string]string{
		"/items/a%2Fb": `"a/b"`, "/items/a%20b": `"a b"`, "/items/%C3%A9": `"é"`, "/items/a%252Fb": `"a%2Fb"`, "/items/a+b": `"a+b"`,
	} {
		w := e.do("GET", path, "")
		if got := read(t, w); w.Code != http.StatusOK || string(got.Result) != id {
			t.Errorf("GET %s: status %d, id %s, want %s", path, w.Code, got.Result, id)
		}
	}
}

func TestAPathThatIsNoTextIsNotFound(t *testing.T) {
	e := withRoutes(t)
	for _, path := range []string{"/items/%00", "/items/a%00b", "/items/%FF", "/items/%ED%A0%80", "/%00", "/items/a%2F%00"} {
		checkFailure(t, e.do("GET", path, ""), http.StatusNotFound)
		checkFailure(t, e.do("PUT", path, ""), http.StatusNotFound)
	}
}

func TestAPanicTellsTheCallerOnlyTheRequestID(t *testing.T) {
	e := withRoutes(t)
	w := e.do("GET", "/panic", "")
	a := checkFailure(t, w, http.StatusInternalServerError)
	id := w.Header().Get("X-Request-Id")
	if want := "An internal error occurred; please quote request id " + id + " when you report it."; a.Message != want {
		t.Errorf("the message is %q, want %q", a.Message, want)
	}
	for _, internal := range []string{"secret", "goroutine", ".go:", "panic"} {
		if strings.Contains(w.Body.String(), internal) {
			t.Errorf("the body shows %q: %s", internal, w.Body)
		}
	}
	line := e.log.line(t, "internal error")
	if line["request_id"] != id || line["level"] != "ERROR" || !strings.Contains(fmt.Sprint(line["error"]), "secret internals") ||
		!strings.Contains(fmt.Sprint(line["error"]), "engine_test.go") {
		t.Errorf("the log does not say what happened and where: %v", line)
	}
	if got := e.log.line(t, "request")["status"]; got != 500.0 {
		t.Errorf("the access log says status %v", got)
	}
}

func TestPanicsOfEveryTypeAreAnswered(t *testing.T) {
	for name, value := range map[string]any{
		"error": errors.New("secret"), "slice": []int{1}, "nothing": nil, "number": 7, "public error": apierr.Invalidf("secret"),
	} {
		e := newEdge(t, httpapi.Options{})
		e.GET("/", func(*gin.Context) { panic(value) })
		w := e.do("GET", "/", "")
		checkFailure(t, w, http.StatusInternalServerError)
		if strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: %s", name, w.Body)
		}
	}
}

func TestAFailureAfterTheAnswerBeganIsOnlyLogged(t *testing.T) {
	for name, fail := range map[string]gin.HandlerFunc{
		"error": httpapi.Handle(func(c *gin.Context) error {
			_ = ok(c)
			return errors.New("too late")
		}),
		"panic": func(c *gin.Context) {
			_ = ok(c)
			panic("too late")
		},
	} {
		e := newEdge(t, httpapi.Options{})
		e.GET("/", fail)
		w := e.do("GET", "/", "")
		if got := read(t, w); w.Code != http.StatusOK || got.Status != "success" {
			t.Errorf("%s: status %d, body %s", name, w.Code, w.Body)
		}
		if line := e.log.line(t, "answer already begun"); !strings.Contains(fmt.Sprint(line["error"]), "too late") {
			t.Errorf("%s: %v", name, line)
		}
	}
}

func TestAnAbortedConnectionIsLeftToTheServer(t *testing.T) {
	e := newEdge(t, httpapi.Options{})
	e.GET("/", func(*gin.Context) { panic(http.ErrAbortHandler) })
	defer func() {
		if r := recover(); r != http.ErrAbortHandler { //nolint:errorlint // as net/http does
			t.Errorf("recovered %v", r)
		}
	}()
	e.do("GET", "/", "")
	t.Error("the panic was kept from the server")
}

func TestHeadIsAnsweredAsGetWithoutTheBody(t *testing.T) {
	e := withRoutes(t)
	server := httptest.NewServer(e)
	defer server.Close()
	for _, path := range []string{"/items", "/items/a", "/nowhere"} {
		get, getBody := fetch(t, "GET", server.URL+path)
		head, headBody := fetch(t, "HEAD", server.URL+path)
		if get.StatusCode != head.StatusCode || len(getBody) == 0 || len(headBody) != 0 {
			t.Errorf("%s: GET %d with %d bytes, HEAD %d with %d", path, get.StatusCode, len(getBody), head.StatusCode, len(headBody))
		}
		if get.ContentLength != head.ContentLength || head.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: HEAD headers %v, length %d, GET's %d", path, head.Header, head.ContentLength, get.ContentLength)
		}
	}
}

func fetch(t *testing.T, method, url string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, body
}

func TestForwardedAddressesAreBelievedFromTrustedProxiesOnly(t *testing.T) {
	const peer = "192.0.2.1" // of httptest's requests
	for name, test := range map[string]struct {
		trusted []string
		header  []string
		want    string
	}{
		"nobody is trusted":       {nil, []string{"X-Forwarded-For", "6.6.6.6"}, peer},
		"an empty list":           {[]string{}, []string{"X-Forwarded-For", "6.6.6.6"}, peer},
		"another is trusted":      {[]string{"192.0.2.9"}, []string{"X-Forwarded-For", "6.6.6.6"}, peer},
		"the peer is trusted":     {[]string{peer}, []string{"X-Forwarded-For", "6.6.6.6"}, "6.6.6.6"},
		"the network is trusted":  {[]string{"192.0.2.0/24"}, []string{"X-Forwarded-For", "6.6.6.6"}, "6.6.6.6"},
		"the last untrusted":      {[]string{"192.0.2.0/24"}, []string{"X-Forwarded-For", "1.1.1.1, 6.6.6.6, 192.0.2.7"}, "6.6.6.6"},
		"an IPv6 address":         {[]string{peer}, []string{"X-Forwarded-For", "2001:db8::1"}, "2001:db8::1"},
		"a proxy adding a header": {[]string{peer}, []string{"X-Forwarded-For", "1.1.1.1", "X-Forwarded-For", "6.6.6.6"}, "6.6.6.6"},
		"no address":              {[]string{peer}, []string{"X-Forwarded-For", "<script>"}, peer},
		"no header":               {[]string{peer}, nil, peer},
		"another header": {[]string{peer}, []string{
			"X-Real-IP", "6.6.6.6", "Forwarded", "for=6.6.6.6", "True-Client-IP",
			"6.6.6.6",
		}, peer},
		"another beside a bad one": {[]string{peer}, []string{"X-Forwarded-For", "?", "X-Real-IP", "6.6.6.6"}, peer},
	} {
		e := newEdge(t, httpapi.Options{TrustedProxies: test.trusted})
		var seen string
		e.GET("/", func(c *gin.Context) { seen = c.ClientIP() })
		e.do("GET", "/", "", test.header...)
		if logged := e.log.line(t, "request")["address"]; seen != test.want || logged != test.want {
			t.Errorf("%s: the handler sees %q, the log %q, want %q", name, seen, logged, test.want)
		}
	}
}

func TestAListOfProxiesThatCannotBeReadIsRefused(t *testing.T) {
	for _, list := range [][]string{{"proxy.example.org"}, {"10.0.0.0/33"}, {"10.0.0.1", ""}} {
		if _, err := httpapi.New(httpapi.Options{TrustedProxies: list}); err == nil ||
			!strings.Contains(err.Error(), "trusted proxies") {
			t.Errorf("%q: %v", list, err)
		}
	}
}
