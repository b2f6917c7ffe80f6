package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// seen is what a handler finds in a request.
type seen struct {
	Method, Path, RawPath, Query, RequestURI, Scheme, URLHost, Host, Body, Token string
	Length                                                                       int64
	Chunked                                                                      bool
}

func observe(got *seen) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		*got = seen{
			Method: r.Method, Path: r.URL.Path, RawPath: r.URL.RawPath, Query: r.URL.RawQuery, RequestURI: r.RequestURI,
			Scheme: r.URL.Scheme, URLHost: r.URL.Host, Host: r.Host, Body: string(body), Token: r.Header.Get("X-Tapis-Token"),
			Length: r.ContentLength, Chunked: len(r.TransferEncoding) > 0,
		}
		if err != nil || !strings.HasPrefix(r.RemoteAddr, "127.0.0.1:") {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}
}

func TestARequestArrivesAsOverANetwork(t *testing.T) {
	var near, far seen
	server := httptest.NewServer(observe(&far))
	defer server.Close()
	inside := &http.Client{Transport: loopback{observe(&near)}}
	for name, build := range map[string]func() (*http.Request, error){
		"no path": func() (*http.Request, error) { return http.NewRequest(http.MethodGet, server.URL, nil) },
		"path and query": func() (*http.Request, error) {
			return http.NewRequest(http.MethodGet, server.URL+"/v3/tenants?limit=1&x=%20#frag", nil)
		},
		"encoded path": func() (*http.Request, error) {
			return http.NewRequest(http.MethodGet, server.URL+"/v3/owners/a%2Fb@c%20d", nil)
		},
		"a body": func() (*http.Request, error) {
			return http.NewRequest(http.MethodPost, server.URL+"/v3/sites", strings.NewReader(`{"site_id":"main"}`))
		},
		"an empty body": func() (*http.Request, error) {
			return http.NewRequest(http.MethodPut, server.URL+"/", strings.NewReader(""))
		},
		"a method without body": func() (*http.Request, error) { return http.NewRequest(http.MethodDelete, server.URL+"/x", nil) },
		"another host": func() (*http.Request, error) {
			req, err := http.NewRequest(http.MethodGet, server.URL+"/", nil)
			req.Host = "dev.example.org"
			return req, err
		},
		"a token": func() (*http.Request, error) {
			req, err := http.NewRequest(http.MethodGet, server.URL+"/", nil)
			req.Header.Set("X-Tapis-Token", "abc")
			return req, err
		},
	} {
		for _, client := range []*http.Client{inside, http.DefaultClient} {
			req, err := build()
			if err != nil {
				t.Fatal(err)
			}
			res, err := client.Do(req.WithContext(t.Context()))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			_ = res.Body.Close()
			if res.StatusCode != http.StatusOK {
				t.Errorf("%s: status %d", name, res.StatusCode)
			}
		}
		if near != far {
			t.Errorf("%s:\n inside %+v\noutside %+v", name, near, far)
		}
	}
}

func TestAnAnswerComesBackAsOverANetwork(t *testing.T) {
	handlers := map[string]http.HandlerFunc{
		"nothing":     func(http.ResponseWriter, *http.Request) {},
		"only a body": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "text") },
		"a refusal": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Add("X-Many", "1")
			w.Header().Add("X-Many", "2")
			w.WriteHeader(http.StatusTeapot)
			fmt.Fprint(w, `{"a":`)
			fmt.Fprint(w, `1}`)
		},
		"two statuses": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			w.WriteHeader(http.StatusInternalServerError)
		},
		"a status after the body": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "text")
			w.WriteHeader(http.StatusInternalServerError)
		},
	}
	for name, handler := range handlers {
		server := httptest.NewServer(handler)
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			near := result(t, &http.Client{Transport: loopback{handler}}, method, "http://registry/")
			far := result(t, http.DefaultClient, method, server.URL)
			if near != far {
				t.Errorf("%s, %s:\n inside %s\noutside %s", name, method, near, far)
			}
		}
		server.Close()
	}
}

// result describes what a client gets.
func result(t *testing.T, client *http.Client, method, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	media := strings.TrimPrefix(res.Header.Get("Content-Type"), "text/plain; charset=utf-8") // net/http guesses it
	return fmt.Sprintf("%q %d %s %q %q %q", res.Status, res.StatusCode, res.Proto, media, res.Header.Values("X-Many"), body)
}

func TestTheCallersRequestIsLeftAsItWas(t *testing.T) {
	body := &closing{Reader: bytes.NewReader([]byte("text"))}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://registry/v3/tenants", body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := loopback{http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		r.Header.Set("X-Added", "1")
		r.URL.Path, r.Host = "/changed", "changed"
	})}.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if req.Header.Get("X-Added") != "" || req.URL.String() != "http://registry/v3/tenants" || req.Host != "registry" ||
		res.Request != req {
		t.Errorf("the request became %+v", req)
	}
	if !body.closed {
		t.Error("the body was not closed, as a RoundTripper must")
	}
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error {
	c.closed = true
	return nil
}

func TestARequestThatIsCancelledHasNoAnswer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	client := &http.Client{Transport: loopback{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
		w.WriteHeader(http.StatusInternalServerError)
	})}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://registry/", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err == nil {
		_ = res.Body.Close()
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
