package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
)

// DecodeJSON reads the body, one JSON object, into dst. Unknown members are
// ignored. Members doubled at the top level, wrong types and NUL characters,
// which Postgres cannot store, are errors that name the field; so is anything
// after the object an error.
func DecodeJSON(c *gin.Context, dst any) error {
	body, err := readBody(c)
	if err != nil {
		return err
	}
	if len(body) == 0 {
		return apierr.Invalidf("Unable to parse message payload: the body is empty; a JSON object is needed.")
	}
	if media := mediaType(c); media != ContentType {
		return unsupported(media, "application/json")
	}
	members, err := objectMembers(body)
	if err != nil {
		return err
	}
	for name, raw := range members {
		if escapesNUL(raw) {
			return apierr.Invalidf("The field %s must be text without NUL characters.", printable(name, 64))
		}
	}
	if err := json.Unmarshal(body, dst); err != nil {
		return jsonError(err)
	}
	return nil
}

// formType is the content type of forms.
const formType = "application/x-www-form-urlencoded"

// Params are the parameters of an OAuth request; absent and empty ones are
// not in the map (RFC 6749 section 3.1 treats them alike).
type Params map[string]string

// ReadParams reads the named parameters from a form or a JSON body, as RFC
// 6749 and Tapis clients send them. Others are ignored. A parameter given
// twice, given in the URL, or of another type than string is an error.
func ReadParams(c *gin.Context, names ...string) (Params, error) {
	query, err := queryValues(c)
	if err != nil {
		return nil, err
	}
	for name := range query {
		if slices.Contains(names, name) {
			return nil, apierr.Invalidf("The parameter %s must be sent in the body, never in the URL.", name)
		}
	}
	body, err := readBody(c)
	if err != nil {
		return nil, err
	}
	if len(body) == 0 {
		return nil, apierr.Invalidf("Unable to parse message payload: the body is empty.")
	}
	switch media := mediaType(c); media {
	case ContentType:
		return jsonParams(body, names)
	case formType:
		return formParams(body, names)
	default:
		return nil, unsupported(media, "application/json or application/x-www-form-urlencoded")
	}
}

// ReadForm is ReadParams for the forms of pages: it reads no JSON, which a
// browser can be made to send only by scripts.
func ReadForm(c *gin.Context, names ...string) (Params, error) {
	if media := mediaType(c); media != formType {
		return nil, unsupported(media, formType)
	}
	return ReadParams(c, names...)
}

func jsonParams(body []byte, names []string) (Params, error) {
	members, err := objectMembers(body)
	if err != nil {
		return nil, err
	}
	params := Params{}
	for _, name := range names {
		raw, ok := members[name]
		if !ok || string(raw) == "null" {
			continue
		}
		var value string
		if err := json.Unmarshal(raw, &value); err != nil {
			return nil, apierr.Invalidf("The parameter %s must be a string.", name)
		}
		if err := params.add(name, value); err != nil {
			return nil, err
		}
	}
	return params, nil
}

func formParams(body []byte, names []string) (Params, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, apierr.Invalidf("Unable to parse message payload: it is not a valid form.")
	}
	if strings.HasPrefix(strings.TrimSpace(string(body)), "{") {
		return nil, apierr.Invalidf("The body looks like JSON, but the Content-Type is application/x-www-form-urlencoded; send " +
			"Content-Type: application/json.")
	}
	params := Params{}
	for _, name := range names {
		values := form[name]
		if len(values) > 1 {
			return nil, apierr.Invalidf("The parameter %s is given more than once.", name)
		}
		if len(values) == 1 {
			if err := params.add(name, values[0]); err != nil {
				return nil, err
			}
		}
	}
	return params, nil
}

func (p Params) add(name, value string) error {
	if !isText(value) {
		return apierr.Invalidf("The parameter %s must be text without NUL bytes.", name)
	}
	if value != "" {
		p[name] = value
	}
	return nil
}

// maxMembers bounds the work for one object; none of ours has nearly as many.
const maxMembers = 200

// objectMembers splits a JSON object into its members and refuses names that
// differ only in letter case, since decoders disagree on which of them counts.
func objectMembers(body []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(body) {
		return nil, apierr.Invalidf("Unable to parse message payload: it is not valid UTF-8.")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	start, err := dec.Token()
	if err != nil {
		return nil, jsonError(err)
	}
	if start != json.Delim('{') {
		return nil, apierr.Invalidf("Unable to parse message payload: it must be a JSON object.")
	}
	members, seen := map[string]json.RawMessage{}, map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, jsonError(err)
		}
		name, ok := token.(string)
		if !ok {
			return nil, apierr.Invalidf("Unable to parse message payload: is it JSON?")
		}
		folded := strings.ToLower(strings.ToUpper(name))
		if len(seen) >= maxMembers {
			return nil, apierr.Invalidf("The JSON object has more than %d members.", maxMembers)
		}
		if seen[folded] {
			return nil, apierr.Invalidf("The member %s is given more than once.", printable(name, 64))
		}
		seen[folded] = true
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, jsonError(err)
		}
		members[name] = raw
	}
	if _, err := dec.Token(); err != nil {
		return nil, jsonError(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, apierr.Invalidf("Unable to parse message payload: there is more after the JSON object.")
	}
	return members, nil
}

func jsonError(err error) error {
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return apierr.Invalidf("The field %s must be of type %s, not %s.",
			printable(wrongType.Field, 64), typeName(wrongType.Type), printable(wrongType.Value, 32))
	case errors.As(err, &wrongType):
		return apierr.Invalidf("Unable to parse message payload: it must be a JSON object.")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return apierr.Invalidf("Unable to parse message payload: the JSON ends too early.")
	}
	return apierr.Invalidf("Unable to parse message payload: is it JSON?")
}

// typeName says in JSON's words what a value for t must be.
func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.Slice, reflect.Array:
		return "array of " + typeName(t.Elem())
	case reflect.Struct, reflect.Map:
		return "object"
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "string"
	case reflect.Float32, reflect.Float64:
		return "number"
	default: // the other kinds that JSON is read into
		return "integer"
	}
}

// escapesNUL reports whether a string in the JSON text raw has a NUL; it can
// only be written as an escape.
func escapesNUL(raw []byte) bool {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return false
		}
		raw = raw[i+1:]
		if bytes.HasPrefix(raw, []byte("u0000")) {
			return true
		}
		raw = raw[min(1, len(raw)):] // the escaped character may be a backslash
	}
}

func readBody(c *gin.Context) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, MaxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, apierr.New(apierr.TooLarge, "The body is larger than %d bytes.", MaxBody)
	case err != nil:
		return nil, apierr.Invalidf("The body could not be read to its end.").Because(err)
	}
	return body, nil
}

func mediaType(c *gin.Context) string {
	header := c.GetHeader("Content-Type")
	if header == "" {
		return ""
	}
	media, _, err := mime.ParseMediaType(header)
	if err != nil {
		return "unreadable"
	}
	return media
}

func unsupported(media, want string) error {
	got := "is missing"
	if media != "" {
		got = fmt.Sprintf("is %s", printable(media, 64))
	}
	return apierr.New(apierr.UnsupportedMedia, "The Content-Type %s; it must be %s.", got, want)
}
