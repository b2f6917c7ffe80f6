package responsecache_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/httpapi"
	"gatehouse/internal/responsecache"
)

type item struct {
	ID string `json:"id"`
}

func cache(ids ...string) *responsecache.Cache[item] {
	items := make([]item, len(ids))
	for i, id := range ids {
		items[i] = item{id}
	}
	return responsecache.New(items, func(i item) string { return i.ID })
}

// result returns what the response holds.
func result(t *testing.T, a *responsecache.Response, err error) (value any, total float64) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var envelope struct {
		Result   any                `json:"result"`
		Metadata map[string]float64 `json:"metadata"`
	}
	if err := json.Unmarshal(serve(t, a, nil).Body.Bytes(), &envelope); err != nil {
		t.Fatal(err)
	}
	return envelope.Result, envelope.Metadata["totalCount"]
}

func TestACacheAnswersWithItsItems(t *testing.T) {
	c, ctx := cache("b", "a", "c"), t.Context()
	object := func(id string) any { return map[string]any{"id": id} }
	for _, tt := range []struct {
		window httpapi.Window
		want   []any
	}{
		{httpapi.Window{Limit: -1}, []any{object("b"), object("a"), object("c")}},
		{httpapi.Window{Limit: 1}, []any{object("b")}},
		{httpapi.Window{Limit: -1, Offset: 2}, []any{object("c")}},
		{httpapi.Window{Limit: 0}, []any{}},
	} {
		for range 2 {
			a, err := c.List(ctx, tt.window, "Listed.")
			if got, total := result(t, a, err); !reflect.DeepEqual(got, tt.want) || total != 3 {
				t.Errorf("%+v: got %v of %v", tt.window, got, total)
			}
		}
	}
	for id, want := range map[string]bool{"a": true, "b": true, "d": false, "": false} {
		a, found, err := c.Get(ctx, id, "Found "+id+".")
		if found != want || (a != nil) != want || err != nil {
			t.Errorf("%q: got %v, %v", id, found, err)
			continue
		}
		if want {
			if got, _ := result(t, a, err); !reflect.DeepEqual(got, object(id)) {
				t.Errorf("%q: got %v", id, got)
			}
		}
	}
	a, err := cache().List(ctx, httpapi.Window{Limit: -1}, "Listed.")
	if got, _ := result(t, a, err); !reflect.DeepEqual(got, []any{}) {
		t.Errorf("nothing: got %v", got)
	}
}

func TestTheResponsesOfACacheAreMadeOnce(t *testing.T) {
	c, ctx := cache("a", "b"), t.Context()
	one, _ := c.List(ctx, httpapi.Window{Limit: -1}, "Listed.")
	two, _ := c.List(ctx, httpapi.Window{Limit: -1}, "Listed.")
	if one != two {
		t.Error("the list is made twice")
	}
	first, _, _ := c.Get(ctx, "a", "Found.")
	again, _, _ := c.Get(ctx, "a", "Found.")
	other, _, _ := c.Get(ctx, "b", "Found.")
	if first != again || first == other {
		t.Error("the item is made twice, or for another")
	}
}

func TestAResponseForOneAskerIsPrivate(t *testing.T) {
	a := newResponse(t, make([]int, 2000)) // large enough for gzip
	e := gin.New()
	e.GET("/", func(c *gin.Context) { a.WritePrivate(c, "X-One", "X-Two") })
	tag := serve(t, a, nil).Header().Get("ETag")
	for name, tt := range map[string]struct {
		header, value string
		status        int
	}{
		"plain": {"", "", 200}, "gzip": {"Accept-Encoding", "gzip", 200}, "known": {"If-None-Match", tag, 304},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		if tt.header != "" {
			r.Header.Set(tt.header, tt.value)
		}
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if w.Code != tt.status || w.Header().Get("Cache-Control") != "private, no-cache" || w.Header().Get("ETag") == "" ||
			!reflect.DeepEqual(w.Header().Values("Vary"), []string{"X-One", "X-Two", "Accept-Encoding"}) {
			t.Errorf("%s: status %d, headers %v", name, w.Code, w.Header())
		}
	}
	if got := serve(t, a, nil).Header().Get("Cache-Control"); got != "no-cache" {
		t.Errorf("the same response for everybody: Cache-Control is %q", got)
	}
}
