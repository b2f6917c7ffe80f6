package tenants

import (
	"strings"
	"testing"

	"gatehouse/internal/apierr"
)

func soundTenant(t testing.TB) Tenant {
	t.Helper()
	tenant := Tenant{
		ID: "dev", BaseURL: "https://dev.example.org", SiteID: "main", Status: Active,
		Owner: "ops@example.org", AdminUser: "boss", PublicKey: canonicalKey(t),
	}
	tenant.defaultEndpoints()
	return tenant
}

func TestASoundTenantIsAccepted(t *testing.T) {
	if err := soundTenant(t).Check(); err != nil {
		t.Error(err)
	}
	draft := soundTenant(t)
	draft.Status, draft.PublicKey = Draft, ""
	if err := draft.Check(); err != nil {
		t.Errorf("a draft without a key: %v", err)
	}
}

func TestATenantThatBreaksARuleIsRefusedWithTheFieldsName(t *testing.T) {
	tests := []struct {
		field  string
		change func(t *Tenant)
	}{
		{"tenant_id", func(t *Tenant) { t.ID = "" }},
		{"tenant_id", func(t *Tenant) { t.ID = "a_b" }},
		{"tenant_id", func(t *Tenant) { t.ID = strings.Repeat("a", 51) }},
		{"base_url", func(t *Tenant) { t.BaseURL += "/" }},
		{"base_url", func(t *Tenant) { t.BaseURL = "dev.example.org" }},
		{"site_id", func(t *Tenant) { t.SiteID = "" }},
		{"status", func(t *Tenant) { t.Status = "" }},
		{"status", func(t *Tenant) { t.Status = "ACTIVE" }},
		{"token_service", func(t *Tenant) { t.TokenService = "" }},
		{"security_kernel", func(t *Tenant) { t.SecurityKernel = "x" }},
		{"authenticator", func(t *Tenant) { t.Authenticator = "javascript:alert(1)" }},
		{"owner", func(t *Tenant) { t.Owner = "nobody" }},
		{"admin_user", func(t *Tenant) { t.AdminUser = "" }},
		{"admin_user", func(t *Tenant) { t.AdminUser = strings.Repeat("a", 121) }},
		{"token_gen_services", func(t *Tenant) { t.TokenGenServices = []string{""} }},
		{"description", func(t *Tenant) { t.Description = strings.Repeat("a", 1001) }},
		{"public_key", func(t *Tenant) { t.PublicKey = "" }},
		{"public_key", func(t *Tenant) { t.PublicKey = "key" }},
		{"public_key", func(t *Tenant) { t.PublicKey = wrappedKeys()[0] }},
	}
	for _, tt := range tests {
		tenant := soundTenant(t)
		tt.change(&tenant)
		err := tenant.Check()
		if !apierr.Is(err, apierr.Invalid) || !strings.Contains(err.Error(), tt.field) {
			t.Errorf("%+v: got %v, want an Invalid error about %s", tenant, err, tt.field)
		}
	}
}

func TestReservedWordsAreNoTenantIDs(t *testing.T) {
	for _, id := range []string{"owners", "ldaps", "hello", "ready", "history", "sites", "tenants", "Owners", "LDAPS", "hElLo"} {
		tenant := soundTenant(t)
		tenant.ID = id
		if err := tenant.Check(); !apierr.Is(err, apierr.Invalid) || !strings.Contains(err.Error(), "reserved") {
			t.Errorf("%s: got %v, want an Invalid error", id, err)
		}
	}
}

func TestAnOwnerThatBreaksARuleIsRefused(t *testing.T) {
	good := Owner{Email: "ops@example.org", Name: "Ops", Institution: "Example"}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for field, bad := range map[string]Owner{
		"email":       {Email: "ops", Name: "Ops", Institution: "Example"},
		"name":        {Email: "ops@example.org", Institution: "Example"},
		"institution": {Email: "ops@example.org", Name: "Ops", Institution: strings.Repeat("x", 81)},
	} {
		if err := bad.Check(); !apierr.Is(err, apierr.Invalid) || !strings.Contains(err.Error(), field) {
			t.Errorf("%+v: got %v, want an Invalid error about %s", bad, err, field)
		}
	}
}

func TestAnLDAPConnectionThatBreaksARuleIsRefused(t *testing.T) {
	good := devSeed("8080").LDAPs[0]
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct {
		field  string
		change func(l *LDAPConnection)
	}{
		{"ldap_id", func(l *LDAPConnection) { l.ID = "a/b" }},
		{"url", func(l *LDAPConnection) { l.URL = "" }},
		{"url", func(l *LDAPConnection) { l.URL = "https://x" }},
		{"port", func(l *LDAPConnection) { l.Port = 0 }},
		{"port", func(l *LDAPConnection) { l.Port = 65536 }},
		{"user_dn", func(l *LDAPConnection) { l.UserDN = "" }},
		{"bind_dn", func(l *LDAPConnection) { l.BindDN = strings.Repeat("x", 201) }},
		{"bind_credential", func(l *LDAPConnection) { l.BindCredential = "" }},
		{"account_type", func(l *LDAPConnection) { l.AccountType = "people" }},
	} {
		bad := good
		tt.change(&bad)
		if err := bad.Check(); !apierr.Is(err, apierr.Invalid) || !strings.Contains(err.Error(), tt.field) {
			t.Errorf("%+v: got %v, want an Invalid error about %s", bad, err, tt.field)
		}
	}
}
