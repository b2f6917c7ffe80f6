package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"
)

const (
	// crowdOf is how many tenants a large site has, with so many clients each,
	// and crowdTarget the most memory that may be resident when each was asked
	// for something.
	crowdOf      = 1000
	crowdClients = 10
	crowdTarget  = 150_000_000
	// changeTarget is how much more CPU a token may cost there.
	changeTarget = 1.10
	// crowdConnections ask at a time, in turns here and there.
	crowdConnections = 16
)

// crowd is a server with many tenants. The people of dev are those of every
// tenant, each of which has a key and clients.
type crowd struct {
	server *server
	book   *book
	key    string // of every client
}

// measureCrowd asks a server with many tenants for the metadata of each and for
// the list of all, then for tokens, in turns with the server of o, and reads
// its memory before and after the tokens.
func measureCrowd(ctx context.Context, p plan, r *report, o *office, bare *signer, dir string) error {
	program := p.server
	if program == "" {
		program = filepath.Join(dir, "gatehouse") // built before
	}
	c, err := startCrowd(ctx, program, filepath.Join(dir, "crowd"))
	if err != nil {
		return err
	}
	defer c.server.stop()
	if r.Crowded.Start, _, err = c.server.memory(); err != nil {
		return err
	}
	if err := c.visit(ctx); err != nil {
		return err
	}
	if err := c.server.settle(ctx); err != nil {
		return err
	}
	if r.Crowded.Now, r.Crowded.Peak, err = c.server.memory(); err != nil {
		return err
	}
	for _, client := range []bool{false, true} {
		row, err := c.compare(ctx, p, o, bare, client)
		if err != nil {
			return err
		}
		if row.Grant = "password, no client"; client {
			row.Grant = "password, client"
		}
		r.Crowds = append(r.Crowds, row)
	}
	issued, verified := c.book.counts()
	r.Tokens, r.Verified = r.Tokens+issued, r.Verified+verified
	r.Crowded.Tokens = issued
	r.Crowded.Now, r.Crowded.Peak, err = c.server.memory()
	return err
}

// visit asks for the metadata of each tenant, and for the list of all.
func (c *crowd) visit(ctx context.Context) error {
	for range 3 {
		for i := range crowdOf {
			one := c.at(i)
			if status, _, body, err := one.fetch(ctx, "/v3/oauth2/.well-known/oauth-authorization-server", nil); err != nil || status != http.StatusOK {
				return fmt.Errorf("%s: %d %.200s, %w", one.host, status, body, err)
			}
		}
		if status, _, _, err := c.server.fetch(ctx, listingPath, nil); err != nil || status != http.StatusOK {
			return fmt.Errorf("%s: %d, %w", listingPath, status, err)
		}
	}
	return nil
}

// at is the server as one of the tenants knows it.
func (c *crowd) at(i int) *server {
	one := *c.server
	one.host = benchTenant(i) + ".example.org"
	return &one
}

// settle waits until the server does next to nothing by itself: at first it
// gives each tenant its roles and looks at each one's key.
func (s *server) settle(ctx context.Context) error {
	before, err := s.cpu()
	for range 60 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
		now, errNow := s.cpu()
		if err = errors.Join(err, errNow); err != nil || now-before <= 5*tick {
			return err
		}
		before = now
	}
	return errors.New("the server does not come to rest")
}

// crowdRow is what tokens of many tenants cost beside those of few.
type crowdRow struct {
	Grant         string  `json:"grant"`
	Tenants       int     `json:"tenants"`
	Clients       int     `json:"clients"`
	PerSecond     float64 `json:"tokens_per_second"`
	Signatures    float64 `json:"signatures"`
	FewPerSecond  float64 `json:"few_tokens_per_second"`
	FewSignatures float64 `json:"few_signatures"`
	Ratio         float64 `json:"ratio"`
	Target        float64 `json:"target"`
}

// side is one of two servers that are compared, in turns.
type side struct {
	process
	askers                []asker
	requests, turns       int
	cpu, wall, signatures time.Duration
}

// turn lets it work for a while, with bare signatures beside it.
func (s *side) turn(ctx context.Context, bare *signer, d time.Duration) error {
	l, signature, err := driveBeside(ctx, s.process, s.askers, bare, after(d))
	s.requests, s.turns = s.requests+len(l.took), s.turns+1
	s.cpu, s.wall, s.signatures = s.cpu+l.cpu, s.wall+l.wall, s.signatures+signature
	return err
}

func (s *side) perSecond() float64 { return float64(s.requests) / s.wall.Seconds() }

// each returns what a reply cost, in signatures.
func (s *side) each() float64 {
	return float64(s.cpu) / float64(max(s.requests, 1)) / (float64(s.signatures) / float64(s.turns))
}

// compare has both servers issue tokens in turns: o's in its one tenant with
// people, c's in one tenant after another and through each client.
func (c *crowd) compare(ctx context.Context, p plan, o *office, bare *signer, client bool) (row crowdRow, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(2*p.turns)*p.turn+time.Minute)
	defer cancel()
	few, many := side{process: o.server.process}, side{process: c.server.process}
	if few.askers, err = visitors(client, false)(ctx, o, p, crowdConnections); err != nil {
		return row, err
	}
	defer hangUp(few.askers)
	many.askers, err = connect(ctx, c.server, crowdConnections, func(conn *conn, i int) (asker, error) {
		return &wanderer{conn: conn, crowd: c, client: client, next: i}, nil
	})
	if err != nil {
		return row, err
	}
	defer hangUp(many.askers)
	before, _ := c.book.counts()
	everywhere := func() bool {
		issued, _ := c.book.counts()
		return issued >= before+crowdOf
	}
	if _, err := drive(ctx, many.process, many.askers, everywhere); err != nil {
		return row, fmt.Errorf("warm-up: %w", err)
	}
	for range p.turns {
		for _, s := range []*side{&few, &many} {
			if err := s.turn(ctx, bare, p.turn); err != nil {
				return row, err
			}
		}
	}
	return crowdRow{
		Tenants: crowdOf, Clients: crowdOf * crowdClients, PerSecond: many.perSecond(), Signatures: many.each(),
		FewPerSecond: few.perSecond(), FewSignatures: few.each(), Ratio: many.each() / few.each(), Target: changeTarget,
	}, nil
}

// wanderer asks for tokens in one tenant after another, each time around
// through the next client.
type wanderer struct {
	*conn

	crowd  *crowd
	client bool
	next   int
}

// ask implements asker.
func (a *wanderer) ask() (time.Duration, error) {
	tenant, round := a.next%crowdOf, a.next/crowdOf
	a.next += crowdConnections
	at := a.crowd.at(tenant)
	name := username(tenant % people)
	want := expected{
		tenant: benchTenant(tenant), issuer: "https://" + at.host + "/v3/tokens", username: name, grantType: "password", asked: time.Now(),
	}
	headers := ""
	if a.client {
		want.clientID = benchClient(tenant, round%crowdClients)
		headers = credentials{id: want.clientID, key: a.crowd.key}.header()
	}
	r, took, err := a.exchange(post(issuePath, at.host, headers, object("grant_type", "password", "username", name, "password", name)))
	if err == nil {
		_, _, err = a.crowd.book.check(r, want)
	}
	return took, err
}
