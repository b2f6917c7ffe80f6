package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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
	pool := &stock[string]{items: o.book.pool}
	if len(pool.items) == 0 {
		return nil, errors.New("no token was issued to be verified")
	}
	check := func(token string) []byte { return get(checkPath, o.server.host, "X-Tapis-Token: "+token+"\r\n") }
	one := check(pool.items[0])
	fresh := func() ([]byte, error) {
		token, err := pool.take()
		return check(token), err
	}
	var rows []listingRow
	for _, way := range []struct {
		name   string
		next   func() ([]byte, error)
		target float64
	}{
		{"no token", func() ([]byte, error) { return get(checkPath, o.server.host, ""), nil }, 0},
		{"token seen before", func() ([]byte, error) { return one, nil }, seenTarget},
		{"token not seen", fresh, freshTarget},
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

// compareCheck has both servers answer in turns, until the time is over or
// next has nothing more.
func compareCheck(ctx context.Context, p plan, s, bare *server, next func() ([]byte, error), want answer) (listingRow, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(2*p.turns)*p.turn+time.Minute)
	defer cancel()
	ours, err := readers(ctx, s, nil, want, listingConnections)
	if err != nil {
		return listingRow{}, err
	}
	defer hangUp(ours)
	for i := range ours {
		ours[i] = &checker{reader: ours[i].(*reader), next: next} // readers returns nothing else
	}
	theirs, err := readers(ctx, bare, get(want.Path, s.host, ""), want, listingConnections)
	if err != nil {
		return listingRow{}, err
	}
	defer hangUp(theirs)
	var c comparison
	for turn := range p.turns + 1 {
		a, err := drive(ctx, s.process, ours, after(p.turn))
		if err != nil {
			return listingRow{}, err
		}
		b, err := drive(ctx, bare.process, theirs, after(p.turn))
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

// checker is a reader whose request is another each time.
type checker struct {
	*reader

	next func() ([]byte, error)
}

// ask implements asker.
func (a *checker) ask() (_ time.Duration, err error) {
	if a.request, err = a.next(); err != nil {
		return 0, err
	}
	return a.reader.ask()
}
