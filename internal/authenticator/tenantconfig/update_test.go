package tenantconfig_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/seal"
	"gatehouse/internal/testdb"
	"gatehouse/internal/testlog"
)

// refused fails unless a change is refused with an error that names a path.
func refused(t *testing.T, s *tenantconfig.Service, change, path string) {
	t.Helper()
	_, err := s.Update(t.Context(), "dev", "ada", parse(t, change))
	if !apierr.Is(err, apierr.Invalid) || !strings.HasPrefix(apierr.From(err).Message, "The field "+path+" ") {
		t.Errorf("%.200s:\n got %v\nwant an error about %s", change, err, path)
	}
}

func idp(content string) string { return `{"custom_idp_configuration":` + content + `}` }

// multi is a source that is several, each an object of idps.
func multi(idps ...string) string { return `{"multi_idps":{"idps":[` + strings.Join(idps, ",") + `]}}` }

func one(id, description string) string {
	return `{"idp_id":"` + id + `","idp_name":"A","idp_description":` + description + `}`
}

func mfa(content string) string {
	return `{"mfa_config":{"tacc":{"privacy_idea_url":"https://a.example",` + content + `}}}`
}

const keycloak = `{"client_id":"c","client_secret":"s","identity_redirect_url":"https://a.example/auth",` +
	`"oauth2_token_url":"https://a.example/token","user_info_url":"https://a.example/user"}`

func TestWhatBreaksASchemaIsRefusedWithItsPath(t *testing.T) {
	s := onSQLite(t)
	long := strings.Repeat("x", 5000)
	for _, c := range []struct{ change, path string }{
		{`{"allowable_grant_types":"password"}`, "allowable_grant_types"},
		{`{"allowable_grant_types":["password","magic"]}`, "allowable_grant_types[1]"},
		{`{"allowable_grant_types":["password","password"]}`, "allowable_grant_types"},
		{`{"use_ldap":"yes"}`, "use_ldap"},
		{`{"use_token_webapp":1}`, "use_token_webapp"},
		{`{"default_access_token_ttl":59}`, "default_access_token_ttl"},
		{`{"default_access_token_ttl":"600"}`, "default_access_token_ttl"},
		{`{"default_access_token_ttl":600.5}`, "default_access_token_ttl"},
		{`{"default_access_token_ttl":31536001}`, "default_access_token_ttl"}, // above the maximum that is there
		{`{"max_access_token_ttl":3600}`, "default_access_token_ttl"},         // below the default that is there
		{`{"max_refresh_token_ttl":60}`, "default_refresh_token_ttl"},
		{`{"default_refresh_token_ttl":7200,"max_refresh_token_ttl":3600}`, "default_refresh_token_ttl"},
		{`{"max_access_token_ttl":315360001}`, "max_access_token_ttl"},
		{`{"max_refresh_token_ttl":1e300}`, "max_refresh_token_ttl"},
		{`{"token_url":"http://a.example"}`, "token_url"},
		{`{"token_url":"https://user:pw@a.example"}`, "token_url"},
		{`{"token_url":"https:///x"}`, "token_url"},
		{`{"token_url":"https://a.example/#x"}`, "token_url"},
		{`{"token_url":"https://a.example/ x"}`, "token_url"},
		{`{"token_url":"` + "https://a.example/" + long + `"}`, "token_url"},
		{`{"impersadmin_password":""}`, "impersadmin_password"},
		{`{"profile_visibility":"none"}`, "profile_visibility"},
		{`{"implicit_response_mode":"form_post"}`, "implicit_response_mode"},
		{`{"rotate_refresh_tokens":"true"}`, "rotate_refresh_tokens"},
		{`{"mfa_config":[]}`, "mfa_config"},
		{`{"mfa_config":{"github":{}}}`, "mfa_config"},
		{`{"mfa_config":{"privacy_idea_url":"https://a.example"}}`, "mfa_config"},
		{`{"mfa_config":{"tacc":{}}}`, "mfa_config.tacc"},
		{`{"mfa_config":{"tacc":{"privacy_idea_url":"https://a.example"}}}`, "mfa_config.tacc"},
		{`{"mfa_config":{"tacc":{"privacy_idea_url":"ftp://a.example","privacy_idea_jwt":"x"}}}`, "mfa_config.tacc.privacy_idea_url"},
		{mfa(`"privacy_idea_jwt":"x","expire":true`), "mfa_config.tacc"},
		{mfa(`"privacy_idea_jwt":"x","max_attempts":0`), "mfa_config.tacc.max_attempts"},
	} {
		refused(t, s, c.change, c.path)
	}
	for _, c := range []struct{ content, path string }{
		{`"ldap"`, ""},
		{`{"saml":{}}`, ""},
		{`{"ldap":{},"github":{"client_id":"a","client_secret":"b"}}`, ""},
		{`{"ldap":{"default_page_limit":1001}}`, "ldap.default_page_limit"},
		{`{"ldap":{"user_search_prefix":"(cn=x)"}}`, "ldap.user_search_prefix"},
		{`{"ldap":{"user_search_prefix":"cn=*"}}`, "ldap.user_search_prefix"},
		{`{"ldap":{"user_search_prefix":"(cn=*))(cn=*)"}}`, "ldap.user_search_prefix"},
		{`{"ldap":{"user_search_supplemental_filter":"(a=b"}}`, "ldap.user_search_supplemental_filter"},
		{`{"ldap":{"user_search_supplemental_filter":"(a=b)(c=d)"}}`, "ldap.user_search_supplemental_filter"},
		{`{"ldap":{"user_search_filter":"(a=b)","user_search_prefix":"(cn=*)"}}`, "ldap.user_search_prefix"},
		{`{"ldap":{"posix_groups":["a"]}}`, "ldap"},
		{`{"ldap":{"posix_group_base_dn":"nowhere","posix_groups":["a"]}}`, "ldap.posix_group_base_dn"},
		{`{"ldap":{"posix_group_base_dn":"dc=x","posix_groups":["a)(b"]}}`, "ldap.posix_groups[0]"},
		{`{"github":{"client_id":"a"}}`, "github"},
		{`{"github":{"client_id":"a","client_key":"b"}}`, "github"},
		{`{"globus":{"client_id":"a","client_secret":"b"}}`, "globus"},
		{
			`{"multi_keycloak":` + strings.Replace(keycloak, "https://a.example/token", "http://a.example", 1) + `}`,
			"multi_keycloak.oauth2_token_url",
		},
		{`{"cii":{"login_url":"https://a.example"}}`, "cii"},
		{`{"multi_idps":{}}`, "multi_idps"},
		{multi(), "multi_idps.idps"},
		{multi(one("a b", `{"ldap":{}}`)), "multi_idps.idps[0].idp_id"},
		{multi(one("a", `{}`)), "multi_idps.idps[0].idp_description"},
		{multi(one("a", `{"multi_idps":{}}`)), "multi_idps.idps[0].idp_description"},
		{multi(one("a", `{"ldap":{}}`), one("a", `{"ldap":{}}`)), "multi_idps.idps[1].idp_id"},
		{`{"ldap":{"user_search_filter":"(cn=` + long + `)"}}`, "ldap.user_search_filter"},
		{`{"ldap":{}` + strings.Repeat(" ", 17<<10) + `}`, ""},
	} {
		refused(t, s, idp(c.content), strings.TrimSuffix("custom_idp_configuration."+c.path, "."))
	}
	wantSettings(t, s, "dev", tenantconfig.Defaults()) // nothing of it was stored
}

func TestALifetimeMustBeWrittenAsAnInteger(t *testing.T) {
	_, err := onSQLite(t).Update(t.Context(), "dev", "ada", parse(t, `{"default_access_token_ttl":600.0}`))
	if !apierr.Is(err, apierr.Invalid) {
		t.Errorf("got %v", err)
	}
}

func TestAnErrorRepeatsNoValue(t *testing.T) {
	s := onSQLite(t)
	value := seal.NewSecret()
	testlog.Secret(t, value)
	for _, change := range []string{
		`{"token_url":"` + value + `"}`, `{"use_ldap":"` + value + `"}`, `{"profile_visibility":"` + value + `"}`,
		`{"mfa_config":{"tacc":"` + value + `"}}`, idp(`{"ldap":{"user_search_filter":"` + value + `"}}`),
		idp(multi(`{"idp_id":"/` + value + `"}`)), idp(`{"github":{"client_secret":["` + value + `"]}}`),
		mfa(`"privacy_idea_jwt":"` + strings.Repeat(value, 200) + `"`),
	} {
		_, err := s.Update(t.Context(), "dev", "ada", parse(t, change))
		if err == nil || strings.Contains(err.Error(), value) {
			t.Errorf("got %v", err)
		}
	}
}

func TestEveryKindOfIdentitySourceIsTakenAndNamed(t *testing.T) {
	s := onSQLite(t)
	for source, content := range map[string]string{
		"ldap": `{"ldap":{}}`, "github": `{"github":{"client_id":"a","client_secret":"b"}}`,
		"tacc_keycloak":  `{"tacc_keycloak":{"client_id":"a","client_secret":"b"}}`,
		"multi_keycloak": `{"multi_keycloak":` + keycloak + `}`,
		"globus":         `{"globus":` + keycloak + `}`, "cii": `{"cii":{"login_url":"https://a.example","jwt_decode_key":"k"}}`,
		"multi_idps": multi(`{"append_idp_to_username":true,`+one("a", `{"github":{"client_id":"a","client_secret":"b"}}`)[1:],
			one("b", `{"ldap":{}}`)),
	} {
		update(t, s, "dev", idp(content))
		if got, err := s.For(t.Context(), "dev"); err != nil || got.IdentitySource != source {
			t.Errorf("got %+v, %v for %s", got, err, source)
		}
	}
	update(t, s, "dev", idp(`{}`))
	wantSettings(t, s, "dev", tenantconfig.Defaults())
}

func TestTheFiltersOfATenantBecomeOne(t *testing.T) {
	s := onSQLite(t)
	for sent, want := range map[string]tenantconfig.People{
		`{}`:                               {PageLimit: 100},
		`{"user_search_prefix":"(uid=*)"}`: {PageLimit: 100, Filter: "(uid=*)"},
		`{"user_search_supplemental_filter":"(mail=*@a.example)"}`:                  {PageLimit: 100, Filter: "(mail=*@a.example)"},
		`{"user_search_prefix":"(cn=*)","user_search_supplemental_filter":"(a=*)"}`: {PageLimit: 100, Filter: "(&(cn=*)(a=*))"},
		`{"user_search_filter":"(|(a=b)(c=d))","default_page_limit":7}`:             {PageLimit: 7, Filter: "(|(a=b)(c=d))"},
		`{"posix_group_base_dn":"ou=g,dc=x","posix_groups":["one","two"],"default_page_limit":1}`: {
			PageLimit: 1, GroupBaseDN: "ou=g,dc=x", Groups: []string{"one", "two"},
		},
	} {
		update(t, s, "dev", idp(`{"ldap":`+sent+`}`))
		settings, err := s.For(t.Context(), "dev")
		if err != nil || !reflect.DeepEqual(settings.People, want) {
			t.Errorf("%s: got %+v, %v", sent, settings.People, err)
		}
	}
}

// A-B21: grants can be listed, each identity source set, and objects cleared.
func TestOnlyWhatIsSentChangesAndNullBringsTheDefaultBack(t *testing.T) {
	each(t, func(t *testing.T, f fixture) {
		s := f.Settings()
		update(t, s, "dev", oursSent)
		want := ours()
		wantSettings(t, s, "dev", want)
		update(t, s, "dev", `{"rotate_refresh_tokens":false,"profile_visibility":"basic","of the future":{"x":1}}`)
		want.RotateRefresh, want.ProfileVisibility = false, tenantconfig.BasicProfiles
		wantSettings(t, s, "dev", want)
		update(t, s, "dev", `{"profile_visibility":null,"implicit_response_mode":"query","use_token_webapp":false}`)
		want.ProfileVisibility, want.ImplicitResponseMode, want.UseTokenWebapp = tenantconfig.FullProfiles, tenantconfig.InQuery, false
		wantSettings(t, s, "dev", want)

		update(t, s, "dev", mfa(`"privacy_idea_jwt":"x"`))
		if got, err := s.For(t.Context(), "dev"); err != nil || !got.MFA || !got.PasswordNeedsMFA() {
			t.Errorf("got %+v, %v with MFA", got, err)
		}
		update(t, s, "dev", `{"password_grant_without_mfa":true}`)
		if got, err := s.For(t.Context(), "dev"); err != nil || !got.MFA || got.PasswordNeedsMFA() {
			t.Errorf("got %+v, %v with MFA but for passwords", got, err)
		}
		for _, clear := range []string{`{"mfa_config":{},"password_grant_without_mfa":null}`, `{"mfa_config":null}`} {
			update(t, s, "dev", clear)
			wantSettings(t, s, "dev", want)
		}
		update(t, s, "dev", `{}`)
		wantSettings(t, f.replica(), "dev", want)
	})
}

func TestWhoChangedSettingsAndWhenIsRecorded(t *testing.T) {
	each(t, func(t *testing.T, f fixture) {
		var logged bytes.Buffer
		f.Log = slog.New(slog.NewTextHandler(&logged, nil))
		s := f.replica()
		fresh, err := s.Get(t.Context(), "dev")
		if err != nil || !fresh.Updated.IsZero() || fresh.UpdatedBy != "" || fresh.TokenURL != nil || string(fresh.MFA) != "{}" {
			t.Errorf("got %+v, %v before any change", fresh, err)
		}
		value := seal.NewSecret()
		sent := parse(t, `{"impersadmin_password":"`+value+`","use_ldap":false}`)
		if _, err := s.Update(t.Context(), "dev", "bob", sent); err != nil {
			t.Fatal(err)
		}
		first := f.Clock.Now()
		f.Clock.Advance(time.Hour)
		for _, nothing := range []string{`{}`, `{"use_ldap":false}`, `{"impersadmin_password":"********"}`, `{"unknown":1}`} {
			if got := update(t, s, "dev", nothing); !got.Updated.Equal(first) || got.UpdatedBy != "bob" {
				t.Errorf("%s: got %+v, %s", nothing, got.Updated, got.UpdatedBy)
			}
		}
		lines := strings.Split(strings.TrimSpace(logged.String()), "\n")
		if len(lines) != 1 || !strings.Contains(lines[0], "tenant=dev by=bob") || !strings.Contains(lines[0], "impersadmin_password") {
			t.Errorf("logged %q", lines)
		}
		if strings.Contains(logged.String(), value) {
			t.Error("the log has the value")
		}
	})
}

func TestSecretsAreSealedMaskedAndOpenedForUse(t *testing.T) {
	each(t, func(t *testing.T, f fixture) {
		var values []string
		secret := func() string {
			v := seal.NewSecret()
			testlog.Secret(t, v)
			values = append(values, v)
			return v
		}
		s := f.Settings()
		shown := []tenantconfig.Config{
			update(t, s, "dev", `{"impers_oauth_client_id":"`+secret()+`","impers_oauth_client_secret":"`+secret()+
				`","impersadmin_username":"`+secret()+`","impersadmin_password":"`+secret()+`"}`),
			update(t, s, "dev", mfa(`"privacy_idea_client_id":"c","privacy_idea_client_key":"`+secret()+
				`","privacy_idea_jwt":"`+secret()+`"`)),
			update(t, s, "dev", idp(`{"cii":{"login_url":"https://a.example","jwt_decode_key":"`+secret()+`"}}`)),
			update(t, s, "dev", idp(multi(one("a", `{"github":{"client_id":"a","client_secret":"`+secret()+`"}}`)))),
		}
		again, err := s.Get(t.Context(), "dev")
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(append(shown, again))
		if err != nil {
			t.Fatal(err)
		}
		dump := testdb.Dump(t, f.DB)
		for _, v := range values {
			if bytes.Contains(text, []byte(v)) || strings.Contains(dump, v) {
				t.Error("a secret is shown, or stands in the database")
			}
		}
		if again.ImpersPassword == nil || *again.ImpersPassword != "********" ||
			!strings.Contains(string(again.MFA), `"privacy_idea_client_key":"********"`) {
			t.Errorf("no masks: %s", text)
		}
		for name, want := range map[string][]string{
			"mfa_config": values[4:6], "custom_idp_configuration": values[7:8], "impersadmin_password": values[3:4],
		} {
			opened, err := s.Secret(t.Context(), "dev", name)
			for _, v := range want {
				if err != nil || !strings.Contains(string(opened), v) {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		if none, err := s.Secret(t.Context(), "lab", "mfa_config"); err != nil || string(none) != "null" {
			t.Errorf("got %s, %v for another tenant", none, err)
		}
		// What was sealed for one tenant opens for no other.
		f.Exec(`INSERT INTO tenant_configs (tenant_id, settings, last_update_time)
			SELECT 'lab', settings, 1 FROM tenant_configs WHERE tenant_id = 'dev'`)
		if _, err := s.Secret(t.Context(), "lab", "mfa_config"); !apierr.Is(err, apierr.Internal) {
			t.Errorf("another tenant's: %v", err)
		}
	})
}

func TestTheMaskLeavesASecretAsItIs(t *testing.T) {
	s := onSQLite(t)
	value := seal.NewSecret()
	testlog.Secret(t, value)
	from := func(id, secret, url string) string {
		return one(id, `{"multi_keycloak":{"client_id":"c","client_secret":"`+secret+`","identity_redirect_url":"https://a.example",`+
			`"oauth2_token_url":"`+url+`","user_info_url":"https://a.example"}}`)
	}
	several := func(idps ...string) string { return idp(multi(idps...)) }
	const url = "https://a.example/token"
	path := func(id string) string {
		return "custom_idp_configuration.multi_idps.idps." + id + ".idp_description.multi_keycloak.client_secret"
	}
	refused(t, s, several(from("a", "********", url)), path("a"))
	update(t, s, "dev", several(from("a", "other", url), from("b", value, url)))
	update(t, s, "dev", several(from("b", "********", url), from("a", "********", url))) // in another order
	refused(t, s, several(from("c", "********", url)), path("c"))
	refused(t, s, several(from("b", "********", "https://evil.example/token")), path("b"))
	issuer := strings.Replace(from("b", "********", url), `"client_id"`, `"issuer":"https://evil.example","client_id"`, 1)
	refused(t, s, several(issuer), path("b"))
	update(t, s, "dev", several(strings.Replace(from("b", "********", url), `"client_id":"c"`, `"client_id":"d"`, 1)))
	opened, err := s.Secret(t.Context(), "dev", "custom_idp_configuration")
	if err != nil || !strings.Contains(string(opened), value) || strings.Contains(string(opened), "other") {
		t.Errorf("the secret is not what it was: %v", err)
	}

	update(t, s, "dev", `{"token_url":"https://a.example","impersadmin_password":"`+value+`"}`)
	update(t, s, "dev", `{"token_url":"https://a.example","impersadmin_password":"********"}`)
	refused(t, s, `{"token_url":"https://evil.example"}`, "impersadmin_password")
	refused(t, s, `{"token_url":"https://evil.example","impersadmin_password":"********"}`, "impersadmin_password")
	update(t, s, "dev", `{"token_url":"https://b.example","impersadmin_password":"`+value+`"}`)
	update(t, s, "dev", `{"token_url":"https://c.example","impersadmin_password":null}`)
}

func TestParallelChangesAreAllKept(t *testing.T) {
	each(t, func(t *testing.T, f fixture) {
		replicas := []*tenantconfig.Service{f.replica(), f.replica()}
		changes := []string{
			`{"allowable_grant_types":["password","implicit"]}`, `{"rotate_refresh_tokens":true}`, `{"default_access_token_ttl":3600}`,
			`{"profile_visibility":"basic"}`, `{"implicit_response_mode":"query"}`, `{"default_refresh_token_ttl":172800}`,
			`{"use_token_webapp":false}`, idp(`{"ldap":{"user_search_filter":"(a=b)"}}`),
		}
		var all sync.WaitGroup
		for i, change := range changes {
			all.Go(func() { update(t, replicas[i%2], "dev", change) })
		}
		all.Wait()
		want := tenantconfig.Defaults()
		want.GrantTypes, want.RotateRefresh, want.AccessTTL, want.RefreshTTL = []string{"password", "implicit"}, true, time.Hour, 2*day
		want.ProfileVisibility, want.ImplicitResponseMode, want.UseTokenWebapp, want.People.Filter = "basic", "query", false, "(a=b)"
		f.Clock.Advance(2 * time.Second)
		for _, s := range replicas {
			wantSettings(t, s, "dev", want)
		}
	})
}

// The schemas, the code and the page for people agree on what there is.
func TestTheSchemasTheCodeAndThePageNameTheSameSettings(t *testing.T) {
	config, err := json.Marshal(tenantconfig.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var shown map[string]any
	if err := json.Unmarshal(config, &shown); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../../docs/tenant-configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	secretNames := []string{
		"client_secret", "jwt_decode_key", "privacy_idea_client_key", "privacy_idea_jwt", "impers_oauth_client_id",
		"impers_oauth_client_secret", "impersadmin_username", "impersadmin_password",
	}
	settings, secrets := 0, 0
	err = fs.WalkDir(os.DirFS("schemas"), ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		raw, err := os.ReadFile("schemas/" + file)
		if err != nil {
			return err
		}
		var schema map[string]any
		if err := json.Unmarshal(raw, &schema); err != nil {
			return err
		}
		defs, _ := schema["$defs"].(map[string]any)
		properties(schema, func(name string, s map[string]any) {
			if file == "tenant_config.json" {
				settings++
				if _, ok := shown[name]; !ok {
					t.Errorf("%s is in the schema and not shown", name)
				}
			}
			if !strings.Contains(string(page), "`"+name+"`") {
				t.Errorf("the page does not explain %s", name)
			}
			if ref, ok := s["$ref"].(string); ok {
				if d, ok := defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any); ok {
					s = d
				}
			}
			if s["writeOnly"] == true {
				secrets++
				if !slices.Contains(secretNames, name) {
					t.Errorf("%s is a secret for the schema alone", name)
				}
			}
		})
		return nil
	})
	if err != nil || settings != 23 || secrets != 9 {
		t.Errorf("%d settings and %d secrets, %v", settings, secrets, err)
	}
}

// properties calls f with every property that a schema describes.
func properties(v any, f func(name string, s map[string]any)) {
	object, ok := v.(map[string]any)
	if !ok {
		if list, ok := v.([]any); ok {
			for _, item := range list {
				properties(item, f)
			}
		}
		return
	}
	for key, value := range object {
		if named, ok := value.(map[string]any); ok && key == "properties" {
			for name, s := range named {
				if schema, ok := s.(map[string]any); ok && object["required"] == nil || ok && object["type"] == "object" {
					f(name, schema)
				}
			}
		}
		properties(value, f)
	}
}

func FuzzWhatIsTakenCanBeReadAndShown(f *testing.F) {
	for _, s := range []string{
		oursSent, defaultsSent, `{}`, idp(`{}`), idp(`{"ldap":{"user_search_prefix":"(cn=*)"}}`), idp(`{"globus":` + keycloak + `}`),
		`{"mfa_config":{"tacc":{"privacy_idea_url":"https://a.example","privacy_idea_jwt":"********"}}}`,
		`{"token_url":"https://a.example/é"}`,
		idp(`{"multi_idps":{"idps":[{"idp_id":"a","idp_name":"A","idp_description":{"ldap":{}}}]}}`), `{"impersadmin_password":"x"}`,
		`{"default_access_token_ttl":6e2}`, `{"default_access_token_ttl":-0}`, `{"mfa_config":{"tacc":{"tacc":{}}}}`,
	} {
		f.Add(s)
	}
	stand := fixture{authtest.OnSQLite(f)}
	f.Fuzz(func(t *testing.T, text string) {
		var change tenantconfig.Change
		if json.Unmarshal([]byte(text), &change) != nil {
			return
		}
		s := stand.replica()
		_, err := s.Update(t.Context(), "dev", "ada", change)
		if err != nil && !apierr.Is(err, apierr.Invalid) {
			t.Fatalf("%q: %v", text, err)
		}
		if _, err := s.Get(t.Context(), "dev"); err != nil {
			t.Fatalf("after %q: %v", text, err)
		}
		if _, err := stand.replica().For(t.Context(), "dev"); err != nil {
			t.Fatalf("after %q: %v", text, err)
		}
		if _, err := s.Secret(t.Context(), "dev", "custom_idp_configuration"); err != nil {
			t.Fatalf("after %q: %v", text, err)
		}
	})
}
