package main

import (
	"bytes"
	"strings"
	"testing"

	"gatehouse/internal/config"
	"gatehouse/internal/testdoc"
)

func TestTheReadmeListsTheSettings(t *testing.T) {
	testdoc.Section(t, "README.md", "settings gatehouse", config.Table(settings{}))
}

func TestCommandsAnswerAsTheyShould(t *testing.T) {
	for name, test := range map[string]struct {
		args           string
		settings       string // without GATEHOUSE_
		status         int
		stdout, stderr string
	}{
		"help":                {args: "help", stdout: "serve"},
		"version":             {args: "version", stdout: "gatehouse"},
		"unknown command":     {args: "serv", status: 2, stderr: "serve"},
		"too many arguments":  {args: "serve now", status: 2, stderr: "no arguments"},
		"public address":      {args: "serve", settings: "LISTEN=0.0.0.0:0", status: 1, stderr: "loopback"},
		"every IPv6 address":  {settings: "LISTEN=[::]:0", status: 1, stderr: "loopback"},
		"somebody else's":     {settings: "LISTEN=192.0.2.1:0", status: 1, stderr: "loopback"},
		"every address":       {settings: "LISTEN=:0", status: 1, stderr: "must name a loopback address"},
		"no port":             {settings: "LISTEN=127.0.0.1", status: 1, stderr: "an address and a port"},
		"impossible port":     {settings: "LISTEN=127.0.0.1:99999", status: 1, stderr: "from 0 to 65535"},
		"another loopback":    {settings: "LISTEN=[::1]:0", status: 1, stderr: "must be 127.0.0.1"},
		"misspelt variable":   {settings: "LISTN=127.0.0.1:0", status: 1, stderr: "GATEHOUSE_LISTEN"},
		"unknown log level":   {settings: "LOG_LEVEL=loud", status: 1, stderr: "log_level"},
		"nobody there":        {args: "healthcheck", settings: "LISTEN=127.0.0.1:1", status: 1, stderr: "not ready"},
		"migrate":             {args: "migrate", settings: "DATA_DIR=" + t.TempDir(), stdout: "newest schema"},
		"unusable data":       {args: "migrate", settings: "DATA_DIR=/dev/null/x", status: 1, stderr: "data_dir"},
		"both faults at once": {settings: "LISTEN=example.org:80 LOG_LEVEL=loud", status: 1, stderr: "listen"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			environ := strings.Fields(test.settings)
			for i := range environ {
				environ[i] = "GATEHOUSE_" + environ[i]
			}
			status := run(t.Context(), strings.Fields(test.args), environ, &stdout, &stderr)
			if status != test.status || !strings.Contains(stdout.String(), test.stdout) ||
				!strings.Contains(stderr.String(), test.stderr) {
				t.Errorf("status %d, stdout %q, stderr %q", status, stdout.String(), stderr.String())
			}
		})
	}
}
