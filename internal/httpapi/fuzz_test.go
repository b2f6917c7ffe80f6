package httpapi_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"gatehouse/internal/apierr"
	"gatehouse/internal/httpapi"
)

// FuzzReadParams checks that whatever is sent either is refused or yields
// clear text for the parameters that were asked for, and that a JSON body and
// a form that say the same are read as the same.
func FuzzReadParams(f *testing.F) {
	f.Add(`{"grant_type":"password","username":"a","password":null}`, "a", "b c")
	f.Add("grant_type=password&username=a&password=%00", "a%", "\x00")
	f.Add(`{"username":"\ud800","Username":1}`, "é", "+&=%20")
	f.Add("username=a;b&username", "", "\xff")
	f.Add(strings.Repeat("[", 20000), "\u2028", "\"\\")
	f.Fuzz(func(t *testing.T, body, username, password string) {
		for _, media := range []string{jsonMedia, formMedia} {
			got, w := readParams(t, "/tokens", media, body)
			checkParams(t, got, w.Code)
		}
		// The encoder of JSON cannot say what is not UTF-8; a form can.
		if !utf8.ValidString(username) || !utf8.ValidString(password) {
			return
		}
		asJSON, err := json.Marshal(map[string]string{"username": username, "password": password})
		if err != nil {
			t.Fatal(err)
		}
		asForm := url.Values{"username": {username}, "password": {password}}.Encode()
		fromJSON, j := readParams(t, "/tokens", jsonMedia, string(asJSON))
		fromForm, q := readParams(t, "/tokens", formMedia, asForm)
		if j.Code != q.Code || !maps.Equal(fromJSON, fromForm) || read(t, j).Message != read(t, q).Message {
			t.Errorf("%s is read as %v (%s), %s as %v (%s)", asJSON, fromJSON, j.Body, asForm, fromForm, q.Body)
		}
		clear := !strings.ContainsRune(username+password, 0)
		if clear != (j.Code == http.StatusOK) || (clear && (fromJSON["username"] != username || fromJSON["password"] != password)) {
			t.Errorf("%s: status %d, read %v", asJSON, j.Code, fromJSON)
		}
	})
}

func checkParams(t *testing.T, got httpapi.Params, status int) {
	t.Helper()
	if (status == http.StatusOK) != (got != nil) || (status != http.StatusOK && status != http.StatusBadRequest) {
		t.Errorf("status %d, read %v", status, got)
	}
	for name, value := range got {
		if !slices.Contains(asked, name) || value == "" || strings.ContainsRune(value, 0) || !utf8.ValidString(value) {
			t.Errorf("read %q = %q", name, value)
		}
	}
}

// FuzzDecodeJSON checks that what is accepted is one JSON object without
// doubled members or NUL characters, read as encoding/json reads it.
func FuzzDecodeJSON(f *testing.F) {
	f.Add(`{"name":"a","count":1,"tags":["x"],"site":{"id":"main"}}`)
	f.Add(`{"name":"\u0000","NAME":2}`)
	f.Add(`{"client_\u212aey":1,"client_key":1}`)
	f.Add(`{"name":"a"}{`)
	f.Add(`{"extra":{"a":[[[[{}]]]]},"raw":tru`)
	f.Fuzz(func(t *testing.T, body string) {
		var got, want sample
		w := decoder(t, &got).do("POST", "/", body, "Content-Type", "application/json")
		if w.Code != http.StatusOK {
			checkFailure(t, w, http.StatusBadRequest)
			return
		}
		if err := json.Unmarshal([]byte(body), &want); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q is read as %+v, not %+v (%v)", body, got, want, err)
		}
		if strings.ContainsRune(got.Name+got.Secret+strings.Join(got.Tags, ""), 0) {
			t.Errorf("%q yields a NUL", body)
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(body), &members); err != nil || members == nil {
			t.Fatalf("%q is no object: %v", body, err)
		}
		names := slices.Collect(maps.Keys(members))
		for i, name := range names {
			if slices.ContainsFunc(names[i+1:], func(other string) bool { return strings.EqualFold(name, other) }) {
				t.Errorf("%q has the member %q in several spellings", body, name)
			}
		}
	})
}

// Decoders match names by simple case folding, so all spellings are one.
func TestNamesThatFoldTogetherAreOneMember(t *testing.T) {
	var got sample
	e := decoder(t, &got)
	checked := 0
	for r := range unicode.MaxRune {
		folded := unicode.SimpleFold(r)
		if folded == r {
			continue
		}
		checked++
		body := `{"x` + string(r) + `":1,"X` + string(folded) + `":1}`
		if w := e.do("POST", "/", body, "Content-Type", "application/json"); w.Code != http.StatusBadRequest {
			t.Errorf("%s: status %d", body, w.Code)
		}
	}
	if checked < 2000 {
		t.Errorf("only %d letters have a fold", checked)
	}
}

// FuzzParseBasic checks that credentials survive the trip, and that any other
// header either is of another scheme, or is refused, or yields clear text.
func FuzzParseBasic(f *testing.F) {
	f.Add("Basic Y2xpZW50OnNlY3JldA==", "client", "secret")
	f.Add("basic  Og==", "", "a:b")
	f.Add("Bearer abc", "a:b", "%00")
	f.Add("Basic \x00", "a b", "\xff")
	f.Fuzz(func(t *testing.T, header, name, secret string) {
		got, found, err := httpapi.ParseBasic(header)
		checkBasic(t, got, found, err)
		checkBasic(t, got.Decoded(), found, err)

		header = "Basic " + encode(name+":"+secret)
		got, found, err = httpapi.ParseBasic(header)
		checkBasic(t, got, found, err)
		fits := len(header) <= len("Basic ")+8<<10 && utf8.ValidString(name+":"+secret) && !strings.ContainsRune(name+secret, 0)
		wantName, wantSecret, _ := strings.Cut(name+":"+secret, ":")
		if fits != (err == nil) || (fits && (got.Name != wantName || got.Secret != wantSecret)) {
			t.Errorf("%q and %q came back as %+v, %v", name, secret, got, err)
		}
		encoded := httpapi.Basic{Name: url.QueryEscape(name), Secret: url.QueryEscape(secret)}
		if back := encoded.Decoded(); fits && (back.Name != name || back.Secret != secret) {
			t.Errorf("%+v decodes to %+v", encoded, back)
		}
	})
}

func checkBasic(t *testing.T, b httpapi.Basic, found bool, err error) {
	t.Helper()
	if (err != nil && !apierr.Is(err, apierr.Invalid)) || ((err != nil || !found) && b != (httpapi.Basic{})) {
		t.Errorf("%+v, %t, %v", b, found, err)
	}
	for _, text := range []string{b.Name, b.Secret} {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			t.Errorf("yields %q", text)
		}
	}
}
