package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// allTenants are in the registry: the two of cmd/gatehouse and ours.
const allTenants = 40

// bench is one measurement.
type bench struct {
	options

	dir     string    // of data and built programs
	log     io.Writer // of the servers
	signer  *signer
	dev     *authenticator
	atStart float64 // resident megabytes of it at the start
	report  report
}

// part is what can be measured alone.
type part struct {
	name    string
	starts  bool // servers with tenants of their own
	measure func(*bench, context.Context) error
}

var parts = []part{ // in their order
	{"listings", true, (*bench).measureListings},
	{"grants", false, (*bench).measureGrants},
	{"memory", false, (*bench).measureMemory},
	{"requests", false, (*bench).measureRequests},
	{"verifying", false, (*bench).measureVerifying},
	{"tenants", true, (*bench).measureTenants},
}

// measure carries out a measurement. What the servers said is shown only when
// something failed: they wonder about tenants whose keys nobody gave them.
func measure(ctx context.Context, o options, stderr io.Writer) (_ *report, err error) {
	started := time.Now()
	b := &bench{options: o, report: newReport()}
	b.report.Go, b.report.Cores, b.report.Embedded = runtime.Version(), runtime.NumCPU(), o.at == ""
	if b.dir, err = os.MkdirTemp("", "gatehouse-bench-"); err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(b.dir) }()
	log, err := os.Create(filepath.Join(b.dir, "log"))
	if err != nil {
		return nil, err
	}
	defer func() {
		if text, errRead := os.ReadFile(log.Name()); err != nil && errRead == nil {
			_, _ = stderr.Write(text)
		}
		_ = log.Close()
	}()
	b.log = log
	s := &server{process: process{o.pid}, addr: o.at, host: o.host, stop: func() {}}
	data := ""
	if o.at == "" {
		data = filepath.Join(b.dir, "data")
		if s, err = b.serve(ctx, "gatehouse", seed{dir: data, tenants: allTenants - 2}); err != nil {
			return nil, err
		}
	}
	defer s.stop()
	if b.atStart, _, err = s.memory(); err != nil {
		return nil, err
	}
	if b.signer, err = newSigner(); err != nil {
		return nil, err
	}
	if b.dev, err = openAuthenticator(ctx, s, data); err != nil {
		return nil, err
	}
	for _, p := range parts {
		if !b.does(p) {
			continue
		}
		if err := p.measure(b, ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	b.count(b.dev.tokens)
	b.report.finish(b.signer.quiet, time.Since(started))
	return &b.report, nil
}

// count adds the replies that were checked to the report.
func (b *bench) count(t *tokenCheck) {
	replies, verified := t.counts()
	b.report.Tokens, b.report.Verified = b.report.Tokens+replies, b.report.Verified+verified
}

// measureGrants measures the ways to get tokens, with a bare server beside ours
// unless directory and database are other processes.
func (b *bench) measureGrants(ctx context.Context) (err error) {
	var floor *authenticator
	if b.at == "" {
		s, err := b.startBare(ctx, "issuer", answer{})
		if err != nil {
			return err
		}
		defer s.stop()
		if floor, err = openBareIssuer(ctx, s); err != nil {
			return err
		}
		defer b.count(floor.tokens)
	}
	for _, p := range grants {
		on := b.dev
		if p.bare {
			on = floor
		}
		if err := b.measurePhases(ctx, on, p, b.phase, b.report.addGrant); err != nil {
			return err
		}
	}
	return nil
}

// measureRequests measures what else is asked, more briefly.
func (b *bench) measureRequests(ctx context.Context) error {
	for _, p := range requests {
		if err := b.measurePhases(ctx, b.dev, p, b.brief, b.report.addRequest); err != nil {
			return err
		}
	}
	return nil
}

// measurePhases measures a phase, d long, with each number of connections, and
// quiet signatures after it.
func (b *bench) measurePhases(ctx context.Context, a *authenticator, p phase, d time.Duration,
	add func(phase, int, load),
) error {
	if a == nil || !strings.HasPrefix(p.name, b.names) || p.possible != nil && !p.possible(a) {
		return nil
	}
	numbers := p.connections
	if numbers == nil {
		numbers = []int{1, 16, 64}
	}
	for _, n := range numbers {
		l, err := b.measurePhase(ctx, a, p, n, d)
		if err == nil {
			err = b.signer.sample()
		}
		if err != nil {
			return fmt.Errorf("%s at %d connections: %w", p.name, n, err)
		}
		add(p, n, l)
	}
	return nil
}

// warmUp is the share of a phase that precedes it, uncounted.
const warmUp = 5

func (b *bench) measurePhase(ctx context.Context, a *authenticator, p phase, n int, d time.Duration) (l load, err error) {
	ctx, cancel := context.WithTimeout(ctx, d+time.Minute)
	defer cancel()
	s, err := p.prepare(ctx, a, d+d/warmUp)
	if err != nil {
		return l, err
	}
	clients, err := connect(ctx, a.addr, n, s)
	if err != nil {
		return l, err
	}
	defer hangUp(clients)
	if _, err := drive(ctx, a.process, clients, nil, after(d/warmUp)); err != nil {
		return l, fmt.Errorf("warm-up: %w", err)
	}
	l, err = drive(ctx, a.process, clients, b.signer, after(d))
	if err == nil && len(l.took) == 0 {
		err = errors.New("the warm-up left nothing to ask for")
	}
	return l, err
}

// measureMemory reads the server's memory after so many tokens.
func (b *bench) measureMemory(ctx context.Context) (err error) {
	if err := b.issue(ctx); err != nil {
		return err
	}
	return b.addMemory("MB", b.dev.server, b.atStart, b.dev.tokens, memoryTarget)
}

func (b *bench) addMemory(name string, s *server, start float64, t *tokenCheck, target float64) error {
	tokens, _ := t.counts()
	now, peak, err := s.memory()
	b.report.Memory.add(name, start, tokens, now, peak, goal("%.1f", target, now <= target))
	return err
}

// issue issues what is missing of the tokens, in pairs and at full load.
func (b *bench) issue(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute+time.Duration(b.tokens)*10*time.Millisecond)
	defer cancel()
	s, err := password(true)(ctx, b.dev, 0)
	if err != nil {
		return err
	}
	clients, err := connect(ctx, b.dev.addr, 64, s)
	if err != nil {
		return err
	}
	defer hangUp(clients)
	_, err = drive(ctx, b.dev.process, clients, nil, func() bool {
		replies, _ := b.dev.tokens.counts()
		return replies >= b.tokens
	})
	if err != nil {
		return fmt.Errorf("issue %d tokens: %w", b.tokens, err)
	}
	return nil
}
