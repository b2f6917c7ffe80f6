package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/httpapi"
)

func TestABooleanInTheQueryIsTrueOrFalseInAnyCase(t *testing.T) {
	for query, want := range map[string]string{
		"":                      "false",
		"other=1":               "false",
		"flag":                  "false",
		"flag=":                 "false",
		"flag=true":             "true",
		"flag=True":             "true", // as Python writes it
		"flag=TRUE":             "true",
		"flag=false":            "false",
		"flag=False":            "false",
		"flag=%74rue":           "true",
		"FLAG=true":             "false",
		"flag=1":                "refused",
		"flag=yes":              "refused",
		"flag=null":             "refused",
		"flag=true%20":          "refused",
		"flag=%00":              "refused",
		"flag=true&flag=true":   "refused",
		"flag=true&flag=":       "refused",
		"flag=true;flag=false":  "refused",
		"flag=%zz":              "refused",
		"flag=true&other=%zz":   "refused",
		"flag=true&other=1;2":   "refused",
		"flag=true&&other=1&=2": "true",
	} {
		e := newEdge(t, httpapi.Options{})
		got := "refused"
		e.GET("/", httpapi.Handle(func(c *gin.Context) error {
			flag, err := httpapi.QueryBool(c, "flag")
			if err != nil {
				return err
			}
			got = map[bool]string{true: "true", false: "false"}[flag]
			return ok(c)
		}))
		w := e.do("GET", "/?"+query, "")
		if got != want {
			t.Errorf("%q is %s, want %s", query, got, want)
		}
		if got == "refused" {
			checkFailure(t, w, http.StatusBadRequest)
		}
	}
}

func TestATextInTheQueryIsReadAsItIs(t *testing.T) {
	for query, want := range map[string]string{
		"":                       "",
		"text":                   "",
		"text=":                  "",
		"other=x":                "",
		"text=a,b%2Cc":           "a,b,c",
		"text=+a%20":             " a ",
		"text=%C3%A9%26&other=1": "é&",
		"text=a&text=b":          "refused",
		"text=a&text":            "refused",
		"text=%zz":               "refused",
		"text=a;b":               "refused",
		"other=%":                "refused",
	} {
		e := newEdge(t, httpapi.Options{})
		got := "refused"
		e.GET("/", httpapi.Handle(func(c *gin.Context) error {
			text, err := httpapi.QueryText(c, "text")
			if err != nil {
				return err
			}
			got = text
			return ok(c)
		}))
		w := e.do("GET", "/?"+query, "")
		if got != want {
			t.Errorf("%q is %q, want %q", query, got, want)
		}
		if got == "refused" {
			checkFailure(t, w, http.StatusBadRequest)
		}
	}
}

func TestAWindowIsReadFromTheQuery(t *testing.T) {
	for query, want := range map[string]httpapi.Window{
		"":                          {Limit: -1},
		"limit=&offset=":            {Limit: -1},
		"limit=-1":                  {Limit: -1},
		"Limit=5":                   {Limit: -1},
		"limit=0":                   {Limit: 0},
		"limit=25&offset=50":        {Limit: 25, Offset: 50},
		"offset=3":                  {Limit: -1, Offset: 3},
		"limit=007":                 {Limit: 7},
		"limit=2147483647&offset=0": {Limit: 2147483647},
	} {
		if got, w := window(t, query); w.Code != http.StatusOK || got != want {
			t.Errorf("%q: status %d, %+v, want %+v", query, w.Code, got, want)
		}
	}
}

func TestAWindowThatMakesNoSenseIsRefused(t *testing.T) {
	for query, named := range map[string]string{
		"limit=-2":               "limit",
		"limit=ten":              "limit",
		"limit=1.5":              "limit",
		"limit=1e3":              "limit",
		"limit=0x10":             "limit",
		"limit=1_000":            "limit",
		"limit=%205":             "limit",
		"limit=2147483648":       "limit",
		"limit=9999999999999999": "limit",
		"limit=1&limit=1":        "limit",
		"limit=1;offset=2":       "query",
		"limit=%zz":              "query",
		"offset=-1":              "offset",
		"offset=x":               "offset",
		"offset=1&offset=":       "offset",
		"limit=1&offset=%00":     "offset",
	} {
		_, w := window(t, query)
		if a := checkFailure(t, w, http.StatusBadRequest); !strings.Contains(a.Message, named) {
			t.Errorf("%q: the message %q does not name %s", query, a.Message, named)
		}
	}
}

func window(t *testing.T, query string) (got httpapi.Window, w *httptest.ResponseRecorder) {
	t.Helper()
	e := newEdge(t, httpapi.Options{})
	e.GET("/", httpapi.Handle(func(c *gin.Context) (err error) {
		if got, err = httpapi.QueryWindow(c); err != nil {
			return err
		}
		return ok(c)
	}))
	w = e.do("GET", "/?"+query, "")
	return got, w
}

func TestAPageDescribesItsWindow(t *testing.T) {
	got := httpapi.Window{Limit: 10, Offset: 20}.Page(3, 23)
	if want := (httpapi.Page{RecordCount: 3, RecordLimit: 10, RecordsSkipped: 20, TotalCount: 23}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
