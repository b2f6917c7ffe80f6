package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

const (
	keyBits = 2048
	// A quiet sample is the mean of more signatures than one under load, which
	// must not take much of the cores.
	quietBurst, loadedBurst = 32, 4
	quietSamples            = 4 // at once
	loadedPause             = 100 * time.Millisecond
)

// signer measures what one signature costs and nothing else: the CPU time of
// its thread, which stands still while others have the core.
type signer struct {
	key   *rsa.PrivateKey
	quiet []time.Duration // while no server is asked anything
}

func newSigner() (*signer, error) {
	key, err := newKey()
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	s := &signer{key: key}
	_, err = s.burst(quietBurst) // so that the first sample is no colder than others
	return s, err
}

// sample adds quiet samples.
func (s *signer) sample() error {
	for range quietSamples {
		each, err := s.burst(quietBurst)
		if err != nil {
			return err
		}
		s.quiet = append(s.quiet, each)
	}
	return nil
}

// accompany samples beside a busy server until ctx ends, and returns the mean:
// what slows the server down, such as a neighbour on the same core or cold
// caches, then slows as many of these signatures. Without a signer it makes none.
func (s *signer) accompany(ctx context.Context) (time.Duration, error) {
	if s == nil {
		return 0, nil
	}
	tick := time.NewTicker(loadedPause)
	defer tick.Stop()
	var sum time.Duration
	for n := 1; ; n++ {
		each, err := s.burst(loadedBurst)
		if err != nil {
			return 0, err
		}
		sum += each
		select {
		case <-ctx.Done():
			return sum / time.Duration(n), nil
		case <-tick.C:
		}
	}
}

// burst returns the CPU time of one of n signatures.
func (s *signer) burst(n int) (time.Duration, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := threadCPU()
	if err != nil {
		return 0, err
	}
	digest := sha256.Sum256(nil)
	for range n {
		if _, err := rsa.SignPKCS1v15(nil, s.key, crypto.SHA256, digest[:]); err != nil {
			return 0, fmt.Errorf("sign: %w", err)
		}
	}
	after, err := threadCPU()
	return (after - before) / time.Duration(n), err
}

// threadCPU reads the clock of this thread. getrusage would be late by up to a
// tick, which is as long as some signatures.
func threadCPU() (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0, fmt.Errorf("read the CPU time of a thread: %w", err)
	}
	return time.Duration(t.Nano()), nil
}

// newKey makes a key of tenants, too.
func newKey() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, keyBits) }
