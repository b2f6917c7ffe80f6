package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	checkPath = "/v3/site-router/tokens/check"
	// seenTarget and freshTarget are of the bare server's rate.
	seenTarget  = 0.65
	freshTarget = 0.28
	// maxPool bounds how many tokens are kept to be verified once.
	maxPool = 60_000
)

// compareVerifying measures the check of an access token against a bare hello
// of the same bytes to the same requests: with no token, with one that is sent
// again and again, and with tokens that are sent once.
func compareVerifying(ctx context.Context, p plan, o *office) ([]listingRow, error) {
	status, header, body, err := o.server.fetch(ctx, checkPath, nil)
	if err != nil || status != http.StatusOK {
		return nil, fmt.Errorf("the server answered %d, %w", status, err)
	}
	header.Del("Date")
	header.Del("Connection")
	want := answer{Path: "/hello", Status: status, Header: header, Body: body}
	bare, err := startBare(ctx, []answer{want})
	if err != nil {
		return nil, err
	}
	defer bare.stop()
	pool := &stock[string]{items: o.book.pool}
	if len(pool.items) == 0 {
		return nil, errors.New("no token was issued to be verified")
	}
	again := &carousel{tokens: pool.items}
	var rows []listingRow
	for _, way := range []struct {
		name         string
		ours, theirs func() (token string, err error)
		target       float64
	}{
		{"no token", always(""), always(""), 0},
		{"token seen before", always(pool.items[0]), always(pool.items[0]), seenTarget},
		{"token not seen", pool.take, again.take, freshTarget},
	} {
		row, err := compareCheck(ctx, p, o.server, bare, way.ours, way.theirs, want)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", way.name, err)
		}
		row.Answer, row.Target = way.name, way.target
		rows = append(rows, row)
	}
	return rows, nil
}

// always returns a source of one token; "": of none.
func always(token string) func() (string, error) {
	return func() (string, error) { return token, nil }
}

// carousel hands out its tokens again and again: to the bare server, which
// reads none of them.
type carousel struct {
	tokens []string
	taken  atomic.Int64
}

func (c *carousel) take() (string, error) {
	return c.tokens[int(c.taken.Add(1)-1)%len(c.tokens)], nil
}

// compareCheck has both servers answer the same requests in turns, until the
// time is over or there are no more tokens for ours.
func compareCheck(ctx context.Context, p plan, s, bare *server, ours, theirs func() (string, error), want answer) (listingRow, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(2*p.turns)*p.turn+time.Minute)
	defer cancel()
	here, err := checkers(ctx, s, checkPath, s.host, ours, want)
	if err != nil {
		return listingRow{}, err
	}
	defer hangUp(here)
	there, err := checkers(ctx, bare, want.Path, s.host, theirs, want)
	if err != nil {
		return listingRow{}, err
	}
	defer hangUp(there)
	var c comparison
	for turn := range p.turns + 1 {
		a, err := drive(ctx, s.process, here, after(p.turn))
		if err != nil {
			return listingRow{}, err
		}
		b, err := drive(ctx, bare.process, there, after(p.turn))
		if err != nil {
			return listingRow{}, fmt.Errorf("bare server: %w", err)
		}
		if a.cut {
			break
		}
		if turn > 0 { // the first is to warm up
			c.add(a, b)
		}
	}
	if len(c.quotient) == 0 {
		return listingRow{}, errors.New("too few tokens were issued for one turn; -tokens has more")
	}
	return c.row(len(want.Body)), nil
}

// checker is a reader that shows a token with each request.
type checker struct {
	*reader

	path, host string
	next       func() (token string, err error)
}

func checkers(ctx context.Context, s *server, path, host string, next func() (string, error), want answer) ([]asker, error) {
	list, err := readers(ctx, s, nil, want, listingConnections)
	for i := range list {
		list[i] = &checker{reader: list[i].(*reader), path: path, host: host, next: next} // readers returns nothing else
	}
	return list, err
}

// ask implements asker.
func (a *checker) ask() (time.Duration, error) {
	token, err := a.next()
	if err != nil {
		return 0, err
	}
	header := ""
	if token != "" {
		header = "X-Tapis-Token: " + token + "\r\n"
	}
	a.request = get(a.path, a.host, header)
	return a.reader.ask()
}
