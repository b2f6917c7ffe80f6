package httpapi_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/httpapi"
)

// edge is an engine whose log a test can read.
type edge struct {
	*gin.Engine
	log *logBuffer
}

type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// line returns the attributes of the last line with the given message.
func (l *logBuffer) line(t *testing.T, message string) map[string]any {
	t.Helper()
	var found map[string]any
	for text := range strings.Lines(l.String()) {
		var attrs map[string]any
		if err := json.Unmarshal([]byte(text), &attrs); err != nil {
			t.Fatalf("log line %q: %v", text, err)
		}
		if attrs["msg"] == message {
			found = attrs
		}
	}
	if found == nil {
		t.Fatalf("no line %q in the log:\n%s", message, l)
	}
	return found
}

func newEdge(t testing.TB, o httpapi.Options) *edge {
	t.Helper()
	e := &edge{log: &logBuffer{}}
	if o.Version == "" {
		o.Version = "1.2.3"
	}
	o.Log = slog.New(slog.NewJSONHandler(e.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	engine, err := httpapi.New(o)
	if err != nil {
		t.Fatal(err)
	}
	e.Engine = engine
	return e
}

// do serves one request; header is a list of names and values, of which empty
// ones are not sent.
func (e *edge) do(method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		if header[i+1] != "" {
			r.Header.Add(header[i], header[i+1])
		}
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

// response is any JSON response of the edge.
type response struct {
	Result      json.RawMessage `json:"result"`
	Status      string          `json:"status"`
	Message     string          `json:"message"`
	Version     string          `json:"version"`
	Metadata    json.RawMessage `json:"metadata"`
	Error       *string         `json:"error"`
	Description *string         `json:"error_description"`
}

func read(t testing.TB, w *httptest.ResponseRecorder) response {
	t.Helper()
	var a response
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("status %d, body %q: %v", w.Code, w.Body, err)
	}
	return a
}

// checkFailure checks what all error answers have in common.
func checkFailure(t testing.TB, w *httptest.ResponseRecorder, status int) response {
	t.Helper()
	if w.Code != status {
		t.Errorf("status %d, want %d; body %s", w.Code, status, w.Body)
	}
	if got := w.Header().Values("Content-Type"); len(got) != 1 || got[0] != "application/json" {
		t.Errorf("Content-Type is %q", got)
	}
	if w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("an error may be cached: %q", w.Header())
	}
	a := read(t, w)
	if a.Status != "error" || string(a.Result) != "null" || a.Version != "1.2.3" || string(a.Metadata) != "{}" || a.Message == "" {
		t.Errorf("not the error envelope: %s", w.Body)
	}
	return a
}

func ok(c *gin.Context) error { return httpapi.Reply(c, http.StatusOK, "fine", "Done.") }

func fails(err error) gin.HandlerFunc {
	return httpapi.Handle(func(*gin.Context) error { return err })
}
