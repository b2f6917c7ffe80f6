package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/httpapi"
)

// fromQuery returns what read finds in a query; refused is what the answer
// says if it finds fault with it.
func fromQuery[T any](t *testing.T, query string, read func(c *gin.Context) (T, error)) (got T, refused string) {
	t.Helper()
	e := newEdge(t, httpapi.Options{})
	e.GET("/", httpapi.Handle(func(c *gin.Context) (err error) {
		if got, err = read(c); err != nil {
			return err
		}
		return ok(c)
	}))
	if w := e.do("GET", "/?"+query, ""); w.Code != http.StatusOK {
		refused = checkFailure(t, w, http.StatusBadRequest).Message
	}
	return got, refused
}

func TestABooleanInTheQueryIsTrueOrFalseInAnyCase(t *testing.T) {
	flag := func(c *gin.Context) (bool, error) { return httpapi.QueryBool(c, "flag") }
	for want, queries := range map[bool][]string{
		true:  {"flag=true", "flag=True", "flag=TRUE", "flag=%74rue", "flag=true&&other=1&=2"}, // True: as Python writes it
		false: {"", "other=1", "flag", "flag=", "flag=false", "flag=False", "FLAG=true"},
	} {
		for _, query := range queries {
			if got, refused := fromQuery(t, query, flag); got != want || refused != "" {
				t.Errorf("%q is %t, want %t; %s", query, got, want, refused)
			}
		}
	}
	for _, query := range []string{
		"flag=1", "flag=yes", "flag=null", "flag=true%20", "flag=%00", "flag=true&flag=true", "flag=true&flag=",
		"flag=true;flag=false", "flag=%zz", "flag=true&other=%zz", "flag=true&other=1;2",
	} {
		if got, refused := fromQuery(t, query, flag); refused == "" {
			t.Errorf("%q is %t", query, got)
		}
	}
}

func TestATextInTheQueryIsReadAsItIs(t *testing.T) {
	text := func(c *gin.Context) (string, error) { return httpapi.QueryText(c, "text") }
	for query, want := range map[string]string{
		"": "", "text": "", "text=": "", "other=x": "", "text=a,b%2Cc": "a,b,c", "text=+a%20": " a ", "text=%C3%A9%26&other=1": "é&",
	} {
		if got, refused := fromQuery(t, query, text); got != want || refused != "" {
			t.Errorf("%q is %q, want %q; %s", query, got, want, refused)
		}
	}
	for _, query := range []string{"text=a&text=b", "text=a&text", "text=%zz", "text=a;b", "other=%"} {
		if got, refused := fromQuery(t, query, text); refused == "" {
			t.Errorf("%q is %q", query, got)
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
		if got, refused := fromQuery(t, query, httpapi.QueryWindow); got != want || refused != "" {
			t.Errorf("%q: %+v, want %+v; %s", query, got, want, refused)
		}
	}
}

func TestAWindowThatMakesNoSenseIsRefused(t *testing.T) {
	for named, queries := range map[string][]string{
		"limit": {
			"limit=-2", "limit=ten", "limit=1.5", "limit=1e3", "limit=0x10", "limit=1_000", "limit=%205", "limit=2147483648",
			"limit=9999999999999999", "limit=1&limit=1",
		},
		"query":  {"limit=1;offset=2", "limit=%zz"},
		"offset": {"offset=-1", "offset=x", "offset=1&offset=", "limit=1&offset=%00"},
	} {
		for _, query := range queries {
			if _, refused := fromQuery(t, query, httpapi.QueryWindow); !strings.Contains(refused, named) {
				t.Errorf("%q: the message %q does not name %s", query, refused, named)
			}
		}
	}
}

func TestAPageDescribesItsWindow(t *testing.T) {
	got := httpapi.Window{Limit: 10, Offset: 20}.Page(3, 23)
	if want := (httpapi.Page{RecordCount: 3, RecordLimit: 10, RecordsSkipped: 20, TotalCount: 23}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
