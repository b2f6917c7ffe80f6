package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// conn is one keep-alive connection. It speaks as little HTTP/1.1 as the
// measured servers need, because net/http's client costs about as much CPU as
// a ready answer does, and would hide what is compared.
type conn struct {
	socket net.Conn
	in     *bufio.Reader
	body   []byte
	stop   func() bool
}

// reply is what is read of an answer; body is valid until the next request.
type reply struct {
	status      int
	contentType string
	location    string
	body        []byte
}

// dial connects to addr; when ctx ends, so does the connection.
func dial(ctx context.Context, addr string) (*conn, error) { return dialFrom(ctx, nil, addr) }

// dialFrom is dial from an address of this machine; nil: any.
func dialFrom(ctx context.Context, from net.IP, addr string) (*conn, error) {
	dialer := new(net.Dialer)
	if from != nil {
		dialer.LocalAddr = &net.TCPAddr{IP: from}
	}
	socket, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return &conn{
		socket: socket, in: bufio.NewReaderSize(socket, 16<<10),
		stop: context.AfterFunc(ctx, func() { _ = socket.Close() }),
	}, nil
}

func (c *conn) hangUp() {
	c.stop()
	_ = c.socket.Close()
}

// get returns a request without a body; each header ends in \r\n.
func get(path, host, headers string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", path, host, headers)
}

// post returns a request with a JSON body; each header ends in \r\n.
func post(path, host, headers string, body []byte) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n%s",
		path, host, len(body), headers, body)
}

// exchange sends a request and reads the whole reply.
func (c *conn) exchange(request []byte) (reply, time.Duration, error) {
	started := time.Now()
	if _, err := c.socket.Write(request); err != nil {
		return reply{}, 0, fmt.Errorf("send request: %w", err)
	}
	r, err := c.read()
	if err != nil {
		return reply{}, 0, fmt.Errorf("read reply: %w", err)
	}
	return r, time.Since(started), nil
}

func (c *conn) read() (r reply, err error) {
	line, err := c.line()
	if err != nil {
		return r, err
	}
	version, rest, _ := bytes.Cut(line, []byte(" "))
	code, _, _ := bytes.Cut(rest, []byte(" "))
	if r.status, err = strconv.Atoi(string(code)); err != nil || string(version) != "HTTP/1.1" {
		return r, errors.New("the reply is not HTTP/1.1")
	}
	length := -1
	for {
		if line, err = c.line(); err != nil {
			return r, err
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch string(name) {
		case "Content-Type":
			r.contentType = string(value)
		case "Location":
			r.location = string(value)
		case "Content-Length":
			if length, err = strconv.Atoi(string(value)); err != nil || length < 0 {
				return r, errors.New("the reply has no usable Content-Length")
			}
		}
	}
	switch {
	case r.status == 304:
		return r, nil
	case length < 0:
		return r, errors.New("the reply has no Content-Length")
	}
	if cap(c.body) < length {
		c.body = make([]byte, length)
	}
	r.body = c.body[:length]
	_, err = io.ReadFull(c.in, r.body)
	return r, err
}

func (c *conn) line() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	return bytes.TrimRight(line, "\r\n"), err
}
