package clients_test

import (
	"errors"
	"reflect"
	"testing"

	"gatehouse/internal/authenticator/clients"
)

// L-02: redirect URIs are compared exactly, but for the port on loopback.
func TestARedirectURIMustBeARegisteredOne(t *testing.T) {
	const web = "https://app.example.org/cb?x=1"
	c := clients.Client{RedirectURIs: []string{
		web, "http://127.0.0.1/cb", "http://[::1]:7000/cb", "http://localhost:3000", "http://app.localhost/", "org.example.app:/cb",
	}}
	for sent, ok := range map[string]bool{
		web:                               true,
		"https://xapp.example.org/cb?x=1": false, // the suffix of a host
		"https://app.example.org.evil.example/cb?x=1": false,
		"http://app.example.org/cb?x=1":               false, // scheme
		"https://app.example.org/cb?x=1&y=2":          false,
		"https://app.example.org/cb?x=2":              false,
		"https://app.example.org/cb":                  false,
		"https://app.example.org/cb/?x=1":             false, // path
		"https://app.example.org/CB?x=1":              false,
		"https://app.example.org/c%62?x=1":            false, // encoded
		"https://app.example.org/a/../cb?x=1":         false,
		"https://app.example.org:443/cb?x=1":          false, // port
		"https://APP.example.org/cb?x=1":              false,
		"https://u@app.example.org/cb?x=1":            false, // user information
		"https://app.example.org/cb?x=1#":             false, // fragment
		" " + web:                                     false,
		web + "\n":                                    false,

		"http://127.0.0.1/cb":                 true,
		"http://127.0.0.1:1/cb":               true,
		"http://127.0.0.1:65535/cb":           true,
		"http://127.0.0.1:65536/cb":           false,
		"http://127.0.0.1:0/cb":               false,
		"http://127.0.0.1:/cb":                false,
		"http://127.0.0.1:80x/cb":             false,
		"http://127.0.0.1:8080/":              false,
		"http://127.0.0.1:8080/cb?code=x":     false,
		"http://127.0.0.1:8080/cb#x":          false,
		"https://127.0.0.1:8080/cb":           false,
		"http://127.0.0.2:8080/cb":            false,
		"http://127.0.0.1.evil.example/cb":    false,
		"http://127.0.0.1:80@evil.example/cb": false,
		"http://u:1@127.0.0.1/cb":             false,
		"http://localhost:8080/cb":            false,
		"http://[::1]/cb":                     true,
		"http://[::1]:8080/cb":                true,
		"http://[::2]:8080/cb":                false,
		"http://localhost":                    true,
		"http://localhost:8080":               true,
		"http://localhost:8080/":              false,
		"http://localhost:3000.evil.example":  false,
		"http://localhost:8080\n/":            false,
		"http://app.localhost/":               true,
		"http://app.localhost:8080/":          false,
		"org.example.app:/cb":                 true,
		"org.example.app:/cb/":                false,
		"ORG.example.app:/cb":                 false,
		"javascript:alert(1)":                 false,
	} {
		uri, got := c.Redirect(sent)
		if got != ok || (ok && uri != sent) || (!ok && uri != "") {
			t.Errorf("%q: %q, %t", sent, uri, got)
		}
	}
}

func TestALeftOutRedirectURIIsTheOnlyOne(t *testing.T) {
	one := clients.Client{RedirectURIs: []string{"https://a.example.org/"}}
	if uri, ok := one.Redirect(""); !ok || uri != "https://a.example.org/" {
		t.Errorf("%q, %t", uri, ok)
	}
	for _, c := range []clients.Client{{}, {RedirectURIs: []string{"https://a.example.org/", "https://b.example.org/"}}} {
		if _, ok := c.Redirect(""); ok {
			t.Errorf("%v: one was chosen", c.RedirectURIs)
		}
	}
}

func TestRedirectURIsAreAListWhoseFirstIsTheCallbackURL(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		const a, b, c, d = "https://a.example.org/", "https://b.example.org/", "org.example.app:/cb", "http://127.0.0.1/"
		wantList := func(name string, want ...string) {
			t.Helper()
			got, err := f.Find(t.Context(), "tacc", "portal")
			if err != nil || !reflect.DeepEqual(got.RedirectURIs, append([]string{}, want...)) {
				t.Errorf("%s: %v, %v; want %v", name, got.RedirectURIs, err, want)
			}
		}
		change := func(change clients.Change) {
			t.Helper()
			if _, err := f.Update(t.Context(), "tacc", "ada", "portal", change, false); err != nil {
				t.Fatal(err)
			}
		}
		f.register("tacc", "ada", clients.Registration{ID: "portal", CallbackURL: a, RedirectURIs: []string{b, a, c}})
		wantList("registered", a, b, c)
		change(clients.Change{CallbackURL: ptr(d)})
		wantList("another callback", d, b, c)
		change(clients.Change{DisplayName: ptr("x")})
		wantList("another name", d, b, c)
		change(clients.Change{RedirectURIs: &[]string{b, a}})
		wantList("another list", b, a)
		change(clients.Change{CallbackURL: ptr(c), RedirectURIs: &[]string{a}})
		wantList("both", c, a)
		change(clients.Change{CallbackURL: ptr("")})
		wantList("no callback", a)
		change(clients.Change{RedirectURIs: &[]string{}})
		wantList("none")
		change(clients.Change{CallbackURL: ptr(b)})
		wantList("one again", b)

		many := make([]string, 21)
		for i := range many {
			many[i] = a + string(rune('a'+i))
		}
		for field, list := range map[string][]string{
			"redirect_uris[1]": {a, "http://evil.example.org/"}, "redirect_uris[0]": {""}, "redirect_uris": many,
		} {
			_, err := f.Update(t.Context(), "tacc", "ada", "portal", clients.Change{RedirectURIs: &list}, false)
			wantInvalid(t, field, err, field)
			_, err = f.Register(t.Context(), "tacc", "ada", clients.Registration{RedirectURIs: list})
			wantInvalid(t, field, err, field)
		}
		wantList("unchanged", b)
	})
}

func TestClientsAreFoundWhileTheyAreActive(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		c := f.register("tacc", "ada", clients.Registration{ID: "portal", GrantTypes: []string{"device_code"}})
		found, err := f.Find(t.Context(), "tacc", "portal")
		if c.Key = ""; err != nil || !reflect.DeepEqual(found, c) || !found.Allows("device_code") || found.Allows("password") {
			t.Errorf("%+v, %v", found, err)
		}
		for _, missing := range [][2]string{{"dev", "portal"}, {"tacc", "other"}, {"tacc", ""}, {"tacc", "a\x00b"}} {
			if _, err := f.Find(t.Context(), missing[0], missing[1]); !errors.Is(err, clients.ErrUnknown) {
				t.Errorf("%q: %v", missing, err)
			}
		}
		f.deactivate("portal")
		if _, err := f.Find(t.Context(), "tacc", "portal"); !errors.Is(err, clients.ErrUnknown) {
			t.Errorf("an inactive client: %v", err)
		}
	})
}

// A-B18: the token web application is each tenant's own, and nobody else's.
func TestTheWebApplicationIsAClientThatNobodyRegistered(t *testing.T) {
	f := onSQLite(t)
	for name, find := range map[string]func() (clients.Client, error){
		"found":         func() (clients.Client, error) { return f.Find(t.Context(), "tacc", "tacc.CIC.tokenapp") },
		"authenticated": func() (clients.Client, error) { return f.Authenticate(t.Context(), "tacc", "tacc.CIC.tokenapp", "") },
	} {
		c, err := find()
		want := clients.Client{
			TenantID: "tacc", ID: "tacc.CIC.tokenapp", AuthMethod: clients.AuthNone, AuthChosen: true,
			RedirectURIs: []string{"https://tacc.example.org/v3/oauth2/webapp/callback"},
			GrantTypes:   []string{"authorization_code", "refresh_token"}, DisplayName: "Tapis Token Webapp",
			FirstParty: true, Active: true,
		}
		if err != nil || !reflect.DeepEqual(c, want) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	for _, id := range []string{
		"dev.CIC.tokenapp", "TACC.CIC.tokenapp", "tacc.cic.tokenapp", "CIC.tokenapp", "x.tacc.CIC.tokenapp",
	} {
		if _, err := f.Find(t.Context(), "tacc", id); !errors.Is(err, clients.ErrUnknown) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, err := f.Authenticate(t.Context(), "tacc", "tacc.CIC.tokenapp", "secret"); !errors.Is(err, clients.ErrCredentials) {
		t.Errorf("with a secret: %v", err)
	}
}

func TestGrantTypesAreKnownOnes(t *testing.T) {
	f := onSQLite(t)
	for _, bad := range [][]string{{"magic"}, {"password", "password"}, {""}, {"urn:ietf:params:oauth:grant-type:device_code"}} {
		_, err := f.Register(t.Context(), "tacc", "ada", clients.Registration{GrantTypes: bad})
		wantInvalid(t, "grant_types", err, "grant_types")
	}
}

// Nobody is asked for consent to it, so no other program may stand in for it.
func TestTheWebApplicationIsAnsweredAtNoOtherPort(t *testing.T) {
	const callback = "http://localhost:8080/v3/oauth2/webapp/callback"
	c := clients.Client{RedirectURIs: []string{callback}, FirstParty: true}
	if _, ok := c.Redirect(callback); !ok {
		t.Error("its own address is refused")
	}
	if uri, ok := c.Redirect("http://localhost:9000/v3/oauth2/webapp/callback"); ok {
		t.Errorf("%s was taken", uri)
	}
}
