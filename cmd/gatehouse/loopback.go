package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// loopback lets the two services speak HTTP to each other inside the process:
// a request goes straight to the engine's ServeHTTP, without a port.
type loopback struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (l loopback) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer func() { _ = req.Body.Close() }()
	}
	inner, err := received(req)
	if err != nil {
		return nil, err
	}
	a := &answer{header: http.Header{}, status: http.StatusOK}
	l.handler.ServeHTTP(a, inner)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	if req.Method == http.MethodHead {
		a.body.Reset()
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len()), Request: req,
	}, nil
}

// received returns req as a server would have read it from a connection.
func received(req *http.Request) (*http.Request, error) {
	inner := req.Clone(req.Context())
	inner.RequestURI = req.URL.RequestURI()
	target, err := url.ParseRequestURI(inner.RequestURI)
	if err != nil {
		return nil, err
	}
	inner.URL = target
	if inner.Host == "" {
		inner.Host = req.URL.Host
	}
	inner.RemoteAddr = "127.0.0.1:0"
	if inner.Body == nil {
		inner.Body = http.NoBody
	}
	return inner, nil
}

// answer collects what a handler writes.
type answer struct {
	header http.Header
	status int
	wrote  bool
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter; only the first call counts.
func (a *answer) WriteHeader(status int) {
	if !a.wrote {
		a.status, a.wrote = status, true
	}
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	a.wrote = true
	return a.body.Write(b)
}
