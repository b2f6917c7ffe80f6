package tenants

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
	"gatehouse/internal/testdb"
	"gatehouse/migrations"
)

func TestATenantComesBackAsItWasStored(t *testing.T) {
	testdb.Each(t, migrations.Tenants, func(t *testing.T, db *database.DB) {
		s := newService(t, db, (&clock{at: noon}).Now)
		if err := s.Seed(t.Context(), devSeed("8080")); err != nil {
			t.Fatal(err)
		}
		store := s.tables.tenants
		full := fullTenant()
		full.CreateTime, full.LastUpdateTime = noon, noon.Add(time.Microsecond)
		full.ServiceLDAPConnectionID, full.UserLDAPConnectionID = "tapis-dev", "tapis-dev"
		least := fullTenant()
		least.ID, least.BaseURL, least.Status = "draft", "https://draft.example.org", Draft
		least.CreateTime, least.LastUpdateTime, least.TokenGenServices = noon, noon, []string{}
		least.PublicKey, least.Description, least.ServiceLDAPConnectionID, least.UserLDAPConnectionID = "", "", "", ""
		for _, tenant := range []Tenant{least, full} {
			if err := store.insert(t.Context(), tenant); err != nil {
				t.Fatal(err)
			}
		}
		all := allTenants(t, s)
		equal(t, "order", idsOf(all), []string{"admin", "dev", "draft", "tacc"})
		equal(t, "the tenant without anything optional", all[2], least)
		equal(t, "the full tenant", all[3], full)

		if err := store.insert(t.Context(), full); !apierr.Is(err, apierr.Conflict) {
			t.Errorf("a second time: got %v, want Conflict", err)
		}
	})
}

func TestAnUpdateOfOneTenantLeavesTheOthersAlone(t *testing.T) {
	testdb.Each(t, migrations.Tenants, func(t *testing.T, db *database.DB) {
		s := newService(t, db, (&clock{at: noon}).Now)
		if err := s.Seed(t.Context(), devSeed("8080")); err != nil {
			t.Fatal(err)
		}
		before := allTenants(t, s)
		changed := before[1]
		changed.Status, changed.PublicKey, changed.Description = Draft, "", ""
		changed.UserLDAPConnectionID, changed.TokenGenServices = "", []string{}
		changed.LastUpdateTime, changed.LastUpdatedBy = noon.Add(time.Hour), "tokens@admin"
		want := changed
		changed.SiteID, changed.CreateTime, changed.CreatedBy = "elsewhere", noon.Add(time.Hour), "somebody@else"
		if err := s.tables.tenants.update(t.Context(), changed); err != nil {
			t.Fatal(err)
		}
		equal(t, "tenants after the update", allTenants(t, s), []Tenant{before[0], want})

		changed.ID = "nobody"
		if err := s.tables.tenants.update(t.Context(), changed); !apierr.Is(err, apierr.NotFound) {
			t.Errorf("an unknown tenant: got %v, want NotFound", err)
		}
		changed.ID, changed.BaseURL = "dev", before[0].BaseURL
		if err := s.tables.tenants.update(t.Context(), changed); !apierr.Is(err, apierr.Conflict) {
			t.Errorf("another tenant's base URL: got %v, want Conflict", err)
		}
	})
}

func TestOwnersAreMadeOnceAndChangedOnPurpose(t *testing.T) {
	testdb.Each(t, migrations.Tenants, func(t *testing.T, db *database.DB) {
		ctx, owners := t.Context(), ownerStore{db: db}
		one := Owner{Email: "b@example.org", Name: "B", Institution: "I", CreateTime: noon, LastUpdateTime: noon}
		two := Owner{Email: "B@example.org", Name: "another", Institution: "I", CreateTime: noon, LastUpdateTime: noon}
		other := one
		other.Name, other.CreateTime, other.LastUpdateTime = "Other", noon.Add(time.Hour), noon.Add(time.Hour)
		for _, owner := range []Owner{one, two, other} { // the third is there already
			if err := owners.ensure(ctx, owner); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := owners.all(ctx); err != nil || !reflect.DeepEqual(got, []Owner{two, one}) {
			t.Errorf("got %+v, %v", got, err)
		}
		if err := owners.put(ctx, other); err != nil {
			t.Fatal(err)
		}
		other.CreateTime = noon
		if got, err := owners.all(ctx); err != nil || !reflect.DeepEqual(got, []Owner{two, other}) {
			t.Errorf("after the change: got %+v, %v", got, err)
		}
	})
}

func TestLDAPConnectionsAreKeptApart(t *testing.T) {
	testdb.Each(t, migrations.Tenants, func(t *testing.T, db *database.DB) {
		ctx, ldaps := t.Context(), ldapStore{db: db}
		one := LDAPConnection{
			ID: "one", URL: "ldaps://one", Port: 636, UseSSL: true, UserDN: "ou=people", BindDN: "cn=reader",
			BindCredential: "ldap.one", AccountType: ServiceAccounts, CreateTime: noon, LastUpdateTime: noon,
		}
		two := one
		two.ID, two.URL, two.UseSSL, two.AccountType = "Two", "ldap://two", false, UserAccounts
		for _, l := range []LDAPConnection{one, two} {
			if err := ldaps.put(ctx, l); err != nil {
				t.Fatal(err)
			}
		}
		changed := two
		changed.Port, changed.CreateTime, changed.LastUpdateTime = 1389, noon.Add(time.Hour), noon.Add(time.Hour)
		if err := ldaps.put(ctx, changed); err != nil {
			t.Fatal(err)
		}
		changed.CreateTime = noon
		for _, want := range []LDAPConnection{one, changed} {
			if got, found, err := ldaps.get(ctx, want.ID); err != nil || !found || got != want {
				t.Errorf("got %+v, %v, %v\nwant %+v", got, found, err, want)
			}
		}
		if got, err := ldaps.all(ctx); err != nil || !reflect.DeepEqual(got, []LDAPConnection{changed, one}) {
			t.Errorf("got %+v, %v", got, err)
		}
		if _, found, err := ldaps.get(ctx, "three"); err != nil || found {
			t.Errorf("an unknown connection: got %v, %v", found, err)
		}
	})
}

func TestATenantWhoseReferencesAreMissingIsRefusedByName(t *testing.T) {
	db := testdb.New(t, migrations.Tenants)
	s := newService(t, db, (&clock{at: noon}).Now)
	if err := s.Seed(t.Context(), devSeed("8080")); err != nil {
		t.Fatal(err)
	}
	good := completed(t, s, Tenant{ID: "new", SiteID: "main", Status: Active})
	for _, tt := range []struct {
		says   string
		kind   apierr.Kind
		change func(t *Tenant)
	}{
		{"site_id", apierr.Invalid, func(t *Tenant) { t.SiteID = "nowhere" }},
		{"owner", apierr.Invalid, func(t *Tenant) { t.Owner = "nobody@example.org" }},
		{"user_ldap_connection_id", apierr.Invalid, func(t *Tenant) { t.UserLDAPConnectionID = "x" }},
		{"service_ldap_connection_id", apierr.Invalid, func(t *Tenant) { t.ServiceLDAPConnectionID = "x" }},
		{"admin_user", apierr.Invalid, func(t *Tenant) { t.AdminUser = "" }},
		{"dev exists", apierr.Conflict, func(t *Tenant) { t.ID = "DEV" }},
		{"base_url", apierr.Conflict, func(t *Tenant) { t.BaseURL = "http://localhost:8080" }},
	} {
		bad := good
		tt.change(&bad)
		err := s.registry.change(t.Context(), func(ctx context.Context) error { return s.tenants.create(ctx, bad) })
		if !apierr.Is(err, tt.kind) || !contains(err, tt.says) {
			t.Errorf("got %v, want an error about %s", err, tt.says)
		}
	}
	equal(t, "tenants", idsOf(allTenants(t, s)), []string{"admin", "dev"})
}

func TestAFailedChangeLeavesNothingBehind(t *testing.T) {
	testdb.Each(t, migrations.Tenants, func(t *testing.T, db *database.DB) {
		s := newService(t, db, (&clock{at: noon}).Now)
		if err := s.Seed(t.Context(), devSeed("8080")); err != nil {
			t.Fatal(err)
		}
		h := engine(t, s)
		before := get(t, h, "/v3/tenants", 200).raw
		sorry := errors.New("sorry")
		err := s.registry.change(t.Context(), func(ctx context.Context) error {
			if err := s.tenants.create(ctx, completed(t, s, Tenant{ID: "new", SiteID: "main", Status: Active})); err != nil {
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

func allTenants(t testing.TB, s *Service) []Tenant {
	t.Helper()
	all, err := s.tables.tenants.all(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func idsOf(all []Tenant) []string {
	ids := []string{}
	for _, tenant := range all {
		ids = append(ids, tenant.ID)
	}
	return ids
}

func contains(err error, text string) bool { return err != nil && strings.Contains(err.Error(), text) }
