package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gatehouse/internal/tenants"
)

// read parses text as the document site.yaml, beside which stands key.pem.
func read(text, key string) (tenants.Wanted, error) {
	return parse("site.yaml", []byte(text), func(name string) ([]byte, error) {
		if name != "key.pem" {
			return nil, fs.ErrNotExist
		}
		return []byte(key), nil
	})
}

func given(names ...string) map[string]bool {
	set := map[string]bool{}
	for _, name := range names {
		set[name] = true
	}
	return set
}

func TestADocumentIsReadWithAllItsFields(t *testing.T) {
	key := publicKeys()[0]
	got, err := read(`
sites:
  - site_id: main
    primary: true
    base_url: https://tapis.example.org
    tenant_base_url_template: https://${tenant_id}.tapis.example.org
    site_admin_tenant_id: admin
    services: [tokens, "security"]
owners:
- {email: ops@example.org, name: Ops, institution: 'Example'}
ldaps:
- {ldap_id: people, url: ldaps://l, port: 636, use_ssl: true, user_dn: ou=p, bind_dn: cn=r,
   bind_credential: ldap.people, account_type: user}
tenants:
- tenant_id: dev
  base_url: https://dev
  site_id: main
  status: ACTIVE
  token_service: a
  security_kernel: b
  authenticator: c
  owner: ops@example.org
  admin_user: boss
  token_gen_services: []
  public_key: |
`+indented(key)+`
  service_ldap_connection_id: people
  user_ldap_connection_id: people
  description: ""
- tenant_id: "2"
  public_key_file: key.pem
  description: null
  token_gen_services:
`, key)
	if err != nil {
		t.Fatal(err)
	}
	canonical, err := tenants.NormalizePublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	want := tenants.Wanted{
		Sites: []tenants.Patch[tenants.Site]{{
			Origin: "site.yaml:3: sites[0] (main)",
			Values: tenants.Site{
				ID: "main", Primary: true, BaseURL: "https://tapis.example.org",
				TenantBaseURLTemplate: "https://${tenant_id}.tapis.example.org",
				AdminTenantID:         "admin", Services: []string{"tokens", "security"},
			},
			Given: given("site_id", "primary", "base_url", "tenant_base_url_template", "site_admin_tenant_id", "services"),
		}},
		Owners: []tenants.Patch[tenants.Owner]{{
			Origin: "site.yaml:10: owners[0] (ops@example.org)",
			Values: tenants.Owner{Email: "ops@example.org", Name: "Ops", Institution: "Example"}, Given: given("email", "name",
				"institution"),
		}},
		LDAPs: []tenants.Patch[tenants.LDAPConnection]{{
			Origin: "site.yaml:12: ldaps[0] (people)",
			Values: tenants.LDAPConnection{
				ID: "people", URL: "ldaps://l", Port: 636, UseSSL: true, UserDN: "ou=p", BindDN: "cn=r", BindCredential: "ldap.people",
				AccountType: tenants.UserAccounts,
			},
			Given: given("ldap_id", "url", "port", "use_ssl", "user_dn", "bind_dn", "bind_credential", "account_type"),
		}},
		Tenants: []tenants.Patch[tenants.Tenant]{
			{
				Origin: "site.yaml:15: tenants[0] (dev)",
				Values: tenants.Tenant{
					ID: "dev", BaseURL: "https://dev", SiteID: "main", Status: tenants.Active, TokenService: "a", SecurityKernel: "b",
					Authenticator: "c",
					Owner:         "ops@example.org", AdminUser: "boss", TokenGenServices: []string{}, PublicKey: canonical,
					ServiceLDAPConnectionID: "people", UserLDAPConnectionID: "people",
				},
				Given: given("tenant_id", "base_url", "site_id", "status", "token_service", "security_kernel", "authenticator", "owner",
					"admin_user",
					"token_gen_services", "public_key", "service_ldap_connection_id", "user_ldap_connection_id", "description"),
			},
			{
				Origin: `site.yaml:36: tenants[1] (2)`,
				Values: tenants.Tenant{ID: "2", PublicKey: canonical},
				Given:  given("tenant_id", "public_key", "description", "token_gen_services"),
			},
		},
	}
	want.Tenants[1].Origin = got.Tenants[1].Origin // its line depends on the length of the key
	if !strings.HasSuffix(got.Tenants[1].Origin, ": tenants[1] (2)") || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func indented(key string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(key), "\n", "\n    ")
}

func TestAnchorsSaveTyping(t *testing.T) {
	got, err := read(`
sites:
- {site_id: a, services: &all [tokens, security]}
- {site_id: b, services: *all}
tenants: [&one {tenant_id: x, owner: &me a@b}, {tenant_id: y, owner: *me}]
`, "")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Sites[0].Values.Services, got.Sites[1].Values.Services) || got.Tenants[1].Values.Owner != "a@b" {
		t.Errorf("got %+v", got)
	}
}

func TestADocumentThatIsWrongIsRefusedWithThePlace(t *testing.T) {
	documents := map[string]string{
		"":                                    "site.yaml: it says nothing",
		"# nothing\n":                         "site.yaml: it says nothing",
		"---\n":                               "site.yaml: it says nothing",
		"{}":                                  "site.yaml: it says nothing",
		"~":                                   "site.yaml: it says nothing",
		"- sites":                             "site.yaml: it must hold lists named sites, owners, ldaps and tenants, not a list",
		"sites":                               "not text",
		"7":                                   "not a number",
		"tenants: [\n":                        "site.yaml: it is not YAML: line",
		"\ttenants: []":                       "site.yaml: it is not YAML",
		"tenants: *nobody":                    "site.yaml: it is not YAML",
		"tenants: []\n---\ntenants: []":       "site.yaml: it must hold a single YAML document",
		"tenants: []\n---\n{":                 "site.yaml: it must hold a single YAML document",
		"tenant: []":                          "site.yaml:1: the document has the unknown key tenant; did you mean tenants?",
		"\nnothing: []":                       "site.yaml:2: the document has the unknown key nothing\n",
		"tenants: []\nowners: []\ntenants: 1": "site.yaml:3: the document has tenants twice, the first time in line 1",
		"tenants: {dev: {}}":                  "site.yaml:1: tenants must be a list, not a group of fields",
		"tenants: dev":                        "tenants must be a list, not text",
		"tenants: [dev]":                      "site.yaml:1: tenants[0] must be a group of fields, not text",
		"tenants: [{}]":                       "site.yaml:1: tenants[0] needs a tenant_id",
		"tenants:\n-\n- {tenant_id: }": "site.yaml:2: tenants[0] must be a group of fields, not nothing\n" +
			"site.yaml:3: tenants[1] needs a tenant_id",
		"tenants: [[]]":                   "tenants[0] must be a group of fields, not a list",
		"{? [a] : 1}":                     "the document has a key that is not a name",
		"{\"a b\": 1}":                    "the document has a key that is not a name",
		"tenants: [{<<: {tenant_id: a}}]": "tenants[0] has a merge key (<<), which is not supported",
		"tenants:\n- tenant_id: a\n  descriptio: x": "site.yaml:3: tenants[0] (a) has the unknown key descriptio; " +
			"did you mean description?",
		"owners:\n- email: a@b\n  institutoin: x": "owners[0] (a@b) has the unknown key institutoin; " +
			"did you mean institution?",
		"ldaps:\n- ldap_id: a\n  usessl: x":         "ldaps[0] (a) has the unknown key usessl; did you mean use_ssl?",
		"sites: [{site_id: a, public_key_file: x}]": "sites[0] (a) has the unknown key public_key_file",
		"tenants: [{tenant_id: 7}]": "tenants[0] (7): tenant_id must be text, not a number; " +
			"put it in quotes",
		"ldaps: [{ldap_id: a, port: \"636\"}]":              "ldaps[0] (a): port must be a whole number, not text",
		"ldaps: [{ldap_id: a, port: 636.5}]":                "port must be a whole number, not a number with a fraction",
		"ldaps: [{ldap_id: a, port: }]":                     "port must be a whole number, not nothing",
		"ldaps: [{ldap_id: a, port: 99999999999999999999}]": "port must be a whole number",
		"ldaps: [{ldap_id: a, use_ssl: yes}]":               "use_ssl must be true or false, not text",
		"ldaps: [{ldap_id: a, use_ssl: 1}]":                 "use_ssl must be true or false, not a number",
		"tenants: [{tenant_id: a}, {tenant_id: b},\n {tenant_id: a}]": "site.yaml:2: tenants[2] (a) has the tenant_id " +
			"of the one in line 1",
		"tenants: [{tenant_id: \"a b\", x: 1}]": "tenants[0] has the unknown key x",
	}
	for fields, says := range map[string]string{ // of the tenant a
		"public_key_fil: x":                  "did you mean public_key_file?",
		"create_time: x":                     "tenants[0] (a): create_time is set by the registry and cannot be given",
		"allowable_x_tenant_ids: []":         "allowable_x_tenant_ids is set by the registry",
		"owner: b, owner: c":                 "tenants[0] (a) has owner twice, the first time in line 1",
		"description: 2020-01-01":            "tenants[0] (a): description must be text, not a date; put it in quotes",
		"description: 1.5":                   "description must be text, not a number with a fraction",
		"description: yes, owner: true":      "owner must be text, not true or false",
		"description: [x]":                   "description must be text, not a list\n",
		"description: !secret x":             "description must be text, not a value with a tag",
		"token_gen_services: tokens":         "token_gen_services must be a list of text, not text",
		"token_gen_services: [1]":            "token_gen_services must be a list of text, and holds a number",
		"token_gen_services: [[a]]":          "token_gen_services must be a list of text, and holds a list",
		"public_key: x":                      "site.yaml:1: tenants[0] (a): public_key: The field public_key must be a PEM block",
		"public_key: x, public_key_file: y":  "public_key_file cannot be given beside public_key",
		"public_key_file: gone.pem":          `tenants[0] (a): public_key_file: "gone.pem" cannot be read: file does not exist`,
		"public_key_file: key.pem":           `public_key_file: "key.pem" cannot be read: it is empty`,
		"public_key_file: ":                  "public_key_file must name a file",
		"public_key_file: [x]":               "public_key_file must be text, not a list",
		"public_key_file: x, public_key: ''": "public_key_file cannot be given beside public_key",
	} {
		documents["tenants: [{tenant_id: a, "+fields+"}]"] = says
	}
	for text, says := range documents {
		_, err := read(text, " \n")
		if err == nil || !strings.Contains(err.Error()+"\n", says) {
			t.Errorf("%q:\n got %v\nwant %s", text, err, says)
		}
	}
}

func TestAPrivateKeyIsRefusedWithoutShowingIt(t *testing.T) {
	const secret = "c2VjcmV0c2VjcmV0"
	_, err := read("tenants: [{tenant_id: a, public_key_file: key.pem}]",
		"-----BEGIN PRIVATE KEY-----\n"+secret+"\n-----END PRIVATE KEY-----\n")
	if err == nil || !strings.Contains(err.Error(), "holds a private key") || strings.Contains(err.Error(), secret) {
		t.Errorf("got %v", err)
	}
}

func TestAllFaultsAreSaidButNotWithoutEnd(t *testing.T) {
	_, err := read("nothing: 1\ntenants: [{tenant_id: a, x: 1, y: 2}, {tenant_id: b, owner: 7}]", "")
	if got := strings.Count(err.Error(), "\n") + 1; got != 4 {
		t.Errorf("got %d faults, want 4: %v", got, err)
	}
	_, err = read("tenants: ["+strings.Repeat("{x: 1}, ", 1000)+"]", "")
	if got := strings.Count(err.Error(), "\n") + 1; got != maxFaults {
		t.Errorf("got %d faults, want %d", got, maxFaults)
	}
}

func TestFilesAreReadBesideTheDocument(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("keys/dev.pem", publicKeys()[0])
	elsewhere := write("elsewhere/dev.pem", publicKeys()[0])
	canonical, err := tenants.NormalizePublicKey(publicKeys()[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"keys/dev.pem", "./keys/../keys/dev.pem", elsewhere} {
		w, err := Read(write("site.yaml", fmt.Sprintf("tenants: [{tenant_id: dev, public_key_file: %q}]", name)))
		if err != nil || w.Tenants[0].Values.PublicKey != canonical {
			t.Errorf("%s: %+v, %v", name, w, err)
		}
	}
	huge := write("huge", strings.Repeat("x", maxKeyFile+1))
	for name, says := range map[string]string{
		"gone.pem": "no such file or directory", "keys": "is a directory",
		huge: "larger than",
	} {
		path := write("site.yaml", fmt.Sprintf("tenants: [{tenant_id: dev, public_key_file: %q}]", name))
		if _, err := Read(path); err == nil || !strings.HasPrefix(err.Error(), path+":1: tenants[0] (dev): public_key_file: ") ||
			!strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Read(filepath.Join(dir, "gone.yaml")); err == nil ||
		err.Error() != filepath.Join(dir, "gone.yaml")+" cannot be read: no such file or directory" {
		t.Errorf("no document: %v", err)
	}
}

// FuzzParse checks that no document makes the reader fall over, and that what
// it accepts names every row once.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"sites: [{site_id: main, primary: true, services: [a]}]", "tenants: [{tenant_id: a, public_key_file: key.pem}]",
		"ldaps: &x [{ldap_id: a, port: 1}]\nowners: *x", "&a {sites: *a}", "sites: &a [*a]", "? !!binary x : y",
		"tenants: [{tenant_id: !!str 7, <<: [{}]}]",
		"%YAML 1.1\n---\n- !<tag:x> \"\\x00\"", "a: |2-\n  x", "{a: {a: {a: {a: }}}}", "tenants: [{tenant_id: {}, status: !!str }]",
		"--- #\n...\n---",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		w, err := read(string(data), publicKeys()[0])
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" || strings.Count(err.Error(), "\n") > maxFaults+10 {
				t.Errorf("%q: the fault is %q", data, err)
			}
			return
		}
		once(t, tenants.Sites(), w.Sites)
		once(t, tenants.Owners(), w.Owners)
		once(t, tenants.LDAPs(), w.LDAPs)
		once(t, tenants.Tenants(), w.Tenants)
	})
}

func once[R any](t *testing.T, k tenants.Resource[R], patches []tenants.Patch[R]) {
	t.Helper()
	seen := map[string]bool{}
	for _, p := range patches {
		id := k.ID(&p.Values)
		if id == "" || seen[id] || !p.Given[k.Fields[0].Name] || p.Origin == "" {
			t.Errorf("the %s %q: %+v", k.Name, id, p)
		}
		seen[id] = true
	}
}
