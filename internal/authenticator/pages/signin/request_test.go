package signin

import (
	"net/url"
	"strings"
	"testing"

	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/oauth2"
)

func TestEveryScopeHasWordsForPeople(t *testing.T) {
	for _, name := range oauth2.Scopes() {
		if scopeWords[name] == "" {
			t.Errorf("%s has none", name)
		}
	}
}

func TestAnAnswerKeepsTheAddressAndAddsNothingButItself(t *testing.T) {
	for _, test := range []struct{ target, mode, want string }{
		{"https://a.example/cb", "query", "https://a.example/cb?state=a%26b%23%3D%C3%A9+c"},
		{"https://a.example/cb?", "query", "https://a.example/cb?state=a%26b%23%3D%C3%A9+c"},
		{"https://a.example/cb?x=1&y=%20", "query", "https://a.example/cb?x=1&y=%20&state=a%26b%23%3D%C3%A9+c"},
		{"https://a.example/c%2Fb", "fragment", "https://a.example/c%2Fb#state=a%26b%23%3D%C3%A9+c"},
		{"https://a.example", "query", "https://a.example?state=a%26b%23%3D%C3%A9+c"},
		{"http://127.0.0.1:4321/cb", "query", "http://127.0.0.1:4321/cb?state=a%26b%23%3D%C3%A9+c"},
		{"http://[::1]:4321/cb", "query", "http://[::1]:4321/cb?state=a%26b%23%3D%C3%A9+c"},
		{"org.example.app:/cb", "query", "org.example.app:/cb?state=a%26b%23%3D%C3%A9+c"},
		{"org.example.app://cb", "query", "org.example.app://cb?state=a%26b%23%3D%C3%A9+c"},
	} {
		got, err := location(test.target, test.mode, url.Values{"state": {"a&b#=é c"}})
		if got != test.want || err != nil {
			t.Errorf("%s: got %s, %v", test.target, got, err)
		}
	}
}

func TestAFormLeadsToTheOriginOfTheClientAndNeverWidensThePolicy(t *testing.T) {
	for target, want := range map[string]string{
		"https://a.example/cb": "https://a.example", "https://a.example:8443/cb": "https://a.example:8443",
		"http://localhost:1/x": "http://localhost:1", "http://[::1]:80/": "http:", "org.example.app:/cb": "org.example.app:",
		"https://a;script-src.example/": "https:", "https://a,b.example/": "https:", "https://*.example/": "https:",
		"https://a.example%20x/": "", "": "",
	} {
		if got := strings.Join(formTarget(target), " "); got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
}

func FuzzARequestIsReadOrRefusedAndAnsweredWithItsStateAlone(f *testing.F) {
	f.Add("response_type=code&state=x&scope=openid&prompt=login&max_age=1&code_challenge=" + strings.Repeat("a", 43) +
		"&code_challenge_method=S256")
	f.Add("response_type=token&response_mode=query&state=%26%23%00")
	f.Add("state=1&state=2&request=x&max_age=99999999999&prompt=none+login")
	client := clients.Client{ID: "c", AuthMethod: clients.AuthNone}
	f.Fuzz(func(t *testing.T, raw string) {
		p, ok := parseParameters(raw)
		if !ok {
			return
		}
		r, fault := parseRequest(p, client, "fragment")
		if fault == nil && r.ResponseType == oauth2.CodeResponse && len(r.CodeChallenge) != 43 {
			t.Error("a public client goes on without a challenge")
		}
		if fault == nil && r.ResponseType == oauth2.TokenResponse && r.ResponseMode != "fragment" {
			t.Error("a token would go into a query")
		}
		if len(p.values["state"]) > 1 && r.State != "" {
			t.Error("a doubled state is answered")
		}
		for _, mode := range []string{"query", "fragment"} {
			to, err := location("https://a.example/cb?keep=1", mode, url.Values{"code": {"c"}, "state": {r.State}})
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(to)
			if err != nil {
				t.Fatal(err)
			}
			values := u.Query()
			if mode == "fragment" {
				if values, err = url.ParseQuery(u.EscapedFragment()); err != nil {
					t.Fatal(err)
				}
				values.Set("keep", u.Query().Get("keep"))
			}
			if u.Host != "a.example" || len(values) != 3 || len(values["code"]) != 1 || values.Get("state") != r.State ||
				values.Get("keep") != "1" {
				t.Errorf("state %q became %v", r.State, values)
			}
		}
	})
}
