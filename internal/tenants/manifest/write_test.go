package manifest

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gatehouse/internal/database"
	"gatehouse/internal/tenants"
	"gatehouse/internal/testdb"
	"gatehouse/migrations"
)

// wide is a registry with something of everything.
func wide(t testing.TB) tenants.Content {
	t.Helper()
	key, err := tenants.NormalizePublicKey(publicKeys()[0])
	if err != nil {
		t.Fatal(err)
	}
	tenant := func(id, site string, status tenants.Status) tenants.Tenant {
		base := "https://" + strings.ToLower(id) + ".example.org"
		return tenants.Tenant{
			ID: id, BaseURL: base, SiteID: site, Status: status, TokenService: base + "/v3/tokens", SecurityKernel: base + "/v3/security",
			Authenticator: base + "/v3/oauth2", Owner: "ops@example.org", AdminUser: "boss", PublicKey: key, TokenGenServices: []string{},
		}
	}
	c := tenants.Content{
		Sites: []tenants.Site{
			{ID: "123", BaseURL: "east.example.org", AdminTenantID: "true", Services: []string{}},
			{
				ID: "main", Primary: true, BaseURL: "https://example.org", TenantBaseURLTemplate: "https://${tenant_id}.example.org",
				AdminTenantID: "admin", Services: []string{"tokens", "123", "null"},
			},
		},
		Owners: []tenants.Owner{
			{Email: "a/b@example.org", Name: "No", Institution: "null"},
			{Email: "ops@example.org", Name: "Ädä: \"x\" # no comment", Institution: "- 'y' {z}"},
		},
		LDAPs: []tenants.LDAPConnection{
			{ID: "1.0", URL: "ldap://l", Port: 389, UserDN: "a", BindDN: "b", BindCredential: "~", AccountType: tenants.ServiceAccounts},
			{
				ID: "people", URL: "ldaps://l", Port: 636, UseSSL: true, UserDN: "ou=p, c=d", BindDN: "b", BindCredential: "*c",
				AccountType: tenants.UserAccounts,
			},
		},
		Tenants: []tenants.Tenant{
			tenant("2026-01-01", "main", tenants.Draft), tenant("Old", "main", tenants.Inactive), tenant("admin", "main", tenants.Active),
			tenant("dev", "main", tenants.Active), tenant("true", "123", tenants.Active),
		},
	}
	c.Tenants[0].PublicKey = ""
	full := &c.Tenants[3]
	full.TokenGenServices, full.UserLDAPConnectionID, full.ServiceLDAPConnectionID = []string{"0x10", "a-b"}, "people", "1.0"
	full.Description = "  leading\n\n\ttab, trailing \r\nand: 'more' \n\n"
	return c
}

// asPatches writes c and reads it back.
func asPatches(t testing.TB, c tenants.Content) tenants.Wanted {
	t.Helper()
	path := filepath.Join(t.TempDir(), "site.yaml")
	if err := os.WriteFile(path, []byte(written(t, c)), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func written(t testing.TB, c tenants.Content) string {
	t.Helper()
	var b strings.Builder
	if err := Write(&b, c); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWhatIsExportedCanBeAppliedAndChangesNothing(t *testing.T) {
	testdb.Each(t, migrations.Tenants, func(t *testing.T, db *database.DB) {
		want := wide(t)
		s := newRegistry(t, db)
		exported := func() tenants.Content {
			t.Helper()
			c, err := s.Content(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		if changes, err := s.Apply(t.Context(), asPatches(t, want)); err != nil || len(changes) != 11 {
			t.Fatalf("%d changes, %v", len(changes), err)
		}
		first := exported()
		if got := written(t, first); got != written(t, want) {
			t.Errorf("got\n%s\nwant\n%s", got, written(t, want))
		}
		if changes, err := s.Apply(t.Context(), asPatches(t, first)); err != nil || len(changes) != 0 {
			t.Errorf("applying an export: %v, %v", changes, err)
		}
		if got := exported(); !reflect.DeepEqual(got, first) {
			t.Errorf("got %+v\nwant %+v", got, first)
		}
	})
}

func TestAnEmptyRegistryIsExportedAndApplied(t *testing.T) {
	w := asPatches(t, tenants.Content{})
	if !reflect.DeepEqual(w, tenants.Wanted{}) {
		t.Errorf("got %+v", w)
	}
	if got, want := written(t, tenants.Content{}), "sites: []\nowners: []\nldaps: []\ntenants: []\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestADocumentIsWrittenForPeople(t *testing.T) {
	c := tenants.Content{
		Sites:  []tenants.Site{{ID: "main", Primary: true, AdminTenantID: "admin", Services: []string{"tokens", "files"}}},
		Owners: []tenants.Owner{{Email: "ops@example.org", Name: "Ops"}},
		LDAPs:  []tenants.LDAPConnection{{ID: "people", Port: 636, AccountType: "user"}},
		Tenants: []tenants.Tenant{{
			ID: "dev", Status: "active",
			PublicKey: "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
		}},
	}
	const want = `sites:
  - site_id: main
    primary: true
    site_admin_tenant_id: admin
    services: [tokens, files]
owners:
  - email: ops@example.org
    name: Ops
ldaps:
  - ldap_id: people
    port: 636
    use_ssl: false
    account_type: user
tenants:
  - tenant_id: dev
    status: active
    public_key: |-
      -----BEGIN PUBLIC KEY-----
      MIIB
      -----END PUBLIC KEY-----
`
	if got := written(t, c); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// FuzzWrite checks that every text comes back as it was, whatever it is.
func FuzzWrite(f *testing.F) {
	for _, text := range []string{
		"", " ", "\n", "\n\n x", "x\n", " x\n y ", "\r\n", "\u0085", "\u2028", "\ufeff", "null", "1e3", "0b1", "2020-01-01", "- x", "#",
		": ", "%", "@", "`", "'", "\"", "\x7f", "<<", "=", "y",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, value string) {
		value = strings.ToValidUTF8(value, "") // nothing else is stored
		c := tenants.Content{
			Tenants: []tenants.Tenant{{ID: "dev", Description: value, TokenGenServices: []string{"a", value}, AdminUser: value + "x"}},
		}
		w, err := parse("x", []byte(written(t, c)), nil)
		if err != nil {
			t.Fatalf("%q: %v\n%s", value, err, written(t, c))
		}
		got := w.Tenants[0].Values
		if got.Description != value || got.TokenGenServices[1] != value || got.AdminUser != value+"x" {
			t.Errorf("%q came back as %q, %q, %q\n%s", value, got.Description, got.TokenGenServices[1], got.AdminUser, written(t, c))
		}
	})
}
