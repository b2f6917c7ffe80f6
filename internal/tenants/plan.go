package tenants

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/tenants/field"
	"gatehouse/internal/tenants/history"
)

// plan is how the registry is to be changed: what it will hold, by the rules,
// and the writes that lead there.
type plan struct {
	sites   collection[Site]
	owners  collection[Owner]
	ldaps   collection[LDAPConnection]
	tenants collection[Tenant]
	folded  map[string]string // tenant ids by themselves in lower case
	hosts   map[string]string // tenant ids by the hosts of their base URLs

	changes []Change
	writes  []write // in an order that keeps every reference whole
	errs    []error
	checks  []func() // those that wait until all is planned
}

// write carries out one planned change.
type write func(ctx context.Context, at time.Time, by string) error

// collection is the records of one resource as a plan leaves them.
type collection[R any] struct {
	table[R]

	history     *history.Store         // nil: none is kept
	records     map[string]R           // by id
	check       func(e *edit[R]) error // whether a record may be made or changed so; it fills what a new one lacks
	checkUnused func(record R) error   // whether a record may be deleted
}

// edit is a record on its way from one state to the next.
type edit[R any] struct {
	origin        string
	before, after R
	isNew         bool
}

// precondition says when a record may be patched: whether it must or must not
// be there already, and which of its fields may differ. An error refuses.
type precondition func(title, id string, found bool, differences []Difference) error

// always makes or changes a record, whatever there is.
func always(string, string, bool, []Difference) error { return nil }

// absent is the precondition of a record that is to be made.
func absent(title, id string, found bool, _ []Difference) error {
	if found {
		return apierr.New(apierr.Conflict, "The %s %s exists already.", title, id)
	}
	return nil
}

// newPlan plans what decide asks for, beginning with content.
func newPlan(content Content, t tables, decide func(p *plan)) *plan {
	p := &plan{folded: make(map[string]string, len(content.Tenants)), hosts: make(map[string]string, len(content.Tenants))}
	p.sites = newCollection(t.sites, &t.siteHistory, content.Sites, p.checkSite, p.checkSiteUnused)
	p.owners = newCollection(t.owners, nil, content.Owners, p.checkOwner, p.checkOwnerUnused)
	p.ldaps = newCollection(t.ldaps, nil, content.LDAPs, p.checkLDAP, p.checkLDAPUnused)
	p.tenants = newCollection(t.tenants, &t.tenantHistory, content.Tenants, p.checkTenant, nil)
	for _, t := range content.Tenants {
		p.index(t)
	}
	decide(p)
	for _, check := range p.checks {
		check()
	}
	return p
}

func newCollection[R any](
	t table[R], h *history.Store, all []R, check func(e *edit[R]) error, checkUnused func(record R) error,
) collection[R] {
	c := collection[R]{table: t, history: h, records: make(map[string]R, len(all)), check: check, checkUnused: checkUnused}
	for i := range all {
		c.records[t.ID(&all[i])] = all[i]
	}
	return c
}

// index makes a tenant known by its id and its host.
func (p *plan) index(t Tenant) {
	p.folded[strings.ToLower(t.ID)], p.hosts[field.Host(t.BaseURL)] = t.ID, t.ID
}

// finally has something checked when all is planned: a tenant that a site or
// another tenant depends on may come, or retire, in the same plan.
func (p *plan) finally(origin string, check func() error) {
	p.checks = append(p.checks, func() { p.refuse(origin, check()) })
}

func (p *plan) refuse(origin string, err error) {
	switch {
	case err == nil:
	case origin == "":
		p.errs = append(p.errs, err)
	default:
		p.errs = append(p.errs, fmt.Errorf("%s: %w", origin, err))
	}
}

// err returns everything that the rules refuse.
func (p *plan) err() error { return errors.Join(p.errs...) }

// primary returns the primary site; false while there is none.
func (p *plan) primary() (Site, bool) {
	for _, s := range p.sites.records {
		if s.Primary {
			return s, true
		}
	}
	return Site{}, false
}

// response returns a tenant as responses show it.
func (p *plan) response(t Tenant) tenantResponse {
	all := make([]Tenant, 0, len(p.tenants.records))
	for _, id := range slices.Sorted(maps.Keys(p.tenants.records)) {
		all = append(all, p.tenants.records[id])
	}
	return newTenantResponse(t, p.sites.records[t.SiteID], all)
}

// diff compares what is wanted of records with those there are, and plans to
// write what is new or different.
func (c *collection[R]) diff(p *plan, patches []Patch[R], allowed precondition) {
	for _, patch := range patches {
		p.refuse(patch.Origin, c.put(p, patch, allowed))
	}
}

func (c *collection[R]) put(p *plan, patch Patch[R], allowed precondition) error {
	id := c.ID(&patch.Values)
	before, found := c.records[id]
	if err := allowed(c.title, id, found, nil); err != nil {
		return err // what is already there is said before what is wrong with the patch
	}
	after, err := patch.onto(c.Resource, before, !found)
	if err != nil {
		return err
	}
	differences := c.differences(&before, &after)
	if found && len(differences) == 0 {
		return nil
	}
	p.changes = append(p.changes, Change{New: !found, Resource: c.Name, ID: id, Differences: differences})
	if err := allowed(c.title, id, found, differences); err != nil {
		return err
	}
	e := edit[R]{origin: patch.Origin, before: before, after: after, isNew: !found}
	err = c.check(&e)
	c.records[id] = e.after
	p.writes = append(p.writes, func(ctx context.Context, at time.Time, by string) error {
		c.stamps(&e.after).stamp(at, by, e.isNew)
		c.records[id] = e.after
		if e.isNew {
			return c.insert(ctx, e.after)
		}
		if err := c.update(ctx, e.after); err != nil || c.history == nil {
			return err
		}
		return c.history.Add(ctx, id, at, by, differences)
	})
	return err
}

// remove plans that the record with the id is deleted, unless it is not there
// or in use.
func (c *collection[R]) remove(p *plan, id string) {
	record, found := c.records[id]
	if !found {
		p.refuse("", missing(c.title, id))
		return
	}
	if err := c.checkUnused(record); err != nil {
		p.refuse("", err)
		return
	}
	delete(c.records, id)
	p.changes = append(p.changes, Change{Gone: true, Resource: c.Name, ID: id})
	p.writes = append(p.writes, func(ctx context.Context, _ time.Time, _ string) error { return c.table.remove(ctx, id) })
}
