package tenants

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/database"
	"gatehouse/internal/tenants/history"
	"gatehouse/internal/testclock"
)

// want returns the patch that gives a row the named fields of values.
func want[R any](origin string, values R, fields ...string) Patch[R] {
	p := Patch[R]{Origin: origin, Values: values, Given: map[string]bool{}}
	for _, name := range fields {
		p.Given[name] = true
	}
	return p
}

func wantedOf(c Content) (w Wanted) {
	w.Sites = converted(c.Sites, func(s Site) Patch[Site] { return whole(Sites(), s) })
	w.Owners = converted(c.Owners, func(o Owner) Patch[Owner] { return whole(Owners(), o) })
	w.LDAPs = converted(c.LDAPs, func(l LDAPConnection) Patch[LDAPConnection] { return whole(LDAPs(), l) })
	w.Tenants = converted(c.Tenants, func(t Tenant) Patch[Tenant] { return whole(Tenants(), t) })
	return w
}

// tenantPatch changes fields of a tenant that exists.
func tenantPatch(id string, values Tenant, fields ...string) Wanted {
	values.ID = id
	return Wanted{Tenants: []Patch[Tenant]{want("here", values, append(fields, "tenant_id")...)}}
}

func apply(t testing.TB, s *Service, w Wanted) []string {
	t.Helper()
	planned, err := s.Plan(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	changes, err := s.Apply(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	if len(planned)+len(changes) > 0 && !reflect.DeepEqual(planned, changes) {
		t.Errorf("planned %v, done %v", planned, changes)
	}
	return converted(changes, Change.String)
}

func contentOf(t testing.TB, s *Service) Content {
	t.Helper()
	c, err := s.Content(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// fieldChange is a change of one field as history keeps it.
type fieldChange struct{ Prev, New any }

// pastOf returns what stands in the history of a tenant.
func pastOf(t testing.TB, s *Service, tenantID string) (rows []history.Entry, updates []map[string]fieldChange) {
	t.Helper()
	rows, err := s.tables.tenantHistory.Of(t.Context(), tenantID)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		var u map[string]fieldChange
		if err := json.Unmarshal(row.Updates, &u); err != nil {
			t.Fatal(err)
		}
		updates = append(updates, u)
	}
	return rows, updates
}

func TestApplyFillsAnEmptyRegistryAndThenDoesNothing(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		source := empty(t)
		seedWide(t, source)
		content := contentOf(t, source)

		c := testclock.At(noon.Add(time.Hour))
		s := newService(t, db, c.Now)
		got := apply(t, s, wantedOf(content))
		equal(t, "changes", got, []string{
			"create site east", "create site main", "create owner ops@example.org", "create ldap tapis-dev",
			"create tenant Old", "create tenant admin", "create tenant dev",
			"create tenant east-admin", "create tenant east-old", "create tenant east-one", "create tenant plan",
		})
		applied := contentOf(t, s)
		equal(t, "again", apply(t, s, wantedOf(content)), []string{})
		equal(t, "again, from the copy", apply(t, s, wantedOf(applied)), []string{})
		for i, tenant := range applied.Tenants {
			equal(t, tenant.ID+", made by", []string{tenant.CreatedBy, tenant.LastUpdatedBy}, []string{"apply@admin", "apply@admin"})
			equal(t, tenant.ID+", made at", []time.Time{tenant.CreateTime, tenant.LastUpdateTime}, []time.Time{c.Now(), c.Now()})
			tenant.CreatedBy, tenant.LastUpdatedBy = "tenants@admin", "tenants@admin"
			tenant.CreateTime, tenant.LastUpdateTime = noon, noon
			equal(t, tenant.ID, tenant, content.Tenants[i])
			if rows, _ := pastOf(t, s, tenant.ID); len(rows) != 0 {
				t.Errorf("%s has history: %v", tenant.ID, rows)
			}
		}
		main := applied.Sites[1]
		equal(t, "site", []any{main.CreatedBy, main.CreateTime, main.LastUpdateTime, main.Services},
			[]any{"apply@admin", c.Now(), c.Now(), content.Sites[1].Services})
		equal(t, "owner", applied.Owners[0].CreateTime, c.Now())
		equal(t, "ldap", applied.LDAPs[0].LastUpdateTime, c.Now())
	})
}

func TestApplyChangesWhatIsGivenAndNothingElse(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		c := testclock.At(noon)
		s := newService(t, db, c.Now)
		seedWide(t, s)
		before := contentOf(t, s)
		c.Advance(time.Hour)
		w := tenantPatch("dev", Tenant{
			AdminUser: "boss", TokenGenServices: []string{"a", "b"}, Owner: "new@example.org", Status: Inactive, SiteID: "ignored",
		}, "description", "admin_user", "token_gen_services", "owner", "status")
		w.Sites = []Patch[Site]{
			want("site", Site{ID: "main", Services: []string{"tokens"}, AdminTenantID: "ignored"}, "site_id", "services"),
		}
		w.Owners = []Patch[Owner]{
			want("owner", Owner{Email: "ops@example.org", Name: "New name"}, "email", "name"),
			want("owner", Owner{Email: "new@example.org", Name: "N", Institution: "I"}, "email", "name", "institution"),
		}
		w.LDAPs = []Patch[LDAPConnection]{
			want("ldap", LDAPConnection{ID: "tapis-dev", Port: 636, UseSSL: true}, "ldap_id", "port", "use_ssl"),
		}
		equal(t, "changes", apply(t, s, w), []string{
			"update site main: services", "update owner ops@example.org: name", "create owner new@example.org",
			"update ldap tapis-dev: port, use_ssl",
			"update tenant dev: status, owner, admin_user, token_gen_services, description",
		})
		now := noon.Add(time.Hour)
		after := before
		added := Owner{Email: "new@example.org", Name: "N", Institution: "I", Stamps: Stamps{CreateTime: now, LastUpdateTime: now}}
		after.Sites, after.Owners = slices.Clone(before.Sites), []Owner{added, before.Owners[0]}
		after.LDAPs, after.Tenants = slices.Clone(before.LDAPs), slices.Clone(before.Tenants)
		main, owner, ldap, dev := &after.Sites[1], &after.Owners[1], &after.LDAPs[0], &after.Tenants[2]
		main.Services, main.LastUpdateTime, main.LastUpdatedBy = []string{"tokens"}, now, "apply@admin"
		owner.Name, owner.LastUpdateTime = "New name", now
		ldap.Port, ldap.UseSSL, ldap.LastUpdateTime = 636, true, now
		dev.Description, dev.AdminUser, dev.TokenGenServices = "", "boss", []string{"a", "b"}
		dev.Owner, dev.Status = "new@example.org", Inactive
		dev.LastUpdateTime, dev.LastUpdatedBy = now, "apply@admin"
		equal(t, "content", contentOf(t, s), after)

		rows, updates := pastOf(t, s, "dev")
		equal(t, "history", updates, []map[string]fieldChange{{
			"description": {"The dev tenant.", nil}, "admin_user": {"testadmin", "boss"}, "owner": {"ops@example.org", "new@example.org"},
			"token_gen_services": {[]any{"authenticator"}, []any{"a", "b"}}, "status": {"ACTIVE", "INACTIVE"},
		}})
		equal(t, "who and when", []any{rows[0].By, rows[0].At}, []any{"apply@admin", now})

		c.Advance(time.Hour)
		equal(t, "again", apply(t, s, w), []string{})
		equal(t, "content after nothing was to be done", contentOf(t, s), after)
		if rows, _ := pastOf(t, s, "dev"); len(rows) != 1 {
			t.Errorf("history has %d rows after nothing was to be done, want 1", len(rows))
		}
	})
}

func TestANewTenantIsADraftWithItsServicesAtItsAddress(t *testing.T) {
	_, s := seeded(t)
	equal(t, "changes", apply(t, s, tenantPatch("new", Tenant{
		BaseURL: "https://new.example.org", SiteID: "main", Owner: "ops@example.org", AdminUser: "boss",
		TokenService: "https://elsewhere.example.org/tokens",
	}, "base_url", "site_id", "owner", "admin_user", "token_service")), []string{"create tenant new"})
	for _, tenant := range contentOf(t, s).Tenants {
		if tenant.ID == "new" {
			equal(t, "tenant", []string{string(tenant.Status), tenant.TokenService, tenant.SecurityKernel, tenant.Authenticator},
				[]string{
					"draft", "https://elsewhere.example.org/tokens", "https://new.example.org/v3/security", "https://new.example.org/v3/oauth2",
				})
		}
	}
}

func TestADraftWithAKeyBecomesActive(t *testing.T) {
	_, s := seeded(t)
	equal(t, "changes", apply(t, s, tenantPatch("plan", Tenant{Status: Active, PublicKey: canonicalKey(t)}, "status", "public_key")),
		[]string{"update tenant plan: status, public_key"})
	_, updates := pastOf(t, s, "plan")
	equal(t, "history", updates, []map[string]fieldChange{{"status": {"DRAFT", "ACTIVE"}, "public_key": {nil, canonicalKey(t)}}})
}

// TestApplyRefusesWhatTheRulesRefuse has what documents can say and bodies of
// the API cannot; see TestUpdatesOfTenantsThatBreakARuleAreRefused for the rest.
func TestApplyRefusesWhatTheRulesRefuse(t *testing.T) {
	_, s := seeded(t)
	before := contentOf(t, s)
	site := func(values Site, fields ...string) Wanted {
		return Wanted{Sites: []Patch[Site]{want("here", values, append(fields, "site_id")...)}}
	}
	newTenant := func(id string, status Status) Wanted {
		return tenantPatch(id, Tenant{
			BaseURL: "https://new.example.org", SiteID: "main", Owner: "ops@example.org", AdminUser: "boss", Status: status,
		}, "base_url", "site_id", "owner", "admin_user", "status")
	}
	people := want("here", LDAPConnection{
		ID: "x", URL: "ldap://x", Port: 1, UserDN: "a", BindDN: "b", BindCredential: "c", AccountType: UserAccounts,
	}, "ldap_id", "url", "port", "user_dn", "bind_dn", "bind_credential", "account_type")
	for name, tt := range map[string]struct {
		wanted Wanted
		says   string
	}{
		"an id in other letters": {newTenant("DEV", ""), "dev exists"},
		"two at one base URL":    {twice(newTenant("new", ""), "newer"), "base_url has the host of another"},
		"two ids alike":          {twice(newTenant("new", ""), "NEW"), "new exists"},
		"a reserved id":          {newTenant("Owners", ""), "reserved"},
		"active without a key":   {newTenant("new", Active), "public_key"},
		"a status as answered":   {tenantPatch("dev", Tenant{Status: "ACTIVE"}, "status"), "status"},
		"a wrapped key":          {tenantPatch("dev", Tenant{PublicKey: wrappedKeys()[0]}, "public_key"), "canonical"},

		"a second primary": {site(Site{
			ID: "two", Primary: true, BaseURL: "https://b.org", TenantBaseURLTemplate: "https://${tenant_id}.b.org", AdminTenantID: "a",
		}, "primary", "base_url", "tenant_base_url_template", "site_admin_tenant_id"), "only one"},
		"unclear whether": {
			site(Site{ID: "two", BaseURL: "b.org", AdminTenantID: "a"}, "base_url", "site_admin_tenant_id"), "primary is required",
		},
		"unclear whether TLS": {Wanted{LDAPs: []Patch[LDAPConnection]{people}}, "use_ssl is required"},
		"an owner without a name": {
			Wanted{Owners: []Patch[Owner]{want("here", Owner{Email: "a@b", Institution: "I"}, "email", "institution")}},
			"here: The field name is required",
		},
		"a port beyond the last": {
			Wanted{LDAPs: []Patch[LDAPConnection]{want("here", LDAPConnection{ID: "tapis-dev", Port: 65536}, "ldap_id", "port")}},
			"here: The field port",
		},
	} {
		for method, do := range map[string]func(context.Context, Wanted) ([]Change, error){"plan": s.Plan, "apply": s.Apply} {
			if _, err := do(t.Context(), tt.wanted); !contains(err, tt.says) || !contains(err, "here: ") {
				t.Errorf("%s, %s: got %v, want an error that says %q", name, method, err, tt.says)
			}
		}
	}
	equal(t, "content", contentOf(t, s), before)
}

// twice adds the tenant of w once more, under another id.
func twice(w Wanted, id string) Wanted {
	second := w.Tenants[0]
	second.Values.ID = id
	w.Tenants = append(w.Tenants, second)
	return w
}

func TestASiteMayRetireWhole(t *testing.T) {
	_, s := seeded(t)
	w := tenantPatch("east-admin", Tenant{Status: Inactive}, "status") // first, while the other is still active
	w.Tenants = append(w.Tenants, tenantPatch("east-one", Tenant{Status: Inactive}, "status").Tenants...)
	equal(t, "changes", apply(t, s, w), []string{"update tenant east-admin: status", "update tenant east-one: status"})
	equal(t, "back again", apply(t, s, tenantPatch("east-one", Tenant{Status: Active}, "status")),
		[]string{"update tenant east-one: status"})
}

func TestEverythingThatIsWrongIsSaidAndNothingIsDone(t *testing.T) {
	eachWide(t, func(t *testing.T, s *Service) {
		before := contentOf(t, s)
		counter := counterOf(t, s)
		w := tenantPatch("dev", Tenant{BaseURL: "https://x"}, "base_url")
		w.Owners = []Patch[Owner]{want("owners[0]", Owner{Email: "good@example.org", Name: "N", Institution: "I"}, "email", "name",
			"institution"), want("owners[1]", Owner{Email: "bad"}, "email")}
		w.Tenants = append(w.Tenants, tenantPatch("plan", Tenant{Owner: "bad"}, "owner").Tenants...)
		_, err := s.Apply(t.Context(), w)
		var all []string
		for line := range strings.SplitSeq(err.Error(), "\n") {
			origin, _, _ := strings.Cut(line, " ")
			all = append(all, origin)
		}
		equal(t, "faults", all, []string{"owners[1]:", "here:", "here:"})
		equal(t, "content", contentOf(t, s), before)
		equal(t, "change counter", counterOf(t, s), counter)
	})
}

func counterOf(t testing.TB, s *Service) int64 {
	t.Helper()
	counter, err := s.snapshots.changes.counter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return counter
}

func TestAPlanWritesNothing(t *testing.T) {
	_, s := seeded(t)
	before, counter := contentOf(t, s), counterOf(t, s)
	for range 2 {
		changes, err := s.Plan(t.Context(), tenantPatch("dev", Tenant{Description: "New."}, "description"))
		if err != nil || len(changes) != 1 {
			t.Fatalf("got %v, %v", changes, err)
		}
		equal(t, "differences", changes[0].Differences, []Difference{{Field: "description", Prev: "The dev tenant.", New: "New."}})
	}
	equal(t, "content", contentOf(t, s), before)
	equal(t, "change counter", counterOf(t, s), counter)
	if got := apply(t, s, Wanted{}); len(got) != 0 || counterOf(t, s) != counter {
		t.Errorf("applying nothing: %v", got)
	}
}

func TestAServedRegistrySeesWhatWasAppliedWithinTwoSeconds(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		writer, reader := pair(t, db)
		seedWide(t, writer)
		h := engine(t, reader)
		get(t, h, "/v3/tenants", 200)
		if err := reader.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		w := tenantPatch("dev", Tenant{Description: "Applied."}, "description")
		w.LDAPs = []Patch[LDAPConnection]{want("ldap", LDAPConnection{ID: "tapis-dev", Port: 1389}, "ldap_id", "port")}
		apply(t, writer, w)
		equal(t, "port", get(t, h, "/v3/tenants/ldaps/tapis-dev", 200).object(t)["port"], any(1389.0))
		within(t, 2*time.Second, "the description in the list", func() bool {
			return strings.Contains(string(get(t, h, "/v3/tenants", 200).raw), "Applied.")
		})
	})
}

func TestOfManyAppliesAtOnceOneDoesTheWork(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		source := empty(t)
		seedWide(t, source)
		w := wantedOf(contentOf(t, source))
		first := newService(t, db, atNoon)
		apply(t, first, w)
		w.Tenants[2].Values.Description = "Another."
		const n = 4
		counts := make([]int, n)
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				s := newService(t, db, atNoon)
				changes, err := s.Apply(t.Context(), w)
				if err != nil {
					t.Error(err)
				}
				counts[i] = len(changes)
			})
		}
		all.Wait()
		slices.Sort(counts)
		equal(t, "changes", counts, []int{0, 0, 0, 1})
		if rows, _ := pastOf(t, first, "dev"); len(rows) != 1 {
			t.Errorf("history has %d rows, want 1", len(rows))
		}
	})
}

func TestAnApplyThatFailsHalfwayLeavesNothing(t *testing.T) {
	eachWide(t, func(t *testing.T, s *Service) {
		before := contentOf(t, s)
		execute(t, s, "ALTER TABLE tenant_history RENAME TO gone")
		w := tenantPatch("dev", Tenant{Description: "New."}, "description")
		w.Owners = []Patch[Owner]{want("owner", Owner{Email: "new@example.org", Name: "N", Institution: "I"}, "email", "name",
			"institution")}
		if changes, err := s.Apply(t.Context(), w); err == nil || changes != nil {
			t.Errorf("got %v, %v", changes, err)
		}
		equal(t, "content", contentOf(t, s), before)
	})
}

func TestEveryFieldOfARowIsToldApart(t *testing.T) {
	eachField(t, Sites())
	eachField(t, Owners())
	eachField(t, LDAPs())
	eachField(t, Tenants())
}

// eachField checks that a field can be set, is seen as different, and stands
// for nothing else.
func eachField[R any](t *testing.T, k Resource[R]) {
	t.Helper()
	for _, f := range k.Fields {
		var empty, set R
		switch p := f.Of(&set).(type) {
		case *string:
			*p = "x"
		case *[]string:
			*p = []string{"x"}
		case *int:
			*p = 7
		case *bool:
			*p = true
		}
		changed, err := want("", set, f.Name, "primary", "use_ssl").onto(k, empty, true)
		if err != nil {
			t.Fatal(err)
		}
		if got := k.differences(&empty, &changed); len(got) != 1 || got[0].Field != f.Name ||
			!reflect.DeepEqual(got[0].New, f.Value(&set)) {
			t.Errorf("%s, %s: %+v", k.Name, f.Name, got)
		}
		if !reflect.DeepEqual(changed, set) {
			t.Errorf("%s, %s: %+v", k.Name, f.Name, changed)
		}
	}
}

func TestApplyRemembersWhatItChangesOfASite(t *testing.T) {
	eachWide(t, func(t *testing.T, s *Service) {
		w := Wanted{Sites: []Patch[Site]{want("here", Site{ID: "east", Services: []string{"tokens"}, AdminTenantID: "east-new"},
			"site_id", "services", "site_admin_tenant_id")}}
		if _, err := s.Apply(t.Context(), w); !contains(err, "here: ") || !contains(err, "site_admin_tenant_id") {
			t.Errorf("an administrative tenant that nobody knows: %v", err)
		}
		// It may come with the same document, after the site.
		w.Tenants = tenantPatch("east-new", Tenant{
			BaseURL: "https://new.east.example.org", SiteID: "east", Owner: "ops@example.org", AdminUser: "boss", Status: Active,
			PublicKey: canonicalKey(t),
		}, "base_url", "site_id", "owner", "admin_user", "status", "public_key").Tenants
		equal(t, "changes", apply(t, s, w), []string{"update site east: site_admin_tenant_id, services", "create tenant east-new"})
		entries, err := s.tables.siteHistory.Of(t.Context(), "east")
		if err != nil || len(entries) != 1 {
			t.Fatalf("history: %v, %v", entries, err)
		}
		equal(t, "by", entries[0].By, "apply@admin")
		equal(t, "updates", string(entries[0].Updates),
			`{"services":{"prev":["security"],"new":["tokens"]},"site_admin_tenant_id":{"prev":"east-admin","new":"east-new"}}`)
		equal(t, "again", apply(t, s, w), []string{})
	})
}

func TestAnAddressWithoutTLSIsThisMachinesOwn(t *testing.T) {
	eachWide(t, func(t *testing.T, s *Service) {
		tenant := func(address string) Wanted {
			return tenantPatch("new", Tenant{BaseURL: address, SiteID: "main", Owner: "ops@example.org", AdminUser: "boss"},
				"base_url", "site_id", "owner", "admin_user")
		}
		site := func(s Site, field string) Wanted {
			return Wanted{Sites: []Patch[Site]{want("here", s, "site_id", field)}}
		}
		const template, address = "tenant_base_url_template", "base_url"
		for _, bad := range []Wanted{
			tenant("http://new.example.org"), tenant("http://10.0.0.1"), tenant("http://localhost.example.org"),
			site(Site{ID: "main", BaseURL: "http://example.org"}, address),
			site(Site{ID: "main", TenantBaseURLTemplate: "http://${tenant_id}.example.org"}, template),
			site(Site{ID: "east", BaseURL: "http://east.example.org"}, address),
		} {
			if _, err := s.Apply(t.Context(), bad); !contains(err, "must begin with https://") {
				t.Errorf("%+v: %v", bad, err)
			}
		}
		apply(t, s, tenant("http://new.localhost:8080"))
		// What was stored before the rule can be changed otherwise.
		execute(t, s, "UPDATE tenants SET base_url = 'http://plan.example.org' WHERE tenant_id = 'plan'")
		execute(t, s, "UPDATE registry_changes SET counter = counter + 1")
		apply(t, s, tenantPatch("plan", Tenant{Description: "Still here."}, "description"))
	})
}
