package main

import (
	"context"
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
// of the same bytes: of none, of one that is sent again and again, and of
// tokens that are sent once.
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
	pool := &pool{tokens: o.book.pool, server: o.server}
	if len(pool.tokens) == 0 {
		return nil, fmt.Errorf("no token was issued to be verified")
	}
	one := pool.request(pool.tokens[0])
	var rows []listingRow
	for _, way := range []struct {
		name   string
		next   func() []byte
		target float64
	}{
		{"no token", func() []byte { return get(checkPath, o.server.host, "") }, 0},
		{"token seen before", func() []byte { return one }, seenTarget},
		{"token not seen", pool.next, freshTarget},
	} {
		row, err := compareCheck(ctx, p, o.server, bare, way.next, want)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", way.name, err)
		}
		row.Answer, row.Target = way.name, way.target
		rows = append(rows, row)
	}
	return rows, nil
}

// pool hands out tokens, each once.
type pool struct {
	server *server
	tokens []string
	taken  atomic.Int64
}

func (p *pool) request(token string) []byte {
	return get(checkPath, p.server.host, "X-Tapis-Token: "+token+"\r\n")
}

// next returns a request with the next token, nil when all were used.
func (p *pool) next() []byte {
	n := int(p.taken.Add(1)) - 1
	if n >= len(p.tokens) {
		return nil
	}
	return p.request(p.tokens[n])
}

// compareCheck has both servers answer in turns, until the time is over or
// next has nothing more.
func compareCheck(ctx context.Context, p plan, s, bare *server, next func() []byte, want answer) (listingRow, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(2*p.turns)*p.turn+time.Minute)
	defer cancel()
	var over atomic.Bool
	ours, err := readers(ctx, s, nil, want)
	if err != nil {
		return listingRow{}, err
	}
	defer hangUp(ours)
	for i := range ours {
		ours[i] = &checker{reader: ours[i].(*reader), next: next, over: &over} // readers returns nothing else
	}
	theirs, err := readers(ctx, bare, get(want.Path, s.host, ""), want)
	if err != nil {
		return listingRow{}, err
	}
	defer hangUp(theirs)
	var c comparison
	for turn := range p.turns + 1 {
		end := after(p.turn)
		a, err := drive(ctx, s.process, ours, func() bool { return over.Load() || end() })
		if err != nil {
			return listingRow{}, err
		}
		b, err := drive(ctx, bare.process, theirs, after(p.turn))
		if err != nil {
			return listingRow{}, fmt.Errorf("bare server: %w", err)
		}
		if over.Load() {
			break // this turn was cut short
		}
		if turn > 0 { // the first is to warm up
			c.add(a, b)
		}
	}
	if len(c.quotient) == 0 {
		return listingRow{}, fmt.Errorf("too few tokens were issued for one turn; -tokens has more")
	}
	return c.row(len(want.Body)), nil
}

// checker is a reader whose request is another each time.
type checker struct {
	*reader

	next func() []byte
	over *atomic.Bool
}

// ask implements asker.
func (a *checker) ask() (time.Duration, error) {
	request := a.next()
	if request == nil {
		a.over.Store(true)
		return 0, nil
	}
	a.request = request
	return a.reader.ask()
}
