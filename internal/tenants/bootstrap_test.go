package tenants

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/database"
	"gatehouse/internal/testclock"
)

func operatorConfig() Bootstrap {
	return Bootstrap{
		SiteID: "main", AdminBaseURL: "https://admin.tapis.example.org",
		Owner:          Owner{Email: "ops@example.org", Name: "Operations", Institution: "Example"},
		AdminPublicKey: wrappedKeys()[0],
	}
}

func TestBootstrapMakesThePrimarySiteAndItsAdminTenant(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		// A clock in another zone: all rows must be in UTC.
		s := newService(t, db, func() time.Time { return noon.In(time.FixedZone("CST", -6*3600)) })
		bootstrap(t, s, operatorConfig())
		h := engine(t, s)
		site := get(t, h, "/v3/sites/main", 200).object(t)
		members(t, site, map[string]any{
			"primary": true, "base_url": "https://tapis.example.org", "tenant_base_url_template": "https://${tenant_id}.tapis.example.org",
			"site_admin_tenant_id": "admin", "create_time": "Mon, 02 Nov 2026 12:00:00 GMT", "created_by": "tenants@admin",
		})
		admin := get(t, h, "/v3/tenants/admin", 200).object(t)
		members(t, admin, map[string]any{
			"base_url": "https://admin.tapis.example.org", "site_id": "main", "status": "ACTIVE", "owner": "ops@example.org",
			"admin_user": "admin", "public_key": canonicalKey(t), "token_service": "https://admin.tapis.example.org/v3/tokens",
			"security_kernel": "https://admin.tapis.example.org/v3/security", "authenticator": "https://admin.tapis.example.org/v3/oauth2",
			"create_time": "Mon, 02 Nov 2026 12:00:00 GMT", "last_updated_by": "tenants@admin",
		})
		if _, there := admin["token_gen_services"]; there {
			t.Error("the admin tenant has token_gen_services")
		}
	})
}

func TestASecondBootstrapChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		c := testclock.At(noon)
		s := newService(t, db, c.Now)
		bootstrap(t, s, operatorConfig())
		h := engine(t, s)
		tenants, sites := get(t, h, "/v3/tenants", 200), get(t, h, "/v3/sites", 200)
		c.Advance(time.Hour)
		again := operatorConfig()
		again.AdminPublicKey, again.AdminUser, again.Services = wrappedKeys()[1], "other", []string{"tokens"}
		again.AdminBaseURL, again.Owner.Name = "https://admin.new.example.org", "Others"
		bootstrap(t, s, again)
		again.AdminPublicKey = "" // no longer needed
		bootstrap(t, s, again)
		equal(t, "tenants", string(get(t, h, "/v3/tenants", 200).raw), string(tenants.raw))
		equal(t, "sites", string(get(t, h, "/v3/sites", 200).raw), string(sites.raw))
	})
}

func TestReplicasThatStartTogetherMakeOneRegistry(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		const replicas = 6
		var all, ready sync.WaitGroup
		ready.Add(replicas)
		for range replicas {
			s := newService(t, db, atNoon)
			all.Go(func() {
				err := s.Ready(t.Context()) // opens the connection
				ready.Done()
				ready.Wait()
				if err != nil {
					t.Error(err)
				}
				if err := s.Bootstrap(t.Context(), operatorConfig()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		h := engine(t, newService(t, db, atNoon))
		equal(t, "sites", get(t, h, "/v3/sites", 200).ids(t, "site_id"), []string{"main"})
		equal(t, "tenants", get(t, h, "/v3/tenants", 200).ids(t, "tenant_id"), []string{"admin"})
	})
}

func TestAConfigurationThatDoesNotFitTheRegistryIsRefused(t *testing.T) {
	s := empty(t)
	bootstrap(t, s, operatorConfig())
	for says, change := range map[string]func(b *Bootstrap){
		"primary site is main":  func(b *Bootstrap) { b.SiteID = "other" },
		"admin tenant is admin": func(b *Bootstrap) { b.AdminTenantID, b.AdminBaseURL = "root", "https://root.tapis.example.org" },
	} {
		b := operatorConfig()
		change(&b)
		if err := s.Bootstrap(t.Context(), b); !contains(err, says) {
			t.Errorf("got %v, want an error that says %q", err, says)
		}
	}
	equal(t, "tenants", idsOf(allTenants(t, s)), []string{"admin"})
}

func TestABadConfigurationIsRefusedAndWritesNothing(t *testing.T) {
	s := empty(t)
	for says, change := range map[string]func(b *Bootstrap){
		"no public key":          func(b *Bootstrap) { b.AdminPublicKey = "" },
		"public_key":             func(b *Bootstrap) { b.AdminPublicKey = "key" },
		"site_id":                func(b *Bootstrap) { b.SiteID = "" },
		"tenant_id":              func(b *Bootstrap) { b.AdminTenantID, b.AdminBaseURL = "a_b", "https://a_b.example.org" },
		"email":                  func(b *Bootstrap) { b.Owner.Email = "" },
		"admin_base_url":         func(b *Bootstrap) { b.AdminBaseURL = "admin.tapis.example.org" },
		"must be configured":     func(b *Bootstrap) { b.AdminBaseURL = "https://tapis.example.org" },
		"services":               func(b *Bootstrap) { b.Services = []string{""} },
		"must contain ${tenant_": func(b *Bootstrap) { b.TenantBaseURLTemplate = "https://x.example.org" },
	} {
		b := operatorConfig()
		change(&b)
		if err := s.Bootstrap(t.Context(), b); !contains(err, says) {
			t.Errorf("got %v, want an error that says %q", err, says)
		}
	}
	equal(t, "content", contentOf(t, s), contentOf(t, empty(t)))
}

func TestOnlyTheFirstLabelOfTheAdminHostIsReplaced(t *testing.T) {
	for _, tt := range []struct {
		name           string
		change         func(b *Bootstrap)
		base, template string
	}{
		{
			"admin elsewhere in the name", func(b *Bootstrap) { b.AdminBaseURL = "https://admin.administration.example.org" },
			"https://administration.example.org", "https://${tenant_id}.administration.example.org",
		},
		{
			"another admin tenant and a port",
			func(b *Bootstrap) { b.AdminTenantID, b.AdminBaseURL = "root", "http://root.admin.localhost:8443" },
			"http://admin.localhost:8443", "http://${tenant_id}.admin.localhost:8443",
		},
		{
			"addresses that are configured",
			func(b *Bootstrap) {
				b.AdminBaseURL, b.SiteBaseURL, b.TenantBaseURLTemplate = "https://gate.example.org", "https://example.org",
					"https://t-${tenant_id}.example.org"
			},
			"https://example.org", "https://t-${tenant_id}.example.org",
		},
		{
			"only the template configured", func(b *Bootstrap) { b.TenantBaseURLTemplate = "https://t-${tenant_id}.example.org" },
			"https://tapis.example.org", "https://t-${tenant_id}.example.org",
		},
	} {
		b := operatorConfig()
		tt.change(&b)
		site, _, err := b.records()
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		equal(t, tt.name+", base URL", site.BaseURL, tt.base)
		equal(t, tt.name+", template", site.TenantBaseURLTemplate, tt.template)
	}
}

func TestTheDefaultServicesAreComplete(t *testing.T) {
	for _, name := range []string{"security", "tokens", "authenticator", "notifications", "pods", "workflows", "globus-proxy"} {
		if !slices.Contains(DefaultServices(), name) {
			t.Errorf("%s is missing", name)
		}
	}
	s := empty(t)
	b := operatorConfig()
	b.Services = []string{"tokens", "security"}
	bootstrap(t, s, b)
	raw := string(get(t, engine(t, s), "/v3/sites/main", 200).result)
	if !strings.Contains(raw, `"services":["tokens","security"]`) {
		t.Errorf("configured services: got %s", raw)
	}
}
