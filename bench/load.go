package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// client sends one request at a time over one keep-alive connection. It speaks
// as little HTTP/1.1 as the measured servers need, because net/http's client
// costs about as much CPU as a ready answer does, and would hide what is
// compared.
type client struct {
	socket net.Conn
	in     *bufio.Reader
	body   []byte
	stop   func() bool
	took   time.Duration // by the exchanges since drive set it to zero
	ask    func() error  // sends what is measured and checks the reply
}

// script says what the i-th client asks for again and again. errSpent: there
// is nothing more to ask for.
type script func(c *client, i int) (ask func() error, err error)

var errSpent = errors.New("nothing is left to ask for")

// each is the script of clients that all do the same.
func each(ask func(c *client) error) script {
	return func(c *client, _ int) (func() error, error) { return func() error { return ask(c) }, nil }
}

// useUp is the script of clients that use each item once.
func useUp[T any](items []T, use func(c *client, item T) error) script {
	var taken atomic.Int64
	return each(func(c *client) error {
		n := int(taken.Add(1)) - 1
		if n >= len(items) {
			return errSpent
		}
		return use(c, items[n])
	})
}

// reply is what is read of an answer; body is valid until the next request.
type reply struct {
	status      int
	contentType string
	location    string
	body        []byte
}

// dial connects to addr from an address of this machine, or any; when ctx ends,
// so does the connection.
func dial(ctx context.Context, from net.IP, addr string) (*client, error) {
	dialer := new(net.Dialer)
	if from != nil {
		dialer.LocalAddr = &net.TCPAddr{IP: from}
	}
	socket, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = socket.Close() })
	return &client{socket: socket, in: bufio.NewReaderSize(socket, 16<<10), stop: stop}, nil
}

func (c *client) hangUp() {
	c.stop()
	_ = c.socket.Close()
}

// connect makes n clients that follow the script.
func connect(ctx context.Context, addr string, n int, s script) (list []*client, err error) {
	for i := range n {
		c, err := dial(ctx, nil, addr)
		if err == nil {
			list = append(list, c)
			c.ask, err = s(c, i)
		}
		if err != nil {
			hangUp(list)
			return nil, err
		}
	}
	return list, nil
}

func hangUp(clients []*client) {
	for _, c := range clients {
		c.hangUp()
	}
}

// get returns a request without a body; each header ends in \r\n.
func get(path, host, headers string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", path, host, headers)
}

// post returns a request with a JSON body; each header ends in \r\n.
func post(path, host, headers string, members map[string]any) []byte {
	body, _ := json.Marshal(members) // strings and numbers can always be encoded
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n%s",
		path, host, len(body), headers, body)
}

// exchange sends a request and reads the whole reply.
func (c *client) exchange(request []byte) (reply, error) {
	started := time.Now()
	if _, err := c.socket.Write(request); err != nil {
		return reply{}, fmt.Errorf("send request: %w", err)
	}
	r, err := c.read()
	if err != nil {
		return reply{}, fmt.Errorf("read reply: %w", err)
	}
	c.took += time.Since(started)
	return r, nil
}

// exchangeJSON decodes the reply, which must have the status.
func (c *client) exchangeJSON(request []byte, status int, dst any) (reply, error) {
	r, err := c.exchange(request)
	if err == nil && r.status != status {
		err = fmt.Errorf("the server answered %d: %.200s", r.status, r.body)
	}
	if err == nil {
		err = json.Unmarshal(r.body, dst)
	}
	return r, err
}

func (c *client) read() (r reply, err error) {
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
	if r.status == 304 {
		return r, nil
	}
	if length < 0 {
		return r, errors.New("the reply has no Content-Length")
	}
	if cap(c.body) < length {
		c.body = make([]byte, length)
	}
	r.body = c.body[:length]
	_, err = io.ReadFull(c.in, r.body)
	return r, err
}

func (c *client) line() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	return bytes.TrimRight(line, "\r\n"), err
}

// load is what clients did in a while.
type load struct {
	took      []time.Duration // each request, shortest first
	wall      time.Duration
	cut       bool          // before it was done, because nothing was left to ask for
	cpu       time.Duration // of the server
	signature time.Duration // what a bare signature cost meanwhile; 0: none was made
}

// after returns a condition that holds from d from now on.
func after(d time.Duration) func() bool {
	end := time.Now().Add(d)
	return func() bool { return !time.Now().Before(end) }
}

// drive lets all clients ask until done holds, they have nothing more to ask, or
// one of them fails, with bare signatures made all the while if there is a
// signer. The work between two requests, checking the reply, counts as no
// request's time.
func drive(ctx context.Context, server process, clients []*client, s *signer, done func() bool) (l load, err error) {
	before, err := server.cpu()
	if err != nil {
		return l, err
	}
	took := make([][]time.Duration, len(clients))
	var cut atomic.Bool
	started := time.Now()
	group, running := errgroup.WithContext(ctx)
	for i, c := range clients {
		group.Go(func() error {
			for !done() && running.Err() == nil {
				c.took = 0
				err := c.ask()
				if errors.Is(err, errSpent) {
					cut.Store(true)
					return nil
				}
				if err != nil {
					return fmt.Errorf("request %d of connection %d: %w", len(took[i])+1, i+1, err)
				}
				took[i] = append(took[i], c.took)
			}
			return nil
		})
	}
	signing, enough := context.WithCancel(ctx)
	var beside errgroup.Group
	beside.Go(func() (err error) {
		l.signature, err = s.accompany(signing)
		return err
	})
	err = errors.Join(group.Wait(), ctx.Err())
	l.wall, l.cut = time.Since(started), cut.Load()
	end, errCPU := server.cpu()
	enough()
	l.cpu, l.took = end-before, slices.Concat(took...)
	slices.Sort(l.took)
	return l, errors.Join(err, errCPU, beside.Wait())
}

func (l load) perSecond() float64 { return float64(len(l.took)) / l.wall.Seconds() }

// cpuEach returns the server's CPU per request.
func (l load) cpuEach() time.Duration { return l.cpu / time.Duration(max(len(l.took), 1)) }

// signatures returns the server's CPU per request in bare signatures.
func (l load) signatures() float64 { return float64(l.cpuEach()) / float64(l.signature) }

// percentile returns the latency that p percent of the requests stayed within,
// in milliseconds.
func (l load) percentile(p int) float64 {
	if len(l.took) == 0 {
		return 0
	}
	return milliseconds(l.took[max((len(l.took)*p+99)/100-1, 0)])
}

// median returns the middle of values, the higher one of two.
func median[T ~int64 | ~float64](values []T) (middle T) {
	if len(values) > 0 {
		middle = slices.Sorted(slices.Values(values))[len(values)/2]
	}
	return middle
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
