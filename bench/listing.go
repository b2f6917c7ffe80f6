package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	listingPath        = "/v3/tenants"
	listingConnections = 16
	listingTarget      = 0.60 // of the bare server's rate
)

// variant is one way to ask for the list of tenants.
type variant struct {
	name   string
	header http.Header
	want   int // status
}

// compareListings measures the list of n tenants in each variant.
func compareListings(ctx context.Context, p plan, s *server, n int) ([]listingRow, error) {
	variants, answers, err := captureListings(ctx, s, n)
	if err != nil {
		return nil, err
	}
	bare, err := startBare(ctx, answers)
	if err != nil {
		return nil, err
	}
	defer bare.stop()
	var rows []listingRow
	for i, v := range variants {
		row, err := compareListing(ctx, p, s, bare, v, answers[i])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.name, err)
		}
		row.Tenants = n
		rows = append(rows, row)
	}
	return rows, nil
}

// captureListings reads each variant once, checks it, and returns it for the
// bare server to repeat.
func captureListings(ctx context.Context, s *server, n int) (variants []variant, answers []answer, err error) {
	variants = []variant{
		{name: "200", want: http.StatusOK},
		{name: "200 gzip", header: http.Header{"Accept-Encoding": {"gzip"}}, want: http.StatusOK},
		{name: "304", want: http.StatusNotModified},
	}
	for i := range variants {
		v := &variants[i]
		if v.want == http.StatusNotModified {
			v.header = http.Header{"If-None-Match": answers[0].Header["Etag"]}
		}
		status, header, body, err := s.fetch(ctx, listingPath, v.header)
		if err != nil {
			return nil, nil, err
		}
		if status != v.want {
			return nil, nil, fmt.Errorf("%s: the server answered %d", v.name, status)
		}
		header.Del("Date")
		header.Del("Connection")
		answers = append(answers, answer{Path: fmt.Sprintf("/%d", i), Status: status, Header: header, Body: body})
	}
	var list struct {
		Result []json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(answers[0].Body, &list); err != nil || len(list.Result) != n {
		return nil, nil, fmt.Errorf("the list has %d tenants, not %d: %w", len(list.Result), n, err)
	}
	return variants, answers, nil
}

// compareListing has both servers answer in turns, so that what else the
// machine does meets both.
func compareListing(ctx context.Context, p plan, s, bare *server, v variant, want answer) (listingRow, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(2*p.turns)*p.turn+time.Minute)
	defer cancel()
	headers := new(bytes.Buffer)
	if err := v.header.Write(headers); err != nil {
		return listingRow{}, err
	}
	ours, err := readers(ctx, s, get(listingPath, s.host, headers.String()), want, listingConnections)
	if err != nil {
		return listingRow{}, err
	}
	defer hangUp(ours)
	theirs, err := readers(ctx, bare, get(want.Path, s.host, headers.String()), want, listingConnections)
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
		if turn > 0 { // the first is to warm up
			c.add(a, b)
		}
	}
	row := c.row(len(want.Body))
	row.Answer, row.Target = v.name, listingTarget
	return row, nil
}

// comparison collects what two servers did in turns.
type comparison struct{ rate, bareRate, quotient, cpu, bareCPU []float64 }

func (c *comparison) add(a, b load) {
	c.rate, c.bareRate = append(c.rate, a.perSecond()), append(c.bareRate, b.perSecond())
	c.quotient = append(c.quotient, a.perSecond()/b.perSecond())
	c.cpu, c.bareCPU = append(c.cpu, 1000*milliseconds(a.cpuEach())), append(c.bareCPU, 1000*milliseconds(b.cpuEach()))
}

func (c *comparison) row(bytes int) listingRow {
	return listingRow{
		Bytes: bytes, PerSecond: median(c.rate), BarePerSecond: median(c.bareRate), Ratio: median(c.quotient),
		CPU: median(c.cpu), BareCPU: median(c.bareCPU),
	}
}

// reader asks for the same answer again and again.
type reader struct {
	*conn

	request []byte
	want    answer
}

// readers connects n of them.
func readers(ctx context.Context, s *server, request []byte, want answer, n int) ([]asker, error) {
	list := make([]asker, 0, n)
	for range n {
		c, err := dial(ctx, s.addr)
		if err != nil {
			hangUp(list)
			return nil, err
		}
		list = append(list, &reader{conn: c, request: request, want: want})
	}
	return list, nil
}

// ask implements asker.
func (a *reader) ask() (time.Duration, error) {
	r, took, err := a.exchange(a.request)
	if err != nil {
		return 0, err
	}
	if r.status != a.want.Status || r.contentType != a.want.Header.Get("Content-Type") || !bytes.Equal(r.body, a.want.Body) {
		return 0, fmt.Errorf("another answer came: status %d, %d bytes of %q", r.status, len(r.body), r.contentType)
	}
	return took, nil
}
