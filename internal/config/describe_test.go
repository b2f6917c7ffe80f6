package config_test

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/config"
)

func TestDescribeListsEverySetting(t *testing.T) {
	got := config.Describe((*settings)(nil))
	want := []config.Field{
		{Key: "listen", Env: "GATEHOUSE_LISTEN", Type: "string", Default: "127.0.0.1:8080", Doc: "Address to listen on."},
		{Key: "master_key", Env: "GATEHOUSE_MASTER_KEY", Type: "string", Doc: "Seals | secrets\n at rest.", Secret: true, Required: true},
		{Key: "former_keys", Env: "GATEHOUSE_FORMER_KEYS", Type: "list", Doc: "Opens what older keys sealed.", Secret: true},
		{Key: "workers", Env: "GATEHOUSE_WORKERS", Type: "int", Default: "4", Doc: "How many."},
		{Key: "limit", Env: "GATEHOUSE_LIMIT", Type: "int", Default: "0", Doc: "How much."},
		{Key: "share", Env: "GATEHOUSE_SHARE", Type: "number", Default: "0.5", Doc: "Which part."},
		{Key: "trusted_proxies", Env: "GATEHOUSE_TRUSTED_PROXIES", Type: "list", Doc: "Who may forward."},
		{Key: "database.url", Env: "GATEHOUSE_DATABASE_URL", Type: "string", Default: "gatehouse.db", Doc: "Where."},
		{Key: "database.wait", Env: "GATEHOUSE_DATABASE_WAIT", Type: "duration", Default: "1h", Doc: "How long."},
		{Key: "log.level", Env: "GATEHOUSE_LOG_LEVEL", Type: "string", Default: "info", Doc: "How much to log."},
		{Key: "log.json", Env: "GATEHOUSE_LOG_JSON", Type: "bool", Default: "false", Doc: "Log as JSON."},
		{Key: "directories", Type: "map", Doc: "People."},
		{Key: "directories.<name>.url", Type: "string", Doc: "Where it is.", Required: true},
		{Key: "directories.<name>.password", Type: "string", Doc: "For the bind.", Secret: true},
		{Key: "directories.<name>.timeout", Type: "duration", Default: "5s", Doc: "For one request."},
		{Key: "directories.<name>.tls.names", Type: "list", Doc: "Accepted names."},
	}
	if len(got) != len(want) {
		t.Fatalf("%d settings, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("setting %d\ngot  %+v\nwant %+v", i, got[i], want[i])
		}
	}
	if fromValue := config.Describe(settings{}); !reflect.DeepEqual(fromValue, got) {
		t.Error("a value and a pointer are described differently")
	}
}

func TestTableIsMarkdown(t *testing.T) {
	got := strings.Split(config.Table(settings{}), "\n")
	for i, want := range map[int]string{
		0:  "| Key | Variable | Type | Default | Meaning |",
		1:  "|---|---|---|---|---|",
		2:  "| `listen` | `GATEHOUSE_LISTEN` | string | `127.0.0.1:8080` | Address to listen on. |",
		3:  "| `master_key` | `GATEHOUSE_MASTER_KEY` or `GATEHOUSE_MASTER_KEY_FILE` | secret | required | Seals \\| secrets at rest. |",
		4:  "| `former_keys` | `GATEHOUSE_FORMER_KEYS` or `GATEHOUSE_FORMER_KEYS_FILE` | secret list |  | Opens what older keys sealed. |",
		13: "| `directories` |  | map |  | People. |",
		18: "",
	} {
		if len(got) != 19 || got[i] != want {
			t.Errorf("line %d of %d\ngot  %s\nwant %s", i, len(got), got[i], want)
		}
	}
}

func TestPrintMasksTheSecretsThatAreSet(t *testing.T) {
	s, err := load(t, `
former_keys: [a, b]
listen: "true"
share: 1
trusted_proxies: ["10", "a: b"]
database: {url: "x\ty\n", wait: 90m}
directories: {lab: {url: "ldap://lab"}, corp: {url: "ldap://corp", password: bind}}
`, "GATEHOUSE_MASTER_KEY="+secret())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := config.Print(&b, &s); err != nil {
		t.Fatal(err)
	}
	want := `listen: "true"
master_key: '********'
former_keys:
  - '********'
  - '********'
workers: 4
limit: 0
share: 1
trusted_proxies:
  - "10"
  - 'a: b'
database:
  url: "x\ty\n"
  wait: 1h30m
log:
  level: info
  json: false
directories:
  corp:
    url: ldap://corp
    password: '********'
    timeout: 5s
    tls:
      names: []
  lab:
    url: ldap://lab
    password: ""
    timeout: 5s
    tls:
      names: []
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestPrintReportsAFailedWrite(t *testing.T) {
	if err := config.Print(failing{}, settings{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Print = %v, want io.ErrClosedPipe", err)
	}
}

func TestDurationsArePrintedShortAndExact(t *testing.T) {
	for _, d := range []time.Duration{0, 1, time.Second, time.Minute, time.Hour, 90 * time.Minute, 10 * time.Hour, 100 * time.Second, -time.Hour, 1<<63 - 1, 20 * time.Minute} {
		var s struct {
			D time.Duration `key:"d"`
		}
		s.D = d
		var b strings.Builder
		if err := config.Print(&b, s); err != nil {
			t.Fatal(err)
		}
		text := strings.TrimSpace(strings.TrimPrefix(b.String(), "d:"))
		if got, err := time.ParseDuration(text); err != nil || got != d {
			t.Errorf("%v was printed as %q, which is %v, %v", d, text, got, err)
		}
		if strings.HasSuffix(text, "m0s") || strings.HasSuffix(text, "h0m") {
			t.Errorf("%v was printed as %q", d, text)
		}
	}
}
