package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"gatehouse/internal/seal"
)

const (
	listingPath   = "/v3/tenants"
	listingTarget = 0.60 // of the bare server's rate
	// The registries that are measured alone: one as large as an installation
	// may become, and one far beyond it.
	manyTenants    = 1_000
	tooManyTenants = 10_000

	checkPath   = "/v3/site-router/tokens/check"
	seenTarget  = 0.65 // of the bare server's rate
	freshTarget = 0.28

	// largeTenants are those of a large site, with so many clients each.
	largeTenants, largeClients = 1000, 10
	largeTarget                = 1.10 // how much more CPU a token may cost there

	comparedConnections = 16
)

// side is one of two servers that answer in turns, so that what else the machine
// does meets both.
type side struct {
	*server

	script  script
	isWarm  func() bool // nil: after one turn
	clients []*client
	turns   []load
}

// compare lets both answer in turns, after a warm-up of each, until the time is
// over or there is nothing more to ask the first for.
func (b *bench) compare(ctx context.Context, first, second *side, beside *signer) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(2*b.turns)*b.turn+time.Minute)
	defer cancel()
	both := []*side{first, second}
	for _, s := range both {
		var err error
		if s.clients, err = connect(ctx, s.addr, comparedConnections, s.script); err != nil {
			return err
		}
		defer hangUp(s.clients)
		if s.isWarm == nil {
			s.isWarm = after(b.turn)
		}
		if _, err := drive(ctx, s.process, s.clients, nil, s.isWarm); err != nil {
			return fmt.Errorf("warm-up of %s: %w", s.host, err)
		}
	}
	for range b.turns {
		for _, s := range both {
			l, err := drive(ctx, s.process, s.clients, beside, after(b.turn))
			if err != nil {
				return fmt.Errorf("%s: %w", s.host, err)
			}
			if l.cut {
				return nil
			}
			s.turns = append(s.turns, l)
		}
	}
	return nil
}

// compareBare compares a server with a bare one and adds a row that begins with
// these cells.
func (b *bench) compareBare(ctx context.Context, ours, bare *side, target float64, rows *table, cells ...any) error {
	if err := b.compare(ctx, ours, bare, nil); err != nil {
		return err
	}
	if len(ours.turns) == 0 {
		return errors.New("too few tokens were issued for one turn; -tokens has more")
	}
	ratios := make([]float64, len(ours.turns))
	for i := range ratios {
		ratios[i] = ours.turns[i].perSecond() / bare.turns[i].perSecond()
	}
	ratio := median(ratios)
	microseconds := func(l load) float64 { return 1000 * milliseconds(l.cpuEach()) }
	rows.add(append(cells, ours.median(load.perSecond), bare.median(load.perSecond), ours.median(microseconds),
		bare.median(microseconds), ratio, goal("%.2f", target, ratio >= target))...)
	return nil
}

func (s *side) median(of func(load) float64) float64 {
	var values []float64
	for _, l := range s.turns {
		values = append(values, of(l))
	}
	return median(values)
}

// sum returns the rate over all turns, and what a reply cost in signatures.
func (s *side) sum() (perSecond, signatures float64) {
	var requests int
	var cpu, wall, signature time.Duration
	for _, l := range s.turns {
		requests, cpu, wall, signature = requests+len(l.took), cpu+l.cpu, wall+l.wall, signature+l.signature
	}
	each := float64(cpu) / float64(max(requests, 1))
	return float64(requests) / wall.Seconds(), each / (float64(signature) / float64(len(s.turns)))
}

// measureListings measures the lists of the server and of cmd/tenants with many
// tenants.
func (b *bench) measureListings(ctx context.Context) error {
	if err := b.compareListings(ctx, b.dev.server, allTenants); err != nil {
		return err
	}
	for _, n := range []int{manyTenants, tooManyTenants} {
		if err := b.measureRegistry(ctx, n); err != nil {
			return fmt.Errorf("%d tenants: %w", n, err)
		}
	}
	return nil
}

// compareListings measures the ways to ask for the list of n tenants.
func (b *bench) compareListings(ctx context.Context, s *server, n int) error {
	list, err := s.fetch(ctx, listingPath, nil, http.StatusOK)
	if err != nil {
		return err
	}
	var got struct {
		Result []json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(list.Body, &got); err != nil || len(got.Result) != n {
		return fmt.Errorf("the list has %d tenants, not %d: %w", len(got.Result), n, err)
	}
	for _, way := range []struct {
		name   string
		status int
		header http.Header
	}{
		{"200", http.StatusOK, http.Header{}},
		{"200 gzip", http.StatusOK, http.Header{"Accept-Encoding": {"gzip"}}},
		{"304", http.StatusNotModified, http.Header{"If-None-Match": {list.Header.Get("ETag")}}},
	} {
		want, err := s.fetch(ctx, listingPath, way.header, way.status)
		if err != nil {
			return err
		}
		if err := b.compareListing(ctx, s, way.header, want, way.name, n); err != nil {
			return fmt.Errorf("%s: %w", way.name, err)
		}
	}
	return nil
}

func (b *bench) compareListing(ctx context.Context, s *server, header http.Header, want answer, name string, n int) error {
	bare, err := b.startBare(ctx, "answer", want)
	if err != nil {
		return err
	}
	defer bare.stop()
	headers := new(bytes.Buffer)
	_ = header.Write(headers) // into memory
	ours := &side{server: s, script: repeat(get(listingPath, s.host, headers.String()), want)}
	theirs := &side{server: bare, script: repeat(get(barePath, s.host, headers.String()), want)}
	return b.compareBare(ctx, ours, theirs, listingTarget, &b.report.Listings, name, n, len(want.Body))
}

func (b *bench) measureRegistry(ctx context.Context, n int) error {
	s, err := b.serve(ctx, "tenants", seed{dir: filepath.Join(b.dir, fmt.Sprintf("registry-%d", n)), tenants: n})
	if err != nil {
		return err
	}
	defer s.stop()
	var sizes [3]int
	var took [3]float64
	for i, list := range []struct {
		path   string
		header http.Header
	}{
		{listingPath, nil}, // the first after the start is made, and does not lie ready
		{listingPath, http.Header{"Accept-Encoding": {"gzip"}}},
		{listingPath + "?select=tenant_id", nil}, // is made for the request
	} {
		began := time.Now()
		a, err := s.fetch(ctx, list.path, list.header, http.StatusOK)
		if err != nil {
			return err
		}
		sizes[i], took[i] = len(a.Body), milliseconds(time.Since(began))
	}
	if n == manyTenants {
		if err := b.compareListings(ctx, s, n); err != nil {
			return err
		}
	}
	now, peak, err := s.memory()
	b.report.Registries.add("", n, megabytes(sizes[0]), megabytes(sizes[1]), took[0], took[2], now, peak)
	return err
}

// measureVerifying measures the check of an access token against a bare hello of
// the same bytes to the same requests: with no token, with one that is sent
// again and again, and with tokens that are sent once.
func (b *bench) measureVerifying(ctx context.Context) error {
	if err := b.issue(ctx); err != nil {
		return err
	}
	want, err := b.dev.fetch(ctx, checkPath, nil, http.StatusOK)
	if err != nil {
		return err
	}
	bare, err := b.startBare(ctx, "answer", want)
	if err != nil {
		return err
	}
	defer bare.stop()
	show := func(path string) func(c *client, token string) error {
		return func(c *client, token string) error {
			header := ""
			if token != "" {
				header = "X-Tapis-Token: " + token + "\r\n"
			}
			r, err := c.exchange(get(path, b.dev.host, header))
			if err != nil {
				return err
			}
			return want.check(r)
		}
	}
	always := func(path, token string) script { return each(func(c *client) error { return show(path)(c, token) }) }
	tokens := b.dev.tokens.kept
	for _, way := range []struct {
		name         string
		target       float64
		ours, theirs script // the bare server reads no token
	}{
		{"no token", 0, always(checkPath, ""), always(barePath, "")},
		{"token seen before", seenTarget, always(checkPath, tokens[0]), always(barePath, tokens[0])},
		{"token not seen", freshTarget, useUp(tokens, show(checkPath)), always(barePath, tokens[0])},
	} {
		ours, theirs := &side{server: b.dev.server, script: way.ours}, &side{server: bare, script: way.theirs}
		if err := b.compareBare(ctx, ours, theirs, way.target, &b.report.Verifying, way.name, len(want.Body)); err != nil {
			return fmt.Errorf("%s: %w", way.name, err)
		}
	}
	return nil
}

// measureTenants asks a server with many tenants for the metadata of each and
// for the list of all, then for tokens, in turns with the server with few, and
// reads its memory before and after the tokens.
func (b *bench) measureTenants(ctx context.Context) error {
	data := seed{dir: filepath.Join(b.dir, "large"), tenants: largeTenants, clients: largeClients, secret: seal.NewSecret()}
	s, err := b.serve(ctx, "gatehouse", data)
	if err != nil {
		return err
	}
	defer s.stop()
	start, _, err := s.memory()
	if err != nil {
		return err
	}
	tokens, err := newTokenCheck(ctx, s.as(tenantHost(0)))
	if err != nil {
		return err
	}
	if err := visit(ctx, s); err != nil {
		return err
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	for _, withClient := range []bool{false, true} {
		if err := b.compareTenants(ctx, s, tokens, data.secret, withClient); err != nil {
			return err
		}
	}
	b.count(tokens)
	return b.addMemory(fmt.Sprintf("MB with %d tenants", largeTenants), s, start, tokens, largeMemoryTarget)
}

// visit asks for the metadata of each tenant, and for the list of all.
func visit(ctx context.Context, s *server) error {
	for range 3 {
		for i := range largeTenants + 1 {
			at, path := s.as(tenantHost(i)), "/v3/oauth2/.well-known/oauth-authorization-server"
			if i == largeTenants {
				at, path = s, listingPath
			}
			if _, err := at.fetch(ctx, path, nil, http.StatusOK); err != nil {
				return err
			}
		}
	}
	return nil
}

// compareTenants has both servers issue tokens in turns: dev's in its one tenant
// with people, s in one tenant after another and through each client.
func (b *bench) compareTenants(ctx context.Context, s *server, tokens *tokenCheck, secret string, withClient bool) error {
	before, _ := tokens.counts()
	everywhere := func() bool {
		replies, _ := tokens.counts()
		return replies >= before+largeTenants
	}
	fewScript, err := password(withClient)(ctx, b.dev, 0)
	if err != nil {
		return err
	}
	few := &side{server: b.dev.server, script: fewScript}
	many := &side{server: s, script: passwords(tokens, secret, withClient), isWarm: everywhere}
	if err := b.compare(ctx, few, many, b.signer); err != nil {
		return err
	}
	name := "password, no client"
	if withClient {
		name = "password, client"
	}
	rate, signatures := many.sum()
	fewRate, fewSignatures := few.sum()
	ratio := signatures / fewSignatures
	b.report.Large.add(name, rate, fewRate, signatures, fewSignatures, ratio, goal("%.2f", largeTarget, ratio <= largeTarget))
	return nil
}

// passwords is the grant in one tenant after another, each time around through
// the next client.
func passwords(tokens *tokenCheck, secret string, withClient bool) script {
	return func(c *client, i int) (func() error, error) {
		return func() error {
			tenant, round := i%largeTenants, i/largeTenants
			i += comparedConnections
			name, headers := username(tenant%people), ""
			want := expected{tenant: tenantID(tenant), issuer: "https://" + tenantHost(tenant) + "/v3/tokens"}
			want.bearer = bearer{Username: name, Account: "user", GrantType: "password"}
			if withClient {
				id := clientID(tenant, round%largeClients)
				headers, want.ClientID, want.Count = credentials{id, secret}.header(), id, 0.0
			}
			request := post(tokenPath, tenantHost(tenant), headers,
				map[string]any{"grant_type": "password", "username": name, "password": name})
			return tokens.ask(c, request, want)
		}, nil
	}
}
