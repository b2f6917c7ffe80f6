package tenants

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"gatehouse/internal/apitest"
)

var everybodys = []string{"account_type", "create_time", "last_update_time", "ldap_id", "port", "url", "use_ssl", "user_dn"}

func TestOnlyServicesSeeHowPeopleAreLookedUp(t *testing.T) {
	h, _ := seeded(t)
	service := token(t, "admin", nil)
	behalf := func(token, tenant string) []string {
		return []string{"X-Tapis-Token", token, "X-Tapis-Tenant", tenant, "X-Tapis-User", "x"}
	}
	for name, tt := range map[string]struct {
		headers []string
		whole   bool
	}{
		"anonymous":                   {nil, false},
		"a service":                   {asService(t), true},
		"a service for a person":      {behalf(service, "dev"), true},
		"a service for an associate":  {behalf(service, "east-one"), true},
		"a service with Bearer":       {append(behalf("", "dev")[2:], "Authorization", "Bearer "+service), true},
		"a service for nobody":        {[]string{"X-Tapis-Token", service}, false},
		"a service for no tenant":     {behalf(service, "nowhere"), false},
		"a service for a draft":       {behalf(service, "plan"), false},
		"a person":                    {user(t, "testuser1@dev"), false},
		"a person of admin":           {[]string{"X-Tapis-Token", token(t, "admin", object{"tapis/account_type": "user"})}, false},
		"a person who claims a site":  {[]string{"X-Tapis-Token", token(t, "dev", object{"tapis/target_site": "main"})}, false},
		"a service of plain dev":      {behalf(account(t, "service", "testuser1@dev", nil)[1], "dev"), false},
		"expired":                     {with(t, asService(t), object{"exp": noon.Add(-time.Second).Unix()}), false},
		"a refresh token":             {with(t, asService(t), object{"tapis/token_type": "refresh"}), false},
		"for another site":            {with(t, asService(t), object{"tapis/target_site": "east"}), false},
		"of another issuer":           {with(t, asService(t), object{"iss": "http://localhost:8080/v3/tokens"}), false},
		"of a tenant with dev's key":  {with(t, asService(t), object{"tapis/tenant_id": "east-admin"}), false},
		"tampered with":               {behalf(service[:len(service)-9]+"AAAA"+service[len(service)-5:], "dev"), false},
		"two different tokens":        {append(asService(t), "Authorization", "Bearer "+token(t, "dev", nil)), false},
		"a token that is none at all": {behalf("None", "dev"), false},
	} {
		for _, target := range []string{"/v3/tenants/ldaps", "/v3/tenants/ldaps?limit=1", "/v3/tenants/ldaps/tapis-dev"} {
			r := get(t, h, target, 200, tt.headers...)
			row := map[string]any{}
			if strings.HasSuffix(target, "tapis-dev") {
				row = r.object(t)
			} else if rows := r.rows(t); len(rows) == 1 {
				row = rows[0]
			}
			want := everybodys
			if tt.whole {
				want = slices.Sorted(slices.Values(append([]string{"bind_credential", "bind_dn"}, everybodys...)))
				equal(t, name+", bind_dn", row["bind_dn"], any("cn=reader,dc=dev"))
				equal(t, name+", bind_credential", row["bind_credential"], any("ldap.tapis-dev"))
			}
			equal(t, name+", "+target, memberNames(row), want)
			if !tt.whole && strings.Contains(string(r.raw), "cn=reader") {
				t.Errorf("%s, %s: %s", name, target, r.raw)
			}
		}
	}
}

// with replaces the token in headers by one with changed claims.
func with(t testing.TB, headers []string, changes map[string]any) []string {
	t.Helper()
	headers[1] = token(t, "admin", changes)
	return headers
}

func TestWhoSeesMoreHasAnAnswerOfHisOwn(t *testing.T) {
	h, _ := seeded(t)
	for _, target := range []string{"/v3/tenants/ldaps", "/v3/tenants/ldaps/tapis-dev", "/v3/tenants/ldaps?limit=1"} {
		public, whole := get(t, h, target, 200), get(t, h, target, 200, asService(t)...)
		tag, wholeTag := public.header.Get("ETag"), whole.header.Get("ETag")
		if tag == wholeTag {
			t.Errorf("%s: both answers have the tag %s", target, tag)
		}
		for _, r := range []reply{
			public, whole,
			get(t, h, target, 304, "If-None-Match", tag), get(t, h, target, 304, append(asService(t), "If-None-Match", wholeTag)...),
		} {
			equal(t, target+", Cache-Control", r.header.Get("Cache-Control"), "private, no-cache")
			vary := strings.Join(r.header.Values("Vary"), ", ")
			for _, name := range []string{"X-Tapis-Token", "Authorization", "X-Tapis-Tenant", "X-Tapis-User"} {
				if !strings.Contains(vary, name) {
					t.Errorf("%s: Vary is %q, without %s", target, vary, name)
				}
			}
		}
		get(t, h, target, 200, "If-None-Match", wholeTag)
		get(t, h, target, 200, append(asService(t), "If-None-Match", tag)...)
		equal(t, target+", HEAD", ask(t, h, http.MethodHead, target, asService(t)...).header.Get("ETag"), wholeTag)
	}
	// What everybody sees alike may be kept by everybody.
	for _, target := range []string{"/v3/tenants/owners", "/v3/tenants/owners/ops@example.org"} {
		one, two := get(t, h, target, 200), get(t, h, target, 200, asService(t)...)
		equal(t, target, string(one.raw), string(two.raw))
		equal(t, target+", Cache-Control", one.header.Get("Cache-Control"), "no-cache")
		get(t, h, target, 304, "If-None-Match", one.header.Get("ETag"))
	}
}

func TestUpstreamBugTheAccountTypeIsAlwaysUser(t *testing.T) {
	h, s := seeded(t)
	connection := devSeed("8080").LDAPs[0]
	connection.ID, connection.AccountType = "services", ServiceAccounts
	put(t, s, Wanted{LDAPs: []Patch[LDAPConnection]{whole(LDAPs(), connection)}})
	list := get(t, h, "/v3/tenants/ldaps", 200)
	equal(t, "ids", list.ids(t, "ldap_id"), []string{"services", "tapis-dev"})
	equal(t, "types", list.ids(t, "account_type"), []string{"service", "user"})
	equal(t, "type", get(t, h, "/v3/tenants/ldaps/services", 200).object(t)["account_type"], any("service"))
}

func TestOwnersAreListedInOrder(t *testing.T) {
	h, s := seeded(t)
	for _, email := range []string{"z@example.org", "A@example.org", "a/b@example.org"} {
		put(t, s, Wanted{Owners: []Patch[Owner]{whole(Owners(), Owner{Email: email, Name: "N", Institution: "I"})}})
	}
	r := get(t, h, "/v3/tenants/owners", 200)
	equal(t, "owners", r.ids(t, "email"), []string{"A@example.org", "a/b@example.org", "ops@example.org", "z@example.org"})
	equal(t, "total", r.metadata["totalCount"], 4)
	equal(t, "a page", get(t, h, "/v3/tenants/owners?limit=1&offset=1", 200).ids(t, "email"), []string{"a/b@example.org"})
	for _, target := range []string{"ops@example.org", "ops%40example.org"} { // SDKs send the sign as it is
		equal(t, target, get(t, h, "/v3/tenants/owners/"+target, 200).object(t)["institution"], any("Example"))
	}
	equal(t, "a slash", get(t, h, "/v3/tenants/owners/a%2Fb@example.org", 200).object(t)["email"], any("a/b@example.org"))
}

func TestARotatedKeyCountsWithinTwoSeconds(t *testing.T) {
	db := newDB(t)
	writer, reader := pair(t, db)
	seedWide(t, writer)
	h := apitest.New(t, engine(t, reader), "tenants")
	whole := func(headers []string) bool {
		return get(t, h, "/v3/tenants/ldaps/tapis-dev", 200, headers...).object(t)["bind_dn"] != nil
	}
	if !whole(asService(t)) {
		t.Fatal("the service is not known")
	}
	if err := reader.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	rotated := devSeed("8080")
	rotated.Tenants[1].PublicKey = wrappedKeys()[0] // dev's, for brevity
	seed(t, writer, rotated)
	within(t, 2*time.Second, "the old key does not count any more", func() bool { return !whole(asService(t)) })

	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token(t, "admin", nil), claims); err != nil {
		t.Fatal(err)
	}
	raw := signed(t, signingKeys()[0], claims)
	if !whole([]string{"X-Tapis-Token", raw, "X-Tapis-Tenant", "dev", "X-Tapis-User", "x"}) {
		t.Error("the new key does not count")
	}
}

func TestReadsGoOnWhenTokensCannotBeChecked(t *testing.T) {
	h, s := seeded(t)
	exec := func(statement string) {
		t.Helper()
		execute(t, s, statement)
		if _, err := s.snapshots.current(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	exec("UPDATE tenants SET public_key = 'by hand' WHERE tenant_id = 'admin'")
	r := get(t, h, "/v3/tenants/ldaps/tapis-dev", 200, asService(t)...)
	equal(t, "with a broken key", memberNames(r.object(t)), everybodys)
}
