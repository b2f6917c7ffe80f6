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
	dir := t.TempDir()
	tests := map[string]struct {
		args    []string
		environ []string
		status  int
		stdout  string
		stderr  string
	}{
		"help":                {args: []string{"help"}, status: 0, stdout: "serve"},
		"version":             {args: []string{"version"}, status: 0, stdout: "gatehouse"},
		"unknown command":     {args: []string{"serv"}, status: 2, stderr: "serve"},
		"too many arguments":  {args: []string{"serve", "now"}, status: 2, stderr: "no arguments"},
		"public address":      {args: []string{"serve"}, environ: []string{"GATEHOUSE_LISTEN=0.0.0.0:0"}, status: 1, stderr: "loopback"},
		"every address":       {args: nil, environ: []string{"GATEHOUSE_LISTEN=:0"}, status: 1, stderr: "must name a loopback address"},
		"no port":             {environ: []string{"GATEHOUSE_LISTEN=127.0.0.1"}, status: 1, stderr: "an address and a port"},
		"impossible port":     {environ: []string{"GATEHOUSE_LISTEN=127.0.0.1:99999"}, status: 1, stderr: "from 0 to 65535"},
		"another loopback":    {environ: []string{"GATEHOUSE_LISTEN=[::1]:0"}, status: 1, stderr: "must be 127.0.0.1"},
		"misspelt variable":   {environ: []string{"GATEHOUSE_LISTN=127.0.0.1:0"}, status: 1, stderr: "GATEHOUSE_LISTEN"},
		"unknown log level":   {environ: []string{"GATEHOUSE_LOG_LEVEL=loud"}, status: 1, stderr: "log_level"},
		"nobody there":        {args: []string{"healthcheck"}, environ: []string{"GATEHOUSE_LISTEN=127.0.0.1:1"}, status: 1, stderr: "not ready"},
		"migrate":             {args: []string{"migrate"}, environ: []string{"GATEHOUSE_DATA_DIR=" + dir}, status: 0, stdout: "newest schema"},
		"unusable data":       {args: []string{"migrate"}, environ: []string{"GATEHOUSE_DATA_DIR=/dev/null/x"}, status: 1, stderr: "data_dir"},
		"both faults at once": {environ: []string{"GATEHOUSE_LISTEN=example.org:80", "GATEHOUSE_LOG_LEVEL=loud"}, status: 1, stderr: "listen"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			status := run(t.Context(), test.args, test.environ, &stdout, &stderr)
			if status != test.status || !strings.Contains(stdout.String(), test.stdout) || !strings.Contains(stderr.String(), test.stderr) {
				t.Errorf("status %d, stdout %q, stderr %q", status, stdout.String(), stderr.String())
			}
		})
	}
}
