package tenants

import (
	"context"
	"errors"
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
		store := s.tenants.store
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
		if err := s.tenants.store.update(t.Context(), changed); err != nil {
			t.Fatal(err)
		}
		equal(t, "tenants after the update", allTenants(t, s), []Tenant{before[0], want})

		changed.ID = "nobody"
		if err := s.tenants.store.update(t.Context(), changed); !apierr.Is(err, apierr.NotFound) {
			t.Errorf("an unknown tenant: got %v, want NotFound", err)
		}
		changed.ID, changed.BaseURL = "dev", before[0].BaseURL
		if err := s.tenants.store.update(t.Context(), changed); !apierr.Is(err, apierr.Conflict) {
			t.Errorf("another tenant's base URL: got %v, want Conflict", err)
		}
	})
}

func TestOwnersAndLDAPConnectionsAreKeptApart(t *testing.T) {
	testdb.Each(t, migrations.Tenants, func(t *testing.T, db *database.DB) {
		s := newService(t, db, (&clock{at: noon}).Now)
		ctx := t.Context()
		owner := Owner{Email: "a@example.org", Name: "A", Institution: "I", CreateTime: noon, LastUpdateTime: noon}
		for range 2 { // the second time it is there already
			if err := s.tenants.owners.ensure(ctx, owner); err != nil {
				t.Fatal(err)
			}
		}
		for email, want := range map[string]bool{"a@example.org": true, "b@example.org": false, "": false} {
			if got, err := s.tenants.owners.exists(ctx, email); err != nil || got != want {
				t.Errorf("owner %q: got %v, %v, want %v", email, got, err, want)
			}
		}

		one := LDAPConnection{
			ID: "one", URL: "ldaps://one", Port: 636, UseSSL: true, UserDN: "ou=people", BindDN: "cn=reader",
			BindCredential: "ldap.one", AccountType: ServiceAccounts, CreateTime: noon, LastUpdateTime: noon,
		}
		two := one
		two.ID, two.URL, two.UseSSL, two.AccountType = "two", "ldap://two", false, UserAccounts
		for _, l := range []LDAPConnection{one, two} {
			if err := s.tenants.ldaps.put(ctx, l); err != nil {
				t.Fatal(err)
			}
		}
		changed := two
		changed.Port, changed.CreateTime, changed.LastUpdateTime = 1389, noon.Add(time.Hour), noon.Add(time.Hour)
		if err := s.tenants.ldaps.put(ctx, changed); err != nil {
			t.Fatal(err)
		}
		changed.CreateTime = noon
		for _, want := range []LDAPConnection{one, changed} {
			if got, found, err := s.tenants.ldaps.get(ctx, want.ID); err != nil || !found || got != want {
				t.Errorf("got %+v, %v, %v\nwant %+v", got, found, err, want)
			}
		}
		if _, found, err := s.tenants.ldaps.get(ctx, "three"); err != nil || found {
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
	all, err := s.tenants.store.all(t.Context())
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
