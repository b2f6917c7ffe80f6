package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/httpapi"
)

func TestErrorsOfPagesArePagesUnlessJSONIsPreferred(t *testing.T) {
	engine := newEdge(t, httpapi.Options{LegacyErrorCodes: true})
	group := engine.Group("", httpapi.ErrorPages(func(c *gin.Context, status int, message string) {
		c.String(status, "<h1>%s</h1>", message)
	}))
	e := apierr.New(apierr.Forbidden, "Not yours.")
	e.RetryAfter = 1500e6
	httpapi.Get(group, "/page", func(*gin.Context) error { return e })
	httpapi.Get(group, "/broken", func(*gin.Context) error { panic("secret detail") })
	for accept, page := range map[string]bool{
		"": true, "*/*": true, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": true,
		"application/json": false, "application/json, text/plain, */*": false, "application/json;q=0.5, text/html": true,
		"application/json;q=0.9, */*;q=0.1": false, "text/html, application/json": true, "image/png": true,
		"application/json;q=x": true, ";;;": true, "application/json;q=0": true, "text/plain": true,
	} {
		for path, status := range map[string]int{"/page": 403, "/broken": 500} {
			w := engine.do("GET", path, "", "Accept", accept)
			isPage := strings.HasPrefix(w.Body.String(), "<h1>")
			if isPage != page || strings.Contains(w.Body.String(), "secret detail") {
				t.Errorf("Accept %q of %s: %s", accept, path, w.Body)
			}
			if !isPage && path == "/page" {
				status = 400 // as legacy_error_codes says of JSON
			}
			if w.Code != status {
				t.Errorf("Accept %q of %s: status %d, want %d", accept, path, w.Code, status)
			}
			if w.Header().Get("Cache-Control") != "no-store" || path == "/page" && w.Header().Get("Retry-After") != "2" {
				t.Errorf("headers %v", w.Header())
			}
		}
	}
}

func TestFormsOfPagesAreFormsAndNothingElse(t *testing.T) {
	engine := newEdge(t, httpapi.Options{})
	engine.POST("/form", httpapi.Handle(func(c *gin.Context) error {
		form, err := httpapi.ReadForm(c, "a")
		if err != nil {
			return err
		}
		return httpapi.Reply(c, http.StatusOK, form["a"], "")
	}))
	for name, test := range map[string]struct {
		media, path, body string
		status            int
	}{
		"a form":       {"application/x-www-form-urlencoded", "/form", "a=1&b=2", 200},
		"JSON":         {"application/json", "/form", `{"a":"1"}`, 415},
		"plain text":   {"text/plain", "/form", "a=1", 415},
		"nothing said": {"", "/form", "a=1", 415},
		"twice":        {"application/x-www-form-urlencoded", "/form", "a=1&a=2", 400},
		"in the URL":   {"application/x-www-form-urlencoded", "/form?a=1", "a=1", 400},
	} {
		if w := engine.do("POST", test.path, test.body, "Content-Type", test.media); w.Code != test.status {
			t.Errorf("%s: got %d, want %d", name, w.Code, test.status)
		}
	}
}
