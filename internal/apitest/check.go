package apitest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

const jsonType = "application/json"

// response is what a handler sent.
type response struct {
	status int
	header http.Header
	body   []byte
}

// check returns what is wrong with the answer to r.
func check(specs []*openapi3.T, r *http.Request, a response) []string {
	route, allowed := find(specs, r)
	switch {
	case route != nil:
		return checkDocumented(route, r, a)
	case r.Method == http.MethodOptions && a.status == http.StatusNoContent && len(a.body) == 0:
		return nil // a CORS preflight
	case allowed != nil:
		return checkWrongMethod(r, a, allowed)
	}
	if a.status != http.StatusNotFound {
		return []string{"the path is not documented, so the status must be 404"}
	}
	return checkErrorEnvelope(r, a)
}

// find returns the operation that documents r, or else the documented methods
// of its path. HEAD is documented by GET.
func find(specs []*openapi3.T, r *http.Request) (*routers.Route, []string) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	spec, path := findPath(specs, r.URL.EscapedPath())
	if spec == nil {
		return nil, nil
	}
	item := spec.Paths.Value(path)
	operations := item.Operations()
	if operation := operations[method]; operation != nil {
		return &routers.Route{Spec: spec, Path: path, PathItem: item, Method: method, Operation: operation}, nil
	}
	var allowed []string
	for name := range operations {
		allowed = append(allowed, name)
	}
	slices.Sort(allowed)
	return nil, allowed
}

// findPath matches as OpenAPI says: paths without parameters win, as do
// earlier segments that are spelled out.
func findPath(specs []*openapi3.T, path string) (*openapi3.T, string) {
	got := strings.Split(path, "/")
	var best *openapi3.T
	var template string
	for _, spec := range specs {
		for _, candidate := range spec.Paths.Keys() {
			want := strings.Split(candidate, "/")
			if fits(want, got) && (best == nil || moreConcrete(want, strings.Split(template, "/"))) {
				best, template = spec, candidate
			}
		}
	}
	return best, template
}

func isParameter(segment string) bool { return strings.HasPrefix(segment, "{") }

func fits(want, got []string) bool {
	if len(want) != len(got) {
		return false
	}
	for i, segment := range want {
		if segment != got[i] && (!isParameter(segment) || got[i] == "") {
			return false
		}
	}
	return true
}

func moreConcrete(a, b []string) bool {
	for i := range a {
		if isParameter(a[i]) != isParameter(b[i]) {
			return isParameter(b[i])
		}
	}
	return false
}

func checkDocumented(route *routers.Route, r *http.Request, a response) []string {
	ref := route.Operation.Responses.Status(a.status)
	if ref == nil {
		ref = route.Operation.Responses.Default()
	}
	if ref == nil {
		return []string{fmt.Sprintf("operation %s documents no such status", route.Operation.OperationID)}
	}
	problems := checkMedia(ref.Value.Content, r, a)
	if len(problems) > 0 {
		return problems
	}
	if err := validate(route, ref, r, a); err != nil {
		return []string{err.Error()}
	}
	return nil
}

// checkMedia checks the content type and whether there may be a body.
func checkMedia(content openapi3.Content, r *http.Request, a response) []string {
	media := a.header.Get("Content-Type")
	switch {
	case len(content) == 0 && len(a.body) > 0:
		return []string{"no body is documented"}
	case len(content) == 0:
		return nil
	case len(content) == 1 && content[jsonType] != nil && media != jsonType,
		strings.HasPrefix(strings.ToLower(media), jsonType) && media != jsonType:
		return []string{fmt.Sprintf("the content type is %q, it must be exactly %s", media, jsonType)}
	case content.Get(media) == nil:
		return []string{fmt.Sprintf("the content type %q is not documented", media)}
	case len(a.body) == 0 && r.Method != http.MethodHead:
		return []string{"a body is documented and there is none"}
	}
	return nil
}

// validate checks headers and, of JSON, the body. The library leaves some
// statuses and HEAD alone; here they are given a guise that it looks at.
func validate(route *routers.Route, ref *openapi3.ResponseRef, r *http.Request, a response) error {
	const guise = http.StatusOK
	operation := *route.Operation
	operation.Responses = openapi3.NewResponses(openapi3.WithStatus(guise, ref))
	guised := *route
	guised.Operation = &operation
	request := r.Clone(r.Context())
	request.Method = http.MethodGet
	body, err := plain(a)
	if err != nil {
		return err
	}
	return openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: request, Route: &guised},
		Status:                 guise,
		Header:                 a.header,
		Body:                   io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{
			IncludeResponseStatus: true,
			MultiError:            true,
			ExcludeResponseBody:   len(a.body) == 0 || a.header.Get("Content-Type") != jsonType,
		},
	})
}

func checkWrongMethod(r *http.Request, a response, documented []string) []string {
	if a.status != http.StatusMethodNotAllowed {
		return []string{"the method is not documented, so the status must be 405"}
	}
	var problems []string
	allow := strings.Split(a.header.Get("Allow"), ", ")
	for _, method := range documented {
		if !slices.Contains(allow, method) {
			problems = append(problems, fmt.Sprintf("Allow is %q and lacks %s", a.header.Get("Allow"), method))
		}
	}
	return append(problems, checkErrorEnvelope(r, a)...)
}

// checkErrorEnvelope checks answers that belong to no operation.
func checkErrorEnvelope(r *http.Request, a response) []string {
	if media := a.header.Get("Content-Type"); media != jsonType {
		return []string{fmt.Sprintf("the content type is %q, it must be exactly %s", media, jsonType)}
	}
	if r.Method == http.MethodHead {
		return nil
	}
	body, err := plain(a)
	if err != nil {
		return []string{err.Error()}
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return []string{"the body is not a JSON object: " + err.Error()}
	}
	var problems []string
	for name, want := range map[string]string{"result": "null", "status": `"error"`, "metadata": "{}"} {
		if got := string(members[name]); got != want {
			problems = append(problems, fmt.Sprintf("the member %s of the error envelope is %q, not %s", name, got, want))
		}
	}
	var message, version string
	if json.Unmarshal(members["message"], &message) != nil || message == "" {
		problems = append(problems, "the error envelope has no message")
	}
	if members["version"] == nil || json.Unmarshal(members["version"], &version) != nil {
		problems = append(problems, "the error envelope has no version")
	}
	for name := range members {
		if !slices.Contains([]string{"result", "status", "message", "version", "metadata", "error", "error_description"}, name) {
			problems = append(problems, fmt.Sprintf("the error envelope has the unknown member %s", name))
		}
	}
	slices.Sort(problems)
	return problems
}

// plain returns the body without its gzip encoding.
func plain(a response) ([]byte, error) {
	if a.header.Get("Content-Encoding") != "gzip" || len(a.body) == 0 {
		return a.body, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(a.body))
	if err != nil {
		return nil, fmt.Errorf("the body is not gzip as its Content-Encoding says: %w", err)
	}
	body, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("the gzip body is damaged: %w", err)
	}
	return body, nil
}
