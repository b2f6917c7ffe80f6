package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/httpapi"
)

// kinds is every kind of failure with its status and default OAuth code.
var kinds = []struct {
	kind   apierr.Kind
	status int
	code   string
}{
	{apierr.Internal, 500, "server_error"},
	{apierr.Invalid, 400, "invalid_request"},
	{apierr.Unauthenticated, 401, "invalid_token"},
	{apierr.Forbidden, 403, "access_denied"},
	{apierr.NotFound, 404, "not_found"},
	{apierr.MethodNotAllowed, 405, "invalid_request"},
	{apierr.Conflict, 409, "conflict"},
	{apierr.TooLarge, 413, "invalid_request"},
	{apierr.UnsupportedMedia, 415, "invalid_request"},
	{apierr.TooMany, 429, "temporarily_unavailable"},
	{apierr.Unavailable, 503, "temporarily_unavailable"},
}

func TestEachKindOfFailureHasItsStatus(t *testing.T) {
	if last := kinds[len(kinds)-1].kind; last != apierr.Unavailable || len(kinds) != int(last)+1 {
		t.Fatal("the table misses a kind")
	}
	e := newEdge(t, httpapi.Options{})
	for i, test := range kinds {
		err := apierr.New(test.kind, "The reason.").Because(errors.New("secret cause"))
		e.GET(fmt.Sprintf("/plain/%d", i), fails(err))
		e.GET(fmt.Sprintf("/wrapped/%d", i), fails(fmt.Errorf("secret context: %w", err)))
		for _, path := range []string{"/plain/%d", "/wrapped/%d"} {
			w := e.do("GET", fmt.Sprintf(path, i), "")
			a := checkFailure(t, w, test.status)
			if a.Error != nil || a.Description != nil {
				t.Errorf("kind %d: an OAuth error outside of OAuth: %s", test.kind, w.Body)
			}
			if (a.Message == "The reason.") != (test.kind != apierr.Internal) || strings.Contains(w.Body.String(), "secret") {
				t.Errorf("kind %d: %s", test.kind, w.Body)
			}
			if w.Header().Get("WWW-Authenticate") != "" || w.Header().Get("Retry-After") != "" {
				t.Errorf("kind %d: headers that nobody asked for: %v", test.kind, w.Header())
			}
			if !strings.Contains(e.log.String(), "secret cause") {
				t.Errorf("kind %d: the cause is not logged", test.kind)
			}
		}
	}
}

func TestOAuthEndpointsNameAnErrorCodeForEveryKind(t *testing.T) {
	e := newEdge(t, httpapi.Options{})
	group := e.Group("", httpapi.OAuthErrors)
	for i, test := range kinds {
		path := fmt.Sprintf("/%d", i)
		group.GET(path, fails(apierr.New(test.kind, "The reason.")))
		a := checkFailure(t, e.do("GET", path, ""), test.status)
		if a.Error == nil || *a.Error != test.code || a.Description == nil || *a.Description != a.Message {
			t.Errorf("kind %d: error %v, description %v", test.kind, a.Error, a.Description)
		}
	}
}

func TestAGivenErrorCodeIsNamedEverywhere(t *testing.T) {
	e := newEdge(t, httpapi.Options{})
	err := apierr.OAuth(apierr.Invalid, "invalid_grant", "Invalid username/password combination.")
	e.GET("/plain", fails(err))
	e.GET("/oauth", httpapi.OAuthErrors, fails(fmt.Errorf("wrapped: %w", err)))
	for _, path := range []string{"/plain", "/oauth"} {
		a := checkFailure(t, e.do("GET", path, ""), http.StatusBadRequest)
		if a.Error == nil || *a.Error != "invalid_grant" || a.Description == nil || *a.Description != err.Message {
			t.Errorf("%s: error %v, description %v", path, a.Error, a.Description)
		}
	}
}

func TestAPanicOnAnOAuthEndpointIsAServerError(t *testing.T) {
	e := newEdge(t, httpapi.Options{})
	e.GET("/", httpapi.OAuthErrors, func(*gin.Context) { panic("secret") })
	a := checkFailure(t, e.do("GET", "/", ""), http.StatusInternalServerError)
	if a.Error == nil || *a.Error != "server_error" || strings.Contains(*a.Description, "secret") {
		t.Errorf("got %+v", a)
	}
}

func TestADescriptionHasOnlyTheCharactersThatRFC6749Allows(t *testing.T) {
	e := newEdge(t, httpapi.Options{})
	allowed := regexp.MustCompile(`^[\x20-\x21\x23-\x5b\x5d-\x7e]*$`)
	var all strings.Builder
	for r := range rune(0x250) {
		all.WriteRune(r)
	}
	for i, message := range []string{
		"The name \"a\\b\" is taken.", "Ж 🔑 \x7f", "line\r\nbreak\x00", "not \xff\xfe UTF-8",
		all.String(),
	} {
		path := fmt.Sprintf("/%d", i)
		e.GET(path, httpapi.OAuthErrors, fails(apierr.New(apierr.Conflict, "%s", message)))
		a := checkFailure(t, e.do("GET", path, ""), http.StatusConflict)
		if !allowed.MatchString(*a.Description) || len(*a.Description) != len([]rune(message)) {
			t.Errorf("%q became %q", message, *a.Description)
		}
	}
}

func TestAChallengeAndADelayBecomeHeaders(t *testing.T) {
	e := newEdge(t, httpapi.Options{})
	for i, test := range []struct {
		delay time.Duration
		want  string
	}{
		{0, ""},
		{-time.Second, ""},
		{time.Nanosecond, "1"},
		{time.Second, "1"},
		{time.Second + time.Nanosecond, "2"},
		{1500 * time.Millisecond, "2"},
		{time.Minute, "60"},
		{24 * time.Hour, "86400"},
	} {
		path := fmt.Sprintf("/%d", i)
		err := apierr.New(apierr.TooMany, "Too many attempts.")
		err.RetryAfter, err.Challenge = test.delay, `Basic realm="tapis"`
		e.GET(path, fails(err))
		w := e.do("GET", path, "")
		checkFailure(t, w, http.StatusTooManyRequests)
		if got := w.Header().Get("Retry-After"); got != test.want {
			t.Errorf("after %s: %q, want %q", test.delay, got, test.want)
		}
		if got := w.Header().Get("WWW-Authenticate"); got != `Basic realm="tapis"` {
			t.Errorf("the challenge is %q", got)
		}
	}
}

func TestLegacyErrorCodesTurnRefusalsInto400ExceptThoseOfOAuth(t *testing.T) {
	e := newEdge(t, httpapi.Options{LegacyErrorCodes: true})
	for i, test := range kinds {
		want := test.status
		if want < 500 {
			want = http.StatusBadRequest
		}
		e.GET(fmt.Sprintf("/plain/%d", i), fails(apierr.New(test.kind, "No.")))
		checkFailure(t, e.do("GET", fmt.Sprintf("/plain/%d", i), ""), want)
		e.GET(fmt.Sprintf("/coded/%d", i), fails(apierr.OAuth(test.kind, "invalid_client", "No.")))
		checkFailure(t, e.do("GET", fmt.Sprintf("/coded/%d", i), ""), test.status)
	}
	checkFailure(t, e.do("GET", "/nowhere", ""), http.StatusBadRequest)
	w := e.do("DELETE", "/plain/0", "")
	checkFailure(t, w, http.StatusBadRequest)
	if w.Header().Get("Allow") != "GET" {
		t.Errorf("headers %v", w.Header())
	}
}

func TestEnvelopesAreWrittenToTheLetter(t *testing.T) {
	e := newEdge(t, httpapi.Options{Version: "1.2.3"})
	refused := apierr.OAuth(apierr.Invalid, "invalid_request", "Not <that>.")
	for path, test := range map[string]struct {
		handler httpapi.Handler
		want    string
	}{
		"/object": {
			func(c *gin.Context) error { return httpapi.Reply(c, 201, map[string]string{"a": "b&c"}, "Made.") },
			`{"result":{"a":"b\u0026c"},"status":"success","message":"Made.","version":"1.2.3","metadata":{}}`,
		},
		"/null": {
			func(c *gin.Context) error { return httpapi.Reply(c, 200, nil, "Gone.") },
			`{"result":null,"status":"success","message":"Gone.","version":"1.2.3","metadata":{}}`,
		},
		"/empty": {
			func(c *gin.Context) error { return httpapi.Reply(c, 200, []string{}, "") },
			`{"result":[],"status":"success","message":"","version":"1.2.3","metadata":{}}`,
		},
		"/list": {
			func(c *gin.Context) error {
				envelope := httpapi.Success(c.Request.Context(), []int{3, 4}, "Found.")
				envelope.Metadata = httpapi.Window{Limit: 2, Offset: 1}.Page(2, 9)
				return httpapi.JSON(c, 200, envelope)
			},
			`{"result":[3,4],"status":"success","message":"Found.","version":"1.2.3",` +
				`"metadata":{"recordCount":2,"recordLimit":2,"recordsSkipped":1,"totalCount":9}}`,
		},
		"/refused": {
			func(*gin.Context) error { return apierr.New(apierr.NotFound, "There is no such thing.") },
			`{"result":null,"status":"error","message":"There is no such thing.","version":"1.2.3","metadata":{}}`,
		},
		"/coded": {
			func(*gin.Context) error { return refused },
			`{"result":null,"status":"error","message":"Not \u003cthat\u003e.","version":"1.2.3","metadata":{},` +
				`"error":"invalid_request","error_description":"Not \u003cthat\u003e."}`,
		},
	} {
		e.GET(path, httpapi.Handle(test.handler))
		if got := e.do("GET", path, "").Body.String(); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", path, got, test.want)
		}
	}
}

func TestReadyBytesAreWrittenAsTheyAre(t *testing.T) {
	e := newEdge(t, httpapi.Options{})
	e.GET("/", func(c *gin.Context) { httpapi.Bytes(c, http.StatusAccepted, []byte(`{"keys":[]}`)) })
	w := e.do("GET", "/", "")
	if w.Code != http.StatusAccepted || w.Body.String() != `{"keys":[]}` || w.Header().Get("Content-Type") != "application/json" ||
		w.Header().Get("Content-Length") != "11" {
		t.Errorf("status %d, headers %v, body %q", w.Code, w.Header(), w.Body)
	}
}

func TestAnswersOfANoStoreGroupAreNotToBeKept(t *testing.T) {
	e := newEdge(t, httpapi.Options{})
	e.GET("/kept", httpapi.Handle(ok))
	e.GET("/secret", httpapi.NoStore, httpapi.Handle(ok))
	if h := e.do("GET", "/kept", "").Header(); h.Get("Cache-Control") != "" || h.Get("Pragma") != "" {
		t.Errorf("headers %v", h)
	}
	if h := e.do("GET", "/secret", "").Header(); h.Get("Cache-Control") != "no-store" || h.Get("Pragma") != "no-cache" {
		t.Errorf("headers %v", h)
	}
}

func TestARefusalInAMiddlewareKeepsTheHandlerFromRunning(t *testing.T) {
	e := newEdge(t, httpapi.Options{})
	ran := false
	e.GET("/", fails(apierr.New(apierr.Forbidden, "No.")), func(*gin.Context) { ran = true })
	checkFailure(t, e.do("GET", "/", ""), http.StatusForbidden)
	if ran {
		t.Error("the handler ran")
	}
}

func TestACallerThatWentAwayIsNoFaultOfOurs(t *testing.T) {
	e := newEdge(t, httpapi.Options{})
	e.GET("/", httpapi.Handle(func(c *gin.Context) error {
		return fmt.Errorf("query: %w", c.Request.Context().Err())
	}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, "GET", "/", nil)
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	if w.Body.Len() != 0 || e.log.line(t, "request")["status"] != 499.0 || strings.Contains(e.log.String(), "internal error") {
		t.Errorf("body %q, log:\n%s", w.Body, e.log)
	}
}

func TestACancellationOfOurOwnIsAnInternalError(t *testing.T) {
	e := newEdge(t, httpapi.Options{})
	e.GET("/", fails(fmt.Errorf("query: %w", context.Canceled)))
	checkFailure(t, e.do("GET", "/", ""), http.StatusInternalServerError)
}
