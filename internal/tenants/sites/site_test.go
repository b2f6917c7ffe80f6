package sites_test

import (
	"strings"
	"testing"

	"gatehouse/internal/apierr"
	"gatehouse/internal/tenants/sites"
)

func primary() sites.Site {
	return sites.Site{
		ID: "main", Primary: true, BaseURL: "https://tapis.example.org",
		TenantBaseURLTemplate: "https://${tenant_id}.tapis.example.org", AdminTenantID: "admin",
		Services: []string{"security", "tokens"},
	}
}

func associate() sites.Site {
	return sites.Site{ID: "east", BaseURL: "east.example.org", AdminTenantID: "east-admin", Services: []string{"security"}}
}

func TestASoundSiteIsAccepted(t *testing.T) {
	for _, s := range []sites.Site{primary(), associate()} {
		if err := s.Check(); err != nil {
			t.Errorf("%s: %v", s.ID, err)
		}
	}
	s := primary()
	s.BaseURL, s.TenantBaseURLTemplate, s.Services = "http://localhost:8080", "http://${tenant_id}.localhost:8080", nil
	if err := s.Check(); err != nil {
		t.Errorf("development addresses: %v", err)
	}
}

func TestASiteThatBreaksARuleIsRefusedWithTheFieldsName(t *testing.T) {
	tests := []struct {
		field  string
		site   func() sites.Site
		change func(s *sites.Site)
	}{
		{"site_id", primary, func(s *sites.Site) { s.ID = "" }},
		{"site_id", primary, func(s *sites.Site) { s.ID = "a.b" }},
		{"site_admin_tenant_id", primary, func(s *sites.Site) { s.AdminTenantID = "a_b" }},
		{"services", primary, func(s *sites.Site) { s.Services = []string{"tokens", ""} }},
		{"base_url", primary, func(s *sites.Site) { s.BaseURL = "tapis.example.org" }},
		{"base_url", primary, func(s *sites.Site) { s.BaseURL = "" }},
		{"tenant_base_url_template", primary, func(s *sites.Site) { s.TenantBaseURLTemplate = "" }},
		{"tenant_base_url_template", primary, func(s *sites.Site) { s.TenantBaseURLTemplate = "https://tapis.example.org" }},
		{"tenant_base_url_template", primary, func(s *sites.Site) { s.TenantBaseURLTemplate = "https://${tenant_id}.${tenant_id}.org" }},
		{"tenant_base_url_template", primary, func(s *sites.Site) { s.TenantBaseURLTemplate = "https://a.org/${tenant_id}" }},
		{"tenant_base_url_template", primary, func(s *sites.Site) { s.TenantBaseURLTemplate = "https://a.org:${tenant_id}" }},
		{"tenant_base_url_template", associate, func(s *sites.Site) { s.TenantBaseURLTemplate = "https://${tenant_id}.a.org" }},
		{"base_url", associate, func(s *sites.Site) { s.BaseURL = "" }},
		{"base_url", associate, func(s *sites.Site) { s.BaseURL = "east example.org" }},
	}
	for _, tt := range tests {
		s := tt.site()
		tt.change(&s)
		err := s.Check()
		if !apierr.Is(err, apierr.Invalid) || !strings.Contains(err.Error(), tt.field) {
			t.Errorf("%+v: got %v, want an Invalid error about %s", s, err, tt.field)
		}
	}
}
