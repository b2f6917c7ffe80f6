package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/server"
)

const (
	// linger is short, so that the test is; keepAlive is the proxy's.
	linger    = 200 * time.Millisecond
	keepAlive = 50 * time.Millisecond
)

// proxy posts like nginx: over one connection while that is fresh, over a new
// one otherwise; it goes elsewhere when it cannot connect, and has lost a POST
// when the connection ends after that.
type proxy struct {
	addr   string
	conn   net.Conn
	in     *bufio.Reader
	used   time.Time
	hasty  bool // never keeps a connection
	served int
	lost   []error
}

func (p *proxy) work(ctx context.Context) {
	for ctx.Err() == nil {
		if p.conn != nil && time.Since(p.used) > keepAlive {
			p.hangUp()
		}
		if p.conn == nil {
			conn, err := net.DialTimeout("tcp", p.addr, 50*time.Millisecond)
			if err != nil {
				time.Sleep(time.Millisecond)
				continue
			}
			p.conn, p.in = conn, bufio.NewReader(conn)
		}
		if err := p.post(); err != nil {
			p.lost = append(p.lost, err)
			p.hangUp()
		}
	}
	if p.conn != nil {
		p.hangUp()
	}
}

func (p *proxy) post() error {
	if _, err := fmt.Fprint(p.conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"); err != nil {
		return err
	}
	_ = p.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	answer, err := http.ReadResponse(p.in, nil)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	p.served++
	p.used = time.Now()
	if answer.Close || p.hasty {
		p.hangUp()
	}
	return nil
}

func (p *proxy) hangUp() {
	_ = p.conn.Close()
	p.conn = nil
}

// A proxy that was told nothing goes on posting while a replica restarts.
func TestNoPostIsLostWhenAReplicaRestarts(t *testing.T) {
	reserved, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := reserved.Addr().String()
	_ = reserved.Close()
	var answered atomic.Int64
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		answered.Add(1)
	})

	working, stop := context.WithCancel(t.Context())
	defer stop()
	proxies := make([]proxy, 24)
	var group sync.WaitGroup
	for i := range proxies {
		proxies[i] = proxy{addr: addr, hasty: i%2 == 0}
		group.Go(func() { proxies[i].work(working) })
	}
	for range 8 {
		l, err := server.Listen(t.Context(), addr)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if err := server.ServeBehindProxy(ctx, l, handler, quiet, linger); err != nil {
			t.Error(err)
		}
		cancel()
	}
	stop()
	group.Wait()

	served := 0
	var lost []string
	for _, p := range proxies {
		served += p.served
		for _, err := range p.lost {
			lost = append(lost, err.Error())
		}
	}
	t.Logf("%d POSTs answered", served)
	if served == 0 || len(lost) > 0 {
		t.Errorf("%d POSTs were answered, %d lost: %s", served, len(lost), strings.Join(lost, "; "))
	}
}
