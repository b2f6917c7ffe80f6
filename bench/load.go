package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// asker has one connection and sends one request over it at a time.
type asker interface {
	// ask sends a request, checks the reply, and returns how long that took
	// from the first byte sent to the last one received.
	ask() (time.Duration, error)
	hangUp()
}

// load is what one closed loop measured.
type load struct {
	took []time.Duration // each request, shortest first
	wall time.Duration
	cpu  time.Duration // of the server
}

// after returns a condition that holds from d from now on.
func after(d time.Duration) func() bool {
	end := time.Now().Add(d)
	return func() bool { return !time.Now().Before(end) }
}

// drive lets all askers ask until done holds or one of them fails. The work
// between two requests, checking the reply, counts as no request's time.
func drive(ctx context.Context, server process, askers []asker, done func() bool) (load, error) {
	var l load
	before, err := server.cpu()
	if err != nil {
		return l, err
	}
	took := make([][]time.Duration, len(askers))
	started := time.Now()
	group, running := errgroup.WithContext(ctx)
	for i, a := range askers {
		group.Go(func() error {
			for !done() && running.Err() == nil {
				d, err := a.ask()
				if err != nil {
					return fmt.Errorf("request %d of connection %d: %w", len(took[i])+1, i+1, err)
				}
				took[i] = append(took[i], d)
			}
			return nil
		})
	}
	if err := errors.Join(group.Wait(), ctx.Err()); err != nil {
		return l, err
	}
	l.wall = time.Since(started)
	end, err := server.cpu()
	if err != nil {
		return l, err
	}
	l.cpu, l.took = end-before, slices.Concat(took...)
	slices.Sort(l.took)
	return l, nil
}

func (l load) perSecond() float64 { return float64(len(l.took)) / l.wall.Seconds() }

// cpuEach returns the server's CPU per request.
func (l load) cpuEach() time.Duration { return l.cpu / time.Duration(max(len(l.took), 1)) }

// percentile returns the latency that p percent of the requests stayed within.
func (l load) percentile(p int) time.Duration {
	if len(l.took) == 0 {
		return 0
	}
	return l.took[max((len(l.took)*p+99)/100-1, 0)]
}

// median returns the middle of values, the higher one of two.
func median[T int64 | float64 | time.Duration](values []T) T {
	var none T
	if len(values) == 0 {
		return none
	}
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func hangUp(askers []asker) {
	for _, a := range askers {
		a.hangUp()
	}
}
