package tenants

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, value any) {
	t.Helper()
	got, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n got %s\nwant %s", path, got, want)
	}
}

var (
	then    = time.Date(2020, 7, 2, 18, 45, 16, 0, time.FixedZone("CDT", -5*3600))
	longAgo = Stamps{then, "tenants@admin", then.Add(time.Hour), "tokens@admin"}
)

func fullTenant() Tenant {
	return Tenant{
		ID: "tacc", BaseURL: "https://tacc.tapis.example.org", SiteID: "main", Status: Active,
		TokenService: "https://tacc.tapis.example.org/v3/tokens", SecurityKernel: "https://tacc.tapis.example.org/v3/security",
		Authenticator: "https://tacc.tapis.example.org/v3/oauth2", Owner: "ops@example.org", AdminUser: "boss",
		TokenGenServices: []string{"abaco", "authenticator"},
		PublicKey:        "-----BEGIN PUBLIC KEY-----\nMIIB+/AB\n-----END PUBLIC KEY-----",
		Description:      "Production tenant for all users <everywhere> & beyond.", ServiceLDAPConnectionID: "tacc-services",
		UserLDAPConnectionID: "tacc-all", Stamps: longAgo,
	}
}

func TestRecordsLookOnTheWireAsTheyAlwaysDid(t *testing.T) {
	main, east := Site{ID: "main", Primary: true}, Site{ID: "east"}
	full := fullTenant()
	admins := main
	admins.AdminTenantID = full.ID
	golden(t, "tenant_full.json", newTenantResponse(full, admins, []Tenant{{ID: "dev", Status: Active}, full}))

	least := fullTenant()
	least.Status, least.TokenGenServices, least.PublicKey, least.Description = Draft, []string{}, "", ""
	least.ServiceLDAPConnectionID, least.UserLDAPConnectionID = "", ""
	golden(t, "tenant_least.json", newTenantResponse(least, east, nil))
	east.AdminTenantID = least.ID // and there is no tenant
	selected, err := newTenantResponse(least, east, nil).selected([]string{"tenant_id", "public_key", "allowable_x_tenant_ids"})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "tenant_selected.json", selected)

	golden(t, "owner.json", newOwnerResponse(Owner{
		Email: "ops@example.org", Name: "Ada & Co", Institution: "Example",
		Stamps: longAgo,
	}))
	connection := LDAPConnection{
		ID: "tacc-all", URL: "ldaps://ldap.example.org", Port: 636, UseSSL: true, UserDN: "ou=People,dc=example",
		BindDN: "cn=reader,dc=example", BindCredential: "ldap.tacc-all", AccountType: UserAccounts, Stamps: longAgo,
	}
	golden(t, "ldap_public.json", newLDAPResponse(connection, false))
	connection.AccountType, connection.UseSSL = ServiceAccounts, false
	golden(t, "ldap_whole.json", newLDAPResponse(connection, true))

	primary := primarySite()
	primary.Services, primary.Stamps = []string{"security", "tokens", "authenticator"}, longAgo
	golden(t, "site_primary.json", newSiteResponse(primary))
	golden(t, "site_associate.json", newSiteResponse(Site{
		ID: "east", AdminTenantID: "east-admin", Stamps: Stamps{then, "tenants@admin", then, "tenants@admin"},
	}))
}

func TestSelectKnowsEveryMemberOfTheResponse(t *testing.T) {
	for f := range reflect.TypeFor[tenantResponse]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if got := parseSelect(name); !slices.Equal(got, []string{name}) {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestSelectIsReadAsClientsAreUsedTo(t *testing.T) {
	for _, tt := range []struct {
		list string
		want []string
	}{
		{"", nil},
		{"tenant_id", []string{"tenant_id"}},
		{" tenant_id , status ", []string{"tenant_id", "status"}},
		{"tenant_id,nonsense,,", []string{"tenant_id"}},
		{"nonsense", nil},
		{"TENANT_ID", nil},
		{"status,status", []string{"status"}},
		{"allowable_x_tenant_ids,x", []string{"allowable_x_tenant_ids"}},
	} {
		if got := parseSelect(tt.list); !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %v, want %v", tt.list, got, tt.want)
		}
	}
}
