package tenants

import (
	"strings"
	"testing"

	"gatehouse/internal/apierr"
)

func TestASoundSiteIsAccepted(t *testing.T) {
	for _, s := range []Site{primarySite(), associateSite()} {
		if err := s.Check(); err != nil {
			t.Errorf("%s: %v", s.ID, err)
		}
	}
	s := primarySite()
	s.BaseURL, s.TenantBaseURLTemplate, s.Services = "http://localhost:8080", "http://${tenant_id}.localhost:8080", nil
	if err := s.Check(); err != nil {
		t.Errorf("development addresses: %v", err)
	}
}

func TestASiteThatBreaksARuleIsRefusedWithTheFieldsName(t *testing.T) {
	tests := []struct {
		field  string
		site   func() Site
		change func(s *Site)
	}{
		{"site_id", primarySite, func(s *Site) { s.ID = "" }},
		{"site_id", primarySite, func(s *Site) { s.ID = "a.b" }},
		{"site_admin_tenant_id", primarySite, func(s *Site) { s.AdminTenantID = "a_b" }},
		{"services", primarySite, func(s *Site) { s.Services = []string{"tokens", ""} }},
		{"base_url", primarySite, func(s *Site) { s.BaseURL = "tapis.example.org" }},
		{"base_url", primarySite, func(s *Site) { s.BaseURL = "" }},
		{"tenant_base_url_template", primarySite, func(s *Site) { s.TenantBaseURLTemplate = "" }},
		{"tenant_base_url_template", primarySite, func(s *Site) { s.TenantBaseURLTemplate = "https://tapis.example.org" }},
		{"tenant_base_url_template", primarySite, func(s *Site) { s.TenantBaseURLTemplate = "https://${tenant_id}.${tenant_id}.org" }},
		{"tenant_base_url_template", primarySite, func(s *Site) { s.TenantBaseURLTemplate = "https://a.org/${tenant_id}" }},
		{"tenant_base_url_template", primarySite, func(s *Site) { s.TenantBaseURLTemplate = "https://a.org:${tenant_id}" }},
		{"tenant_base_url_template", associateSite, func(s *Site) { s.TenantBaseURLTemplate = "https://${tenant_id}.a.org" }},
		{"base_url", associateSite, func(s *Site) { s.BaseURL = "" }},
		{"base_url", associateSite, func(s *Site) { s.BaseURL = "east example.org" }},
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
