package httpapi_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/httpapi"
)

type method string

// sample has a field of every type that requests are read into.
type sample struct {
	Name   string          `json:"name"`
	Key    *string         `json:"client_key"`
	Secret string          `json:"secret"`
	Count  int             `json:"count"`
	Limit  *int64          `json:"limit"`
	Ratio  float64         `json:"ratio"`
	Active *bool           `json:"active"`
	Tags   []string        `json:"tags"`
	Method method          `json:"method"`
	Site   *site           `json:"site"`
	Extra  map[string]any  `json:"extra"`
	Raw    json.RawMessage `json:"raw"`
}

type site struct {
	ID    string   `json:"id"`
	Ports []uint16 `json:"ports"`
}

// decoder answers a decoded sample, or the error of DecodeJSON.
func decoder(t testing.TB, into *sample) *edge {
	t.Helper()
	e := newEdge(t, httpapi.Options{})
	e.POST("/", httpapi.Handle(func(c *gin.Context) error {
		if err := httpapi.DecodeJSON(c, into); err != nil {
			return err
		}
		return ok(c)
	}))
	return e
}

// refused returns what a body that cannot be decoded is answered.
func refused(t testing.TB, body string) response {
	t.Helper()
	var into sample
	return checkFailure(t, decoder(t, &into).do("POST", "/", body, "Content-Type", "application/json"), http.StatusBadRequest)
}

func TestAJSONObjectIsRead(t *testing.T) {
	text := func(s string) *string { return &s }
	yes, limit := true, int64(9)
	for body, want := range map[string]sample{
		`{}`:                                 {},
		" \r\n\t{ } \n":                      {},
		`{"name":"a"}`:                       {Name: "a"},
		`{"name":null,"client_key":null}`:    {},
		`{"client_key":""}`:                  {Key: text("")},
		`{"unknown":{"deep":[1]},"count":3}`: {Count: 3},
		`{"limit":9,"ratio":1,"active":true,"tags":["x","y"],"method":"none"}`: {
			Limit: &limit, Ratio: 1, Active: &yes, Tags: []string{"x", "y"}, Method: "none",
		},
		`{"site":{"id":"main","ports":[80,443]}}`: {Site: &site{ID: "main", Ports: []uint16{80, 443}}},
		`{"NAME":"other letter case"}`:            {Name: "other letter case"},
		`{"name":"\\u0000 is no NUL here"}`:       {Name: `\u0000 is no NUL here`},
		`{"name":"\\\\u0000"}`:                    {Name: `\\u0000`},
		`{"name":"é\u00e9\ud83d\ude00"}`:          {Name: "éé😀"},
		`{"name":"\ud800"}`:                       {Name: "\ufffd"},
		`{"extra":{"a":1,"A":2}}`:                 {Extra: map[string]any{"a": 1.0, "A": 2.0}},
	} {
		var got sample
		w := decoder(t, &got).do("POST", "/", body, "Content-Type", "application/json")
		if w.Code != http.StatusOK || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: status %d, body %s, read %+v, want %+v", body, w.Code, w.Body, got, want)
		}
	}
}

func TestABodyThatIsNoJSONObjectIsRefused(t *testing.T) {
	for message, bodies := range map[string][]string{
		"the body is empty": {""},
		"too early":         {" ", "{", `{"name"`, `{"name":`, `{"name":"a`, `{"name":"a"`, `{"name":"a",`},
		"is it JSON": {
			"\x00", `{"name":"a",}`, `{,"name":"a"}`, `{"name" "a"}`, `{"name":"a" "count":1}`, `{"name"}`, `{name:"a"}`, `{1:2}`,
			`{'name':'a'}`, `{"name":tru}`, `{"name":"a"]`, `{"count":01}`, `{"count":+1}`, `{"count":NaN}`, "{\"name\":\"a\nb\"}",
			"{\"name\":\"a\x00b\"}", `{"name":"\x41"}`, "\ufeff{}", "\ufeff", "name=a",
		},
		"more after":            {`{"name":"a"} // comment`, `{"name":"a"}{"name":1}`, `{"name":"a"},`, `{"name":"a"}}`, "{}\x00"},
		"must be a JSON object": {"[]", `[{"name":"a"}]`, "null", "true", "7", `"text"`},
		"UTF-8":                 {"{\"name\":\"\xff\"}", "{\"\xc3\":1}", "{\"x\":\"\xed\xa0\x80\"}"},
	} {
		for _, body := range bodies {
			got := refused(t, body).Message
			if !strings.Contains(got, message) || !strings.HasPrefix(got, "Unable to parse message payload: ") {
				t.Errorf("%q: the message is %q, want %q in it", body, got, message)
			}
		}
	}
}

func TestAFieldOfTheWrongTypeIsNamed(t *testing.T) {
	for body, message := range map[string]string{
		`{"name":1}`:                 "The field name must be of type string, not number.",
		`{"name":{"a":1}}`:           "The field name must be of type string, not object.",
		`{"name":["a"]}`:             "The field name must be of type string, not array.",
		`{"NAME":false}`:             "The field name must be of type string, not bool.",
		`{"client_key":7}`:           "The field client_key must be of type string, not number.",
		`{"count":"7"}`:              "The field count must be of type integer, not string.",
		`{"count":7.5}`:              "The field count must be of type integer, not number 7.5.",
		`{"limit":1e300}`:            "The field limit must be of type integer, not number 1e300.",
		`{"ratio":"1"}`:              "The field ratio must be of type number, not string.",
		`{"active":"true"}`:          "The field active must be of type boolean, not string.",
		`{"tags":"x"}`:               "The field tags must be of type array of string, not string.",
		`{"tags":["x",1]}`:           "The field tags must be of type string, not number.",
		`{"method":1}`:               "The field method must be of type string, not number.",
		`{"site":"main"}`:            "The field site must be of type object, not string.",
		`{"site":{"id":1}}`:          "The field site.id must be of type string, not number.",
		`{"site":{"ports":[70000]}}`: "The field site.ports must be of type integer, not number 70000.",
		`{"extra":[]}`:               "The field extra must be of type object, not array.",
		`{"count":` + strings.Repeat("9", 5000) + `}`: "The field count must be of type integer, not number " +
			strings.Repeat("9", 25) + ".",
	} {
		if a := refused(t, body); a.Message != message {
			t.Errorf("%.60s:\n got %q\nwant %q", body, a.Message, message)
		}
	}
}

func TestAMemberGivenTwiceIsRefused(t *testing.T) {
	for _, body := range []string{
		`{"name":"a","name":"a"}`,
		`{"name":"a","name":null}`,
		`{"name":"a","NAME":"b"}`,
		`{"name":"a","x":1,"nAmE":"b"}`,
		`{"name":"a","\u006eame":"b"}`,
		`{"client_key":"a","client_` + "\u212a" + `ey":"b"}`, // the Kelvin sign folds to k
		`{"client_\u212aey":"a","client_key":"b"}`,
		`{"secret":"a","` + "\u017f" + `ecret":"b"}`, // the long s folds to s
		`{"\u017fecret":"a","SECRET":"b"}`,
		`{"unknown":1,"unknown":1}`,
		`{"":1,"":1}`,
	} {
		if a := refused(t, body); !strings.Contains(a.Message, "given more than once") {
			t.Errorf("%s: the message is %q", body, a.Message)
		}
	}
}

func TestTheNameOfADoubledMemberIsCutAndPrintable(t *testing.T) {
	name := strings.Repeat("x", 100)
	for body, want := range map[string]string{
		`{"` + name + `":1,"` + name + `":2}`: "The member " + name[:64] + " is given more than once.",
		`{"a\nb":1,"a\nb":2}`:                 "The member a?b is given more than once.",
	} {
		if a := refused(t, body); a.Message != want {
			t.Errorf("the message is %q, want %q", a.Message, want)
		}
	}
}

func TestAFieldWithANULIsRefusedAndNamed(t *testing.T) {
	for body, field := range map[string]string{
		`{"name":"\u0000"}`:              "name",
		`{"name":"a\\\u0000b"}`:          "name",
		`{"name":"\"\u0000"}`:            "name",
		`{"tags":["a","b\u0000"]}`:       "tags",
		`{"site":{"id":"main\u0000"}}`:   "site",
		`{"unknown":"\u0000","count":1}`: "unknown",
	} {
		got, want := refused(t, body).Message, "The field "+field+" must be text without NUL characters."
		if got != want {
			t.Errorf("%s: the message is %q, want %q", body, got, want)
		}
	}
}

func TestTheContentTypeOfAJSONBodyIsChecked(t *testing.T) {
	for status, medias := range map[int][]string{
		200: {
			"application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;charset=UTF-8",
			" application/json ",
		},
		415: {
			"", "text/plain", "text/json", "application/x-www-form-urlencoded", "application/merge-patch+json", "application/jsonp",
			"application/json, text/plain", "application/json; charset", "*/*", "<script>\"",
		},
	} {
		for _, media := range medias {
			var got sample
			w := decoder(t, &got).do("POST", "/", `{"name":"a"}`, "Content-Type", media)
			if w.Code != status {
				t.Errorf("%q: status %d, want %d", media, w.Code, status)
			}
			if status == 415 && !strings.Contains(checkFailure(t, w, status).Message, "it must be application/json.") {
				t.Errorf("%q: %s", media, w.Body)
			}
			checkFailure(t, decoder(t, &got).do("POST", "/", "", "Content-Type", media), http.StatusBadRequest)
		}
	}
}

func TestDeepNestingIsRefusedQuickly(t *testing.T) {
	for _, body := range []string{
		strings.Repeat("[", httpapi.MaxBody),
		`{"extra":` + strings.Repeat("[", httpapi.MaxBody-10),
		strings.Repeat(`{"a":`, httpapi.MaxBody/5),
		`{"extra":` + strings.Repeat("[", 400_000) + strings.Repeat("]", 400_000) + `}`,
	} {
		started := time.Now()
		refused(t, body)
		if took := time.Since(started); took > 2*time.Second {
			t.Errorf("%.20s…: took %s", body, took)
		}
	}
}

func TestABodyOverTheLimitIsTooLarge(t *testing.T) {
	fill := func(size int) string { return `{"name":"` + strings.Repeat("a", size-len(`{"name":""}`)) + `"}` }
	var got sample
	server := httptest.NewServer(decoder(t, &got))
	defer server.Close()
	for _, size := range []int{httpapi.MaxBody, httpapi.MaxBody + 1, 3 * httpapi.MaxBody} {
		want := http.StatusOK
		if size > httpapi.MaxBody {
			want = http.StatusRequestEntityTooLarge
		}
		for name, body := range map[string]io.Reader{
			"with a length": strings.NewReader(fill(size)),
			"chunked":       bufio.NewReader(strings.NewReader(fill(size))), // net/http cannot know its length
		} {
			res, err := http.Post(server.URL, "application/json", body)
			if err != nil {
				t.Fatalf("%d bytes %s: %v", size, name, err)
			}
			text, _ := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if res.StatusCode != want || res.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%d bytes %s: status %d, headers %v, body %s", size, name, res.StatusCode, res.Header, text)
			}
			if want != http.StatusOK && !bytes.Contains(text, []byte("larger than 1048576 bytes")) {
				t.Errorf("%d bytes %s: %s", size, name, text)
			}
		}
	}
}

func TestAnUploadThatBreaksOffIsRefused(t *testing.T) {
	var got sample
	e := decoder(t, &got)
	server := httptest.NewServer(e)
	defer server.Close()
	for name, request := range map[string]string{
		"with a length": "Content-Length: 100\r\n\r\n" + `{"name":"a"}`,
		"chunked":       "Transfer-Encoding: chunked\r\n\r\nc\r\n" + `{"name":"a"}` + "\r\n",
		"bad chunk":     "Transfer-Encoding: chunked\r\n\r\nzz\r\n" + `{"name":"a"}` + "\r\n0\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%s", request)
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		_ = conn.Close()
		if res.StatusCode != http.StatusBadRequest || !bytes.Contains(text, []byte("could not be read to its end")) || got.Name != "" {
			t.Errorf("%s: status %d, body %s, read %+v", name, res.StatusCode, text, got)
		}
		if line := e.log.line(t, "request refused"); line["level"] != "INFO" {
			t.Errorf("%s: logged as %v", name, line)
		}
	}
}

func TestAnObjectOfManyMembersIsRefusedBeforeMuchWork(t *testing.T) {
	var body strings.Builder
	body.WriteString(`{"a":1`)
	for i := range 50_000 {
		fmt.Fprintf(&body, `,"m%d":1`, i)
	}
	body.WriteString("}")
	if got := refused(t, body.String()); !strings.Contains(got.Message, "more than 200 members") {
		t.Errorf("got %+v", got)
	}
}
