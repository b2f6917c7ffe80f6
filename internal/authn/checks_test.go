package authn_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rsa"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt/v5"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
)

var (
	eastKey = sync.OnceValue(makeKey)
	westKey = sync.OnceValue(makeKey)
)

// world is an installation: main is the primary site; east and west are
// associates, of which only west runs the service tenants itself. Every
// tenant's key has the id of the tenant and "-1".
type world struct {
	tenantAway, keysAway, primaryAway, sitesAway error
}

var worldTenants = map[string]authn.Tenant{
	"admin":      {ID: "admin", SiteID: "main", Issuer: issuerOf("admin"), SiteAdmin: true},
	"dev":        {ID: "dev", SiteID: "main", Issuer: issuerOf("dev")},
	"east-admin": {ID: "east-admin", SiteID: "east", Issuer: issuerOf("east-admin"), SiteAdmin: true},
	"east-one":   {ID: "east-one", SiteID: "east", Issuer: issuerOf("east-one")},
	"west-admin": {ID: "west-admin", SiteID: "west", Issuer: issuerOf("west-admin"), SiteAdmin: true},
	"west-one":   {ID: "west-one", SiteID: "west", Issuer: issuerOf("west-one")},
}

func issuerOf(tenant string) string { return "https://" + tenant + ".example.org/v3/tokens" }

func keyOf(tenant string) *rsa.PrivateKey {
	switch {
	case tenant == "admin":
		return otherKey()
	case strings.HasPrefix(tenant, "east"):
		return eastKey()
	case strings.HasPrefix(tenant, "west"):
		return westKey()
	}
	return devKey()
}

func (w world) Tenant(_ context.Context, id string) (authn.Tenant, bool, error) {
	t, found := worldTenants[id]
	return t, found && w.tenantAway == nil, w.tenantAway
}

func (w world) RunsItself(_ context.Context, siteID, service string) (bool, error) {
	return siteID == "west" && service == "tenants" && w.sitesAway == nil, w.sitesAway
}

func (w world) PrimarySite(context.Context) (string, error) { return "main", w.primaryAway }

func (w world) PublicKey(_ context.Context, tenantID, kid string) (*rsa.PublicKey, error) {
	switch {
	case w.keysAway != nil:
		return nil, w.keysAway
	case kid != tenantID+"-1":
		return nil, authn.ErrUnknownKey
	}
	return &keyOf(tenantID).PublicKey, nil
}

// at returns the checks of a service at a site.
func (w world) at(siteID, service string) *authn.Checks {
	v := authn.NewVerifier(w, func() time.Time { return now })
	return &authn.Checks{Verifier: v, Realm: w, SiteID: siteID, Service: service}
}

// user and service return good tokens of a tenant, with changes to the claims.
func user(t testing.TB, tenant string, changes object) string {
	t.Helper()
	c := claims(object{"iss": issuerOf(tenant), "sub": "testuser1@" + tenant, "tapis/tenant_id": tenant})
	return compact(t, jwt.SigningMethodRS256, keyOf(tenant), header(object{"kid": tenant + "-1"}), changed(c, changes))
}

func service(t testing.TB, tenant, targetSite string, changes object) string {
	t.Helper()
	c := object{
		"sub": "files@" + tenant, "tapis/username": "files", "tapis/account_type": "service", "tapis/target_site": targetSite,
	}
	return user(t, tenant, changed(c, changes))
}

func ada(tenant string) authn.Subject { return authn.Subject{TenantID: tenant, Username: "ada"} }

func TestAGoodTokenMakesItsHolderTheCaller(t *testing.T) {
	for name, test := range map[string]struct {
		site, service, tenant string
		changes               object
		want                  authn.Caller
	}{
		"a user":           {"main", "tenants", "dev", nil, authn.Caller{SiteID: "main"}},
		"through a client": {"main", "tenants", "dev", object{"tapis/client_id": "x"}, authn.Caller{SiteID: "main", ClientID: "x"}},
		"a user named as a service, with its target": {
			"main", "tenants", "dev",
			object{"tapis/username": "tenants", "tapis/target_site": "main"},
			authn.Caller{SiteID: "main", Username: "tenants"},
		},
		"a user of an associate's tenant": {"east", "files", "east-one", nil, authn.Caller{SiteID: "east"}},
	} {
		test.want.Username, test.want.TenantID, test.want.AccountType = cmp.Or(test.want.Username, "testuser1"), test.tenant, "user"
		wantCaller(t, name, world{}.at(test.site, test.service), user(t, test.tenant, test.changes), test.want)
	}
	self := authn.Subject{TenantID: "admin", Username: "files"}
	for name, test := range map[string]struct {
		site, service, tenant, tenantSite string
		behalf                            authn.Subject
	}{
		"a service for a user of its site":        {"main", "tenants", "admin", "main", ada("dev")},
		"a service for itself":                    {"main", "tenants", "admin", "main", self},
		"the primary's service for an associate":  {"main", "tenants", "admin", "main", ada("east-one")},
		"the primary's service at an associate":   {"east", "files", "admin", "main", ada("east-one")},
		"an associate's service at home":          {"east", "files", "east-admin", "east", ada("east-one")},
		"an associate's service at the primary":   {"main", "tenants", "east-admin", "east", ada("east-one")},
		"a site that runs only other services":    {"main", "files", "west-admin", "west", ada("west-one")},
		"a site that runs the service, at itself": {"west", "tenants", "west-admin", "west", ada("west-one")},
	} {
		wantCaller(t, name, world{}.at(test.site, test.service), service(t, test.tenant, test.site, nil), authn.Caller{
			Username: "files", TenantID: test.tenant, SiteID: test.tenantSite, AccountType: "service", OnBehalfOf: test.behalf,
		})
	}
}

// wantCaller asserts who a token is taken for, on behalf of whom want says.
func wantCaller(t *testing.T, name string, checks *authn.Checks, token string, want authn.Caller) {
	t.Helper()
	want.TokenID, want.TokenExpiry = "5b1f9f0c-8b4f-4f6e-9a53-0d3f5e7d1c11", now.Add(time.Hour)
	if got, err := checks.Caller(t.Context(), token, want.OnBehalfOf); err != nil || got != want {
		t.Errorf("%s: %+v, %v\nwant %+v", name, got, err, want)
	}
}

func TestATokenOrRequestThatBreaksARuleIsRefused(t *testing.T) {
	none, ada := authn.Subject{}, ada("dev")
	dev := func(changes object) string { return user(t, "dev", changes) }
	files := func(changes object) string { return service(t, "admin", "main", changes) }
	foreign := func(changes object) string {
		return compact(t, jwt.SigningMethodRS256, otherKey(), header(changes), claims(nil))
	}
	for name, test := range map[string]struct {
		site, token string
		behalf      authn.Subject
		want        error
	}{
		"a tenant that is unknown or not active": {"main", user(t, "old", nil), none, authn.ErrTenant},
		"a tenant in capitals":                   {"main", dev(object{"tapis/tenant_id": "DEV"}), none, authn.ErrTenant},
		"the key of another tenant":              {"main", foreign(nil), none, authn.ErrSignature},
		"the key id of another tenant":           {"main", foreign(object{"kid": "admin-1"}), none, authn.ErrUnknownKey},
		"no signature":                           {"main", withoutSignature(dev(nil)), none, authn.ErrSignature},
		"expired":                                {"main", dev(object{"exp": now.Unix()}), none, authn.ErrExpired},
		"a refresh token":                        {"main", dev(object{"tapis/token_type": "refresh"}), none, authn.ErrTokenType},
		"another issuer":                         {"main", dev(object{"iss": issuerOf("admin")}), none, authn.ErrIssuer},
		"an audience":                            {"main", dev(object{"aud": "portal"}), none, authn.ErrMalformed},
		"no username":                            {"main", dev(object{"tapis/username": nil}), none, authn.ErrMalformed},
		"an empty username":                      {"main", files(object{"tapis/username": ""}), ada, authn.ErrMalformed},
		"no account type":                        {"main", dev(object{"tapis/account_type": nil}), none, authn.ErrMalformed},
		"an unknown account type":                {"main", files(object{"tapis/account_type": "Service"}), ada, authn.ErrMalformed},

		"a user on behalf of another": {"main", dev(nil), ada, authn.ErrBehalf},
		"a user with a tenant header": {"main", dev(nil), authn.Subject{TenantID: "dev"}, authn.ErrBehalf},
		"a user with a user header":   {"main", dev(nil), authn.Subject{Username: "testuser1"}, authn.ErrBehalf},

		"a service of an ordinary tenant":            {"main", service(t, "dev", "main", nil), ada, authn.ErrTenant},
		"a service's token for another site":         {"main", service(t, "admin", "east", nil), ada, authn.ErrTargetSite},
		"a service's token for the site in capitals": {"main", service(t, "admin", "MAIN", nil), ada, authn.ErrTargetSite},
		"a service's token for no site":              {"main", files(object{"tapis/target_site": nil}), ada, authn.ErrTargetSite},
		"a service for nobody":                       {"main", files(nil), none, authn.ErrBehalf},
		"a service without a user header":            {"main", files(nil), authn.Subject{TenantID: "dev"}, authn.ErrBehalf},
		"a service without a tenant header":          {"main", files(nil), authn.Subject{Username: "ada"}, authn.ErrBehalf},
		"a service for a tenant that is not active": {
			"main", files(nil),
			authn.Subject{TenantID: "old", Username: "ada"},
			authn.ErrBehalf,
		},
		"an associate's service for the primary's": {"main", service(t, "east-admin", "main", nil), ada, authn.ErrBehalf},
		"an associate's service for another's": {
			"main", service(t, "east-admin", "main", nil),
			authn.Subject{TenantID: "west-one", Username: "ada"},
			authn.ErrBehalf,
		},
		"a tenant that is not served at this site": {"east", service(t, "admin", "east", nil), ada, authn.ErrBehalf},
		"a tenant of yet another site": {
			"east", service(t, "admin", "east", nil),
			authn.Subject{TenantID: "west-one", Username: "ada"},
			authn.ErrBehalf,
		},
		"a tenant whose site runs the service": {
			"main", files(nil),
			authn.Subject{TenantID: "west-one", Username: "ada"},
			authn.ErrBehalf,
		},
		"the same, asked by that site": {
			"main", service(t, "west-admin", "main", nil),
			authn.Subject{TenantID: "west-admin", Username: "files"},
			authn.ErrBehalf,
		},
	} {
		got, err := world{}.at(test.site, "tenants").Caller(t.Context(), test.token, test.behalf)
		if !errors.Is(err, test.want) || !authn.IsRefusal(err) || got != (authn.Caller{}) {
			t.Errorf("%s: %+v, %v, want %v", name, got, err, test.want)
			continue
		}
		for _, secret := range []string{"eyJ", "ada", "testuser1"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: the error shows the token or the user: %v", name, err)
			}
		}
	}
}

func TestAServiceThatNamesNobodyIsToldWhichHeaderIsMissing(t *testing.T) {
	e := newEngine(t, httpapi.Options{}, keyring{}, io.Discard)
	httpapi.Get(e.Group("", authn.Require(world{}.at("main", "tenants").Caller)), "/guarded", func(c *gin.Context) error {
		return httpapi.Reply(c, http.StatusOK, "", "Found.")
	})
	files := service(t, "admin", "main", nil)
	for want, header := range map[string][]string{
		"the headers X-Tapis-Tenant and X-Tapis-User are missing.": nil,
		"the header X-Tapis-Tenant is missing.":                    {"X-Tapis-User", "ada"},
		"the header X-Tapis-User is missing.":                      {"X-Tapis-Tenant", "dev", "X-Tapis-User", ""},
	} {
		got := ask(t, e, "/guarded", append(header, "X-Tapis-Token", files)...)
		if got.code != http.StatusUnauthorized || got.challenge != badToken || !strings.HasSuffix(got.Message, ": "+want) {
			t.Errorf("%v: %+v", header, got)
		}
	}
	if got := ask(t, e, "/guarded", "X-Tapis-Token", files, "X-Tapis-Tenant", "dev", "X-Tapis-User",
		"ada"); got.code != http.StatusOK {
		t.Errorf("with both: %+v", got)
	}
}

func withoutSignature(token string) string { return token[:strings.LastIndexByte(token, '.')+1] }

func TestATextThatIsNoTokenIsMalformed(t *testing.T) {
	part := strings.Split(user(t, "dev", nil), ".")
	for name, token := range map[string]string{
		"nothing":               "",
		"a word":                "None",
		"two parts":             part[0] + "." + part[1],
		"only dots":             "..",
		"a payload of no text":  part[0] + ".%%." + part[2],
		"padding":               part[0] + "." + part[1] + "=." + part[2],
		"a payload of no JSON":  part[0] + "." + encode(t, "tenant") + "." + part[2],
		"a payload of a list":   part[0] + "." + encode(t, []string{"dev"}) + "." + part[2],
		"a payload of null":     part[0] + "." + encode(t, "null") + "." + part[2],
		"no tenant":             user(t, "dev", object{"tapis/tenant_id": nil}),
		"an empty tenant":       user(t, "dev", object{"tapis/tenant_id": ""}),
		"a number as tenant":    user(t, "dev", object{"tapis/tenant_id": 1}),
		"a list of tenants":     user(t, "dev", object{"tapis/tenant_id": []string{"dev"}}),
		"an endless token":      user(t, "dev", object{"filler": strings.Repeat("x", 16<<10)}),
		"four parts":            strings.Join(part, ".") + ".",
		"a line break in it":    part[0] + "." + part[1][:9] + "\n" + part[1][9:] + "." + part[2],
		"a line break after it": strings.Join(part, ".") + "\n",
	} {
		if _, err := (world{}).at("main", "tenants").Caller(t.Context(), token, authn.Subject{}); !errors.Is(err, authn.ErrMalformed) {
			t.Errorf("%s: %v, want %v", name, err, authn.ErrMalformed)
		}
	}
}

func TestWhatCannotBeAskedIsNoRefusal(t *testing.T) {
	away := errors.New("the registry is away")
	token := service(t, "admin", "main", nil)
	for name, w := range map[string]world{
		"tenants": {tenantAway: away}, "keys": {keysAway: away}, "the primary site": {primaryAway: away},
		"the sites": {sitesAway: away},
	} {
		got, err := w.at("main", "tenants").Caller(t.Context(), token, authn.Subject{TenantID: "east-one", Username: "ada"})
		if !errors.Is(err, away) || authn.IsRefusal(err) || got != (authn.Caller{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	// What a token says of itself needs nobody else.
	for name, bad := range map[string]string{"target": service(t, "admin", "east", nil), "tenant": service(t, "dev", "main", nil)} {
		_, err := world{primaryAway: away, sitesAway: away}.at("main", "tenants").Caller(t.Context(), bad,
			authn.Subject{TenantID: "dev", Username: "ada"})
		if !authn.IsRefusal(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// openDoor answers everybody, with the name of those it knows.
func openDoor(t testing.TB, w world, log io.Writer) func(header ...string) response {
	t.Helper()
	e := newEngine(t, httpapi.Options{}, keyring{}, log)
	httpapi.Get(e.Group("", authn.Optional(w.at("main", "tenants").Caller)), "/open", func(c *gin.Context) error {
		name := "nobody"
		if caller, known := authn.Known(c.Request.Context()); known {
			name = caller.AccountType + " " + caller.Username + "@" + caller.TenantID + " for " + caller.OnBehalfOf.Username
		}
		return httpapi.Reply(c, http.StatusOK, name, "Found.")
	})
	return func(header ...string) response { return ask(t, e, "/open", header...) }
}

func TestAnOptionalTokenTellsWhoAsks(t *testing.T) {
	dev, files := user(t, "dev", nil), service(t, "admin", "main", nil)
	behalf := []string{"X-Tapis-Tenant", "dev", "X-Tapis-User", "ada"}
	for name, test := range map[string]struct {
		header []string
		want   string
	}{
		"X-Tapis-Token": {[]string{"X-Tapis-Token", dev}, "user testuser1@dev for "},
		"Bearer":        {[]string{"Authorization", "bearer " + dev}, "user testuser1@dev for "},
		"a service":     {append(behalf, "X-Tapis-Token", files), "service files@admin for ada"},
		"no token":      {nil, "nobody"},
		"an empty one":  {[]string{"X-Tapis-Token", ""}, "nobody"},
		"a client":      {[]string{"Authorization", "Basic Y2xpZW50OmtleQ=="}, "nobody"},
		"only headers":  {behalf, "nobody"},
	} {
		var log bytes.Buffer
		got := openDoor(t, world{}, &log)(test.header...)
		if got.code != http.StatusOK || got.Result != test.want {
			t.Errorf("%s: %+v, want %s", name, got, test.want)
		}
		if named := strings.Contains(log.String(), `"user"`); named != (test.want != "nobody") ||
			strings.Contains(log.String(), "token_ignored") {
			t.Errorf("%s: the log is\n%s", name, &log)
		}
	}
}

func TestAnOptionalTokenThatIsNotGoodMakesNobody(t *testing.T) {
	good := user(t, "dev", nil)
	for name, header := range map[string][]string{
		"expired":              {"X-Tapis-Token", user(t, "dev", object{"exp": 1})},
		"no token at all":      {"X-Tapis-Token", "None"},
		"of an unknown tenant": {"X-Tapis-Token", user(t, "old", nil)},
		"tampered with":        {"X-Tapis-Token", good[:len(good)-20] + "AAAA" + good[len(good)-16:]},
		"a user for another":   {"X-Tapis-Token", good, "X-Tapis-User", "ada"},
		"a service for nobody": {"X-Tapis-Token", service(t, "admin", "main", nil)},
		"two different ones":   {"X-Tapis-Token", good, "Authorization", "Bearer " + service(t, "admin", "main", nil)},
	} {
		var log bytes.Buffer
		got := openDoor(t, world{}, &log)(header...)
		if got.code != http.StatusOK || got.Result != "nobody" || got.challenge != "" {
			t.Errorf("%s: %+v", name, got)
		}
		if !strings.Contains(log.String(), `"token_ignored"`) || strings.Contains(log.String(), `"user"`) ||
			strings.Contains(log.String(), "eyJ") {
			t.Errorf("%s: the log does not say why, names a user, or shows the token:\n%s", name, &log)
		}
	}
	for name, away := range map[string]error{
		"away":    apierr.Away(io.ErrUnexpectedEOF, "The registry"),
		"a fault": errors.New("cannot parse the key"),
	} {
		for _, w := range []world{{keysAway: away}, {tenantAway: away}} {
			if got := openDoor(t, w, io.Discard)("X-Tapis-Token", good); got.code != http.StatusOK || got.Result != "nobody" {
				t.Errorf("%s: %+v", name, got)
			}
		}
	}
}
