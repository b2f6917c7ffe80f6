package responsecache_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/httpapi"
	"gatehouse/internal/responsecache"
)

// serve sends a for GET /, on the engine that production uses.
func serve(t *testing.T, a *responsecache.Response, header map[string]string) *httptest.ResponseRecorder {
	t.Helper()
	engine, err := httpapi.New(httpapi.Options{Version: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	httpapi.Get(engine, "/", func(c *gin.Context) error { a.Write(c); return nil })
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	engine.ServeHTTP(w, r)
	return w
}

func newResponse(t *testing.T, value any) *responsecache.Response {
	t.Helper()
	a, err := responsecache.NewResponse(value)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestTheGzipFormHasTheSameContentAndAnotherTag(t *testing.T) {
	value := strings.Repeat("tenant ", 500)
	a := newResponse(t, value)

	plain := serve(t, a, nil)
	packed := serve(t, a, map[string]string{"Accept-Encoding": "gzip"})
	if got := packed.Header().Get("Content-Encoding"); got != "gzip" {
		t.Fatalf("Content-Encoding: got %q, want gzip", got)
	}
	if got := plain.Header().Get("Content-Encoding"); got != "" {
		t.Errorf("Content-Encoding without asking: got %q, want none", got)
	}
	for _, r := range []*httptest.ResponseRecorder{plain, packed} {
		if got := r.Header().Get("Vary"); got != "Accept-Encoding" {
			t.Errorf("Vary: got %q, want Accept-Encoding", got)
		}
		if got := r.Header().Get("Cache-Control"); got != "no-cache" {
			t.Errorf("Cache-Control: got %q, want no-cache", got)
		}
		if got := r.Header().Get("Content-Type"); got != "application/json" {
			t.Errorf("Content-Type: got %q, want application/json", got)
		}
	}
	if plain.Header().Get("ETag") == packed.Header().Get("ETag") {
		t.Error("both forms have the same strong tag")
	}
	raw := packed.Body.Bytes()
	if got, want := packed.Header().Get("Content-Length"), strconv.Itoa(len(raw)); got != want {
		t.Errorf("Content-Length: got %s, want %s", got, want)
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(unpacked, plain.Body.Bytes()) {
		t.Error("the two forms differ")
	}
	var got string
	if err := json.Unmarshal(unpacked, &got); err != nil || got != value {
		t.Errorf("the body is not the value: %v", err)
	}
}

func TestEitherTagIsAnsweredWithNotModified(t *testing.T) {
	a := newResponse(t, strings.Repeat("tenant ", 500))
	plain := serve(t, a, nil).Header().Get("ETag")
	packed := serve(t, a, map[string]string{"Accept-Encoding": "gzip"}).Header().Get("ETag")
	for _, accept := range []string{"", "gzip"} {
		for _, tags := range []string{plain, packed, "W/" + plain, `"x", ` + packed, "*"} {
			r := serve(t, a, map[string]string{"Accept-Encoding": accept, "If-None-Match": tags})
			if r.Code != http.StatusNotModified {
				t.Errorf("If-None-Match %s, Accept-Encoding %q: got %d, want 304", tags, accept, r.Code)
			}
			if b := r.Body.Bytes(); len(b) > 0 {
				t.Errorf("a 304 has a body of %d bytes", len(b))
			}
			want := plain
			if accept != "" {
				want = packed
			}
			if got := r.Header().Get("ETag"); got != want {
				t.Errorf("ETag of the 304: got %s, want %s", got, want)
			}
			if got := r.Header().Get("Content-Type") + r.Header().Get("Content-Encoding"); got != "" {
				t.Errorf("a 304 speaks of a body: %s", got)
			}
		}
	}
	if r := serve(t, a, map[string]string{"If-None-Match": `"other"`}); r.Code != http.StatusOK {
		t.Errorf("another tag: got %d, want 200", r.Code)
	}
}

func TestASmallResponseIsNotCompressed(t *testing.T) {
	r := serve(t, newResponse(t, "small"), map[string]string{"Accept-Encoding": "gzip"})
	if got := r.Header().Get("Content-Encoding") + r.Header().Get("Vary"); got != "" {
		t.Errorf("got %q, want neither Content-Encoding nor Vary", got)
	}
}

func TestTheTagFollowsTheContentOnly(t *testing.T) {
	tag := func(value string) string { return serve(t, newResponse(t, value), nil).Header().Get("ETag") }
	first, again := tag("a"), tag("a")
	if first != again {
		t.Error("equal responses have different tags")
	}
	if first == tag("b") {
		t.Error("different responses have the same tag")
	}
}

func TestAResponseIsMadeOnce(t *testing.T) {
	var lazy responsecache.Lazy
	var mu sync.Mutex
	made := 0
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			_, err := lazy.Get(func() any {
				mu.Lock()
				defer mu.Unlock()
				made++
				return made
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if made != 1 {
		t.Errorf("made %d times, want once", made)
	}
}

func TestAPageIsTheWindowOfTheWhole(t *testing.T) {
	all := []string{"a", "b", "c"}
	tests := []struct {
		window httpapi.Window
		want   string
	}{
		{httpapi.Window{Limit: -1}, `["a","b","c"] {"recordCount":3,"recordLimit":-1,"recordsSkipped":0,"totalCount":3}`},
		{httpapi.Window{Limit: 2}, `["a","b"] {"recordCount":2,"recordLimit":2,"recordsSkipped":0,"totalCount":3}`},
		{httpapi.Window{Limit: 2, Offset: 2}, `["c"] {"recordCount":1,"recordLimit":2,"recordsSkipped":2,"totalCount":3}`},
		{httpapi.Window{Limit: 0}, `[] {"recordCount":0,"recordLimit":0,"recordsSkipped":0,"totalCount":3}`},
		{httpapi.Window{Limit: -1, Offset: 9}, `[] {"recordCount":0,"recordLimit":-1,"recordsSkipped":9,"totalCount":3}`},
		{
			httpapi.Window{Limit: 1 << 30, Offset: 1 << 30},
			`[] {"recordCount":0,"recordLimit":1073741824,"recordsSkipped":1073741824,"totalCount":3}`,
		},
	}
	for _, tt := range tests {
		page := responsecache.Page(t.Context(), all, tt.window, "Listed.")
		result, _ := json.Marshal(page.Result)
		metadata, _ := json.Marshal(page.Metadata)
		if got := string(result) + " " + string(metadata); got != tt.want {
			t.Errorf("%+v:\n got %s\nwant %s", tt.window, got, tt.want)
		}
	}
}
