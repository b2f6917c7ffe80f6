package tenants

import (
	"context"
	"fmt"
	"slices"

	"gatehouse/internal/apierr"
	"gatehouse/internal/tenants/sites"
)

// plan is how the registry is to be changed, by the rules.
type plan struct {
	known   *known // as it will be
	changes []Change
	writes  []write // in an order that keeps every reference whole
	faults  []error
	later   []func() // checks that wait until all is known
}

// write carries out one planned change.
type write func(ctx context.Context, t tables, mark stamp) error

// newPlan plans what decide asks for, beginning with content.
func newPlan(content Content, decide func(p *plan)) *plan {
	p := &plan{known: newKnown(content)}
	decide(p)
	for _, check := range p.later {
		check()
	}
	return p
}

// finally has something checked when all is known: a tenant that a site or
// another tenant depends on may come, or retire, in the same plan.
func (p *plan) finally(origin string, check func() error) {
	p.later = append(p.later, func() { p.blame(origin, check()) })
}

// applying names who makes the changes of an apply.
func (p *plan) applying() string {
	if site, found := p.known.primary(); found {
		return "apply@" + site.AdminTenantID
	}
	return "apply"
}

func (p *plan) blame(origin string, err error) {
	switch {
	case err == nil:
	case origin == "":
		p.faults = append(p.faults, err)
	default:
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

// terms say when a row may be patched: whether it must or must not be there
// already, and which of its fields may differ. An error refuses.
type terms func(kind, id string, found bool, differences []Difference) error

// anyhow makes or changes a row, whatever there is.
func anyhow(string, string, bool, []Difference) error { return nil }

// weigh compares what is wanted of one kind of rows with those there are.
// take checks a row that is new or different, and plans how it is written.
func weigh[R any](p *plan, k Kind[R], have map[string]R, wanted []Patch[R], allowed terms, take func(step[R]) error) {
	for _, patch := range wanted {
		id := k.ID(&patch.Values)
		was, found := have[id]
		now, err := patch.onto(k, was, !found)
		if refusal := allowed(k.Name, id, found, nil); refusal != nil {
			err = refusal // what is already there is said before what is wrong with the patch
		}
		if err == nil {
			s := step[R]{origin: patch.Origin, was: was, now: now, isNew: !found, differences: k.differences(&was, &now)}
			if found && len(s.differences) == 0 {
				continue
			}
			p.changes = append(p.changes, Change{New: s.isNew, Kind: k.Name, ID: id, Differences: s.differences})
			if err = allowed(k.Name, id, found, s.differences); err == nil {
				err = take(s)
			}
		}
		p.blame(patch.Origin, err)
	}
}

// drop plans that the row with the id is deleted, unless it is not there or
// check says why it must stay.
func drop[R any](p *plan, k Kind[R], have map[string]R, id string, check func(row R) error, gone write) {
	row, found := have[id]
	if !found {
		p.blame("", missing(k.Name, id))
		return
	}
	if err := check(row); err != nil {
		p.blame("", err)
		return
	}
	delete(have, id)
	p.changes = append(p.changes, Change{Gone: true, Kind: k.Name, ID: id})
	p.write(gone)
}

// titles are how errors call the rows of each kind.
var titles = map[string]string{"site": "site", "owner": "owner", "ldap": "LDAP connection", "tenant": "tenant"}

func missing(kind, id string) error {
	return apierr.New(apierr.NotFound, "The %s %s does not exist.", titles[kind], id)
}

func (p *plan) write(w write) { p.writes = append(p.writes, w) }

func (p *plan) site(s step[sites.Site]) error {
	all := p.known.allSites()
	p.known.sites[s.now.ID] = s.now
	if !s.isNew {
		return p.siteUpdate(s, all)
	}
	p.write(func(ctx context.Context, t tables, mark stamp) error {
		site := s.now
		mark.site(&site)
		p.known.sites[site.ID] = site
		return t.sites.Create(ctx, site)
	})
	if s.now.Primary {
		p.finally(s.origin, p.known.checkAddresses)
	}
	return s.now.CheckNew(all)
}

func (p *plan) siteUpdate(s step[sites.Site], all []sites.Site) error {
	p.write(func(ctx context.Context, t tables, mark stamp) error {
		site := s.now
		site.LastUpdateTime, site.LastUpdatedBy = mark.at, mark.by
		p.known.sites[site.ID] = site
		if err := t.sites.Update(ctx, site); err != nil {
			return err
		}
		return t.sites.History().Add(ctx, site.ID, mark.at, mark.by, s.differences)
	})
	if s.now.TenantBaseURLTemplate != s.was.TenantBaseURLTemplate {
		p.finally(s.origin, p.known.checkAddresses)
	}
	if s.now.AdminTenantID != s.was.AdminTenantID {
		p.finally(s.origin, func() error { return p.known.checkAdminTenant(s.now) })
	}
	return s.now.CheckUpdate(all)
}

func (p *plan) owner(s step[Owner]) error {
	p.known.owners[s.now.Email] = s.now
	p.write(func(ctx context.Context, t tables, mark stamp) error {
		owner := s.now
		owner.LastUpdateTime = mark.at
		if s.isNew {
			mark.owner(&owner)
		}
		p.known.owners[owner.Email] = owner
		return t.owners.put(ctx, owner)
	})
	return s.now.Check()
}

func (p *plan) ldap(s step[LDAPConnection]) error {
	p.known.ldaps[s.now.ID] = s.now
	p.write(func(ctx context.Context, t tables, mark stamp) error {
		connection := s.now
		connection.LastUpdateTime = mark.at
		if s.isNew {
			mark.ldap(&connection)
		}
		p.known.ldaps[connection.ID] = connection
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
		p.finally(s.origin, func() error { return p.known.checkRetired(s.now) })
	}
	p.write(func(ctx context.Context, t tables, mark stamp) error {
		tenant := s.now
		tenant.LastUpdateTime, tenant.LastUpdatedBy = mark.at, mark.by
		p.known.put(tenant)
		if err := t.tenants.update(ctx, tenant); err != nil {
			return err
		}
		return t.history.Add(ctx, tenant.ID, mark.at, mark.by, s.differences)
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
	if err := p.known.checkNew(tenant); err != nil {
		return err
	}
	p.known.put(tenant)
	p.write(func(ctx context.Context, t tables, mark stamp) error {
		mark.tenant(&tenant)
		p.known.put(tenant)
		return t.tenants.insert(ctx, tenant)
	})
	return nil
}

func (p *plan) dropSite(id string) {
	drop(p, Sites(), p.known.sites, id, p.known.checkSiteUnused, func(ctx context.Context, t tables, _ stamp) error {
		return t.sites.Delete(ctx, id)
	})
}

func (p *plan) dropOwner(email string) {
	drop(p, Owners(), p.known.owners, email, p.known.checkOwnerUnused, func(ctx context.Context, t tables, _ stamp) error {
		return t.owners.remove(ctx, email)
	})
}

func (p *plan) dropLDAP(id string) {
	drop(p, LDAPs(), p.known.ldaps, id, p.known.checkLDAPUnused, func(ctx context.Context, t tables, _ stamp) error {
		return t.ldaps.remove(ctx, id)
	})
}

// differing returns the names of fields that differ and are not among these.
func differing(differences []Difference, among []string) []string {
	var others []string
	for _, d := range differences {
		if !slices.Contains(among, d.Field) {
			others = append(others, d.Field)
		}
	}
	return others
}
