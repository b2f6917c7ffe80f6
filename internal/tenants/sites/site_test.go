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

func TestASiteIsCheckedBesideTheOthers(t *testing.T) {
	moved := primary()
	moved.BaseURL, moved.TenantBaseURLTemplate = "https://new.org", "https://${tenant_id}.new.org"
	taken := associate()
	taken.BaseURL = "https://TAPIS.example.org"
	bad := associate()
	bad.BaseURL = ""
	all := []sites.Site{associate(), primary()}
	for name, tt := range map[string]struct {
		site           sites.Site
		asNew, asSaved error
	}{
		"the same":           {primary(), apierr.New(apierr.Conflict, ""), nil},
		"at another address": {moved, apierr.New(apierr.Conflict, ""), nil},
		"at another's":       {taken, apierr.New(apierr.Conflict, ""), apierr.New(apierr.Conflict, "")},
		"without an address": {bad, apierr.New(apierr.Invalid, ""), apierr.New(apierr.Invalid, "")},
	} {
		for how, got := range map[string][2]error{"new": {tt.site.CheckNew(all), tt.asNew}, "saved": {tt.site.CheckUpdate(all), tt.asSaved}} {
			if (got[0] == nil) != (got[1] == nil) || (got[1] != nil && !apierr.Is(got[0], apierr.From(got[1]).Kind)) {
				t.Errorf("%s, %s: got %v", name, how, got[0])
			}
		}
	}
	if len(all) != 2 || all[0].ID != "east" || all[1].ID != "main" {
		t.Errorf("the checks changed the list: %v", all)
	}
}

func TestAViewKnowsThePrimarySiteAndWhatItRuns(t *testing.T) {
	v := sites.NewView([]sites.Site{associate(), primary()})
	main, found := v.Primary()
	if !found || main.ID != "main" || !main.Runs("tokens") || main.Runs("token") || main.Runs("") {
		t.Errorf("got %+v, %v", main, found)
	}
	if _, found := sites.NewView([]sites.Site{associate()}).Primary(); found {
		t.Error("an associate is taken for the primary site")
	}
}
