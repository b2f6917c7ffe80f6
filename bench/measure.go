package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// connections are how many ask at a time, phase by phase.
var connections = []int{1, 16, 64}

// measure carries out p. What the server says on its standard error goes to
// stderr.
func measure(ctx context.Context, p plan, stderr io.Writer) (_ *report, err error) {
	dir, err := os.MkdirTemp("", "gatehouse-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	started := time.Now()
	s := &server{process: process{p.pid}, addr: p.at, host: p.host, stop: func() {}}
	if p.at == "" {
		if s, err = startGatehouse(ctx, p.server, dir, allTenants-2, stderr); err != nil {
			return nil, err
		}
	}
	defer s.stop()
	r := &report{Go: runtime.Version(), Cores: runtime.NumCPU()}
	if r.Memory.Start, _, err = s.memory(); err != nil {
		return nil, err
	}
	bare, err := newSigner()
	if err != nil {
		return nil, err
	}
	if p.at == "" {
		if err := measureRegistries(ctx, p, r, s, dir, stderr); err != nil {
			return nil, fmt.Errorf("listings: %w", err)
		}
	}
	office, err := openOffice(ctx, s)
	if err == nil && p.at == "" {
		err = office.servicePassword(ctx, filepath.Join(dir, "data", "service-password"))
	}
	if err != nil {
		return nil, err
	}
	if r.Grants, err = measureGrants(ctx, p, office, bare); err != nil {
		return nil, err
	}
	if err := fill(ctx, p, office); err != nil {
		return nil, fmt.Errorf("issue %d tokens: %w", p.tokens, err)
	}
	if err := bare.sample(); err != nil {
		return nil, err
	}
	r.Tokens, r.Verified = office.book.counts()
	if r.Memory.Now, r.Memory.Peak, err = s.memory(); err != nil {
		return nil, err
	}
	if r.Verifying, err = compareVerifying(ctx, p, office); err != nil {
		return nil, fmt.Errorf("verifying: %w", err)
	}
	s.stop()
	if p.at == "" {
		if r.Crowded, err = crowd(ctx, p.server, dir); err != nil {
			return nil, fmt.Errorf("%d tenants: %w", crowdOf, err)
		}
	}
	r.finish(bare, time.Since(started))
	return r, nil
}

// measureGrants measures all phases, with quiet signatures around each.
func measureGrants(ctx context.Context, p plan, o *office, bare *signer) (rows []grantRow, err error) {
	if err := bare.sample(); err != nil {
		return nil, err
	}
	ways := grants
	if o.password != "" {
		ways = append(slices.Clone(ways), serviceGrant)
	}
	for _, g := range ways {
		if !strings.HasPrefix(g.name, p.grants) {
			continue
		}
		for _, n := range connections {
			row, err := measureGrant(ctx, p, o, bare, g, n)
			if err != nil {
				return nil, fmt.Errorf("%s at %d connections: %w", g.name, n, err)
			}
			rows = append(rows, row)
			if err := bare.sample(); err != nil {
				return nil, err
			}
		}
	}
	return rows, nil
}

// measureGrant warms up and measures one phase.
func measureGrant(ctx context.Context, p plan, o *office, bare *signer, g grant, n int) (grantRow, error) {
	ctx, cancel := context.WithTimeout(ctx, p.phase+time.Minute)
	defer cancel()
	askers, err := o.askers(ctx, g, n)
	if err != nil {
		return grantRow{}, err
	}
	defer hangUp(askers)
	if _, err := drive(ctx, o.server.process, askers, after(p.phase/5)); err != nil {
		return grantRow{}, fmt.Errorf("warm-up: %w", err)
	}
	var l load
	var signature time.Duration
	pair, pairCtx := errgroup.WithContext(ctx)
	signing, enough := context.WithCancel(pairCtx)
	pair.Go(func() (err error) {
		signature, err = bare.accompany(signing)
		return err
	})
	pair.Go(func() (err error) {
		defer enough()
		l, err = drive(pairCtx, o.server.process, askers, after(p.phase))
		return err
	})
	if err := pair.Wait(); err != nil {
		return grantRow{}, err
	}
	return grantRow{
		Grant: g.name, Connections: n, Requests: len(l.took), PerSecond: l.perSecond(),
		P50: milliseconds(l.percentile(50)), P99: milliseconds(l.percentile(99)),
		CPU: milliseconds(l.cpuEach()), Signature: milliseconds(signature), Target: g.target,
	}, nil
}

// fill issues what is missing of the tokens, in pairs and at full load.
func fill(ctx context.Context, p plan, o *office) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute+time.Duration(p.tokens)*10*time.Millisecond)
	defer cancel()
	askers, err := o.askers(ctx, grants[1], 64)
	if err != nil {
		return err
	}
	defer hangUp(askers)
	_, err = drive(ctx, o.server.process, askers, func() bool {
		issued, _ := o.book.counts()
		return issued >= p.tokens
	})
	return err
}
