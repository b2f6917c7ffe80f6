package config_test

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/config"
)

type logging struct {
	Level string `key:"level" env:"GATEHOUSE_LOG_LEVEL" default:"info" doc:"How much to log."`
	JSON  bool   `key:"json" env:"GATEHOUSE_LOG_JSON" doc:"Log as JSON."`
}

func (l logging) Validate() []config.Fault {
	if l.Level != "info" && l.Level != "debug" {
		return []config.Fault{{Key: "level", Problem: "must be info or debug"}}
	}
	return nil
}

type Shared struct {
	Listen string `key:"listen" env:"GATEHOUSE_LISTEN" default:"127.0.0.1:8080" doc:"Address to listen on."`
}

type directory struct {
	URL      string        `key:"url" required:"true" doc:"Where it is."`
	Password string        `key:"password" secret:"true" doc:"For the bind."`
	Timeout  time.Duration `key:"timeout" default:"5s" doc:"For one request."`
	TLS      struct {
		Names []string `key:"names" doc:"Accepted names."`
	} `key:"tls"`
}

func (d *directory) Validate() []config.Fault {
	if !strings.HasPrefix(d.URL, "ldap") {
		return []config.Fault{{Key: "url", Problem: "must begin with ldap"}}
	}
	return nil
}

type settings struct {
	Shared
	MasterKey string   `key:"master_key" env:"GATEHOUSE_MASTER_KEY" secret:"true" required:"true" doc:"Seals | secrets\n at rest."`
	Former    []string `key:"former_keys" env:"GATEHOUSE_FORMER_KEYS" secret:"true" doc:"Opens what older keys sealed."`
	Workers   int      `key:"workers" env:"GATEHOUSE_WORKERS" default:"4" doc:"How many."`
	Limit     int64    `key:"limit" env:"GATEHOUSE_LIMIT" doc:"How much."`
	Share     float64  `key:"share" env:"GATEHOUSE_SHARE" default:"0.5" doc:"Which part."`
	Proxies   []string `key:"trusted_proxies" env:"GATEHOUSE_TRUSTED_PROXIES" doc:"Who may forward."`
	Database  struct {
		URL  string        `key:"url" env:"GATEHOUSE_DATABASE_URL" default:"gatehouse.db" doc:"Where."`
		Wait time.Duration `key:"wait" env:"GATEHOUSE_DATABASE_WAIT" default:"1h" doc:"How long."`
	} `key:"database"`
	Log         logging              `key:"log"`
	Directories map[string]directory `key:"directories" doc:"People."`
	Ignored     func()               `key:"-"`
	_           chan int
}

func (s settings) Validate() []config.Fault {
	if s.MasterKey == "well-known" {
		return []config.Fault{{Key: "master_key", Problem: "must not be well-known"}}
	}
	if s.Workers < 1 {
		return []config.Fault{{Key: "workers", Problem: "must be\nat least 1"}}
	}
	return nil
}

// secret returns text that is nowhere else.
func secret() string { return rand.Text() }

func write(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gatehouse.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// load loads YAML and environment with the usual prefix.
func load(t testing.TB, yaml string, environ ...string) (settings, error) {
	t.Helper()
	var s settings
	err := config.Load(&s, config.Sources{File: write(t, yaml), Environ: environ, Prefix: "GATEHOUSE_"})
	return s, err
}

func TestDefaultsHoldWhereNobodySaysMore(t *testing.T) {
	var got settings
	key := secret()
	if err := config.Load(&got, config.Sources{Environ: []string{"GATEHOUSE_MASTER_KEY=" + key}}); err != nil {
		t.Fatal(err)
	}
	var want settings
	want.Listen, want.MasterKey, want.Workers, want.Share = "127.0.0.1:8080", key, 4, 0.5
	want.Database.URL, want.Database.Wait, want.Log.Level = "gatehouse.db", time.Hour, "info"
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestEverySourceOverridesTheOnesBelow(t *testing.T) {
	got, err := load(t, `
listen: ":1"
workers: 7
limit: 0x10
share: 2
trusted_proxies: [10.0.0.0/8, "a,b"]
master_key: &anchor in-the-file
former_keys: [one, *anchor]
database:
  url: "postgres://db/x"
  wait: 15s
log: {json: true, level: debug}
directories:
  corp: {url: "ldaps://corp", password: bind, tls: {names: [x]}, timeout: 0}
  lab:
    url: ldap://lab
`, "GATEHOUSE_WORKERS=9", "GATEHOUSE_TRUSTED_PROXIES= 192.0.2.1 ,, 192.0.2.2,", "GATEHOUSE_DATABASE_WAIT=1m30s",
		"GATEHOUSE_LOG_JSON=false", "GATEHOUSE_SHARE=1e-1", "GATEHOUSE_LIMIT=", "PATH=/bin", "GATEHOUSE_WORKERS=10", "broken")
	if err != nil {
		t.Fatal(err)
	}
	var want settings
	want.Listen, want.MasterKey, want.Workers, want.Limit, want.Share = ":1", "in-the-file", 10, 16, 0.1
	want.Proxies, want.Former = []string{"192.0.2.1", "192.0.2.2"}, []string{"one", "in-the-file"}
	want.Database.URL, want.Database.Wait, want.Log.Level = "postgres://db/x", 90*time.Second, "debug"
	corp := directory{URL: "ldaps://corp", Password: "bind"}
	corp.TLS.Names = []string{"x"}
	want.Directories = map[string]directory{"corp": corp, "lab": {URL: "ldap://lab", Timeout: 5 * time.Second}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestASecretFileLosesItsLastNewline(t *testing.T) {
	for _, end := range []string{"", "\n", "\r\n"} {
		path := write(t, " s3cret \nline"+end)
		if err := os.Chmod(path, 0o644); err != nil { // what everybody may read is no fault
			t.Fatal(err)
		}
		got, err := load(t, "master_key: other", "GATEHOUSE_MASTER_KEY_FILE="+path, "GATEHOUSE_MASTER_KEY=", "GATEHOUSE_FORMER_KEYS_FILE="+write(t, "a,b\n"))
		if err != nil {
			t.Fatal(err)
		}
		if got.MasterKey != " s3cret \nline" || !reflect.DeepEqual(got.Former, []string{"a", "b"}) {
			t.Errorf("got %q and %q", got.MasterKey, got.Former)
		}
	}
}

func TestEmptyFilesAndKeysWithoutValueSayNothing(t *testing.T) {
	for _, yaml := range []string{"", "\n", "# nothing\n", "---\n", "null", "~", "{}", "listen:\ndatabase:\nlog: {level: }\ndirectories: ~\ntrusted_proxies:\n"} {
		got, err := load(t, yaml, "GATEHOUSE_MASTER_KEY=k")
		if err != nil {
			t.Errorf("%q: %v", yaml, err)
		}
		if got.Listen != "127.0.0.1:8080" || got.Log.Level != "info" || got.Directories != nil {
			t.Errorf("%q: got %+v", yaml, got)
		}
	}
}

func TestEveryFaultIsReportedAtOnce(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "absent")
	path := write(t, `listen: 8080
lisen: x
workers: many
limit: 99999999999999999999
share: .nan
trusted_proxies: a,b
former_keys: [1]
master_key: [a]
database.url: x
database: {wait: 15, wiat: 1s}
database_url: x
log: yes
log: {}
1: 2
? [a]
: b
<<: {a: b}
directories:
  corp: {timeout: x, tls: [], passwort: x}
  lab: 3
  hr: {url: http://x}
  none:
`)
	var s settings
	err := config.Load(&s, config.Sources{File: path, Prefix: "GATEHOUSE_", Environ: []string{
		"GATEHOUSE_LISTNE=x", "GATEHOUSE_WORKERS=0.5", "GATEHOUSE_LISTEN_FILE=x", "GATEHOUSE_ZZZZZZZ=", "GATEHOUSE_LOG_JSON=yes",
		"GATEHOUSE_DATABASE_WAIT=1", "GATEHOUSE_FORMER_KEYS_FILE=" + bad,
	}})
	var faults config.Faults
	if !errors.As(err, &faults) {
		t.Fatalf("Load = %v, want Faults", err)
	}
	got := strings.Split(faults.Error(), "\n")
	want := []string{
		`listen: must be text, not a number: put it in quotes (line 1)`,
		`lisen: is not a setting; did you mean listen? (line 2)`,
		`workers: must be a whole number (line 3)`,
		`limit: must be a whole number (line 4)`,
		`share: must be a number (line 5)`,
		`trusted_proxies: must be a list of text (line 6)`,
		`former_keys: must be a list of text (line 7)`,
		`master_key: must be text, not a list (line 8)`,
		`database.url: is not a setting; did you mean url below database? (line 9)`,
		`database.wait: must be a duration such as 15s or 1h30m (line 10)`,
		`database.wiat: is not a setting; did you mean wait? (line 10)`,
		`database_url: is not a setting; did you mean url below database? (line 11)`,
		`log: must be a group of settings, not text (line 12)`,
		`log: is given twice (lines 12 and 13)`,
		`1: is not a setting (line 14)`,
		path + `: has a key that is not a name of letters, digits and _ . - (line 15)`,
		path + `: uses a merge key (<<), which is not supported (line 17)`,
		`directories.corp.timeout: must be a duration such as 15s or 1h30m (line 19)`,
		`directories.corp.tls: must be a group of settings, not a list (line 19)`,
		`directories.corp.passwort: is not a setting; did you mean password? (line 19)`,
		`directories.lab: must be a group of settings, not a number (line 20)`,
		`former_keys: cannot be read from the file that GATEHOUSE_FORMER_KEYS_FILE names: no such file or directory`,
		`workers: must be a whole number (GATEHOUSE_WORKERS)`,
		`database.wait: must be a duration such as 15s or 1h30m (GATEHOUSE_DATABASE_WAIT)`,
		`log.json: must be true or false (GATEHOUSE_LOG_JSON)`,
		`GATEHOUSE_LISTEN_FILE: is not a setting: only secrets can be read from a file of their own`,
		`GATEHOUSE_LISTNE: is not a setting; did you mean GATEHOUSE_LISTEN?`,
		`GATEHOUSE_ZZZZZZZ: is not a setting`,
		`directories.corp.url: is required in the configuration file`,
		`directories.none.url: is required in the configuration file`,
		`directories.hr.url: must begin with ldap`,
	}
	if len(got) != len(want) {
		t.Errorf("%d faults, want %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("fault %d\ngot  %s\nwant %s", i, got[i], want[i])
		}
	}
}

func TestSingleFaults(t *testing.T) {
	tests := []struct {
		name    string
		yaml    string
		environ []string
		want    string
	}{
		{"nothing required is given", "", nil, "master_key: is required; GATEHOUSE_MASTER_KEY or GATEHOUSE_MASTER_KEY_FILE can set it"},
		{"the required text is empty", "master_key: ''", nil, "master_key: is required; GATEHOUSE_MASTER_KEY or GATEHOUSE_MASTER_KEY_FILE can set it"},
		{"two documents", "master_key: k\n---\na: b", nil, "FILE: holds more than one document"},
		{"a broken second document", "master_key: k\n---\n[", nil, "FILE: is not YAML: line 3: did not find expected node content"},
		{"a list", "- a", []string{"GATEHOUSE_MASTER_KEY=k"}, "FILE: must be a group of settings, not a list (line 1)"},
		{"no YAML", "a: [", []string{"GATEHOUSE_MASTER_KEY=k"}, "FILE: is not YAML: line 1: did not find expected node content"},
		{"a validator at the top, on one line", "master_key: k\nworkers: 0", nil, `workers: "must be\nat least 1"`},
		{"a validator in a group", "master_key: k\nlog: {level: trace}", nil, "log.level: must be info or debug"},
		{"a truth in words", "master_key: k\nlog: {json: 'true'}", nil, "log.json: must be true or false (line 2)"},
		{"a number too large", "master_key: k", []string{"GATEHOUSE_LIMIT=9223372036854775808"}, "limit: must be a whole number (GATEHOUSE_LIMIT)"},
		{"an infinite number", "master_key: k", []string{"GATEHOUSE_SHARE=inf"}, "share: must be a number (GATEHOUSE_SHARE)"},
		{"no UTF-8", "", []string{"GATEHOUSE_MASTER_KEY=\xff\xfe"}, "master_key: must be UTF-8 text (GATEHOUSE_MASTER_KEY)"},
		{"a date", "master_key: 2026-01-02", nil, "master_key: must be text, not a date: put it in quotes (line 1)"},
		{"a nested name out of place", "master_key: k\nlog: {wait: 1s, leveel: x}", nil, "log.wait: is not a setting (line 2)\nlog.leveel: is not a setting; did you mean level? (line 2)"},
		{"an unknown variable with a line break", "master_key: k", []string{"GATEHOUSE_A\nB=x"}, `"GATEHOUSE_A\nB": is not a setting`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, tt.yaml)
			var s settings
			err := config.Load(&s, config.Sources{File: path, Environ: tt.environ, Prefix: "GATEHOUSE_"})
			if err == nil {
				t.Fatal("Load found no fault")
			}
			want := strings.ReplaceAll(tt.want, "FILE:", path+":")
			if got := err.Error(); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if !reflect.DeepEqual(s, settings{}) {
				t.Errorf("the settings were touched: %+v", s)
			}
		})
	}
}

func TestAMissingFileIsAFault(t *testing.T) {
	for name, path := range map[string]string{
		"no such file or directory": filepath.Join(t.TempDir(), "absent.yaml"),
		"is a directory":            t.TempDir(),
	} {
		var s settings
		err := config.Load(&s, config.Sources{File: path, Environ: []string{"GATEHOUSE_MASTER_KEY=k"}})
		if want := path + ": cannot be read: " + name; err == nil || err.Error() != want {
			t.Errorf("Load = %v, want %s", err, want)
		}
	}
}

type Base struct {
	Name string `key:"name" env:"B_NAME"`
}

func (b Base) Validate() []config.Fault { return []config.Fault{{Key: "name", Problem: "is bad"}} }

func TestAnEmbeddedValidatorSpeaksOnce(t *testing.T) {
	var promoted struct {
		Base
		Other string `key:"other"`
	}
	err := config.Load(&promoted, config.Sources{})
	if want := "name: is bad"; err == nil || err.Error() != want {
		t.Errorf("Load = %v, want %s", err, want)
	}
	var shadowed outer
	err = config.Load(&shadowed, config.Sources{})
	if want := "other: is bad too\nname: is bad"; err == nil || err.Error() != want {
		t.Errorf("Load = %v, want %s", err, want)
	}
}

type outer struct {
	Base
	Other string `key:"other"`
}

func (o outer) Validate() []config.Fault {
	return []config.Fault{{Key: "other", Problem: "is bad too"}}
}

func TestAValidatorAddsNothingToAFaultyKey(t *testing.T) {
	_, err := load(t, "master_key: k\nlog: {level: 7}\nworkers: 0", "GATEHOUSE_WORKERS=x")
	want := "log.level: must be text, not a number: put it in quotes (line 2)\nworkers: must be a whole number (GATEHOUSE_WORKERS)"
	if err == nil || err.Error() != want {
		t.Errorf("Load = %v, want %s", err, want)
	}
}

func TestVariablesOfNeighbouringServicesAreNoFaults(t *testing.T) {
	if _, err := load(t, "", "GATEHOUSE_MASTER_KEY=k",
		"GATEHOUSE_SERVICE_HOST=10.0.0.1", "GATEHOUSE_SERVICE_PORT=80", "GATEHOUSE_SERVICE_PORT_HTTP=80", "GATEHOUSE_PORT=tcp://10.0.0.1:80",
		"GATEHOUSE_PORT_80_TCP=tcp://10.0.0.1:80", "GATEHOUSE_TENANTS_PORT_80_TCP_ADDR=10.0.0.1", "GATEHOUSE_X_PORT=udp://10.0.0.1:53",
	); err != nil {
		t.Errorf("Load = %v, want nil", err)
	}
	_, err := load(t, "", "GATEHOUSE_MASTER_KEY=k", "GATEHOUSE_PORT=8080")
	if want := "GATEHOUSE_PORT: is not a setting"; err == nil || err.Error() != want {
		t.Errorf("Load = %v, want %s", err, want)
	}
}

func TestLoadNeedsSomewhereToLoadInto(t *testing.T) {
	for _, dst := range []any{settings{}, (*settings)(nil), nil} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Load(%T) did not panic", dst)
				}
			}()
			_ = config.Load(dst, config.Sources{})
		}()
	}
}
