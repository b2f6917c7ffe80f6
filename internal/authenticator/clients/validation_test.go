package clients_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/seal"
)

func TestARegistrationThatBreaksARuleIsRefusedByField(t *testing.T) {
	f := onSQLite(t)
	long := func(n int) string { return strings.Repeat("x", n) }
	for name, c := range map[string]struct {
		field string
		r     clients.Registration
	}{
		"id too long":                    {"client_id", clients.Registration{ID: long(81)}},
		"id with a colon":                {"client_id", clients.Registration{ID: "a:b"}},
		"id with a slash":                {"client_id", clients.Registration{ID: "a/b"}},
		"id with a percent sign":         {"client_id", clients.Registration{ID: "a%2fb"}},
		"id with a space":                {"client_id", clients.Registration{ID: "a b"}},
		"id ending in a line break":      {"client_id", clients.Registration{ID: "a\n"}},
		"id with NUL":                    {"client_id", clients.Registration{ID: "a\x00"}},
		"id of invalid UTF-8":            {"client_id", clients.Registration{ID: "a\xff"}},
		"id beyond ASCII":                {"client_id", clients.Registration{ID: "clé"}},
		"id that climbs":                 {"client_id", clients.Registration{ID: "../a"}},
		"id that begins with a dot":      {"client_id", clients.Registration{ID: ".a"}},
		"id like an option":              {"client_id", clients.Registration{ID: "-a"}},
		"id of the token app":            {"client_id", clients.Registration{ID: "CIC.tokenapp"}},
		"id of the token app, folded":    {"client_id", clients.Registration{ID: "cic.TOKENAPP"}},
		"id of a tenant's token app":     {"client_id", clients.Registration{ID: "dev.CIC.tokenapp"}},
		"the same folded":                {"client_id", clients.Registration{ID: "DEV.cic.TokenApp"}},
		"id of the local app":            {"client_id", clients.Registration{ID: "local.dev"}},
		"the same in capitals":           {"client_id", clients.Registration{ID: "LOCAL.dev"}},
		"key too short":                  {"client_key", clients.Registration{Key: long(15)}},
		"key too long":                   {"client_key", clients.Registration{Key: long(81)}},
		"key with a space":               {"client_key", clients.Registration{Key: long(16) + " "}},
		"key with a line break":          {"client_key", clients.Registration{Key: long(16) + "\n"}},
		"key with NUL":                   {"client_key", clients.Registration{Key: long(16) + "\x00"}},
		"key beyond ASCII":               {"client_key", clients.Registration{Key: strings.Repeat("é", 16)}},
		"key of a public client":         {"client_key", clients.Registration{Key: long(16), AuthMethod: "none"}},
		"unknown method":                 {"token_endpoint_auth_method", clients.Registration{AuthMethod: "private_key_jwt"}},
		"method in capitals":             {"token_endpoint_auth_method", clients.Registration{AuthMethod: "NONE"}},
		"display name too long":          {"display_name", clients.Registration{DisplayName: long(51)}},
		"display name with a line break": {"display_name", clients.Registration{DisplayName: "a\r\nb"}},
		"display name with NUL":          {"display_name", clients.Registration{DisplayName: "a\x00"}},
		"display name, invalid UTF-8":    {"display_name", clients.Registration{DisplayName: "a\xff"}},
		"display name with a C1 control": {"display_name", clients.Registration{DisplayName: "a\u0085b"}},
		"description too long":           {"description", clients.Registration{Description: long(71)}},
		"description with DEL":           {"description", clients.Registration{Description: "a\x7f"}},
		"description with escapes":       {"description", clients.Registration{Description: "\x1b[31m"}},
	} {
		_, err := f.Register(t.Context(), "tacc", "apitest", c.r)
		wantInvalid(t, name, err, c.field)
	}
	f.wantStored(0)
}

func TestARegistrationMayUseItsLimits(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for _, r := range []clients.Registration{
			{ID: strings.Repeat("x", 80)},
			{ID: "a", Key: seal.NewSecret()[:16]},
			{ID: "0.~_@+-", Key: strings.Repeat(`"!~`, 26) + "xy"},
			{ID: "local", DisplayName: strings.Repeat("é", 50), Description: strings.Repeat("語", 70)},
			{ID: "tokenapp", AuthMethod: "client_secret_post", CallbackURL: "https://a.example.org/" + strings.Repeat("x", 178)},
			{ID: "CIC.tokenapp2", AuthMethod: "none"},
		} {
			c := f.register("tacc", "apitest", r)
			got, err := f.Get(t.Context(), "tacc", "apitest", c.ID, true)
			if err != nil || got.ID != r.ID || got.Key != c.Key || got.CallbackURL() != r.CallbackURL || got.Description != r.Description {
				t.Errorf("got %+v, %v; want %+v", got, err, r)
			}
		}
	})
}

func TestCallbacksAreWhereOnlyTheClientListens(t *testing.T) {
	f := onSQLite(t)
	good := []string{
		"https://portal.example.org", "https://portal.example.org/oauth2/callback?a=b&c=d%20e", "HTTPS://Portal.Example.Org:8443/x",
		"https://[2001:db8::1]/x", "https://xn--caf-dma.example.org/x",
		"http://localhost/x", "http://LOCALHOST:8080/x", "http://127.0.0.1:3000/x", "http://127.0.0.2/x", "http://[::1]:8000/x",
		"http://[::1]",
		"org.example.app:/oauth2redirect", "org.example.app://callback", "ORG.Example.App:/x",
	}
	for _, callback := range good {
		c, err := f.Register(t.Context(), "tacc", "apitest", clients.Registration{CallbackURL: callback})
		if err != nil || c.CallbackURL() != callback {
			t.Errorf("%s: got %q, %v", callback, c.CallbackURL(), err)
		}
	}
	for _, bad := range []string{
		"portal", "/callback", "//portal.example.org/x", "portal.example.org/x", "?x", "*", "https:", "https://", "https:///x",
		"https:/portal.example.org",
		"https:portal.example.org", "https://:443/x", "https://user@portal.example.org", "https://user:pass@portal.example.org/",
		"https://@portal.example.org/",
		"https://portal.example.org/x#fragment", "https://portal.example.org/x#", "https://portal.example.org/a b",
		" https://portal.example.org",
		"https://portal.example.org/\n", "https://portal.example.org/\r\nSet-Cookie:a=b", "https://portal.example.org/\t",
		"https://portal.example.org/\x00",
		`https://portal.example.org\@evil.example.com`, `https:\\portal.example.org`, "https://portal.example.org/<script>",
		`https://portal.example.org/"x`,
		"https://pörtal.example.org/", "https://portal.example.org/é", "https://portal.example.org/\u202e",
		"https://portal%00.example.org/",
		"https://portal.example.org:port/", "https://p%C3%B6rtal.example.org/", "https://portal.example.org%E2%80%AE/",
		"https://[::1/x", "https://portal.example.org/%zz",
		"http://portal.example.org/x", "http://evil", "http://localhost.evil.example.com/", "http://127.0.0.1.evil.example.com/",
		"http://localhost@evil.example.com/",
		"http://localhost:80@evil.example.com/", "http://user@localhost/", "http://0.0.0.0/", "http://10.0.0.1/", "http://192.168.0.1/",
		"http://2130706433/", "http://[::]/", "http://[fe80::1]/",
		"http://169.254.169.254/", "http://localhost./", "http:localhost", "http:///x",
		"javascript:alert(1)", "JavaScript:alert(1)", "java\tscript:alert(1)", "data:text/html,x", "DATA:text/html;base64,eA",
		"vbscript:x", "file:///etc/passwd", "blob:https://a.example.org/x",
		"ftp://portal.example.org", "ws://localhost/", "about:blank", "urn:ietf:wg:oauth:2.0:oob", "myapp:/callback",
		"myapp://callback", "1.2:/x", ".a:/x",
		"https://portal.example.org/" + strings.Repeat("x", 174),
	} {
		_, err := f.Register(t.Context(), "tacc", "apitest", clients.Registration{CallbackURL: bad})
		wantInvalid(t, bad, err, "callback_url")
	}
	f.wantStored(len(good))
}

func TestUpdatesKeepToTheSameRules(t *testing.T) {
	f := onSQLite(t)
	c := f.register("tacc", "apitest", clients.Registration{ID: "portal", CallbackURL: "https://portal.example.org/"})
	f.Clock.Advance(time.Second)
	for field, change := range map[string]clients.Change{
		"callback_url": {CallbackURL: ptr("http://evil.example.com/")},
		"display_name": {DisplayName: ptr("a\x00")},
	} {
		_, err := f.Update(t.Context(), "tacc", "apitest", "portal", change, false)
		wantInvalid(t, field, err, field)
	}
	f.wantClient(c)
}

func ptr(s string) *string { return &s }

func TestWhatIsNotGivenIsGenerated(t *testing.T) {
	f := onSQLite(t)
	uuid4 := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	secret := regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
	seen := map[string]bool{}
	for range 10 {
		c := f.register("tacc", "apitest", clients.Registration{})
		if !uuid4.MatchString(c.ID) || !secret.MatchString(c.Key) || seen[c.ID] || seen[c.Key] {
			t.Errorf("id %s or a key of %d characters is not random", c.ID, len(c.Key))
		}
		if c.DisplayName != c.ID || c.AuthMethod != clients.AuthSecret || c.Owner != "apitest" || c.TenantID != "tacc" ||
			!c.Active || c.Public() {
			t.Errorf("got %+v", c)
		}
		seen[c.ID], seen[c.Key] = true, true
	}
	public := f.register("tacc", "apitest", clients.Registration{ID: "app", AuthMethod: "none"})
	if public.Key != "" || !public.Public() {
		t.Errorf("a public client got a key: %+v", public)
	}
	long := f.register("tacc", "apitest", clients.Registration{ID: strings.Repeat("n", 60)})
	if long.DisplayName != strings.Repeat("n", 50) {
		t.Errorf("the display name is %q", long.DisplayName)
	}
}
