package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestARestartMayListenElsewhereAndALogNeverHoldsThePassword(t *testing.T) {
	g := start(t)
	wantBaseURLs(t, g)
	g.stop(t)
	again := startIn(t, g.dataDir, freePort(t))
	wantBaseURLs(t, again)
	t.Logf("ready %v after the first start, %v after the second", g.took, again.took)
	for _, run := range []*gatehouse{g, again} {
		if strings.Contains(run.stdout.String(), g.servicePassword(t)) {
			t.Error("the service password was said where no terminal is")
		}
	}
	if !strings.Contains(g.stdout.String(), "service-password") {
		t.Error("nothing said where the service password is")
	}
}

func wantBaseURLs(t *testing.T, g *gatehouse) {
	t.Helper()
	var tenants []struct {
		ID      string `json:"tenant_id"`
		BaseURL string `json:"base_url"`
		Tokens  string `json:"token_service"`
	}
	g.call(t, http.MethodGet, "/v3/tenants", nil).want(t, http.StatusOK).into(t, &tenants)
	got := map[string]string{}
	for _, tenant := range tenants {
		got[tenant.ID] = tenant.BaseURL
		if tenant.Tokens != tenant.BaseURL+"/v3/tokens" {
			t.Errorf("the tenant %s has the token service %s", tenant.ID, tenant.Tokens)
		}
	}
	if len(got) != 2 || got["dev"] != g.url() || got["admin"] != g.adminURL() {
		t.Errorf("the base URLs are %v, want dev at %s and admin at %s", got, g.url(), g.adminURL())
	}
	if name := g.username(t, g.person(t, "testuser1")); name != "testuser1" {
		t.Errorf("the token is of %q", name)
	}
}

func TestAnInterruptLetsTheRequestInFlightFinish(t *testing.T) {
	g := start(t)
	body, err := json.Marshal(password("testuser1"))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", "127.0.0.1:"+g.port)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	half := len(body) / 2
	const request = "POST /v3/oauth2/tokens HTTP/1.1\r\nHost: localhost:%s\r\n" +
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
	if _, err := fmt.Fprintf(conn, request, g.port, len(body), body[:half]); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond) // the handler is reading the body now

	g.interrupt(t)
	waitUntilDeaf(t, g)
	if g.ended() {
		t.Fatal("gatehouse ended with a request in flight")
	}
	if _, err := conn.Write(body[half:]); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("the request in flight got no answer: %v", err)
	}
	defer func() { _ = res.Body.Close() }()
	var got tokens
	read(t, res).want(t, http.StatusOK).into(t, &got)
	if got.Access.Token == "" {
		t.Error("the request in flight got no token")
	}
	g.wait(t)
	g.stop(t)
}

// waitUntilDeaf waits until the server takes no new connections.
func waitUntilDeaf(t *testing.T, g *gatehouse) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", "127.0.0.1:"+g.port)
		if err != nil {
			return
		}
		_ = conn.Close()
	}
	t.Fatal("gatehouse takes new connections after an interrupt")
}
