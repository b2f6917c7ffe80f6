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

func (l *logging) Validate() []config.Fault {
	if l.Level != "info" && l.Level != "debug" {
		return []config.Fault{{Key: "level", Problem: "must be info or debug"}}
	}
	return nil
}

type Shared struct {
	Listen string `key:"listen" env:"GATEHOUSE_LISTEN" default:"127.0.0.1:8080" doc:"Address to listen on."`
}

type settings struct {
	Shared
	MasterKey string        `key:"master_key" env:"GATEHOUSE_MASTER_KEY" secret:"true" required:"true" doc:"Seals\n | secrets."`
	FormerKey string        `key:"former_key" env:"GATEHOUSE_FORMER_KEY" secret:"true" doc:"Opens what the older key sealed."`
	Site      string        `key:"site" env:"GATEHOUSE_SITE" required:"true" doc:"Which one."`
	Grace     time.Duration `key:"grace" env:"GATEHOUSE_GRACE" doc:"How long."`
	Proxies   []string      `key:"trusted_proxies" env:"GATEHOUSE_TRUSTED_PROXIES" doc:"Who may forward."`
	Database  struct {
		URL  string        `key:"url" env:"GATEHOUSE_DATABASE_URL" default:"gatehouse.db" doc:"Where."`
		Wait time.Duration `key:"wait" env:"GATEHOUSE_DATABASE_WAIT" default:"1h" doc:"How long."`
		TLS  struct {
			Names []string `key:"names" env:"GATEHOUSE_DATABASE_NAMES" doc:"Accepted names."`
		} `key:"tls"`
	} `key:"database"`
	Log logging `key:"log"`
}

func (s settings) Validate() []config.Fault {
	switch {
	case s.Grace < 0:
		return []config.Fault{{Key: "grace", Problem: "must not\nbe negative"}}
	case s.Site == "talkative":
		return []config.Fault{{Key: "site", Problem: "is bad: " + s.MasterKey + " and " + s.FormerKey}}
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

// load loads YAML and environment; the site is given.
func load(t testing.TB, yaml string, environ ...string) (settings, error) {
	t.Helper()
	var s settings
	err := config.Load(&s, append(environ, "GATEHOUSE_CONFIG="+write(t, yaml), "GATEHOUSE_SITE=s"))
	return s, err
}

// wantFaults asserts what is wrong, one fault a line.
func wantFaults(t testing.TB, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestDefaultsHoldWhereNobodySaysMore(t *testing.T) {
	var got, want settings
	key := secret()
	if err := config.Load(&got, []string{"GATEHOUSE_MASTER_KEY=" + key, "GATEHOUSE_SITE=s", "GATEHOUSE_CONFIG="}); err != nil {
		t.Fatal(err)
	}
	want.Listen, want.MasterKey, want.Site = "127.0.0.1:8080", key, "s"
	want.Database.URL, want.Database.Wait, want.Log.Level = "gatehouse.db", time.Hour, "info"
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestEverySourceOverridesTheOnesBelow(t *testing.T) {
	got, err := load(t, `
listen: ":1"
site: other
grace: 0
trusted_proxies: [10.0.0.0/8, "a,b"]
master_key: &anchor in-the-file
former_key: *anchor
database:
  url: "postgres://db/x"
  wait: 15s
  tls: {names: [x, *anchor]}
log: {json: true, level: debug}
`, "GATEHOUSE_TRUSTED_PROXIES= 192.0.2.1 ,, 192.0.2.2,", "GATEHOUSE_DATABASE_WAIT=2h",
		"GATEHOUSE_LOG_JSON=false", "GATEHOUSE_LISTEN=", "PATH=/bin", "GATEHOUSE_DATABASE_WAIT=1m30s", "broken")
	if err != nil {
		t.Fatal(err)
	}
	var want settings
	want.Listen, want.Site, want.MasterKey, want.FormerKey = ":1", "s", "in-the-file", "in-the-file"
	want.Proxies = []string{"192.0.2.1", "192.0.2.2"}
	want.Database.URL, want.Database.Wait, want.Log.Level = "postgres://db/x", 90*time.Second, "debug"
	want.Database.TLS.Names = []string{"x", "in-the-file"}
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
		got, err := load(t, "master_key: other", "GATEHOUSE_MASTER_KEY_FILE="+path, "GATEHOUSE_MASTER_KEY=")
		if err != nil {
			t.Fatal(err)
		}
		if got.MasterKey != " s3cret \nline" {
			t.Errorf("got %q", got.MasterKey)
		}
	}
}

func TestEmptyFilesAndKeysWithoutValueSayNothing(t *testing.T) {
	for _, yaml := range []string{
		"", "\n", "# nothing\n", "---\n", "null", "~", "{}", "listen:\ndatabase:\nlog: {level: }\ngrace: ~\ntrusted_proxies:\n",
	} {
		got, err := load(t, yaml, "GATEHOUSE_MASTER_KEY=k")
		if err != nil {
			t.Errorf("%q: %v", yaml, err)
		}
		if got.Listen != "127.0.0.1:8080" || got.Log.Level != "info" {
			t.Errorf("%q: got %+v", yaml, got)
		}
	}
}

func TestEveryFaultIsReportedAtOnce(t *testing.T) {
	path := write(t, `listen: 8080
lisen: x
grace: 15
trusted_proxies: a,b
former_key: [1]
database.url: x
database: {wait: x, wiat: 1s, tls: []}
database_url: x
log: yes
log: {}
1: 2
? [a]
: b
<<: {a: b}
log.level: [debug]
`)
	var s settings
	err := config.Load(&s, []string{
		"GATEHOUSE_LISTNE=x", "GATEHOUSE_GRACE=1", "GATEHOUSE_LISTEN_FILE=x", "GATEHOUSE_ZZZZZZZ=", "GATEHOUSE_LOG_JSON=yes",
		"GATEHOUSE_CONFIG=" + path, "GATEHOUSE_FORMER_KEY_FILE=" + filepath.Join(t.TempDir(), "absent"),
	})
	if _, ok := errors.AsType[config.Faults](err); !ok {
		t.Fatalf("Load = %v, want Faults", err)
	}
	wantFaults(t, err, strings.Join([]string{
		`listen: must be text, not a number: put it in quotes (line 1)`,
		`lisen: is not a setting; did you mean listen? (line 2)`,
		`grace: must be a duration such as 15s or 1h30m (line 3)`,
		`trusted_proxies: must be a list of text (line 4)`,
		`former_key: must be text, not a list (line 5)`,
		`database.url: is not a setting; did you mean url below database? (line 6)`,
		`database.wait: must be a duration such as 15s or 1h30m (line 7)`,
		`database.wiat: is not a setting; did you mean wait? (line 7)`,
		`database.tls: must be a group of settings, not a list (line 7)`,
		`database_url: is not a setting; did you mean url below database? (line 8)`,
		`log: must be a group of settings, not text (line 9)`,
		`log: is given twice (lines 9 and 10)`,
		`1: is not a setting (line 11)`,
		path + `: has a key that is not a name of letters, digits and _ . - (line 12)`,
		path + `: uses a merge key (<<), which is not supported (line 14)`,
		`log.level: is not a setting; did you mean level below log? (line 15)`,
		`former_key: cannot be read from the file that GATEHOUSE_FORMER_KEY_FILE names: no such file or directory`,
		`grace: must be a duration such as 15s or 1h30m (GATEHOUSE_GRACE)`,
		`log.json: must be true or false (GATEHOUSE_LOG_JSON)`,
		`GATEHOUSE_LISTEN_FILE: is not a setting: only secrets can be read from a file of their own`,
		`GATEHOUSE_LISTNE: is not a setting; did you mean GATEHOUSE_LISTEN?`,
		`GATEHOUSE_ZZZZZZZ: is not a setting`,
		`master_key: is required; GATEHOUSE_MASTER_KEY or GATEHOUSE_MASTER_KEY_FILE can set it`,
		`site: is required; GATEHOUSE_SITE can set it`,
	}, "\n"))
}

func TestSingleFaults(t *testing.T) {
	const k = "GATEHOUSE_MASTER_KEY=k"
	tests := []struct {
		name, yaml, environ, want string
	}{
		{
			"the required text is empty", "master_key: ''", "",
			"master_key: is required; GATEHOUSE_MASTER_KEY or GATEHOUSE_MASTER_KEY_FILE can set it",
		},
		{"two documents", "master_key: k\n---\na: b", "", "FILE: holds more than one document"},
		{"a broken second document", "master_key: k\n---\n[", "", "FILE: is not YAML: line 3: did not find expected node content"},
		{"a list", "- a", k, "FILE: must be a group of settings, not a list (line 1)"},
		{"no YAML", "a: [", k, "FILE: is not YAML: line 1: did not find expected node content"},
		{"a validator at the top, on one line", "master_key: k\ngrace: -1s", "", `grace: "must not\nbe negative"`},
		{"a validator in a group", "master_key: k\nlog: {level: trace}", "", "log.level: must be info or debug"},
		{"a truth in words", "master_key: k\nlog: {json: 'true'}", "", "log.json: must be true or false (line 2)"},
		{"no UTF-8", "", "GATEHOUSE_MASTER_KEY=\xff\xfe", "master_key: must be UTF-8 text (GATEHOUSE_MASTER_KEY)"},
		{"a date", "master_key: 2026-01-02", "", "master_key: must be text, not a date: put it in quotes (line 1)"},
		{
			"a nested name out of place", "master_key: k\nlog: {wait: 1s, leveel: x}", "",
			"log.wait: is not a setting (line 2)\nlog.leveel: is not a setting; did you mean level? (line 2)",
		},
		{"an unknown variable with a line break", "master_key: k", "GATEHOUSE_A\nB=x", `"GATEHOUSE_A\nB": is not a setting`},
		{
			"a validator and a faulty key", "master_key: k\nlog: {level: 7}", "",
			"log.level: must be text, not a number: put it in quotes (line 2)",
		},
		{
			"a variable like a neighbour's", "", "GATEHOUSE_PORT=8080",
			"GATEHOUSE_PORT: is not a setting\nmaster_key: is required; GATEHOUSE_MASTER_KEY or GATEHOUSE_MASTER_KEY_FILE can set it",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, tt.yaml)
			var s settings
			err := config.Load(&s, []string{tt.environ, "GATEHOUSE_CONFIG=" + path, "GATEHOUSE_SITE=s"})
			wantFaults(t, err, strings.ReplaceAll(tt.want, "FILE:", path+":"))
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
		wantFaults(t, config.Load(&s, []string{"GATEHOUSE_CONFIG=" + path}), path+": cannot be read: "+name)
	}
}

func TestVariablesOfNeighbouringServicesAreNoFaults(t *testing.T) {
	if _, err := load(t, "", "GATEHOUSE_MASTER_KEY=k",
		"GATEHOUSE_SERVICE_HOST=10.0.0.1", "GATEHOUSE_SERVICE_PORT=80", "GATEHOUSE_SERVICE_PORT_HTTP=80",
		"GATEHOUSE_PORT=tcp://10.0.0.1:80",
		"GATEHOUSE_PORT_80_TCP=tcp://10.0.0.1:80", "GATEHOUSE_TENANTS_PORT_80_TCP_ADDR=10.0.0.1", "GATEHOUSE_X_PORT=udp://10.0.0.1:53",
	); err != nil {
		t.Errorf("Load = %v, want nil", err)
	}
}
