package clients

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func FuzzCallbacksThatAreTakenAreSafeToRedirectTo(f *testing.F) {
	for _, seed := range []string{
		"https://portal.example.org/x?a=b", "http://[::1]:80/", "org.example.app:/x", "http://localhost@evil", "javascript:alert(1)",
		"https:\\\\evil", "http://127.0.0.1\t.evil", "https://a/\r\nX: y", "java.script:x", "https://%65vil/",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if raw == "" || validateCallback("callback_url", raw) != nil {
			return
		}
		u, err := url.Parse(raw)
		if err != nil || !u.IsAbs() || len(raw) > 200 || strings.ContainsAny(raw, "#\\\"<> \t\r\n") {
			t.Fatalf("%q was taken", raw)
		}
		for _, b := range []byte(raw) {
			if b <= ' ' || b > '~' {
				t.Fatalf("%q was taken", raw)
			}
		}
		host := u.Hostname()
		switch ip := net.ParseIP(host); {
		case u.Scheme == "https" && host != "" && u.User == nil:
		case u.Scheme == "http" && (strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()) && u.User == nil:
		case strings.Contains(u.Scheme, "."):
		default:
			t.Fatalf("%q was taken", raw)
		}
		// What a redirect makes of it is the same address with a longer query.
		u.RawQuery += "&code=x"
		header := http.Header{}
		header.Set("Location", u.String())
		again, err := url.Parse(header.Get("Location"))
		if err != nil || again.Scheme != u.Scheme || again.Host != u.Host || again.Fragment != "" {
			t.Fatalf("%q redirects to %q", raw, u.String())
		}
	})
}

func FuzzRedirectsGoOnlyWhereTheyWereRegistered(f *testing.F) {
	for _, seed := range [][2]string{
		{"http://127.0.0.1/cb", "http://127.0.0.1:8080/cb"},
		{"http://[::1]:1/", "http://[::1]/"},
		{"http://localhost", "http://localhost@evil"},
		{"http://localhost?a=b", "http://localhost:1?a=b"},
		{"https://a.example.org/", "https://a.example.org:443/"},
		{"http://127.0.0.1/", "http://127.0.0.1:80@evil/"},
		{"http://127.0.0.1", "http://127.0.0.1:1\n/"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, registered, sent string) {
		if registered == "" || sent == "" || validateCallback("callback_url", registered) != nil {
			return
		}
		uri, ok := Client{RedirectURIs: []string{registered}}.Redirect(sent)
		if !ok || uri == registered {
			return
		}
		// Nothing but the port differs, and only on loopback.
		there, err := url.Parse(registered)
		if err != nil {
			t.Fatal(err)
		}
		got, err := url.Parse(uri)
		if err != nil || uri != sent || !loopback(got.Hostname()) || got.Hostname() != there.Hostname() || got.Scheme != "http" {
			t.Fatalf("%q was taken for %q", sent, registered)
		}
		got.Host = there.Host
		if got.String() != there.String() {
			t.Fatalf("%q was taken for %q", sent, registered)
		}
	})
}
