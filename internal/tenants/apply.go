package tenants

import (
	"context"
	"log/slog"
	"strings"
)

// Wanted is what an operator wants the registry to hold. Records that it does
// not mention, and fields that are not given, stay as they are. Public keys
// are as NormalizePublicKey returns them.
type Wanted struct {
	Sites   []Patch[Site]
	Owners  []Patch[Owner]
	LDAPs   []Patch[LDAPConnection]
	Tenants []Patch[Tenant]
}

// Change is one record that is made, changed or deleted.
type Change struct {
	New         bool
	Gone        bool
	Resource    string // site, owner, ldap or tenant
	ID          string
	Differences []Difference // of a changed record
}

// String returns the change as one line: create tenant dev, or update tenant
// dev: public_key, description.
func (c Change) String() string {
	switch {
	case c.New:
		return "create " + c.Resource + " " + c.ID
	case c.Gone:
		return "delete " + c.Resource + " " + c.ID
	}
	return "update " + c.Resource + " " + c.ID + ": " + strings.Join(differing(c.Differences, nil), ", ")
}

// Content returns the registry as the database has it now.
func (s *Service) Content(ctx context.Context) (Content, error) {
	now, err := s.snapshots.current(ctx)
	if err != nil {
		return Content{}, err
	}
	return now.content, nil
}

// Plan returns what Apply would change now, and writes nothing. The error
// holds everything that the rules refuse, each with the origin of its patch.
func (s *Service) Plan(ctx context.Context, w Wanted) ([]Change, error) {
	content, err := s.Content(ctx)
	if err != nil {
		return nil, err
	}
	p := newPlan(content, s.tables, w.decide)
	return p.changes, p.err()
}

// Apply makes the registry hold what is wanted, all or nothing, and returns
// what it changed. It deletes nothing. It is the one way to change the
// settings of an owner or an LDAP connection, for which the API has no
// update. Changes go into the history of sites and tenants as made by apply@
// and the primary site's administrative tenant.
func (s *Service) Apply(ctx context.Context, w Wanted) ([]Change, error) {
	p, err := s.write(ctx, "", w.decide)
	if err != nil {
		return nil, err
	}
	return p.changes, nil
}

// decide plans all that is wanted.
func (w Wanted) decide(p *plan) {
	p.sites.diff(p, w.Sites, always)
	p.owners.diff(p, w.Owners, always)
	p.ldaps.diff(p, w.LDAPs, always)
	p.tenants.diff(p, w.Tenants, always)
}

// write changes the registry as decide says, all or nothing. It is the one way
// in which programs and callers of the API write, so that one set of rules
// holds for all. by says who; empty means apply@. Where there is nothing to
// write, nothing is written.
func (s *Service) write(ctx context.Context, by string, decide func(p *plan)) (*plan, error) {
	now, err := s.snapshots.current(ctx)
	if err != nil {
		return nil, err
	}
	p := newPlan(now.content, s.tables, decide)
	if err := p.err(); err != nil || len(p.writes) == 0 {
		return p, err
	}
	err = s.snapshots.change(ctx, func(ctx context.Context, counter int64) error {
		if counter != now.counter { // somebody else was faster; now nobody else can write
			content, err := s.tables.content(ctx)
			if err != nil {
				return err
			}
			if p = newPlan(content, s.tables, decide); p.err() != nil {
				return p.err()
			}
		}
		if by == "" {
			primary, _ := p.primary()
			by = strings.TrimSuffix("apply@"+primary.AdminTenantID, "@")
		}
		at := s.now()
		for _, write := range p.writes {
			if err := write(ctx, at, by); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, c := range p.changes {
		s.log.InfoContext(ctx, "registry changed", slog.String("change", c.String()), slog.String("by", by))
	}
	return p, nil
}
