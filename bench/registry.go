package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// The registries that are measured alone: one as large as an installation may
// become, and one far beyond it.
const (
	manyTenants    = 1_000
	tooManyTenants = 10_000
)

// registryRow is a registry of a size. Times are milliseconds, sizes bytes.
type registryRow struct {
	Tenants int     `json:"tenants"` // and the two of the primary site
	Bytes   int     `json:"list_bytes"`
	Packed  int     `json:"list_gzip_bytes"`
	First   float64 `json:"first_list_ms"` // after the start: made, not lying ready
	Select  float64 `json:"select_ms"`     // a list that is made for the request
	Memory  int64   `json:"memory"`
	Peak    int64   `json:"memory_peak"`
}

// measureRegistries measures the lists of s and of cmd/tenants with many
// tenants.
func measureRegistries(ctx context.Context, p plan, r *report, s *server, dir string, stderr io.Writer) (err error) {
	if r.Listings, err = compareListings(ctx, p, s, allTenants); err != nil {
		return err
	}
	for _, n := range []int{manyTenants, tooManyTenants} {
		if err := measureRegistry(ctx, p, r, dir, n, stderr); err != nil {
			return fmt.Errorf("%d tenants: %w", n, err)
		}
	}
	return nil
}

func measureRegistry(ctx context.Context, p plan, r *report, dir string, n int, stderr io.Writer) error {
	s, err := startRegistry(ctx, dir, n, stderr)
	if err != nil {
		return err
	}
	defer s.stop()
	row := registryRow{Tenants: n}
	took := func(path string, header http.Header) (size int, ms float64, err error) {
		began := time.Now()
		status, _, body, err := s.fetch(ctx, path, header)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("GET %s: %d", path, status)
		}
		return len(body), milliseconds(time.Since(began)), err
	}
	if row.Bytes, row.First, err = took(listingPath, nil); err != nil {
		return err
	}
	if row.Packed, _, err = took(listingPath, http.Header{"Accept-Encoding": {"gzip"}}); err != nil {
		return err
	}
	if _, row.Select, err = took(listingPath+"?select=tenant_id", nil); err != nil {
		return err
	}
	if n == manyTenants {
		rows, err := compareListings(ctx, p, s, n)
		if err != nil {
			return err
		}
		r.Listings = append(r.Listings, rows...)
	}
	if row.Memory, row.Peak, err = s.memory(); err != nil {
		return err
	}
	r.Registries = append(r.Registries, row)
	return nil
}
