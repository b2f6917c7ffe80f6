package tenants

import (
	"context"
	"errors"
	"fmt"
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
	Kind        string // site, owner, ldap or tenant
	ID          string
	Differences []Difference // of a changed row
}

// String returns the change as one line: create tenant dev, or update tenant
// dev: public_key, description.
func (c Change) String() string {
	if c.New {
		return "create " + c.Kind + " " + c.ID
	}
	names := make([]string, len(c.Differences))
	for i, d := range c.Differences {
		names[i] = d.Field
	}
	return "update " + c.Kind + " " + c.ID + ": " + strings.Join(names, ", ")
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
	p := newPlan(content, w)
	return p.changes, errors.Join(p.faults...)
}

// Apply makes the registry hold what is wanted, all or nothing, and returns
// what it changed. It deletes nothing. It is the one way to change the
// settings of an owner or an LDAP connection, for which the API has no
// update. Changes of a tenant go into its history as made by apply@ and the
// primary site's administrative tenant.
func (s *Service) Apply(ctx context.Context, w Wanted) ([]Change, error) {
	changes, err := s.Plan(ctx, w)
	if err != nil || len(changes) == 0 {
		return nil, err
	}
	err = s.registry.change(ctx, func(ctx context.Context) error {
		content, err := s.tables.content(ctx)
		if err != nil {
			return err
		}
		p := newPlan(content, w) // anew: now nobody else can write
		changes = p.changes
		if err := errors.Join(p.faults...); err != nil {
			return err
		}
		by := "apply"
		if site, found := p.known.primary(); found {
			by += "@" + site.AdminTenantID
		}
		mark := stamp{at: s.now(), by: by}
		for _, write := range p.writes {
			if err := write(ctx, s.tables, mark); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return changes, nil
}

// plan is how the registry is to become what is wanted.
type plan struct {
	known   *known // as it will be
	changes []Change
	writes  []func(ctx context.Context, t tables, mark stamp) error // in an order that keeps every reference whole
	faults  []error
	retired []step[Tenant] // tenants that are active no longer
}

func newPlan(content Content, w Wanted) *plan {
	p := &plan{known: newKnown(content)}
	weigh(p, Sites(), p.known.sites, w.Sites, p.site)
	weigh(p, Owners(), p.known.owners, w.Owners, p.owner)
	weigh(p, LDAPs(), p.known.ldaps, w.LDAPs, p.ldap)
	weigh(p, Tenants(), p.known.tenants, w.Tenants, p.tenant)
	for _, s := range p.retired { // now that all is known: their site's other tenants may retire, too
		p.blame(s.origin, p.known.checkRetired(s.now))
	}
	return p
}

func (p *plan) blame(origin string, err error) {
	if err != nil {
		p.faults = append(p.faults, fmt.Errorf("%s: %w", origin, err))
	}
}

// step is a row on its way from one state to the next.
type step[R any] struct {
	origin      string
	was, now    R
	isNew       bool
	differences []Difference
}

// weigh compares what is wanted of one kind of rows with those there are.
// take checks a row that is new or different, and plans how it is written.
func weigh[R any](p *plan, k Kind[R], have map[string]R, wanted []Patch[R], take func(step[R]) error) {
	for _, patch := range wanted {
		id := k.ID(&patch.Values)
		was, found := have[id]
		now, err := patch.onto(k, was, !found)
		if err == nil {
			s := step[R]{origin: patch.Origin, was: was, now: now, isNew: !found, differences: k.differences(&was, &now)}
			if found && len(s.differences) == 0 {
				continue
			}
			p.changes = append(p.changes, Change{New: s.isNew, Kind: k.Name, ID: id, Differences: s.differences})
			err = take(s)
		}
		p.blame(patch.Origin, err)
	}
}

func (p *plan) write(w func(ctx context.Context, t tables, mark stamp) error) {
	p.writes = append(p.writes, w)
}

func (p *plan) site(s step[sites.Site]) error {
	all := make([]sites.Site, 0, len(p.known.sites))
	for _, other := range p.known.sites {
		all = append(all, other)
	}
	p.known.sites[s.now.ID] = s.now
	p.write(func(ctx context.Context, t tables, mark stamp) error {
		site := s.now
		if s.isNew {
			mark.site(&site)
			return t.sites.Create(ctx, site)
		}
		site.LastUpdateTime, site.LastUpdatedBy = mark.at, mark.by
		return t.sites.Update(ctx, site)
	})
	if s.isNew {
		return s.now.CheckNew(all)
	}
	return s.now.CheckUpdate(all)
}

func (p *plan) owner(s step[Owner]) error {
	p.known.owners[s.now.Email] = s.now
	p.write(func(ctx context.Context, t tables, mark stamp) error {
		owner := s.now
		mark.owner(&owner)
		return t.owners.put(ctx, owner)
	})
	return s.now.Check()
}

func (p *plan) ldap(s step[LDAPConnection]) error {
	p.known.ldaps[s.now.ID] = s.now
	p.write(func(ctx context.Context, t tables, mark stamp) error {
		connection := s.now
		mark.ldap(&connection)
		return t.ldaps.put(ctx, connection)
	})
	return s.now.Check()
}

func (p *plan) tenant(s step[Tenant]) error {
	if s.isNew {
		return p.newTenant(s.now)
	}
	if err := p.known.checkUpdate(s.was, s.now); err != nil {
		return err
	}
	p.known.put(s.now)
	if s.was.Status == Active && s.now.Status != Active {
		p.retired = append(p.retired, s)
	}
	p.write(func(ctx context.Context, t tables, mark stamp) error {
		tenant := s.now
		tenant.LastUpdateTime, tenant.LastUpdatedBy = mark.at, mark.by
		if err := t.tenants.update(ctx, tenant); err != nil {
			return err
		}
		return t.history.add(ctx, tenant.ID, mark.at, mark.by, s.differences)
	})
	return nil
}

// newTenant plans a tenant that does not exist yet: a draft unless told
// otherwise, with its services at its base URL unless told otherwise.
func (p *plan) newTenant(tenant Tenant) error {
	if tenant.Status == "" {
		tenant.Status = Draft
	}
	tenant.defaultEndpoints()
	err := p.known.checkNew(tenant)
	if err != nil {
		return err
	}
	p.known.put(tenant)
	p.write(func(ctx context.Context, t tables, mark stamp) error {
		mark.tenant(&tenant)
		return t.tenants.insert(ctx, tenant)
	})
	return nil
}
