package metrics_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/metrics"
)

func scrape(t *testing.T, r *metrics.Registry) string {
	t.Helper()
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("answered %d", w.Code)
	}
	return w.Body.String()
}

func TestRequestsAndTokensAreCounted(t *testing.T) {
	r := metrics.New("authenticator", "1.2.3")
	r.Request(http.MethodPost, "/v3/oauth2/tokens", 200, 3*time.Millisecond)
	r.Request(http.MethodPost, "/v3/oauth2/tokens", 200, 3*time.Millisecond)
	r.Token("password", "invalid_grant")
	text := scrape(t, r)
	for _, line := range []string{
		`gatehouse_http_requests_total{method="POST",route="/v3/oauth2/tokens",status="200"} 2`,
		`gatehouse_http_request_seconds_count{route="/v3/oauth2/tokens"} 2`,
		`gatehouse_token_requests_total{grant_type="password",outcome="invalid_grant"} 1`,
		`gatehouse_build_info{program="authenticator",version="1.2.3"} 1`,
		"go_goroutines", "process_resident_memory_bytes",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("no line %s", line)
		}
	}
}

func TestWhatCallersInventMakesNoNewSeries(t *testing.T) {
	r := metrics.New("x", "y")
	for i := range 100 {
		r.Request(fmt.Sprintf("METHOD%d", i), "", 404, time.Millisecond)
	}
	if n := strings.Count(scrape(t, r), "gatehouse_http_requests_total{"); n != 1 {
		t.Errorf("%d series", n)
	}
}
