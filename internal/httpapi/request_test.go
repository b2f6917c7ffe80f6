package httpapi_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/httpapi"
)

func TestEveryRequestHasAnIDOfItsOwn(t *testing.T) {
	e := newEdge(t, httpapi.Options{})
	var inHandler string
	e.GET("/", func(c *gin.Context) {
		inHandler = httpapi.RequestID(c.Request.Context())
		if asContext := httpapi.RequestID(c); asContext != inHandler {
			t.Errorf("Gin's context as such says %q", asContext)
		}
	})
	seen := map[string]bool{}
	for range 20 {
		w := e.do("GET", "/", "", "X-Request-Id", "chosen-by-the-caller")
		id := w.Header().Get("X-Request-Id")
		if raw, err := hex.DecodeString(id); err != nil || len(raw) != 12 || seen[id] {
			t.Errorf("the id %q is malformed or was used before", id)
		}
		if inHandler != id || e.log.line(t, "request")["request_id"] != id {
			t.Errorf("the handler sees %q, the answer says %q", inHandler, id)
		}
		seen[id] = true
	}
	if id := httpapi.RequestID(context.Background()); id != "" {
		t.Errorf("outside of a request the id is %q", id)
	}
}

func TestATrackingIDIsKeptOnlyWhenWellFormed(t *testing.T) {
	long := func(namespace, id int) string { return strings.Repeat("n", namespace) + "." + strings.Repeat("i", id) }
	for kept, values := range map[bool][]string{
		true: {"portal.1b2c-3d4e", "my_portal2.A-9", "n.i", long(64, 61), long(10, 115), long(120, 5)},
		false: {
			long(65, 61), long(10, 116), "", "portal", ".id", "portal.", "a.b.c", "my-portal.id", "portal.my_id",
			"portal.id\nlevel=up", "portal.id\n", "pörtal.id", "portal.id ", `portal.id","x":"`,
		},
	} {
		for _, value := range values {
			e := newEdge(t, httpapi.Options{})
			e.GET("/", httpapi.Handle(ok))
			w := e.do("GET", "/", "", "X-Tapis-Tracking-ID", value)
			logged, _ := e.log.line(t, "request")["tracking_id"].(string)
			want := ""
			if kept {
				want = value
			}
			if got := w.Header().Get("X-Tapis-Tracking-Id"); got != want || logged != want {
				t.Errorf("%q: answered %q, logged %q, want %q", value, got, logged, want)
			}
		}
	}
}

func TestTheAccessLogSaysWhatWasAsked(t *testing.T) {
	e := newEdge(t, httpapi.Options{})
	e.POST("/v3/items/:id", httpapi.Handle(func(c *gin.Context) error {
		httpapi.Annotate(c.Request.Context(), slog.String("tenant", "dev"), slog.String("user", "testuser1"))
		return httpapi.Reply(c, http.StatusCreated, "x", "Made.")
	}))
	w := e.do("POST", "/v3/items/a%20b", "{}")
	line := e.log.line(t, "request")
	for key, want := range map[string]any{
		"level": "INFO", "method": "POST", "path": "/v3/items/a b", "status": 201.0, "bytes": float64(w.Body.Len()),
		"address": "192.0.2.1", "tenant": "dev", "user": "testuser1", "request_id": w.Header().Get("X-Request-Id"),
	} {
		if line[key] != want {
			t.Errorf("%s is %v, want %v", key, line[key], want)
		}
	}
	if took, ok := line["took"].(float64); !ok || took <= 0 {
		t.Errorf("took is %v", line["took"])
	}
	if n := strings.Count(e.log.String(), "\n"); n != 1 {
		t.Errorf("%d lines for one request:\n%s", n, e.log)
	}
}

func TestAnnotatingOutsideOfARequestDoesNothing(*testing.T) {
	httpapi.Annotate(context.Background(), slog.String("tenant", "dev"))
}

func TestTheLogNeverShowsWhatMayBeSecret(t *testing.T) {
	const secret = "s3cr3t-v4lue"
	basic := base64.StdEncoding.EncodeToString([]byte("client:" + secret))
	for name, test := range map[string]struct{ method, target, body, media string }{
		"known path, good body":  {"POST", "/items?password=" + secret, `{"password":"` + secret + `"}`, jsonMedia},
		"known path, bad body":   {"POST", "/items", `{"password":"` + secret + `"`, jsonMedia},
		"wrong type":             {"POST", "/items", `{"password":["` + secret + `"]}`, jsonMedia},
		"wrong content type":     {"POST", "/items", secret, "text/plain"},
		"doubled":                {"POST", "/items", `{"password":"` + secret + `","password":"` + secret + `"}`, jsonMedia},
		"parameters":             {"POST", "/params", "password=" + secret, formMedia},
		"bad parameters":         {"POST", "/params", "password=%zz" + secret, formMedia},
		"doubled parameters":     {"POST", "/params", "password=" + secret + "&password=" + secret, formMedia},
		"parameter in the URL":   {"POST", "/params?password=" + secret, "{}", jsonMedia},
		"number as parameter":    {"POST", "/params", `{"password":["` + secret + `"]}`, jsonMedia},
		"panic":                  {"GET", "/panic?code=" + secret, "", ""},
		"unknown path":           {"GET", "/nowhere?code=" + secret, "", ""},
		"wrong method":           {"DELETE", "/items?code=" + secret, "", ""},
		"unknown path, fragment": {"GET", "/v3/oauth2/tokens/abc/" + secret, "", ""},
	} {
		e := newEdge(t, httpapi.Options{})
		e.POST("/items", httpapi.Handle(func(c *gin.Context) error {
			var body struct{ Password string }
			return httpapi.DecodeJSON(c, &body)
		}))
		e.POST("/params", httpapi.Handle(func(c *gin.Context) error {
			_, err := httpapi.ReadParams(c, "password")
			return err
		}))
		e.GET("/panic", func(*gin.Context) { panic("oh") })
		w := e.do(test.method, test.target, test.body, "Content-Type", test.media,
			"Authorization", "Basic "+basic, "X-Tapis-Token", secret, "Cookie", "session="+secret)
		e.log.line(t, "request")
		for _, text := range []string{secret, basic} {
			if strings.Contains(e.log.String(), text) || strings.Contains(w.Body.String(), text) {
				t.Errorf("%s: %q is in the log or the answer:\n%s\n%s", name, text, e.log, w.Body)
			}
		}
	}
}

func TestThePathInTheLogIsCutAndPrintable(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for target, want := range map[string]string{
		"/known/" + long:              "/known/" + long[:249],
		"/known/a%0Alevel=ERROR":      "/known/a?level=ERROR",
		"/known/%C3%A9%1B[31m":        "/known/??[31m",
		"/v3/nowhere":                 "/v3/nowhere",
		"/" + long:                    "/" + long[:24] + "...",
		"/v3/" + long + "/tokens":     "/v3/" + long[:24] + "...",
		"/v3/oauth2/tokens/a/b/c":     "/v3/oauth2/tokens/...",
		"/v3/oauth2/tokens/eyJhbGciO": "/v3/oauth2/tokens/...",
		"/v3/a%0Ab":                   "/v3/a?b",
	} {
		e := newEdge(t, httpapi.Options{})
		e.GET("/known/:id", fails(apierr.Invalidf("No.")))
		e.do("GET", target, "")
		if got := e.log.line(t, "request")["path"]; got != want {
			t.Errorf("%.40s: logged as %q, want %q", target, got, want)
		}
	}
}

func TestAnOddMethodIsCutInTheLog(t *testing.T) {
	e := newEdge(t, httpapi.Options{})
	e.do(strings.Repeat("X", 100), "/", "")
	if got := e.log.line(t, "request")["method"]; got != strings.Repeat("X", 16) {
		t.Errorf("logged as %q", got)
	}
}

func TestAForgottenProxyIsWarnedOfOnce(t *testing.T) {
	e := newEdge(t, httpapi.Options{})
	e.GET("/", httpapi.Handle(ok))
	for range 3 {
		e.do(http.MethodGet, "/", "", "X-Forwarded-For", "192.0.2.1")
	}
	if n := strings.Count(e.log.String(), "trusted_proxies"); n != 1 {
		t.Errorf("warned %d times", n)
	}
}

func TestEveryRequestIsObservedByItsRoute(t *testing.T) {
	var seen []string
	e := newEdge(t, httpapi.Options{Observe: func(method, route string, status int, _ time.Duration) {
		seen = append(seen, fmt.Sprint(method, " ", route, " ", status))
	}})
	e.GET("/things/:id", httpapi.Handle(ok))
	e.do(http.MethodGet, "/things/1", "")
	e.do(http.MethodGet, "/nowhere", "")
	if got := strings.Join(seen, "; "); got != "GET /things/:id 200; GET  404" {
		t.Errorf("observed %s", got)
	}
}

func TestALongPathIsRefusedBeforeItIsCompared(t *testing.T) {
	e := newEdge(t, httpapi.Options{})
	e.GET("/things/*rest", httpapi.Handle(ok))
	if w := e.do(http.MethodGet, "/things/"+strings.Repeat("a/", 1500), ""); w.Code != http.StatusNotFound {
		t.Errorf("answered %d", w.Code)
	}
}

func TestBrowsersAreToldOfEveryAnswerOnceThatAHostIsServedOverTLSAlone(t *testing.T) {
	e := newEdge(t, httpapi.Options{IsSecure: func(host string) bool { return host == "dev.example.org" }})
	httpapi.Get(e, "/items", ok)
	for host, want := range map[string]string{"dev.example.org": "max-age=31536000", "inside.example.org": ""} {
		for _, test := range [][2]string{{"GET", "/items"}, {"POST", "/items"}, {"GET", "/nowhere"}, {"OPTIONS", "/items"}} {
			w := e.do(test[0], "http://"+host+test[1], "", "Access-Control-Request-Method", "GET")
			if got := strings.Join(w.Header().Values("Strict-Transport-Security"), ", "); got != want {
				t.Errorf("%v at %s: %q", test, host, got)
			}
		}
	}
}
