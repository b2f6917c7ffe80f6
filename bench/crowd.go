package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"
)

const (
	// crowdOf is how many tenants a large site has, and crowdTarget the most
	// memory that may be resident when each was asked for something.
	crowdOf     = 1000
	crowdTarget = 150_000_000
)

// crowd starts a server with many tenants, asks for the metadata of each and
// for the list of all, and reads its memory. What it logs is about keys that it
// does not have.
func crowd(ctx context.Context, program, dir string) (m memoryRow, err error) {
	if program == "" {
		program = filepath.Join(dir, "gatehouse") // built before
	}
	s, err := startGatehouse(ctx, program, filepath.Join(dir, "crowd"), crowdOf, io.Discard)
	if err != nil {
		return m, err
	}
	defer s.stop()
	if m.Start, _, err = s.memory(); err != nil {
		return m, err
	}
	for range 3 {
		for i := range crowdOf {
			one := *s
			one.host = fmt.Sprintf("bench-%02d.example.org", i+1)
			if status, _, body, err := one.fetch(ctx, "/v3/oauth2/.well-known/oauth-authorization-server", nil); err != nil || status != http.StatusOK {
				return m, fmt.Errorf("%s: %d %.200s, %w", one.host, status, body, err)
			}
		}
		if status, _, _, err := s.fetch(ctx, listingPath, nil); err != nil || status != http.StatusOK {
			return m, fmt.Errorf("%s: %d, %w", listingPath, status, err)
		}
	}
	time.Sleep(2 * time.Second) // the registry is polled each second
	m.Now, m.Peak, err = s.memory()
	return m, err
}
