// Package testlog keeps what programs and packages log while they are tested,
// and proves afterwards that no secret is in it. Tests take their logger from
// New and name every password, key and token they use or receive with Secret;
// when all tests have run, test/logscan searches all logs with Scan.
//
// Both sides meet in the folder that GATEHOUSE_TEST_LOGS names: logs in logs/,
// secrets in secrets/, one JSON string a line, so that test programs in other
// languages can add theirs. Production code never imports this package.
package testlog

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Env names the environment variable with the folder of logs and secrets.
const Env = "GATEHOUSE_TEST_LOGS"

// MinSecret is the length in bytes below which a secret cannot be searched
// for: shorter texts turn up by chance.
const MinSecret = 8

// New returns a logger that writes every level as JSON to a file of this test.
func New(t testing.TB) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewJSONHandler(File(t, "test"), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// File creates a log file that is scanned like those of New, for the output
// of a program under test. Its name begins with the given one.
func File(t testing.TB, name string) *os.File {
	t.Helper()
	f, err := os.CreateTemp(folder(t, "logs"), plain(t.Name())+"."+plain(name)+".*.log")
	if err != nil {
		t.Fatalf("create log file: %v", err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// Secret registers a value that must be in no log, in no encoding. Give it
// what is random: a password that equals a user's name is in logs by right.
func Secret(t testing.TB, value string) {
	t.Helper()
	if len(value) < MinSecret {
		t.Fatalf("a secret of %d bytes is too short to search for; use at least %d random ones", len(value), MinSecret)
	}
	line, err := json.Marshal(value)
	if err != nil {
		t.Fatalf("encode secret: %v", err)
	}
	f, err := os.OpenFile(SecretsFile(t), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatalf("open secrets file: %v", err)
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		t.Fatalf("write secrets file: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatalf("close secrets file: %v", err)
	}
}

// SecretsFile returns the file to which this test appends its secrets, one
// JSON string a line; for test programs that cannot call Secret.
func SecretsFile(t testing.TB) string {
	t.Helper()
	return filepath.Join(folder(t, "secrets"), filepath.Base(os.Args[0])+"."+plain(t.Name())+".jsonl")
}

// folder returns the named folder below the one of Env, or of this test
// alone where Env is not set.
func folder(t testing.TB, name string) string {
	t.Helper()
	top := os.Getenv(Env)
	if top == "" {
		return t.TempDir()
	}
	dir := filepath.Join(top, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatalf("create folder for %s: %v", name, err)
	}
	return dir
}

// plain makes a test's name fit for a file name.
func plain(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-':
			return r
		}
		return '_'
	}, name)
	return name[:min(len(name), 120)]
}
