package server

import (
	"errors"
	"net"
	"net/http"
	"os"
	"time"
)

const (
	// handshakes is how long connections that have begun may take to become
	// one: a round trip to the proxy, and then some.
	handshakes = 50 * time.Millisecond
	// queueing bounds the wait for a server that accepts too slowly.
	queueing = 2 * time.Second
)

// listener can stop without losing connections. One that is just closed resets
// each connection that the system has made for it and that it has not accepted
// yet, often with a request in it already; docs/adr/0007 has the figures.
type listener struct{ net.Listener }

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if errors.Is(err, os.ErrDeadlineExceeded) { // from drain
		return nil, http.ErrServerClosed
	}
	return conn, err
}

// drain drops new connections, waits until all that had begun are accepted,
// and then ends Accept. Where the system cannot do that, it returns an error
// and has changed nothing.
func (l listener) drain() error {
	tcp, ok := l.Listener.(*net.TCPListener)
	if !ok {
		return errors.ErrUnsupported
	}
	if err := dropNew(tcp); err != nil {
		return err
	}
	time.Sleep(handshakes)
	for end := time.Now().Add(queueing); queued(tcp) && time.Now().Before(end); {
		time.Sleep(handshakes / 10)
	}
	return tcp.SetDeadline(time.Unix(1, 0))
}
