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

// door is a listener that can be shut without hurting anybody who is in it. A
// listener that is just closed resets each connection that the system has made
// for it and that it has not accepted yet, often with a request in it already.
type door struct{ net.Listener }

// Accept implements net.Listener.
func (d door) Accept() (net.Conn, error) {
	conn, err := d.Listener.Accept()
	if errors.Is(err, os.ErrDeadlineExceeded) { // from shut
		return nil, http.ErrServerClosed
	}
	return conn, err
}

// shut turns new connections away, waits until all that had begun are
// accepted, and then ends Accept. Where the system cannot do that, it returns
// an error and has changed nothing.
func (d door) shut() error {
	l, ok := d.Listener.(*net.TCPListener)
	if !ok {
		return errors.ErrUnsupported
	}
	if err := turnAway(l); err != nil {
		return err
	}
	time.Sleep(handshakes)
	for end := time.Now().Add(queueing); queued(l) && time.Now().Before(end); {
		time.Sleep(handshakes / 10)
	}
	return l.SetDeadline(time.Unix(1, 0))
}
