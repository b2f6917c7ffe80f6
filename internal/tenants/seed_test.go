package tenants

import (
	"testing"
	"time"

	"gatehouse/internal/database"
	"gatehouse/internal/testclock"
)

func TestSeedMakesADevelopmentRegistry(t *testing.T) {
	eachSeeded(t, func(t *testing.T, s *Service) {
		h := engine(t, s)
		dev := get(t, h, "/v3/tenants/dev", 200).object(t)
		members(t, dev, map[string]any{
			"base_url": "http://localhost:8080", "site_id": "main", "status": "ACTIVE", "owner": "ops@example.org",
			"admin_user": "testadmin", "token_service": "http://localhost:8080/v3/tokens", "description": "The dev tenant.",
			"security_kernel": "http://localhost:8080/v3/security", "authenticator": "http://localhost:8080/v3/oauth2",
			"user_ldap_connection_id": "tapis-dev", "public_key": canonicalKey(t),
		})
		equal(t, "tenants", get(t, h, "/v3/tenants", 200).ids(t, "tenant_id"), []string{"admin", "dev"})
		equal(t, "sites", get(t, h, "/v3/sites", 200).ids(t, "site_id"), []string{"main"})
	})
}

func TestASecondSeedRewritesOnlyWhatTheStartDecides(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		c := testclock.At(noon)
		s := newService(t, db, c.Now)
		seed(t, s, devSeed("8080"))
		add(t, s, Tenant{ID: "mine", SiteID: "main", Status: Active})
		rename(t, s, "dev", "My own words.")
		before := allTenants(t, s)

		c.Advance(time.Hour)
		seed(t, s, devSeed("8080"))
		equal(t, "tenants after the same seed", allTenants(t, s), before)

		moved := devSeed("9090")
		moved.Tenants[0].PublicKey, moved.Tenants[1].PublicKey = wrappedKeys()[1], ""
		moved.Tenants[0].AdminUser, moved.Site.Services = "somebody", []string{"tokens"}
		moved.LDAPs[0].Port = 20389
		moved.Owner.Name = "Others"
		seed(t, s, moved)
		newKey, err := NormalizePublicKey(wrappedKeys()[1])
		if err != nil {
			t.Fatal(err)
		}
		want := append([]Tenant(nil), before...)
		for i, base := range []string{"http://127.0.0.1:9090", "http://localhost:9090"} {
			want[i].BaseURL, want[i].TokenService = base, base+"/v3/tokens"
			want[i].SecurityKernel, want[i].Authenticator = base+"/v3/security", base+"/v3/oauth2"
			want[i].LastUpdateTime = noon.Add(time.Hour)
		}
		want[1].PublicKey = newKey
		equal(t, "tenants after the move", allTenants(t, s), want)

		site := get(t, engine(t, s), "/v3/sites/main", 200).object(t)
		equal(t, "site's base URL", site["base_url"], any("http://localhost:9090"))
		equal(t, "site's template", site["tenant_base_url_template"], any("http://${tenant_id}.localhost:9090"))
		equal(t, "number of the site's services", len(site["services"].([]any)), 6)
		ldap := contentOf(t, s).LDAPs[0]
		equal(t, "LDAP port", ldap.Port, 20389)
		equal(t, "LDAP times", []time.Time{ldap.CreateTime, ldap.LastUpdateTime}, []time.Time{noon, noon.Add(time.Hour)})
	})
}

func TestABadSeedIsRefusedAndWritesNothing(t *testing.T) {
	s := empty(t)
	for says, change := range map[string]func(seed *Seed){
		"site_id":           func(seed *Seed) { seed.Site.ID = "" },
		"email":             func(seed *Seed) { seed.Owner.Email = "" },
		"port":              func(seed *Seed) { seed.LDAPs[0].Port = 0 },
		"tenant dev":        func(seed *Seed) { seed.Tenants[0].PublicKey = "x" },
		"public_key":        func(seed *Seed) { seed.Tenants[1].PublicKey = "" },
		"base_url":          func(seed *Seed) { seed.Tenants[1].BaseURL = seed.Tenants[0].BaseURL },
		"connection that d": func(seed *Seed) { seed.LDAPs = nil },
	} {
		seed := devSeed("8080")
		change(&seed)
		if err := s.Seed(t.Context(), seed); !contains(err, says) {
			t.Errorf("got %v, want an error that says %q", err, says)
		}
	}
	equal(t, "content", contentOf(t, s), contentOf(t, empty(t)))
}

func TestASeedIsNotChangedByItsUse(t *testing.T) {
	dev := devSeed("8080")
	seed(t, empty(t), dev)
	equal(t, "seed", dev, devSeed("8080"))
}
