package config_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/config"
)

func TestTableIsMarkdown(t *testing.T) {
	want := `| Key | Variable | Type | Default | Meaning |
|---|---|---|---|---|
| 'listen' | 'GATEHOUSE_LISTEN' | string | '127.0.0.1:8080' | Address to listen on. |
| 'master_key' | 'GATEHOUSE_MASTER_KEY' or 'GATEHOUSE_MASTER_KEY_FILE' | secret | required | Seals \| secrets. |
| 'former_key' | 'GATEHOUSE_FORMER_KEY' or 'GATEHOUSE_FORMER_KEY_FILE' | secret |  | Opens what the older key sealed. |
| 'site' | 'GATEHOUSE_SITE' | string | required | Which one. |
| 'grace' | 'GATEHOUSE_GRACE' | duration | '0s' | How long. |
| 'trusted_proxies' | 'GATEHOUSE_TRUSTED_PROXIES' | list |  | Who may forward. |
| 'database.url' | 'GATEHOUSE_DATABASE_URL' | string | 'gatehouse.db' | Where. |
| 'database.wait' | 'GATEHOUSE_DATABASE_WAIT' | duration | '1h' | How long. |
| 'database.tls.names' | 'GATEHOUSE_DATABASE_NAMES' | list |  | Accepted names. |
| 'log.level' | 'GATEHOUSE_LOG_LEVEL' | string | 'info' | How much to log. |
| 'log.json' | 'GATEHOUSE_LOG_JSON' | bool | 'false' | Log as JSON. |
`
	if got := strings.ReplaceAll(config.Table(settings{}), "`", "'"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPrintMasksTheSecretsThatAreSet(t *testing.T) {
	s, err := load(t, `
listen: "true"
trusted_proxies: ["10", "a: b"]
database: {url: "x\ty\n", wait: 90m}
`, "GATEHOUSE_MASTER_KEY="+secret())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := config.Print(&b, s); err != nil {
		t.Fatal(err)
	}
	want := `listen: "true"
master_key: '********'
former_key: ""
site: s
grace: 0s
trusted_proxies:
  - "10"
  - 'a: b'
database:
  url: "x\ty\n"
  wait: 1h30m
  tls:
    names: []
log:
  level: info
  json: false
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
	for _, d := range []time.Duration{
		0, 1, time.Second, time.Minute, time.Hour, 90 * time.Minute, 10 * time.Hour, 100 * time.Second, -time.Hour, 1<<63 - 1,
		20 * time.Minute,
	} {
		var s struct {
			D time.Duration `key:"d" env:"D"`
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
