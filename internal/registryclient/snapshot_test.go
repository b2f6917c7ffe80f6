package registryclient

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

const template = "https://${tenant_id}.tapis.io"

// mainSite is the primary site, which these tests serve; edge is another.
var sitesOfTests = []siteJSON{
	{SiteID: "main", Primary: true, Template: template, AdminTenant: "admin"},
	{SiteID: "edge", AdminTenant: "edge-admin"},
}

// active returns a tenant of the main site.
func active(id, baseURL string) tenantJSON {
	return tenantJSON{TenantID: id, SiteID: "main", BaseURL: baseURL, Status: "ACTIVE", TokenService: baseURL + "/v3/tokens"}
}

func snapshotOf(t testing.TB, sites []siteJSON, tenants ...tenantJSON) *snapshot {
	t.Helper()
	v, err := newSnapshot("main", sites, tenants)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func withTemplate(template string) []siteJSON {
	return []siteJSON{{SiteID: "main", Primary: true, Template: template, AdminTenant: "admin"}}
}

func TestOnlyTheExactHostNamesATenant(t *testing.T) {
	at := active
	for name, c := range map[string]struct {
		sites   []siteJSON
		tenants []tenantJSON
		hosts   map[string]string // host → tenant; "" → none
	}{
		"host and default port of https": {nil, []tenantJSON{at("dev", "https://dev.tapis.io")}, map[string]string{
			"dev.tapis.io": "dev", "dev.tapis.io:443": "dev", "DEV.Tapis.IO": "dev", "Dev.tapis.io:443": "dev",
			"dev.tapis.io:80": "", "dev.tapis.io:8443": "", "dev.tapis.io:0443": "", "dev.tapis.io:": "", "dev.tapis.io:443:443": "",
			"dev.tapis.io: 443": "",
		}},
		"host and default port of http": {nil, []tenantJSON{at("dev", "http://localhost")}, map[string]string{
			"localhost": "dev", "localhost:80": "dev", "localhost:443": "", "localhost:8080": "", "127.0.0.1": "", "[::1]": "",
		}},
		"a port of its own": {
			nil,
			[]tenantJSON{at("dev", "http://localhost:8080"), at("other", "http://localhost:8081")},
			map[string]string{
				"localhost:8080": "dev", "LOCALHOST:8080": "dev", "localhost:8081": "other", "localhost": "", "localhost:80": "",
				"localhost:808": "", "localhost:80800": "",
			},
		},
		"written with its default port": {nil, []tenantJSON{
			at("dev", "https://dev.tapis.io:443"),
			at("odd", "http://odd.tapis.io:443"),
		}, map[string]string{
			"dev.tapis.io": "dev", "dev.tapis.io:443": "dev", "odd.tapis.io:443": "odd",
		}},
		"capitals and a slash at its end": {
			nil,
			[]tenantJSON{at("dev", "HTTPS://Dev.Tapis.IO/")},
			map[string]string{"dev.tapis.io": "dev", "DEV.TAPIS.IO": "dev"},
		},
		"IPv4": {nil, []tenantJSON{at("dev", "http://127.0.0.1:8080")}, map[string]string{
			"127.0.0.1:8080": "dev", "127.0.0.1": "", "127.1:8080": "", "127.0.0.01:8080": "", "0x7f.0.0.1:8080": "",
		}},
		"IPv6": {nil, []tenantJSON{at("six", "https://[2001:DB8::1]"), at("own", "http://[::1]:8080")}, map[string]string{
			"[2001:db8::1]": "six", "[2001:DB8::1]:443": "six", "2001:db8::1": "", "2001:db8::1:443": "", "[2001:db8:0::1]": "",
			"[::1]:8080": "own", "[::1]": "", "::1:8080": "",
		}},
		"look-alikes": {nil, []tenantJSON{at("dev", "https://dev.tapis.io"), at("home", "http://localhost:8080")}, map[string]string{
			"": "", ".": "", ":": "", ":443": "", "tapis.io": "", "ev.tapis.io": "", "xdev.tapis.io": "", "x.dev.tapis.io": "",
			"dev.tapis.i": "", "dev.tapis.iox": "",
			"dev.tapis.io.": "", ".dev.tapis.io": "", "dev.tapis.io.evil": "", "dev.tapis.io.evil.example.com": "", "evil.example.com": "",
			"dev.tapis.io@evil.example.com": "", "evil.example.com@dev.tapis.io": "", "user:pass@dev.tapis.io": "", "@dev.tapis.io": "",
			"https://dev.tapis.io": "", "dev.tapis.io/": "", "evil/dev.tapis.io": "", "dev.tapis.io?x": "", "dev.tapis.io#": "",
			`dev.tapis.io\`:              "",
			"dev.tapis.io,tacc.tapis.io": "", "dev.tapis.io dev.tapis.io": "", " dev.tapis.io": "", "dev.tapis.io ": "",
			"dev.tapis.io\x00": "", "dev.tapis.io\r\n": "",
			"dev%2etapis.io": "", "dev．tapis.io": "", "dev\u3002tapis.io": "", "ｄev.tapis.io": "", "xn--dev.tapis.io": "",
			"localhost": "", "localhost.evil": "", "localhost.evil:8080": "", "evil.localhost:8080": "", "localhost:8080.evil": "",
			"tacc.tapis.io.localhost": "",
			"TAP\u0131S.io":           "", "dev.tap\u0130s.io": "",
		}},
		"letters that fold into ASCII": {
			nil,
			[]tenantJSON{at("k", "https://kelvin.tapis.io"), at("s", "https://site.tapis.io")},
			map[string]string{
				"kelvin.tapis.io": "k", "KELVIN.tapis.io": "k", "\u212aelvin.tapis.io": "", "site.tapis.io": "s", "\u017fite.tapis.io": "",
			},
		},
		"the template of the primary site": {sitesOfTests, []tenantJSON{
			at("dev", "https://own.example.org"),
			at("UP", "https://up.example.org"),
		}, map[string]string{
			"own.example.org": "dev", "dev.tapis.io": "dev", "dev.tapis.io:443": "dev", "up.tapis.io": "UP", "UP.tapis.io": "UP",
			"${tenant_id}.tapis.io": "", "dev.dev.tapis.io": "", "tapis.io": "", "unknown.tapis.io": "", "edge.tapis.io": "",
		}},
		"base_url before template": {sitesOfTests, []tenantJSON{
			at("dev", "https://own.example.org"),
			at("other", "https://dev.tapis.io"),
		}, map[string]string{
			"dev.tapis.io": "other", "other.tapis.io": "other", "own.example.org": "dev",
		}},
		"the template of an associate site is none": {
			[]siteJSON{
				{SiteID: "main", Template: "https://${tenant_id}.main.io"},
				{SiteID: "edge", Template: "https://${tenant_id}.edge.io"},
			},
			[]tenantJSON{at("dev", "https://own.example.org")},
			map[string]string{"own.example.org": "dev", "dev.main.io": "", "dev.edge.io": ""},
		},
		"no template": {
			withTemplate(""),
			[]tenantJSON{at("dev", "https://own.example.org")},
			map[string]string{"own.example.org": "dev", "": "", "dev": ""},
		},
		"a template that does not name the tenant": {
			withTemplate("https://tapis.io"),
			[]tenantJSON{at("a", "https://a.tapis.io"), at("b", "https://b.tapis.io")},
			map[string]string{
				"a.tapis.io": "a", "b.tapis.io": "b", "tapis.io": "",
			},
		},
		"a template that names it in the path": {
			withTemplate("https://tapis.io/${tenant_id}"),
			[]tenantJSON{at("a", "https://a.tapis.io"), at("b", "https://b.tapis.io")},
			map[string]string{
				"a.tapis.io": "a", "b.tapis.io": "b", "tapis.io": "",
			},
		},
		"hosts that two tenants claim": {sitesOfTests, []tenantJSON{
			at("a", "https://same.tapis.io"), at("b", "http://same.tapis.io"),
			at("c", "https://c.tapis.io"),
		}, map[string]string{
			"same.tapis.io": "", "same.tapis.io:443": "a", "same.tapis.io:80": "b", "a.tapis.io": "a", "b.tapis.io": "b",
			"c.tapis.io": "c",
		}},
		"nor does the template decide between them": {sitesOfTests, []tenantJSON{
			at("same", "https://x.tapis.io"),
			at("a", "https://same.tapis.io"), at("b", "http://same.tapis.io"),
		}, map[string]string{
			"same.tapis.io": "",
		}},
		"no URL that can be gone to": {nil, []tenantJSON{
			at("a", ""), at("b", "dev.tapis.io"), at("c", "//dev.tapis.io"), at("d", "ftp://dev.tapis.io"), at("e", "https://"),
			at("f", "https://:443"), at("g", "https://dev.tapis.io:port"),
			at("h", "\x00"), at("i", "https://%zz"), at("j", "https:dev.tapis.io"),
		}, map[string]string{
			"dev.tapis.io": "", "": "", ":443": "", "dev.tapis.io:443": "", "dev.tapis.io:21": "",
			"dev.tapis.io:port": "",
		}},
		"names in the URL that are not its host": {nil, []tenantJSON{at("dev",
			"https://tacc.tapis.io@dev.tapis.io/tacc.tapis.io?tacc.tapis.io#tacc.tapis.io")}, map[string]string{
			"dev.tapis.io": "dev", "tacc.tapis.io": "",
		}},
	} {
		if c.sites == nil {
			c.sites = withTemplate("")
		}
		v := snapshotOf(t, c.sites, c.tenants...)
		for host, want := range c.hosts {
			got, found := v.tenantFor(host)
			if got.ID != want || found != (want != "") {
				t.Errorf("%s: host %q is tenant %q, want %q", name, host, got.ID, want)
			}
		}
	}
}

func TestContestedHostsAreNamed(t *testing.T) {
	v := snapshotOf(t, sitesOfTests, active("a", "https://same.tapis.io"), active("b", "http://same.tapis.io"),
		active("c", "https://c.tapis.io"))
	if want := []string{"same.tapis.io"}; !slices.Equal(v.contested, want) {
		t.Errorf("got %v, want %v", v.contested, want)
	}
	if v = snapshotOf(t, sitesOfTests, active("a", "https://a.tapis.io"), active("b", "https://b.tapis.io")); len(v.contested) > 0 {
		t.Errorf("got %v, want none", v.contested)
	}
}

func TestOnlyActiveTenantsAreServed(t *testing.T) {
	for _, status := range []string{"DRAFT", "INACTIVE", "", "active", "Active", "ACTIVE "} {
		tenant := active("dev", "https://dev.tapis.io")
		tenant.Status = status
		v := snapshotOf(t, sitesOfTests, tenant)
		if got, found := v.tenantFor("dev.tapis.io"); found || len(v.byID) != 0 {
			t.Errorf("status %q: %+v is served", status, got)
		}
	}
	if _, found := snapshotOf(t, sitesOfTests, active("", "https://dev.tapis.io")).tenantFor("dev.tapis.io"); found {
		t.Error("a tenant without an id is served")
	}
}

func TestATenantKnowsItsSiteAndItsAddresses(t *testing.T) {
	edge := active("edge-admin", "https://edge.example.org")
	edge.SiteID = "edge"
	v := snapshotOf(t, sitesOfTests, active("admin", "https://admin.tapis.io/"), active("dev", "https://dev.tapis.io"), edge,
		tenantJSON{TenantID: "lost", SiteID: "gone", BaseURL: "https://lost.tapis.io", Status: "ACTIVE"})
	for id, want := range map[string]struct{ admin, own bool }{
		"admin": {true, true}, "dev": {false, true}, "edge-admin": {true, false}, "lost": {false, false},
	} {
		if got := v.byID[id]; got.SiteAdmin != want.admin || got.OwnedByThisOne != want.own {
			t.Errorf("%s: got %+v, want %+v", id, got, want)
		}
	}
	admin, _ := v.tenantFor("admin.tapis.io")
	if admin.BaseURL != "https://admin.tapis.io" || admin.OAuthURL("/tokens") != "https://admin.tapis.io/v3/oauth2/tokens" {
		t.Errorf("got %+v", admin)
	}
}

func TestARegistryWithoutOurSiteIsNotBelieved(t *testing.T) {
	for _, sites := range [][]siteJSON{nil, {}, {{SiteID: "edge"}}, {{SiteID: "MAIN"}}, {{}}} {
		if v, err := newSnapshot("main", sites, []tenantJSON{active("dev", "https://dev.tapis.io")}); err == nil {
			t.Errorf("sites %+v made the snapshot %+v", sites, v)
		}
	}
}

func FuzzTenantForHost(f *testing.F) {
	v := snapshotOf(f, sitesOfTests, active("dev", "https://dev.tapis.io"), active("home", "http://localhost:8080"),
		active("six", "https://[2001:db8::1]"),
		active("own", "https://own.example.org:8443"), active("a", "https://same.tapis.io"), active("b", "https://same.tapis.io"))
	want := map[string]string{
		"dev.tapis.io": "dev", "dev.tapis.io:443": "dev", "localhost:8080": "home", "home.tapis.io": "home",
		"home.tapis.io:443": "home",
		"[2001:db8::1]":     "six", "[2001:db8::1]:443": "six", "six.tapis.io": "six", "six.tapis.io:443": "six",
		"own.example.org:8443": "own", "own.tapis.io": "own", "own.tapis.io:443": "own",
		"a.tapis.io": "a", "a.tapis.io:443": "a", "b.tapis.io": "b", "b.tapis.io:443": "b",
	}
	for host, id := range want {
		f.Add(host)
		f.Add(strings.ToUpper(host))
		f.Add(host + "." + id)
		f.Add("x" + host)
	}
	f.Add("\u212aelvin\xff")
	f.Add("same.tapis.io")
	f.Fuzz(func(t *testing.T, host string) {
		ascii := strings.Map(func(r rune) rune {
			if r >= 'A' && r <= 'Z' {
				return r + 'a' - 'A'
			}
			return r
		}, host)
		got, found := v.tenantFor(host)
		if id := want[ascii]; got.ID != id || found != (id != "") {
			t.Errorf("host %q is tenant %q, want %q", host, got.ID, id)
		}
	})
}

func FuzzRegistryAnswersNeverPanic(f *testing.F) {
	f.Add(`{"result":[{"site_id":"main","primary":true,"tenant_base_url_template":"https://${tenant_id}.tapis.io"}]}`,
		`{"result":[{"tenant_id":"dev","site_id":"main","base_url":"https://dev.tapis.io","status":"ACTIVE"}]}`, "dev.tapis.io")
	f.Add(`{"result":[{"site_id":"main"}]}`, `{"result":null}`, "")
	f.Add(`null`, `[]`, "x")
	f.Add(`{"result":[{"site_id":"main","primary":true,"tenant_base_url_template":"https://[${tenant_id}"}]}`,
		`{"result":[{"tenant_id":"::1]","status":"ACTIVE"},{"tenant_id":"::1]","status":"ACTIVE"}]}`, "[::1]")
	f.Fuzz(func(t *testing.T, sites, tenants, host string) {
		r := New(Deps{SiteID: "main", Client: http.DefaultClient})
		v, err := r.parse(map[string]response{sitesPath: {Body: sites}, tenantsPath: {Body: tenants}})
		if err != nil {
			return
		}
		if tenant, found := v.tenantFor(host); found && (tenant.ID == "" || v.byID[tenant.ID] == nil) {
			t.Errorf("host %q is the tenant %+v, which is not in the list", host, tenant)
		}
	})
}
