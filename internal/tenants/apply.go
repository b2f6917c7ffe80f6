package tenants

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"gatehouse/internal/tenants/sites"
)

// Wanted is what an operator wants the registry to hold. Rows that it does
// not mention, and fields that are not given, stay as they are. Public keys
// are as NormalizePublicKey returns them.
type Wanted struct {
	Sites   []Patch[sites.Site]
	Owners  []Patch[Owner]
	LDAPs   []Patch[LDAPConnection]
	Tenants []Patch[Tenant]
}

// Change is one row that is made or changed.
type Change struct {
	New         bool
	Gone        bool
	Kind        string // site, owner, ldap or tenant
	ID          string
	Differences []Difference // of a changed row
}

// String returns the change as one line: create tenant dev, or update tenant
// dev: public_key, description.
func (c Change) String() string {
	switch {
	case c.New:
		return "create " + c.Kind + " " + c.ID
	case c.Gone:
		return "delete " + c.Kind + " " + c.ID
	}
	return "update " + c.Kind + " " + c.ID + ": " + strings.Join(c.fields(), ", ")
}

// fields returns the names of what differs.
func (c Change) fields() []string {
	names := make([]string, len(c.Differences))
	for i, d := range c.Differences {
		names[i] = d.Field
	}
	return names
}

// Content returns the registry as the database has it now.
func (s *Service) Content(ctx context.Context) (Content, error) {
	v, err := s.registry.current(ctx)
	if err != nil {
		return Content{}, err
	}
	return v.content, nil
}

// Plan returns what Apply would change now, and writes nothing. The error
// holds everything that the rules refuse, each with the origin of its patch.
func (s *Service) Plan(ctx context.Context, w Wanted) ([]Change, error) {
	content, err := s.Content(ctx)
	if err != nil {
		return nil, err
	}
	p := newPlan(content, w.decide)
	return p.changes, errors.Join(p.faults...)
}

// Apply makes the registry hold what is wanted, all or nothing, and returns
// what it changed. It deletes nothing. It is the one way to change the
// settings of an owner or an LDAP connection, for which the API has no
// update. Changes go into the history of sites and tenants as made by apply@
// and the primary site's administrative tenant.
func (s *Service) Apply(ctx context.Context, w Wanted) ([]Change, error) {
	p, err := s.carryOut(ctx, "", w.decide)
	if err != nil {
		return nil, err
	}
	return p.changes, nil
}

// decide plans all that is wanted.
func (w Wanted) decide(p *plan) {
	weigh(p, Sites(), p.known.sites, w.Sites, anyhow, p.site)
	weigh(p, Owners(), p.known.owners, w.Owners, anyhow, p.owner)
	weigh(p, LDAPs(), p.known.ldaps, w.LDAPs, anyhow, p.ldap)
	weigh(p, Tenants(), p.known.tenants, w.Tenants, anyhow, p.tenant)
}

// carryOut changes the registry as decide says, all or nothing. It is the one
// way in which programs and callers of the API write, so that one set of
// rules holds for both. by says who; empty means apply@. Where there is
// nothing to write, nothing is written.
func (s *Service) carryOut(ctx context.Context, by string, decide func(p *plan)) (*plan, error) {
	content, err := s.Content(ctx)
	if err != nil {
		return nil, err
	}
	p := newPlan(content, decide)
	if err := errors.Join(p.faults...); err != nil || len(p.writes) == 0 {
		return p, err
	}
	err = s.registry.change(ctx, func(ctx context.Context) error {
		content, err := s.tables.content(ctx)
		if err != nil {
			return err
		}
		p = newPlan(content, decide) // anew: now nobody else can write
		if err := errors.Join(p.faults...); err != nil {
			return err
		}
		mark := stamp{at: s.now(), by: by}
		if by == "" {
			mark.by = p.applying()
		}
		for _, write := range p.writes {
			if err := write(ctx, s.tables, mark); err != nil {
				return err
			}
		}
		by = mark.by
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
