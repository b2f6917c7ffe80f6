package tenants

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
)

var stampedAtNoon = Stamps{noon, "tenants@admin", noon.Add(time.Microsecond), "tenants@admin"}

// timesAtNoon are the stamps of a record whose authors are not stored.
var timesAtNoon = Stamps{CreateTime: noon, LastUpdateTime: noon.Add(time.Microsecond)}

func primarySite() Site {
	return Site{
		ID: "main", Primary: true, BaseURL: "https://tapis.example.org",
		TenantBaseURLTemplate: "https://${tenant_id}.tapis.example.org",
		AdminTenantID:         "admin", Services: []string{"security", "tokens"}, Stamps: stampedAtNoon,
	}
}

func associateSite() Site {
	return Site{
		ID: "east", BaseURL: "east.example.org", AdminTenantID: "east-admin", Services: []string{"security"}, Stamps: stampedAtNoon,
	}
}

// keeps checks that a table holds records as they are given, in order, tells
// them apart, and changes one of them, but for the fixed fields, when it is
// told to. The records are in order; changed is the last of them with
// everything else, wanted what becomes of it.
func keeps[R any](t *testing.T, table table[R], records []R, changed, wanted R) {
	t.Helper()
	ctx := t.Context()
	all := func(want []R) {
		t.Helper()
		got, err := table.all(ctx)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, table.title+"s", got, want)
	}
	all([]R{})
	for i := range records {
		if err := table.insert(ctx, records[len(records)-1-i]); err != nil {
			t.Fatal(err)
		}
	}
	all(records)
	if err := table.insert(ctx, records[0]); !apierr.Is(err, apierr.Conflict) {
		t.Errorf("a second time: got %v, want Conflict", err)
	}
	if err := table.update(ctx, changed); err != nil {
		t.Fatal(err)
	}
	last := len(records) - 1
	all(append(records[:last:last], wanted))
	*table.Fields[0].Of(&changed).(*string) = "nobody"
	if err := table.update(ctx, changed); !apierr.Is(err, apierr.NotFound) {
		t.Errorf("an update of an unknown %s: got %v, want NotFound", table.title, err)
	}
}

func TestRecordsComeBackAsTheyWereStoredAndKeepHowTheyCameToBe(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		tables := newTables(db)
		made, later := noon.Add(time.Hour), noon.Add(2*time.Hour)

		site := primarySite()
		site.BaseURL, site.TenantBaseURLTemplate = "https://new.example.org", "https://${tenant_id}.new.example.org"
		site.Services, site.AdminTenantID, site.LastUpdateTime, site.LastUpdatedBy = []string{}, "root", later, "tokens@admin"
		changed := site
		changed.Primary, changed.CreateTime, changed.CreatedBy = false, made, "somebody@else"
		keeps(t, tables.sites, []Site{associateSite(), primarySite()}, changed, site)

		ops := Owner{Email: "ops@example.org", Name: "Ops", Institution: "I", Stamps: timesAtNoon}
		shout := Owner{Email: "OPS@example.org", Name: "another", Institution: "I", Stamps: timesAtNoon}
		owner := ops
		owner.Name, owner.Institution, owner.LastUpdateTime = "Other", "J", later
		changedOwner := owner
		changedOwner.CreateTime = made
		keeps(t, tables.owners, []Owner{shout, ops}, changedOwner, owner)

		people := LDAPConnection{
			ID: "tacc-all", URL: "ldaps://one", Port: 636, UseSSL: true, UserDN: "ou=people", BindDN: "cn=reader",
			BindCredential: "ldap.one", AccountType: ServiceAccounts, Stamps: timesAtNoon,
		}
		services := people
		services.ID, services.URL, services.UseSSL, services.AccountType = "tacc-services", "ldap://two", false, UserAccounts
		ldap := services
		ldap.Port, ldap.LastUpdateTime = 1389, later
		changedLDAP := ldap
		changedLDAP.CreateTime = made
		keeps(t, tables.ldaps, []LDAPConnection{people, services}, changedLDAP, ldap)

		full := fullTenant()
		full.Stamps = stampedAtNoon
		least := full
		least.ID, least.BaseURL, least.Status, least.TokenGenServices = "Draft", "https://draft.example.org", Draft, []string{}
		least.PublicKey, least.Description, least.ServiceLDAPConnectionID, least.UserLDAPConnectionID = "", "", "", ""
		tenant := full
		tenant.Status, tenant.PublicKey, tenant.Description = Draft, "", ""
		tenant.UserLDAPConnectionID, tenant.TokenGenServices = "", []string{}
		tenant.LastUpdateTime, tenant.LastUpdatedBy = later, "tokens@admin"
		changedTenant := tenant
		changedTenant.SiteID, changedTenant.CreateTime, changedTenant.CreatedBy = "elsewhere", made, "somebody@else"
		keeps(t, tables.tenants, []Tenant{least, full}, changedTenant, tenant)

		tenant.BaseURL = least.BaseURL
		if err := tables.tenants.update(t.Context(), tenant); !apierr.Is(err, apierr.Conflict) {
			t.Errorf("another tenant's base URL: got %v, want Conflict", err)
		}
	})
}

// Without the registry's lock and rules, the index alone must hold.
func TestOnlyOneOfManyConcurrentPrimarySitesIsMade(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		table := newTables(db).sites
		const n = 8
		errs := make([]error, n)
		var ready, done sync.WaitGroup
		ready.Add(n)
		for i := range n {
			done.Go(func() {
				site := primarySite()
				site.ID = string(rune('a' + i))
				site.BaseURL, site.TenantBaseURLTemplate = "https://"+site.ID+".org", "https://${tenant_id}."+site.ID+".org"
				ready.Done()
				ready.Wait()
				errs[i] = table.insert(t.Context(), site)
			})
		}
		done.Wait()
		made := 0
		for _, err := range errs {
			switch {
			case err == nil:
				made++
			case !apierr.Is(err, apierr.Conflict):
				t.Errorf("got %v, want Conflict", err)
			}
		}
		if all, err := table.all(t.Context()); err != nil || made != 1 || len(all) != 1 || !all[0].Primary {
			t.Errorf("%d were told that they succeeded, and there are %d sites; want 1 and 1: %v", made, len(all), err)
		}
	})
}

func TestAFailedChangeLeavesNothingBehind(t *testing.T) {
	eachSeeded(t, func(t *testing.T, s *Service) {
		h := engine(t, s)
		before := get(t, h, "/v3/tenants", 200).raw
		sorry := errors.New("sorry")
		err := s.snapshots.change(t.Context(), func(ctx context.Context, _ int64) error {
			if err := s.tables.tenants.insert(ctx, completed(t, Tenant{ID: "new", SiteID: "main", Status: Active})); err != nil {
				t.Error(err)
			}
			return sorry
		})
		if !errors.Is(err, sorry) {
			t.Errorf("got %v, want the error of the change", err)
		}
		equal(t, "list", string(get(t, h, "/v3/tenants", 200).raw), string(before))
		get(t, h, "/v3/tenants/new", 404)
	})
}

func allTenants(t testing.TB, s *Service) []Tenant { t.Helper(); return contentOf(t, s).Tenants }

func idsOf(all []Tenant) []string { return converted(all, func(t Tenant) string { return t.ID }) }

func contains(err error, text string) bool { return err != nil && strings.Contains(err.Error(), text) }
