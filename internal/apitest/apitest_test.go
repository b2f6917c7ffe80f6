package apitest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

const document = `
openapi: 3.0.3
info: {title: Things, version: "1"}
servers:
  - url: https://elsewhere.example.org/base
paths:
  /v3/things/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get:
      operationId: get_thing
      responses:
        "200":
          description: It.
          headers:
            ETag: {required: true, schema: {type: string, pattern: '^".+"$'}}
          content:
            application/json:
              schema: {$ref: "#/components/schemas/ThingAnswer"}
        "304":
          description: Known.
          headers:
            ETag: {required: true, schema: {type: string}}
    delete:
      operationId: delete_thing
      responses:
        "204": {description: Gone.}
  /v3/things/special:
    post:
      operationId: make_special
      requestBody:
        content:
          application/x-www-form-urlencoded:
            schema: {type: object, required: [name], properties: {name: {type: string}}}
      responses:
        "201":
          description: Made.
          content:
            application/json:
              schema:
                type: object
                required: [free]
                properties:
                  free: {type: object, additionalProperties: true}
        "302": {description: Elsewhere., headers: {Location: {required: true, schema: {type: string}}}}
  /page:
    get:
      operationId: page
      responses:
        "200":
          description: For people.
          content: {text/html: {schema: {type: string}}}
components:
  schemas:
    ThingAnswer:
      type: object
      required: [status, result]
      properties:
        status: {type: string, enum: [success]}
        result: {$ref: "#/components/schemas/Thing"}
    Thing:
      type: object
      required: [id]
      properties:
        id: {type: string}
        parts: {type: array, items: {type: object, properties: {n: {type: integer}}}}
`

// notes records what would have failed a test.
type notes struct{ said []string }

func (n *notes) Helper() {}

func (n *notes) Errorf(format string, args ...any) {
	n.said = append(n.said, fmt.Sprintf(format, args...))
}

func specOf(t *testing.T, text string) *openapi3.T {
	t.Helper()
	spec, err := load([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// observe sends one request through the checks and returns what they say.
func observe(t *testing.T, spec *openapi3.T, method, target string, a response) ([]string, *httptest.ResponseRecorder) {
	t.Helper()
	n := &notes{}
	h := wrap(n, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range a.header {
			w.Header()[name] = values
		}
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body)
	}), []*openapi3.T{spec})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, target, nil))
	return n.said, w
}

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

func TestAnswersAreCheckedAgainstTheDocument(t *testing.T) {
	jsonHeader := header("Content-Type", "application/json", "ETag", `"x"`)
	good := `{"status":"success","result":{"id":"a"}}`
	notFound := `{"result":null,"status":"error","message":"No.","version":"1","metadata":{}}`
	tests := []struct {
		name, method, target string
		status               int
		header               http.Header
		body                 string
		says                 string // empty: nothing
	}{
		{"a documented answer", "GET", "/v3/things/a", 200, jsonHeader, good, ""},
		{"on any host", "GET", "http://dev.localhost:8080/v3/things/a", 200, jsonHeader, good, ""},
		{"HEAD as GET", "HEAD", "/v3/things/a", 200, jsonHeader, good, ""},
		{
			"HEAD with a missing header", "HEAD", "/v3/things/a", 200, header("Content-Type", "application/json"), good,
			`header "ETag" missing`,
		},
		{"an undocumented status", "GET", "/v3/things/a", 202, jsonHeader, good, "documents no such status"},
		{
			"an undocumented member", "GET", "/v3/things/a", 200, jsonHeader, `{"status":"success","result":{"id":"a","secret":1}}`,
			"secret",
		},
		{
			"an undocumented member deep inside", "GET", "/v3/things/a", 200, jsonHeader,
			`{"status":"success","result":{"id":"a","parts":[{"m":1}]}}`, `"m"`,
		},
		{
			"an undocumented member outside", "GET", "/v3/things/a", 200, jsonHeader, `{"status":"success","result":{"id":"a"},"x":1}`,
			`"x"`,
		},
		{"a missing member", "GET", "/v3/things/a", 200, jsonHeader, `{"status":"success","result":{}}`, `"id"`},
		{
			"a value that is not allowed", "GET", "/v3/things/a", 200, jsonHeader,
			`{"status":"sad","result":{"id":"a"}}`, "status",
		},
		{"a wrong type", "GET", "/v3/things/a", 200, jsonHeader, `{"status":"success","result":{"id":1}}`, "string"},
		{"no JSON", "GET", "/v3/things/a", 200, jsonHeader, `{`, "decode"},
		{"no body", "GET", "/v3/things/a", 200, jsonHeader, ``, "there is none"},
		{
			"a charset", "GET", "/v3/things/a", 200, header("Content-Type", "application/json; charset=utf-8", "ETag", `"x"`), good,
			"exactly application/json",
		},
		{
			"another content type", "GET", "/v3/things/a", 200, header("Content-Type", "text/html", "ETag", `"x"`), good,
			"exactly application/json",
		},
		{"a bad header", "GET", "/v3/things/a", 200, header("Content-Type", "application/json", "ETag", `x`), good, "ETag"},
		{"304", "GET", "/v3/things/a", 304, header("ETag", `"x"`), "", ""},
		{"304 without its header", "GET", "/v3/things/a", 304, header(), "", "ETag"},
		{"no content", "DELETE", "/v3/things/a", 204, header(), "", ""},
		{"a body where none is documented", "DELETE", "/v3/things/a", 204, header(), "x", "no body is documented"},
		{
			"free members where allowed", "POST", "/v3/things/special", 201, header("Content-Type", "application/json"),
			`{"free":{"x":1}}`, "",
		},
		{"a redirect", "POST", "/v3/things/special", 302, header("Location", "/"), "", ""},
		{"a redirect to nowhere", "POST", "/v3/things/special", 302, header(), "", "Location"},
		{"a page", "GET", "/page", 200, header("Content-Type", "text/html; charset=utf-8"), "<p>", ""},
		{"JSON instead of a page", "GET", "/page", 200, header("Content-Type", "application/json"), "{}", "not documented"},
		{"an unknown path", "GET", "/v3/nothing", 404, header("Content-Type", "application/json"), notFound, ""},
		{"a trailing slash", "GET", "/v3/things/", 404, header("Content-Type", "application/json"), notFound, ""},
		{"an unknown path that works", "GET", "/v3/nothing", 200, header("Content-Type", "application/json"), notFound, "must be 404"},
		{"an unknown path in HTML", "GET", "/v3/nothing", 404, header("Content-Type", "text/html"), "<p>", "exactly application/json"},
		{
			"an unknown path in other JSON", "GET", "/v3/nothing", 404, header("Content-Type", "application/json"), `{"detail":"no"}`,
			"unknown member detail",
		},
		{
			"a wrong method", "PUT", "/v3/things/a", 405, header("Content-Type", "application/json", "Allow", "DELETE, GET, HEAD"),
			notFound, "",
		},
		{"a wrong method without Allow", "PUT", "/v3/things/a", 405, header("Content-Type", "application/json"), notFound, "lacks GET"},
		{"a wrong method that works", "PUT", "/v3/things/a", 200, jsonHeader, good, "must be 405"},
		{"a CORS preflight", "OPTIONS", "/v3/things/a", 204, header(), "", ""},
	}
	spec := specOf(t, document)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			said, _ := observe(t, spec, tt.method, tt.target, response{status: tt.status, header: tt.header, body: []byte(tt.body)})
			all := strings.Join(said, "\n")
			if tt.says == "" && len(said) > 0 {
				t.Errorf("got %s, want nothing said", all)
			}
			if tt.says != "" && !strings.Contains(all, tt.says) {
				t.Errorf("got %q, want something that contains %q", all, tt.says)
			}
		})
	}
}

func TestTheAnswerArrivesUnchanged(t *testing.T) {
	a := response{
		status: 200, header: header("Content-Type", "application/json", "ETag", `"x"`),
		body: []byte(`{"status":"success","result":{"id":"a"}}`),
	}
	_, w := observe(t, specOf(t, document), http.MethodGet, "/v3/things/a", a)
	if !bytes.Equal(w.Body.Bytes(), a.body) || w.Code != a.status || w.Header().Get("ETag") != `"x"` {
		t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
	}
}

func TestTheHandlerSeesTheFormBody(t *testing.T) {
	n := &notes{}
	var got string
	h := wrap(n, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = string(b)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"free":{}}`)
	}), []*openapi3.T{specOf(t, document)})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v3/things/special", strings.NewReader("name=x&other=y"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	h.ServeHTTP(httptest.NewRecorder(), r)
	if got != "name=x&other=y" || len(n.said) > 0 {
		t.Errorf("the handler read %q; the checks said %q", got, n.said)
	}
}

func TestACompressedBodyIsCheckedToo(t *testing.T) {
	for body, says := range map[string]string{
		`{"status":"success","result":{"id":"a"}}`:       "",
		`{"status":"success","result":{"id":"a","x":1}}`: `"x"`,
	} {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, _ = io.WriteString(z, body)
		_ = z.Close()
		h := header("Content-Type", "application/json", "ETag", `"x"`, "Content-Encoding", "gzip")
		compressed := response{status: 200, header: h, body: packed.Bytes()}
		said, _ := observe(t, specOf(t, document), http.MethodGet, "/v3/things/a", compressed)
		if all := strings.Join(said, "\n"); (says == "") != (all == "") || !strings.Contains(all, says) {
			t.Errorf("%s: got %q, want %q", body, all, says)
		}
	}
}

func TestSeveralDocumentsAreSearched(t *testing.T) {
	other := strings.NewReplacer("/v3/things/special", "/v3/others", "/v3/things/{id}", "/v3/kinds/{id}", "/page",
		"/page2").Replace(document)
	specs := []*openapi3.T{specOf(t, other), specOf(t, document)}
	for path, want := range map[string]string{
		"/v3/things/a": "/v3/things/{id}", "/v3/things/special": "/v3/things/special", "/v3/kinds/y": "/v3/kinds/{id}",
		"/v3/others": "/v3/others", "/v3/things/a%2Fb": "/v3/things/{id}", "/v3": "",
	} {
		if _, got := findPath(specs, path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestADocumentThatCannotBeCheckedStrictlyIsRefused(t *testing.T) {
	text := strings.Replace(document, "        result: {$ref", "        result:\n          allOf: [{$ref", 1)
	text = strings.Replace(text, "schemas/Thing\"}\n", "schemas/Thing\"}]\n", 1)
	if _, err := load([]byte(text)); err == nil || !strings.Contains(err.Error(), "allOf") {
		t.Errorf("got %v", err)
	}
	if _, err := load([]byte("openapi: 3.0.3\npaths: {}\n")); err == nil {
		t.Error("an invalid document: got no error")
	}
}

func TestNewReadsTheDocumentsOfTheServices(t *testing.T) {
	if New(t, http.NotFoundHandler(), "tenants") == nil {
		t.Error("got no handler")
	}
}
