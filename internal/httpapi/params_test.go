package httpapi_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/httpapi"
)

const (
	jsonMedia = "application/json"
	formMedia = "application/x-www-form-urlencoded"
)

var asked = []string{"grant_type", "username", "password", "client_id"}

// readParams sends one body to a route that reads the parameters above.
func readParams(t testing.TB, target, media, body string) (got httpapi.Params, w *httptest.ResponseRecorder) {
	t.Helper()
	e := newEdge(t, httpapi.Options{})
	e.POST("/tokens", httpapi.Handle(func(c *gin.Context) (err error) {
		if got, err = httpapi.ReadParams(c, asked...); err != nil {
			return err
		}
		return ok(c)
	}))
	w = e.do("POST", target, body, "Content-Type", media)
	return got, w
}

func TestParametersAreReadFromJSONAndFromForms(t *testing.T) {
	for _, test := range []struct {
		media, body string
		want        httpapi.Params
	}{
		{jsonMedia, `{}`, httpapi.Params{}},
		{jsonMedia, `{"username":"a","password":"b c+d%20&="}`, httpapi.Params{"username": "a", "password": "b c+d%20&="}},
		{jsonMedia, `{"username":"","password":null}`, httpapi.Params{}},
		{jsonMedia, `{"username": null , "password" : "é" }`, httpapi.Params{"password": "é"}},
		{jsonMedia, `{"unknown":{"a":[1]},"other":7,"username":"a"}`, httpapi.Params{"username": "a"}},
		{jsonMedia, `{"USERNAME":"a"}`, httpapi.Params{}},
		{jsonMedia, `{"username":" a "}`, httpapi.Params{"username": " a "}},
		{jsonMedia, `{"username":"\ud83d\ude00\n"}`, httpapi.Params{"username": "😀\n"}},
		{jsonMedia, `{"other":"\u0000","username":"a"}`, httpapi.Params{"username": "a"}},
		{"application/json; charset=utf-8", `{"username":"a"}`, httpapi.Params{"username": "a"}},
		{formMedia, "username=a&password=b+c%2Bd%2520%26%3D", httpapi.Params{"username": "a", "password": "b c+d%20&="}},
		{formMedia, "username=&password", httpapi.Params{}},
		{formMedia, "&&", httpapi.Params{}},
		{formMedia, "password=%C3%A9", httpapi.Params{"password": "é"}},
		{formMedia, "unknown=1&unknown=2&username=a", httpapi.Params{"username": "a"}},
		{formMedia, "unknown=%00%FF&username=a", httpapi.Params{"username": "a"}},
		{formMedia, "USERNAME=a&username[]=b&username.x=c", httpapi.Params{}},
		{formMedia, "user%6Eame=a=b", httpapi.Params{"username": "a=b"}},
		{formMedia, "username=+a+", httpapi.Params{"username": " a "}},
		{formMedia + "; charset=UTF-8", "username=a", httpapi.Params{"username": "a"}},
		{"Application/X-WWW-Form-Urlencoded", "username=a", httpapi.Params{"username": "a"}},
	} {
		got, w := readParams(t, "/tokens", test.media, test.body)
		if w.Code != http.StatusOK || !maps.Equal(got, test.want) {
			t.Errorf("%s %s: status %d, got %v, want %v", test.media, test.body, w.Code, got, test.want)
		}
	}
}

func TestParametersThatAreNotClearTextAreRefused(t *testing.T) {
	for _, test := range []struct{ media, body, message string }{
		{jsonMedia, `{"username":7}`, "The parameter username must be a string."},
		{jsonMedia, `{"username":true}`, "The parameter username must be a string."},
		{jsonMedia, `{"username":["a"]}`, "The parameter username must be a string."},
		{jsonMedia, `{"username":{"a":"b"}}`, "The parameter username must be a string."},
		{jsonMedia, `{"password":"a\u0000b"}`, "The parameter password must be text without NUL bytes."},
		{jsonMedia, `{"username":"a","username":"a"}`, "The member username is given more than once."},
		{jsonMedia, `{"username":"a","Username":"b"}`, "The member Username is given more than once."},
		{jsonMedia, `{"pa\u017fsword":"a","password":"b"}`, "The member password is given more than once."},
		{jsonMedia, `{"unknown":"a","unknown":"a"}`, "The member unknown is given more than once."},
		{jsonMedia, `{"username":"a"`, "Unable to parse message payload: the JSON ends too early."},
		{jsonMedia, `["username"]`, "Unable to parse message payload: it must be a JSON object."},
		{jsonMedia, `username=a`, "Unable to parse message payload: is it JSON?"},
		{jsonMedia, "{\"username\":\"\xff\"}", "Unable to parse message payload: it is not valid UTF-8."},
		{jsonMedia, `{"username":"a"} x`, "Unable to parse message payload: there is more after the JSON object."},
		{jsonMedia, strings.Repeat("[", httpapi.MaxBody), "Unable to parse message payload: it must be a JSON object."},
		{jsonMedia, `{"x":` + strings.Repeat("[", httpapi.MaxBody-5), "Unable to parse message payload: is it JSON?"},
		{formMedia, "password=a%00b", "The parameter password must be text without NUL bytes."},
		{formMedia, "password=%FF", "The parameter password must be text without NUL bytes."},
		{formMedia, "password=\xff", "The parameter password must be text without NUL bytes."},
		{formMedia, "username=a&username=a", "The parameter username is given more than once."},
		{formMedia, "username=a&username=", "The parameter username is given more than once."},
		{formMedia, "username=a&user%6Eame=b", "The parameter username is given more than once."},
		{formMedia, "username=%zz", "Unable to parse message payload: it is not a valid form."},
		{formMedia, "username=a;password=b", "Unable to parse message payload: it is not a valid form."},
		{formMedia, "username=a&other=%", "Unable to parse message payload: it is not a valid form."},
		{jsonMedia, "", "Unable to parse message payload: the body is empty."},
		{formMedia, "", "Unable to parse message payload: the body is empty."},
		{"", "", "Unable to parse message payload: the body is empty."},
		{"text/plain", "", "Unable to parse message payload: the body is empty."},
	} {
		got, w := readParams(t, "/tokens", test.media, test.body)
		if a := checkFailure(t, w, http.StatusBadRequest); a.Message != test.message || got != nil {
			t.Errorf("%s %.60s: read %v and said %q, want %q", test.media, test.body, got, a.Message, test.message)
		}
	}
}

func TestParametersOfAnotherContentTypeAreRefused(t *testing.T) {
	if _, w := readParams(t, "/tokens", "application/json;", `{"username":"a"}`); w.Code != http.StatusOK {
		t.Errorf("an empty list of parameters: status %d", w.Code)
	}
	for _, media := range []string{"", "text/plain", "multipart/form-data; boundary=x", "application/xml", ";"} {
		_, w := readParams(t, "/tokens", media, `{"username":"a"}`)
		a := checkFailure(t, w, http.StatusUnsupportedMediaType)
		if !strings.Contains(a.Message, "application/json or application/x-www-form-urlencoded") {
			t.Errorf("%q: the message is %q", media, a.Message)
		}
	}
}

// Addresses end up in logs and histories, so credentials have no place there.
func TestAParameterInTheURLIsRefusedAndItsValueNotRepeated(t *testing.T) {
	for query, message := range map[string]string{
		"password=s3cr3t":         "The parameter password must be sent in the body, never in the URL.",
		"password":                "The parameter password must be sent in the body, never in the URL.",
		"pass%77ord=s3cr3t":       "The parameter password must be sent in the body, never in the URL.",
		"x=1&password=s3cr3t&y=2": "The parameter password must be sent in the body, never in the URL.",
		"x=1;password=s3cr3t":     "The query of the URL is not well-formed.",
		"password=s3cr3t%":        "The query of the URL is not well-formed.",
	} {
		for media, body := range map[string]string{jsonMedia: `{"username":"a"}`, formMedia: "username=a", "": ""} {
			got, w := readParams(t, "/tokens?"+query, media, body)
			if a := checkFailure(t, w, http.StatusBadRequest); a.Message != message || got != nil {
				t.Errorf("%s: read %v and said %q", query, got, a.Message)
			}
		}
	}
	for _, query := range []string{"pretty=true", "PASSWORD=a", "", "tenant=dev&tenant=dev"} {
		if got, w := readParams(t, "/tokens?"+query, formMedia, "username=a"); w.Code != http.StatusOK || got["username"] != "a" {
			t.Errorf("%q: status %d, read %v", query, w.Code, got)
		}
	}
}

func TestParametersOverTheLimitAreTooLarge(t *testing.T) {
	for media, frame := range map[string]string{jsonMedia: `{"password":"%s"}`, formMedia: "password=%s"} {
		room := httpapi.MaxBody - len(fmt.Sprintf(frame, ""))
		got, w := readParams(t, "/tokens", media, fmt.Sprintf(frame, strings.Repeat("a", room)))
		if w.Code != http.StatusOK || len(got["password"]) != room {
			t.Errorf("%s: status %d at the limit", media, w.Code)
		}
		_, w = readParams(t, "/tokens", media, fmt.Sprintf(frame, strings.Repeat("a", room+1)))
		checkFailure(t, w, http.StatusRequestEntityTooLarge)
	}
}
