package e2e

import (
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

// direct lets programs reach the directory as it is.
func direct(ldaps string) string { return ldaps }

// tally forwards connections to an address and counts them.
type tally struct {
	listener net.Listener
	made     atomic.Int64
}

func newTally(t *testing.T, addr string) *tally {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &tally{listener: l}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			c.made.Add(1)
			go forward(client, addr)
		}
	}()
	return c
}

func forward(client net.Conn, addr string) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	_, _ = io.Copy(server, client)
	_ = server.Close()
}

// A fresh TLS connection costs three times what a signature does.
func TestLoginsOverLDAPSShareTheirConnections(t *testing.T) {
	var c *tally
	s := startServices(t, func(ldaps string) string {
		c = newTally(t, ldaps)
		return c.listener.Addr().String()
	})
	before := c.made.Load()
	if before == 0 {
		t.Fatal("the first login did not pass the tally")
	}
	for range 30 {
		if got := s.login(); got != http.StatusOK {
			t.Fatalf("a login was answered with %d", got)
		}
	}
	if made := c.made.Load() - before; made > 0 {
		t.Errorf("30 logins, one after the other, made %d connections", made)
	}
	const together, each = 8, 20
	var group sync.WaitGroup
	for range together {
		group.Go(func() {
			for range each {
				if got := s.login(); got != http.StatusOK {
					t.Errorf("a login was answered with %d", got)
				}
			}
		})
	}
	group.Wait()
	made := c.made.Load() - before
	if made > 2*together { // one to search with and one to bind with
		t.Errorf("%d logins, %d at once, made %d connections", together*each, together, made)
	}
	t.Logf("%d logins, %d at once, made %d connections", together*each, together, made)
}
