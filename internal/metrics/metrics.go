// Package metrics counts what a service does and offers it to Prometheus, on
// a port of its own. Labels are bounded: routes, methods and statuses that
// exist, never names of people, clients or tenants.
package metrics

import (
	"database/sql"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Registry holds the metrics of one process.
type Registry struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	took     *prometheus.HistogramVec
	tokens   *prometheus.CounterVec
}

// New returns a Registry with the metrics of the Go runtime and the process.
func New(program, version string) *Registry {
	r := &Registry{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gatehouse_http_requests_total", Help: "HTTP requests answered.",
		}, []string{"method", "route", "status"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gatehouse_http_request_seconds", Help: "Time until HTTP requests were answered.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route"}),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gatehouse_token_requests_total", Help: "Token requests, by grant type and outcome: ok or the OAuth error code.",
		}, []string{"grant_type", "outcome"}),
	}
	info := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "gatehouse_build_info", Help: "Always 1; the labels say what is running.",
		ConstLabels: prometheus.Labels{"program": program, "version": version},
	}, func() float64 { return 1 })
	r.registry.MustRegister(r.requests, r.took, r.tokens, info, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Database adds the connection pool of a database.
func (r *Registry) Database(name string, pool *sql.DB) error {
	return r.registry.Register(collectors.NewDBStatsCollector(pool, name))
}

// Request counts one HTTP request. route is the pattern that matched, empty
// for none.
func (r *Registry) Request(method, route string, status int, took time.Duration) {
	if route == "" {
		route = "unknown"
	}
	r.requests.WithLabelValues(known(method), route, strconv.Itoa(status)).Inc()
	r.took.WithLabelValues(route).Observe(took.Seconds())
}

// Token counts one token request. Both labels come from fixed sets.
func (r *Registry) Token(grantType, outcome string) {
	r.tokens.WithLabelValues(grantType, outcome).Inc()
}

// Handler serves the metrics in Prometheus' format.
func (r *Registry) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(r.registry, promhttp.HandlerOpts{}))
	return mux
}

// known keeps made-up methods out of the labels.
func known(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}
