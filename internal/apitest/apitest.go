// Package apitest checks, in tests, every answer of a handler against the
// OpenAPI documents of the service: its status must be documented, its
// headers and body must match, objects may have no member that the document
// does not name, and JSON must have the exact content type application/json.
// Unknown paths and methods must be answered with 404 and 405 in the Tapis
// error envelope.
//
// Requests are not checked, because tests send wrong ones on purpose, and the
// servers of a document are ignored. Production code never imports this
// package.
package apitest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"gatehouse/api/openapi"
)

// New wraps handler so that each of its answers is checked against the named
// documents of api/openapi before it is passed on. Deviations are reported
// with t.Errorf; the answer arrives all the same, a HEAD's without body, as
// net/http would send it.
func New(t testing.TB, handler http.Handler, documents ...string) http.Handler {
	t.Helper()
	specs := make([]*openapi3.T, len(documents))
	for i, name := range documents {
		raw, err := openapi.Document(name)
		if err != nil {
			t.Fatal(err)
		}
		if specs[i], err = load(raw); err != nil {
			t.Fatalf("OpenAPI document %s: %v", name, err)
		}
	}
	return wrap(t, handler, specs)
}

// reporter is the part of testing.TB that the checks need.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
}

func wrap(t reporter, handler http.Handler, specs []*openapi3.T) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Helper()
		recorder := httptest.NewRecorder()
		seen := r.Clone(r.Context()) // handlers may change what they are given
		handler.ServeHTTP(recorder, r)
		a := response{status: recorder.Code, header: recorder.Result().Header, body: recorder.Body.Bytes()}
		if r.Method == http.MethodHead {
			a.body = nil
		}
		for _, problem := range check(specs, seen, a) {
			t.Errorf("%s %s answered %d: %s\n%s", r.Method, r.URL, a.status, problem, excerpt(a.body))
		}
		for name, values := range a.header {
			w.Header()[name] = slices.Clone(values)
		}
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body)
	})
}

// load parses a document and makes its schemas strict.
func load(raw []byte) (*openapi3.T, error) {
	spec, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		return nil, err
	}
	if err := spec.Validate(context.Background(), openapi3.EnableExamplesValidation()); err != nil {
		return nil, err
	}
	return spec, strict(spec)
}

func excerpt(body []byte) string {
	const limit = 2000
	if len(body) > limit {
		return string(body[:limit]) + "…"
	}
	return string(body)
}
