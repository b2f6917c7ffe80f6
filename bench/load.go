package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// asker has one connection and sends one request over it at a time.
type asker interface {
	// ask sends a request, checks the reply, and returns how long that took
	// from the first byte sent to the last one received. errSpent: there is
	// nothing more to ask.
	ask() (time.Duration, error)
	hangUp()
}

// errSpent says that a stock of what can be used once is used up.
var errSpent = errors.New("nothing is left to ask for")

// stock hands out what can be used once.
type stock[T any] struct {
	items []T
	taken atomic.Int64
}

// take returns the next item, or errSpent.
func (s *stock[T]) take() (item T, err error) {
	n := int(s.taken.Add(1)) - 1
	if n >= len(s.items) {
		return item, errSpent
	}
	return s.items[n], nil
}

// load is what one closed loop measured.
type load struct {
	took []time.Duration // each request, shortest first
	wall time.Duration
	cut  bool          // before it was done, because nothing was left to ask for
	cpu  time.Duration // of the server
}

// after returns a condition that holds from d from now on.
func after(d time.Duration) func() bool {
	end := time.Now().Add(d)
	return func() bool { return !time.Now().Before(end) }
}

// drive lets all askers ask until done holds, they have nothing more to ask, or
// one of them fails. The work
// between two requests, checking the reply, counts as no request's time.
func drive(ctx context.Context, server process, askers []asker, done func() bool) (load, error) {
	var l load
	before, err := server.cpu()
	if err != nil {
		return l, err
	}
	took := make([][]time.Duration, len(askers))
	var cut atomic.Bool
	started := time.Now()
	group, running := errgroup.WithContext(ctx)
	for i, a := range askers {
		group.Go(func() error {
			for !done() && running.Err() == nil {
				d, err := a.ask()
				if errors.Is(err, errSpent) {
					cut.Store(true)
					return nil
				}
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
	l.wall, l.cut = time.Since(started), cut.Load()
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
