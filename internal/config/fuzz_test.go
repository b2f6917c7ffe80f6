package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gatehouse/internal/config"
)

// key is the secret that must not come out. It is not random, because a fuzzer
// needs the same run twice.
const key = "MDOZJ5QVKXWPLTEYAC"

// judge asserts what holds of every outcome of Load: a fault is one line with
// a key and without the secret; settings can be printed without it, and what
// is printed loads to the same settings but for the secrets.
func judge(t *testing.T, dir string, s settings, err error) {
	t.Helper()
	if err != nil {
		var faults config.Faults
		if !errors.As(err, &faults) || len(faults) == 0 {
			t.Fatalf("Load = %#v, want Faults", err)
		}
		if lines := strings.Split(err.Error(), "\n"); len(lines) != len(faults) {
			t.Errorf("%d faults in %d lines: %q", len(faults), len(lines), err)
		}
		for _, f := range faults {
			if f.Key == "" || f.Problem == "" {
				t.Errorf("an empty fault: %+v", f)
			}
		}
		if strings.Contains(err.Error(), key) {
			t.Errorf("a fault repeats the secret: %v", err)
		}
		return
	}
	var b strings.Builder
	if err := config.Print(&b, s); err != nil {
		t.Fatalf("Print: %v", err)
	}
	if strings.Contains(b.String(), key) {
		t.Errorf("the secret is printed: %s", b.String())
	}
	path := filepath.Join(dir, "printed.yaml")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	var again settings
	if err := config.Load(&again, []string{"GATEHOUSE_CONFIG=" + path}); err != nil {
		t.Fatalf("what was printed does not load: %v\n%s", err, b.String())
	}
	if got, want := public(again), public(s); !reflect.DeepEqual(got, want) {
		t.Errorf("what was printed loads to\n%+v, want\n%+v", got, want)
	}
}

// public returns s without secrets and without the difference between nil and
// empty, which a file cannot express.
func public(s settings) settings {
	s.MasterKey, s.FormerKey = "", ""
	for _, list := range []*[]string{&s.Proxies, &s.Database.TLS.Names} {
		if len(*list) == 0 {
			*list = nil
		}
	}
	return s
}

func FuzzTheFile(f *testing.F) {
	for _, seed := range []string{
		"", "a", "listen: x\n", "- a", "a: *b", "a: &a [*a]", "? [a]\n: b", "<<: {}", "--- a\n--- b", "%TAG ! x\n---",
		"listen: \"a\\nb\"",
		"grace: 3\ntrusted_proxies: [a, 'b']\ndatabase: {url: x, wait: 1h, tls: {names: [x]}}\nlog: {level: debug, json: true}",
		"log: &l {level: debug}\ndatabase: *l", "listen: |\n a\n b\n", "listen: 2001-01-01", "a: !!binary x",
		"former_key: [x]\nmaster_key: ", "listen: \u0085\u2028", "database.url: {a.b: {url: ldap}}",
	} {
		f.Add(seed)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data string) {
		path := filepath.Join(dir, "fuzz.yaml")
		// The secret stands in the file, behind whatever comes before it.
		if err := os.WriteFile(path, []byte(data+"\nmaster_key: "+key+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		var s settings
		err := config.Load(&s, []string{"GATEHOUSE_SITE=s", "GATEHOUSE_CONFIG=" + path})
		judge(t, dir, s, err)
		// And in the environment, whatever the file says.
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		err = config.Load(&s, []string{"GATEHOUSE_SITE=s", "GATEHOUSE_CONFIG=" + path, "GATEHOUSE_MASTER_KEY=" + key})
		judge(t, dir, s, err)
	})
}

func FuzzTheEnvironment(f *testing.F) {
	f.Add("GATEHOUSE_LISTEN", ":80", "4", "1h", "a,b", "old\nolder\n")
	f.Add("GATEHOUSE_\n", "\xff", "-0x1", "1", ",", "")
	f.Add("", "=", "true", "99999999h", " a ,", "\x00")
	f.Add("GATEHOUSE_PORT", "tcp://x", "F", "1.5s", "a,a", "a,\xff")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, name, value, truth, wait, names, former string) {
		if name == "GATEHOUSE_CONFIG" {
			return // which file to read is not a value to fuzz
		}
		path := filepath.Join(dir, "former")
		if err := os.WriteFile(path, []byte(former), 0o600); err != nil {
			t.Fatal(err)
		}
		var s settings
		err := config.Load(&s, []string{
			"GATEHOUSE_SITE=s", "GATEHOUSE_DATABASE_WAIT=" + wait, "GATEHOUSE_TRUSTED_PROXIES=" + names, "GATEHOUSE_LOG_JSON=" + truth,
			"GATEHOUSE_FORMER_KEY_FILE=" + path, name + "=" + value, name + value, "GATEHOUSE_MASTER_KEY=" + key,
		})
		judge(t, dir, s, err)
	})
}
