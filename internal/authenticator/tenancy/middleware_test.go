package tenancy_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/tenancy"
	"gatehouse/internal/httpapi"
)

// whoami answers every path below /v3 with the tenant.
func whoami(t *testing.T) *authtest.Server {
	t.Helper()
	registry := authtest.OnSQLite(t).Client()
	return authtest.Serve(t, func(r *gin.Engine) {
		httpapi.Get(r.Group("/v3", tenancy.Middleware(registry)), "/*path", reveal)
	})
}

func TestNothingButTheHostSelectsATenant(t *testing.T) {
	server := whoami(t)
	hints := []string{
		"X-Tapis-Tenant", "tacc", "X-Tapis-Local-Tenant", "tacc", "Forwarded", "host=tacc.tapis.io;proto=https",
		"Cookie", "tenant_id=tacc; host=tacc.tapis.io",
	}
	for _, name := range []string{"X-Forwarded-Host", "X-Original-Host", "X-Host", "X-Forwarded-Server", "X-Http-Host-Override"} {
		hints = append(hints, name, "tacc.tapis.io")
	}
	for _, name := range []string{"X-Original-Url", "X-Rewrite-Url", "Origin", "Referer"} {
		hints = append(hints, name, "https://tacc.tapis.io/")
	}
	for _, path := range []string{
		"/v3/x", "/v3/tacc.tapis.io", "/v3/https://tacc.tapis.io/", "/v3/localhost/", "/v3//tacc.tapis.io/v3/x",
		"/v3/x?tenant_id=tacc&host=tacc.tapis.io&base_url=https://tacc.tapis.io",
	} {
		for host, want := range map[string]struct {
			status int
			tenant string
		}{
			"dev.tapis.io": {200, `"result":"dev"`}, "tacc.tapis.io": {200, `"result":"tacc"`},
			"DEV.tapis.io:443": {200, `"result":"dev"`},
			"unknown.tapis.io": {404, "No tenant is known at the host"}, "localhost": {404, ""}, "localhost:5000": {404, ""},
			"dev.tapis.io.localhost": {404, ""}, "far.tapis.io": {403, "belongs to another site"}, "draft.tapis.io": {404, ""},
			"inactive.tapis.io": {404, ""},
		} {
			server.Host = host
			got := server.Send(http.MethodGet, path, nil, hints...)
			if got.Status != want.status || !strings.Contains(got.Raw, want.tenant) {
				t.Errorf("host %s, path %s: got %d %s; want %d %s", host, path, got.Status, got.Raw, want.status, want.tenant)
			}
		}
	}
}

func TestTwoHostsInOneRequestAreOneOrNone(t *testing.T) {
	server := httptest.NewServer(whoami(t).Handler)
	defer server.Close()
	for request, want := range map[string]string{
		"GET /v3/x HTTP/1.1\r\nHost: dev.tapis.io\r\nHost: tacc.tapis.io\r\n\r\n": "400 ",
		"GET /v3/x HTTP/1.1\r\n\r\n":                                           "400 ",
		"GET /v3/x HTTP/1.1\r\nHost: dev.tapis.io,tacc.tapis.io\r\n\r\n":       "404 ",
		"GET /v3/x HTTP/1.1\r\nHost: \u212a.tapis.io\r\n\r\n":                  "400 ",
		"GET /v3/x HTTP/1.0\r\n\r\n":                                           "404 ",
		"GET http://tacc.tapis.io/v3/x HTTP/1.1\r\nHost: dev.tapis.io\r\n\r\n": `"result":"tacc"`,
		// RFC 9112 section 3.2.2
		"GET http://dev.tapis.io@tacc.tapis.io/v3/x HTTP/1.1\r\nHost: dev.tapis.io\r\n\r\n": `"result":"tacc"`,
	} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(request)); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%q: %v", request, err)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got := answer.Status + " " + string(body); !strings.Contains(got, want) {
			t.Errorf("%q: got %s, want %s", request, got, want)
		}
		_ = answer.Body.Close()
		_ = conn.Close()
	}
}

func TestWithoutResolutionThereIsNoTenant(t *testing.T) {
	if tenant, err := tenancy.From(context.Background()); !apierr.Is(err, apierr.Internal) || tenant.ID != "" {
		t.Errorf("got %+v, %v", tenant, err)
	}
}
