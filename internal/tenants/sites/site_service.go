package sites

import (
	"context"
	"slices"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
	"gatehouse/internal/tenants/field"
	"gatehouse/internal/tenants/history"
)

// Service applies the rules of sites to their table.
type Service struct {
	store   store
	history history.Store
}

// New returns the sites kept in db.
func New(db *database.DB) *Service {
	return &Service{store: store{db: db}, history: history.New(db, "site_history", "site_id")}
}

// History returns the history of sites.
func (s *Service) History() history.Store { return s.history }

// All returns every site, ordered by id.
func (s *Service) All(ctx context.Context) ([]Site, error) { return s.store.all(ctx) }

// Create adds a site whose times and authors the caller has set. It must run
// in a transaction that keeps other writers of sites out; the database's own
// constraints stand behind it. Errors: Invalid, Conflict.
func (s *Service) Create(ctx context.Context, site Site) error {
	all, err := s.store.all(ctx)
	if err != nil {
		return err
	}
	if err := site.CheckNew(all); err != nil {
		return err
	}
	return s.store.insert(ctx, site)
}

// Update stores the fields of a site that may change: its addresses, its
// services, its admin tenant, and who changed it when. It runs as Create does.
func (s *Service) Update(ctx context.Context, site Site) error {
	if err := site.Check(); err != nil {
		return err
	}
	return s.store.update(ctx, site)
}

// Delete removes a site and its history. It runs as Create does; that nothing
// names the site is for the caller to see.
func (s *Service) Delete(ctx context.Context, id string) error { return s.store.remove(ctx, id) }

// CheckNew is Check, and that s can exist beside all of others.
func (s Site) CheckNew(others []Site) error {
	if err := s.Check(); err != nil {
		return err
	}
	for _, other := range others {
		if err := conflict(s, other); err != nil {
			return err
		}
	}
	return nil
}

// CheckUpdate is CheckNew for a site of which all holds an earlier state.
func (s Site) CheckUpdate(all []Site) error {
	return s.CheckNew(slices.DeleteFunc(slices.Clone(all), func(other Site) bool { return other.ID == s.ID }))
}

// conflict says what keeps site and other from existing both.
func conflict(site, other Site) error {
	switch {
	case site.ID == other.ID:
		return apierr.New(apierr.Conflict, "The site %s exists already.", site.ID)
	case site.Primary && other.Primary:
		return apierr.New(apierr.Conflict, "The site %s is the primary site; there can be only one.", other.ID)
	case field.Host(site.BaseURL) == field.Host(other.BaseURL):
		return apierr.New(apierr.Conflict, "The field base_url has the host of another site, %s.", other.ID)
	}
	return nil
}
