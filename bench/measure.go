package main

import (
	"context"
	"errors"
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
	r := &report{Go: runtime.Version(), Cores: runtime.NumCPU(), Embedded: p.at == ""}
	if r.Memory.Start, _, err = s.memory(); err != nil {
		return nil, err
	}
	bare, err := newSigner()
	if err != nil {
		return nil, err
	}
	if p.does(listingsPart) {
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
	if err := bare.sample(); err != nil {
		return nil, err
	}
	if err := measureOffice(ctx, p, r, office, bare); err != nil {
		return nil, err
	}
	if p.does(tenantsPart) {
		if err := measureCrowd(ctx, p, r, office, bare, dir); err != nil {
			return nil, fmt.Errorf("%d tenants: %w", crowdOf, err)
		}
	}
	issued, verified := office.book.counts()
	r.Tokens, r.Verified = r.Tokens+issued, r.Verified+verified
	r.finish(bare, time.Since(started))
	return r, nil
}

// measureOffice measures the authenticator with its few tenants.
func measureOffice(ctx context.Context, p plan, r *report, o *office, bare *signer) (err error) {
	if p.does(grantsPart) {
		if err := measureGrants(ctx, p, r, o, bare); err != nil {
			return err
		}
	}
	if p.does(memoryPart) || p.does(verifyingPart) {
		if err := fill(ctx, p, o); err != nil {
			return fmt.Errorf("issue %d tokens: %w", p.tokens, err)
		}
	}
	if p.does(memoryPart) {
		r.Memory.Tokens, _ = o.book.counts()
		if r.Memory.Now, r.Memory.Peak, err = o.server.memory(); err != nil {
			return err
		}
	}
	if p.does(requestsPart) {
		if r.Requests, err = measureRequests(ctx, p, o, bare); err != nil {
			return err
		}
	}
	if p.does(verifyingPart) {
		if r.Verifying, err = compareVerifying(ctx, p, o); err != nil {
			return fmt.Errorf("verifying: %w", err)
		}
	}
	return nil
}

// measureGrants measures all of them, with a bare server beside ours unless
// directory and database are other processes.
func measureGrants(ctx context.Context, p plan, r *report, o *office, bare *signer) error {
	ways := grants
	if o.password != "" {
		ways = append(slices.Clone(ways), serviceGrant)
	}
	var floor *office
	if p.at == "" {
		var err error
		if floor, err = startBareIssuer(ctx); err != nil {
			return err
		}
		defer floor.server.stop()
	}
	for _, k := range ways {
		of := o
		if k.bare {
			of = floor
		}
		if !p.wants(k) || of == nil {
			continue
		}
		rows, err := measureKind(ctx, p, of, bare, k, p.phase)
		if err != nil {
			return err
		}
		r.Grants = append(r.Grants, rows...)
	}
	if floor != nil {
		r.Tokens, r.Verified = floor.book.counts()
	}
	return nil
}

// measureKind measures one kind with each number of connections, d long, and
// quiet signatures after each phase.
func measureKind(ctx context.Context, p plan, o *office, bare *signer, k kind, d time.Duration) (rows []phaseRow, err error) {
	numbers := k.only
	if numbers == nil {
		numbers = connections
	}
	for _, n := range numbers {
		row, err := measurePhase(ctx, p, o, bare, k, n, d)
		if err == nil {
			err = bare.sample()
		}
		if err != nil {
			return nil, fmt.Errorf("%s at %d connections: %w", k.name, n, err)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// measurePhase warms up and measures one phase.
func measurePhase(ctx context.Context, p plan, o *office, bare *signer, k kind, n int, d time.Duration) (phaseRow, error) {
	ctx, cancel := context.WithTimeout(ctx, d+time.Minute)
	defer cancel()
	askers, err := k.askers(ctx, o, p, n)
	if err != nil {
		return phaseRow{}, err
	}
	defer hangUp(askers)
	if _, err := drive(ctx, o.server.process, askers, after(d/warmUp)); err != nil {
		return phaseRow{}, fmt.Errorf("warm-up: %w", err)
	}
	l, signature, err := driveBeside(ctx, o.server.process, askers, bare, after(d))
	if err != nil {
		return phaseRow{}, err
	}
	if len(l.took) == 0 {
		return phaseRow{}, errors.New("the warm-up left nothing to ask for")
	}
	row := phaseRow{
		Name: k.name, Connections: n, Requests: len(l.took), PerSecond: l.perSecond(),
		P50: milliseconds(l.percentile(50)), P99: milliseconds(l.percentile(99)), CPU: milliseconds(l.cpuEach()), Target: k.target,
	}
	if k.signs {
		row.Signature = milliseconds(signature)
	}
	return row, nil
}

// driveBeside is drive with bare signatures made all the while. It returns
// what one of them cost.
func driveBeside(ctx context.Context, server process, askers []asker, bare *signer, done func() bool) (l load, signature time.Duration, err error) {
	pair, ctx := errgroup.WithContext(ctx)
	signing, enough := context.WithCancel(ctx)
	pair.Go(func() (err error) {
		signature, err = bare.accompany(signing)
		return err
	})
	pair.Go(func() (err error) {
		defer enough()
		l, err = drive(ctx, server, askers, done)
		return err
	})
	err = pair.Wait()
	return l, signature, err
}

// fill issues what is missing of the tokens, in pairs and at full load.
func fill(ctx context.Context, p plan, o *office) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute+time.Duration(p.tokens)*10*time.Millisecond)
	defer cancel()
	askers, err := visitors(true, false)(ctx, o, p, 64)
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

// wants reports whether a kind is to be measured.
func (p plan) wants(k kind) bool { return strings.HasPrefix(k.name, p.names) }
