package tenancy_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/tenancy"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/registryclient/registrytest"
)

type object = authtest.Object

// fixture is the site main and who calls it. Beside it is the site edge, whose
// keys are only known by what the registry publishes of them.
type fixture struct {
	*authtest.Fixture
	*tenancy.Callers
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	f := authtest.OnSQLite(t)
	published, err := authn.PublicPEM(&authtest.ForeignKey("old").PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	f.Registry().Change("old", object{"site_id": "edge", "public_key": published})
	return fixture{f, tenancy.NewCallers(f.Client(), f.Keys(), f.Tokens(), "main", f.Clock.Now)}
}

// reveal answers with the tenant of a request.
func reveal(c *gin.Context) error {
	tenant, err := tenancy.From(c.Request.Context())
	if err != nil {
		return err
	}
	return httpapi.Reply(c, http.StatusOK, tenant.ID, "")
}

func (f fixture) ada(tenantID string) string { return f.User(tenantID, "ada").Access.Value }

func TestATokenIsGoodForWhomTheRulesAllow(t *testing.T) {
	f := newFixture(t)
	service := f.Service("files")
	person := object{"tapis/account_type": "user", "tapis/target_site": nil}
	ofDev := object{"tapis/tenant_id": "dev", "iss": registrytest.Issuer("dev")}
	toEdge, elsewhere := object{"tapis/target_site": "edge"}, object{"tapis/tenant_id": "elsewhere"}
	forDev, forFar := authn.Subject{TenantID: "dev", Username: "ada"}, authn.Subject{TenantID: "far", Username: "ada"}
	for name, test := range map[string]struct {
		service string
		raw     string
		behalf  authn.Subject
		want    error
	}{
		"a person of this site":                       {"security", f.ada("dev"), authn.Subject{}, nil},
		"a person who claims to be a service":         {"security", f.ada("dev"), forDev, authn.ErrBehalf},
		"a service of this site":                      {"security", service, forDev, nil},
		"a service for nobody":                        {"security", service, authn.Subject{}, authn.ErrBehalf},
		"a token that was never recorded":             {"security", f.Signed("admin", nil), forDev, authn.ErrRevoked},
		"a person of another site":                    {"security", f.Signed("far", person), authn.Subject{}, nil},
		"a person of this site, by a foreign key":     {"security", f.Signed("far", ofDev), authn.Subject{}, authn.ErrUnknownKey},
		"a foreign service for a tenant here":         {"security", f.Signed("edge-admin", nil), forDev, authn.ErrBehalf},
		"a foreign service for its own people":        {"security", f.Signed("edge-admin", nil), forFar, nil},
		"a foreign service where its site runs it":    {"tokens", f.Signed("edge-admin", nil), forFar, authn.ErrBehalf},
		"a foreign service's token for its own site":  {"security", f.Signed("edge-admin", toEdge), forFar, authn.ErrTargetSite},
		"a tenant that nobody knows":                  {"security", f.Signed("far", elsewhere), authn.Subject{}, authn.ErrTenant},
		"a service of a tenant that administers none": {"security", f.Signed("dev", nil), forDev, authn.ErrTenant},
	} {
		t.Run(name, func(t *testing.T) {
			caller, err := f.For(test.service)(t.Context(), test.raw, test.behalf)
			if !errors.Is(err, test.want) {
				t.Errorf("got %+v, %v; want %v", caller, err, test.want)
			}
		})
	}
}

func TestATokenOfAnotherSiteNeedNotNameItsKeyButOneOfOursMust(t *testing.T) {
	f := newFixture(t)
	for tenant, want := range map[string]error{"old": nil, "dev": authn.ErrUnknownKey} {
		raw := authtest.Sign(t, authtest.ForeignKey("old"), "", f.AccessClaims(tenant, object{"tapis/account_type": "user"}))
		if _, err := f.For("security")(t.Context(), raw, authn.Subject{}); !errors.Is(err, want) {
			t.Errorf("%s: got %v; want %v", tenant, err, want)
		}
	}
}

func TestARevokedClientsTokenIsRefusedAtOnce(t *testing.T) {
	f := newFixture(t)
	raw := f.ada("dev")
	if caller, err := f.For("security")(t.Context(), raw, authn.Subject{}); err != nil || caller.ClientID != "portal" {
		t.Fatalf("got %+v, %v", caller, err)
	}
	if err := f.Tokens().RevokeClient(t.Context(), "dev", "portal"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.For("security")(t.Context(), raw, authn.Subject{}); !errors.Is(err, authn.ErrRevoked) {
		t.Errorf("got %v", err)
	}
}

func TestTheTenantIsTheHostsForPeopleAndTheNamedOneForServices(t *testing.T) {
	f := newFixture(t)
	service := f.Service("files")
	server := authtest.Serve(t, func(r *gin.Engine) {
		httpapi.Get(r.Group("", f.InTenant("authenticator")...), "/v3/who", reveal)
	})
	ada := f.ada("dev")
	for name, test := range map[string]struct {
		host, token, tenant string // the tenant in X-Tapis-Tenant
		status              int
		want                string
	}{
		"a person at home":              {"dev.tapis.io", ada, "", 200, "dev"},
		"a person elsewhere":            {"tacc.tapis.io", ada, "", 403, ""},
		"a person at no tenant":         {"10.0.0.1", ada, "", 404, ""},
		"nobody":                        {"dev.tapis.io", "", "", 401, ""},
		"a service inside":              {"10.0.0.1", service, "tacc", 200, "tacc"},
		"a service at another's host":   {"dev.tapis.io", service, "tacc", 200, "tacc"},
		"a service for a tenant abroad": {"10.0.0.1", service, "far", 403, ""},
		"a header without a token":      {"dev.tapis.io", "", "tacc", 401, ""},
	} {
		t.Run(name, func(t *testing.T) {
			headers := []string{"Host", test.host, "X-Tapis-Token", test.token}
			if test.tenant != "" {
				headers = append(headers, "X-Tapis-Tenant", test.tenant, "X-Tapis-User", "ada")
			}
			if got := server.Send("GET", "/v3/who", nil, headers...).Want(test.status); got.Text("result") != test.want {
				t.Errorf("got %s", got.Raw)
			}
		})
	}
}
