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

func fullTenant() Tenant {
	at := time.Date(2020, 7, 2, 18, 45, 16, 0, time.FixedZone("CDT", -5*3600))
	return Tenant{
		ID: "tacc", BaseURL: "https://tacc.tapis.example.org", SiteID: "main", Status: Active,
		TokenService: "https://tacc.tapis.example.org/v3/tokens", SecurityKernel: "https://tacc.tapis.example.org/v3/security",
		Authenticator: "https://tacc.tapis.example.org/v3/oauth2", Owner: "ops@example.org", AdminUser: "boss",
		TokenGenServices: []string{"abaco", "authenticator"},
		PublicKey:        "-----BEGIN PUBLIC KEY-----\nMIIB+/AB\n-----END PUBLIC KEY-----",
		Description:      "Production tenant for all users <everywhere> & beyond.", ServiceLDAPConnectionID: "tacc-services",
		UserLDAPConnectionID: "tacc-all", CreateTime: at, CreatedBy: "tenants@admin",
		LastUpdateTime: at.Add(time.Hour), LastUpdatedBy: "tokens@admin",
	}
}

func TestTenantsLookOnTheWireAsTheyAlwaysDid(t *testing.T) {
	full := fullTenant()
	golden(t, "tenant_full.json", newTenantAnswer(full, false, []string{"dev", "tacc"}))

	least := fullTenant()
	least.Status, least.TokenGenServices, least.PublicKey, least.Description = Draft, []string{}, "", ""
	least.ServiceLDAPConnectionID, least.UserLDAPConnectionID = "", ""
	golden(t, "tenant_least.json", newTenantAnswer(least, true, []string{"tacc"}))

	answer := newTenantAnswer(least, true, nil)
	golden(t, "tenant_selected.json", answer.selected([]string{"tenant_id", "public_key", "allowable_x_tenant_ids"}))
}

func TestOwnersAndLDAPConnectionsLookOnTheWireAsTheyAlwaysDid(t *testing.T) {
	at := time.Date(2020, 7, 2, 18, 45, 16, 0, time.FixedZone("CDT", -5*3600))
	golden(t, "owner.json", newOwnerAnswer(Owner{
		Email: "ops@example.org", Name: "Ada & Co", Institution: "Example", CreateTime: at, LastUpdateTime: at.Add(time.Hour),
	}))
	connection := LDAPConnection{
		ID: "tacc-all", URL: "ldaps://ldap.example.org", Port: 636, UseSSL: true, UserDN: "ou=People,dc=example", BindDN: "cn=reader,dc=example",
		BindCredential: "ldap.tacc-all", AccountType: UserAccounts, CreateTime: at, LastUpdateTime: at.Add(time.Hour),
	}
	golden(t, "ldap_public.json", newLDAPAnswer(connection, false))
	connection.AccountType, connection.UseSSL = ServiceAccounts, false
	golden(t, "ldap_whole.json", newLDAPAnswer(connection, true))
}

func TestSelectKnowsEveryMemberOfTheAnswer(t *testing.T) {
	var names, known []string
	for f := range reflect.TypeFor[tenantAnswer]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	for _, m := range tenantMembers {
		known = append(known, m.name)
	}
	equal(t, "members", known, names)
	// All members selected are what there is without selection.
	least := newTenantAnswer(Tenant{ID: "x"}, true, nil)
	full := newTenantAnswer(fullTenant(), true, []string{"tacc"})
	for _, a := range []*tenantAnswer{&least, &full} {
		whole, selected := object{}, object{}
		for to, from := range map[*object]any{&whole: a, &selected: a.selected(names)} {
			text, err := json.Marshal(from)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(text, to); err != nil {
				t.Fatal(err)
			}
		}
		equal(t, a.TenantID, selected, whole)
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
