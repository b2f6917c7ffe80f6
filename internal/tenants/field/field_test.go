package field_test

import (
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/tenants/field"
)

func TestChecksAcceptAndRefuse(t *testing.T) {
	long := strings.Repeat("a", 51)
	tests := []struct {
		name  string
		check func(value string) error
		good  []string
		bad   []string
	}{
		{
			name: "site id", check: func(v string) error { return field.SiteID("f", v) },
			good: []string{"main", "tacc_2", "A-1", strings.Repeat("a", 50)},
			bad:  []string{"", "-a", "a.b", "a,b", "a b", "ä", long, "a\n"},
		},
		{
			name: "tenant id", check: func(v string) error { return field.TenantID("f", v) },
			good: []string{"dev", "Dev-2", "0x"},
			bad:  []string{"", "-dev", "a_b", "a.b", "a/b", long, "dev\n"},
		},
		{
			name: "connection id", check: func(v string) error { return field.ConnectionID("f", v) },
			good: []string{"tapis-dev", "tacc.all_2"},
			bad:  []string{"", ".x", "a/b", long},
		},
		{
			name: "text", check: func(v string) error { return field.Text("f", v, 5) },
			good: []string{"a", "ääääß"},
			bad:  []string{"", "  ", "abcdef", "a\nb", "a\x00", "a\xff"},
		},
		{
			name: "prose", check: func(v string) error { return field.Prose("f", v, 5) },
			good: []string{"", "a\nb\t"},
			bad:  []string{"abcdef", "a\x00", "\x1b"},
		},
		{
			name: "e-mail", check: func(v string) error { return field.Email("f", v) },
			good: []string{"a@b", "ops+x@example.org"},
			bad:  []string{"", "a", "a@", "A B <a@b>", "a@b, c@d", strings.Repeat("a", 120) + "@b"},
		},
		{
			name: "origin", check: func(v string) error { return field.Origin("f", v) },
			good: []string{
				"https://dev.example.org", "http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080",
				"https://h_x.example",
			},
			bad: []string{
				"", "dev.example.org", "ftp://h", "https://", "https://h/", "https://h/v3", "https://h?x", "https://h#x",
				"https://u:p@h", "https://Host", "https://h:443", "http://h:80", "https://h:", "https://h:x", "https://h:0443",
				"https://h:65536", "https://:8080", "https:// h",
				"https://h.", "https://h/../", "https://${tenant_id}.h", "https://" + strings.Repeat("a", 2000),
			},
		},
		{
			name: "endpoint", check: func(v string) error { return field.Endpoint("f", v) },
			good: []string{"https://h/v3/tokens", "http://localhost:8080/v3/oauth2"},
			bad:  []string{"", "h/v3", "https:///v3", "ftp://h/v3", "https://u@h/v3", "https://h/#x"},
		},
		{
			name: "services", check: func(v string) error { return field.Services("f", strings.Split(v, ",")) },
			good: []string{"tokens", "systems,globus-proxy"},
			bad:  []string{"", "a,,b", "a b", "a,a", "a_b", long, strings.Repeat("x,", 100) + "y"},
		},
	}
	for _, tt := range tests {
		for _, v := range tt.good {
			if err := tt.check(v); err != nil {
				t.Errorf("%s %q is refused: %v", tt.name, v, err)
			}
		}
		for _, v := range tt.bad {
			err := tt.check(v)
			if !apierr.Is(err, apierr.Invalid) {
				t.Errorf("%s %q: got %v, want an Invalid error", tt.name, v, err)
			} else if !strings.Contains(err.Error(), " f ") {
				t.Errorf("%s %q: the message %q does not name the field", tt.name, v, err)
			}
		}
	}
}

func TestTimesAreWrittenInGMT(t *testing.T) {
	at := time.Date(2020, 7, 2, 18, 45, 16, 999, time.FixedZone("CDT", -5*3600))
	if got, want := field.Time(at), "Thu, 02 Jul 2020 23:45:16 GMT"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAnAbsentTextIsNull(t *testing.T) {
	if p := field.Null(""); p != nil {
		t.Errorf("empty text: got %q, want nil", *p)
	}
	if got := field.NotNull(field.Null("x")) + field.NotNull(nil); got != "x" {
		t.Errorf("there and back: got %q, want x", got)
	}
	if got := field.List(nil); got == nil {
		t.Error("no list: got nil, want an empty one")
	}
}

func TestHostsAreComparedWithoutSchemeCaseAndDefaultPort(t *testing.T) {
	for address, want := range map[string]string{
		"https://dev.example.org":          "dev.example.org",
		"http://DEV.example.org":           "dev.example.org",
		"https://dev.example.org:443":      "dev.example.org",
		"http://dev.example.org:80":        "dev.example.org",
		"http://dev.example.org:443":       "dev.example.org:443",
		"https://dev.example.org:8443/":    "dev.example.org:8443",
		"dev.example.org":                  "dev.example.org",
		"dev.example.org:443/path":         "dev.example.org",
		"http://[::1]:8080":                "[::1]:8080",
		"http://[::1]":                     "[::1]",
		"https://${tenant_id}.Example.org": "${tenant_id}.example.org",
		"":                                 "",
	} {
		if got := field.Host(address); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}
