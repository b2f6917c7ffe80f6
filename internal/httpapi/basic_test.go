package httpapi_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"gatehouse/internal/apierr"
	"gatehouse/internal/httpapi"
)

func encode(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func TestBasicCredentialsAreRead(t *testing.T) {
	long := strings.Repeat("s", 4000)
	for header, want := range map[string]httpapi.Basic{
		"Basic " + encode("client:secret"):    {Name: "client", Secret: "secret"},
		"basic " + encode("client:secret"):    {Name: "client", Secret: "secret"},
		"BASIC   " + encode("client:secret"):  {Name: "client", Secret: "secret"},
		"Basic " + encode("client:a:b:c"):     {Name: "client", Secret: "a:b:c"},
		"Basic " + encode("client:"):          {Name: "client"},
		"Basic " + encode(":secret"):          {Secret: "secret"},
		"Basic " + encode(":"):                {},
		"Basic " + encode("clé:gehört😀"):      {Name: "clé", Secret: "gehört😀"},
		"Basic " + encode("a b: c "):          {Name: "a b", Secret: " c "},
		"Basic " + encode("a%20b:c+d"):        {Name: "a%20b", Secret: "c+d"},
		"Basic " + encode("client:"+long):     {Name: "client", Secret: long},
		"Basic " + encode("client:sec\nret"):  {Name: "client", Secret: "sec\nret"},
		"Basic " + encode("client:ret") + " ": {Name: "client", Secret: "ret"},
	} {
		if got, found, err := httpapi.ParseBasic(header); got != want || !found || err != nil {
			t.Errorf("%.60q: %+v, %t, %v, want %+v", header, got, found, err, want)
		}
	}
}

func TestAHeaderOfAnotherSchemeIsNoBasic(t *testing.T) {
	for _, header := range []string{
		"", " ", "Bearer abc", "Basics " + encode("a:b"), encode("a:b"), "Basic\t" + encode("a:b"), " Basic " + encode("a:b"),
		"Negotiate",
	} {
		if got, found, err := httpapi.ParseBasic(header); got != (httpapi.Basic{}) || found || err != nil {
			t.Errorf("%q: %+v, %t, %v", header, got, found, err)
		}
	}
}

func TestMalformedBasicCredentialsAreRefusedWithoutRepeatingThem(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                   "",
		"only blanks":               "   ",
		"not base64":                "s3cr3t!!",
		"not encoded":               "client:s3cr3t",
		"no colon":                  encode("clients3cr3t"),
		"an empty text":             encode(""),
		"no padding":                base64.RawStdEncoding.EncodeToString([]byte("a:s3cr3t")),
		"the alphabet of URLs":      base64.URLEncoding.EncodeToString([]byte("a:s3cr3t??>>")),
		"invalid UTF-8 in the name": encode("\xff:s3cr3t"),
		"invalid UTF-8":             encode("a:s3cr3t\xc3"),
		"a NUL in the name":         encode("a\x00:s3cr3t"),
		"a NUL":                     encode("a:s3cr3t\x00"),
		"two words":                 encode("a:s3cr3t") + " " + encode("a:s3cr3t"),
		"two credentials":           encode("a:s3cr3t") + ", Basic " + encode("a:s3cr3t"),
		"more than 8 KiB":           encode("a:" + strings.Repeat("s3cr3t", 1024)),
	} {
		got, found, err := httpapi.ParseBasic("Basic " + text)
		if got != (httpapi.Basic{}) || !found || !apierr.Is(err, apierr.Invalid) {
			t.Errorf("%s: %+v, %t, %v", name, got, found, err)
			continue
		}
		if strings.Contains(err.Error(), "s3cr3t") || (text != "" && strings.Contains(err.Error(), text)) {
			t.Errorf("%s: the error shows the credentials: %v", name, err)
		}
	}
	if _, found, err := httpapi.ParseBasic("Basic"); !found || !apierr.Is(err, apierr.Invalid) {
		t.Errorf("the bare scheme: %t, %v", found, err)
	}
}

func TestBasicCredentialsAreLimitedTo8KiB(t *testing.T) {
	const limit = 8 << 10
	fitting := encode("a:" + strings.Repeat("s", limit/4*3-2))
	if _, _, err := httpapi.ParseBasic("Basic " + fitting); len(fitting) != limit || err != nil {
		t.Errorf("%d bytes: %v", len(fitting), err)
	}
	over := encode("a:" + strings.Repeat("s", limit/4*3-1))
	if _, _, err := httpapi.ParseBasic("Basic " + over); !apierr.Is(err, apierr.Invalid) {
		t.Errorf("%d bytes: %v", len(over), err)
	}
}

func TestFormEncodedCredentialsAreDecodedAsAWhole(t *testing.T) {
	for _, test := range []struct{ raw, want httpapi.Basic }{
		{httpapi.Basic{Name: "client", Secret: "secret"}, httpapi.Basic{Name: "client", Secret: "secret"}},
		{httpapi.Basic{Name: "a%3Ab", Secret: "c+d%2B%C3%A9"}, httpapi.Basic{Name: "a:b", Secret: "c d+é"}},
		{httpapi.Basic{}, httpapi.Basic{}},
		// What is no encoding of text stays as it is, both halves of it.
		{httpapi.Basic{Name: "a+b", Secret: "100%"}, httpapi.Basic{Name: "a+b", Secret: "100%"}},
		{httpapi.Basic{Name: "100%", Secret: "a+b"}, httpapi.Basic{Name: "100%", Secret: "a+b"}},
		{httpapi.Basic{Name: "a%00", Secret: "a+b"}, httpapi.Basic{Name: "a%00", Secret: "a+b"}},
		{httpapi.Basic{Name: "a+b", Secret: "%00"}, httpapi.Basic{Name: "a+b", Secret: "%00"}},
		{httpapi.Basic{Name: "%FF", Secret: "a+b"}, httpapi.Basic{Name: "%FF", Secret: "a+b"}},
		{httpapi.Basic{Name: "a+b", Secret: "%ED%A0%80"}, httpapi.Basic{Name: "a+b", Secret: "%ED%A0%80"}},
	} {
		if got := test.raw.Decoded(); got != test.want {
			t.Errorf("%+v decodes to %+v, want %+v", test.raw, got, test.want)
		}
	}
}
