package sites_test

import (
	"reflect"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
	"gatehouse/internal/tenants/sites"
	"gatehouse/internal/testdb"
	"gatehouse/migrations"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 123456000, time.UTC)

func stamped(s sites.Site) sites.Site {
	s.CreateTime, s.CreatedBy, s.LastUpdateTime, s.LastUpdatedBy = noon, "tenants@admin", noon, "tenants@admin"
	return s
}

func all(t *testing.T, s *sites.Service) []sites.Site {
	t.Helper()
	rows, err := s.All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestASiteComesBackAsItWasStored(t *testing.T) {
	testdb.Each(t, migrations.Tenants, func(t *testing.T, db *database.DB) {
		s := sites.New(db)
		if got := all(t, s); len(got) != 0 {
			t.Fatalf("an empty table: got %v", got)
		}
		want := []sites.Site{stamped(associate()), stamped(primary())}
		for i := range want {
			if err := s.Create(t.Context(), want[len(want)-1-i]); err != nil {
				t.Fatal(err)
			}
		}
		if got := all(t, s); !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	})
}

func TestAnUpdateKeepsHowTheSiteCameToBe(t *testing.T) {
	testdb.Each(t, migrations.Tenants, func(t *testing.T, db *database.DB) {
		s := sites.New(db)
		other := stamped(associate())
		for _, site := range []sites.Site{stamped(primary()), other} {
			if err := s.Create(t.Context(), site); err != nil {
				t.Fatal(err)
			}
		}
		want := stamped(primary())
		want.BaseURL, want.TenantBaseURLTemplate = "https://new.example.org", "https://${tenant_id}.new.example.org"
		want.Services, want.AdminTenantID = []string{}, "root"
		want.LastUpdateTime, want.LastUpdatedBy = noon.Add(time.Hour), "tokens@admin"
		changed := want
		changed.CreateTime, changed.CreatedBy = noon.Add(time.Hour), "somebody@else"
		if err := s.Update(t.Context(), changed); err != nil {
			t.Fatal(err)
		}
		if got := all(t, s); !reflect.DeepEqual(got, []sites.Site{other, want}) {
			t.Errorf("got  %+v\nwant %+v and the other site untouched", got, want)
		}
		changed.ID = "nowhere"
		if err := s.Update(t.Context(), changed); !apierr.Is(err, apierr.NotFound) {
			t.Errorf("an unknown site: got %v, want NotFound", err)
		}
		other.BaseURL = "https://new.example.org"
		if err := s.Update(t.Context(), other); !apierr.Is(err, apierr.Conflict) {
			t.Errorf("a base URL in use: got %v, want Conflict", err)
		}
	})
}

func TestSitesThatCannotBothExistAreAConflict(t *testing.T) {
	testdb.Each(t, migrations.Tenants, func(t *testing.T, db *database.DB) {
		s := sites.New(db)
		if err := s.Create(t.Context(), stamped(primary())); err != nil {
			t.Fatal(err)
		}
		second := stamped(primary())
		second.ID, second.BaseURL, second.TenantBaseURLTemplate = "second", "https://b.org", "https://${tenant_id}.b.org"
		same := stamped(associate())
		same.ID = "main"
		sameURL := stamped(associate())
		sameURL.BaseURL = "https://TAPIS.example.org"
		for name, site := range map[string]sites.Site{"second primary": second, "same id": same, "same base URL": sameURL} {
			if err := s.Create(t.Context(), site); !apierr.Is(err, apierr.Conflict) {
				t.Errorf("%s: got %v, want Conflict", name, err)
			}
		}
		invalid := stamped(associate())
		invalid.ID = ""
		if err := s.Create(t.Context(), invalid); !apierr.Is(err, apierr.Invalid) {
			t.Errorf("no id: got %v, want Invalid", err)
		}
		if got := len(all(t, s)); got != 1 {
			t.Errorf("got %d sites, want 1", got)
		}
	})
}

// Without the registry's lock, which callers are asked for, the index alone
// must hold.
func TestOnlyOneOfManyConcurrentPrimarySitesIsMade(t *testing.T) {
	testdb.Each(t, migrations.Tenants, func(t *testing.T, db *database.DB) {
		s := sites.New(db)
		const n = 8
		errs := make([]error, n)
		var ready, done sync.WaitGroup
		ready.Add(n)
		for i := range n {
			done.Go(func() {
				name := string(rune('a' + i))
				site := stamped(primary())
				site.ID, site.BaseURL, site.TenantBaseURLTemplate = name, "https://"+name+".org", "https://${tenant_id}."+name+".org"
				ready.Done()
				ready.Wait()
				errs[i] = s.Create(t.Context(), site)
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
		if rows := all(t, s); made != 1 || len(rows) != 1 || !rows[0].Primary {
			t.Errorf("%d were told that they succeeded, and there are %d sites; want 1 and 1", made, len(rows))
		}
	})
}
