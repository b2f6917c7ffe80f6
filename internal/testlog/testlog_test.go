package testlog_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/testlog"
)

// prefix makes planted secrets look different from what surrounds them.
const prefix = `p"<&é `

func randomSecret() string { return prefix + rand.Text() }

func TestAPlantedSecretIsFoundInEveryEncoding(t *testing.T) {
	for name, encode := range map[string]func(string) string{
		"raw":      func(s string) string { return s },
		"quoted":   func(s string) string { return fmt.Sprintf("%q", s) },
		"form":     url.QueryEscape,
		"path":     url.PathEscape,
		"base64":   func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"hex":      func(s string) string { return hex.EncodeToString([]byte(s)) },
		"embedded": func(s string) string { return "xx" + s + "yy" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(testlog.Env, t.TempDir())
			secret := randomSecret()
			testlog.Secret(t, secret)
			log := testlog.New(t)
			log.Info("harmless")
			log.Debug("planted", slog.String("value", encode(secret)))
			wantFindings(t, scan(t), 2, "a secret that a test registered")
		})
	}
}

func TestWhatLooksLikeASecretIsFoundUnregistered(t *testing.T) {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	token := part(`{"alg":"RS256","typ":"JWT"}`) + "." + part(`{"sub":"testuser1@dev"}`)
	for name, test := range map[string]struct{ line, what string }{
		"signed token":    {token + "." + part(rand.Text()), "a JSON Web Token"},
		"cut token":       {token, "a JSON Web Token"},
		"private key":     {"-----BEGIN PRIVATE KEY-----\\nMIIE", "a private key"},
		"RSA private key": {"-----BEGIN RSA PRIVATE KEY-----", "a private key"},
		"Basic credentials": {
			"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("id:"+rand.Text())),
			"Basic credentials",
		},
		"sealed value": {"v1.0a1b2c3d." + part(rand.Text()+rand.Text()), "a sealed value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(testlog.Env, t.TempDir())
			testlog.Secret(t, randomSecret())
			if _, err := fmt.Fprintf(testlog.File(t, "program"), "first\nsecond\nthird %s\n", test.line); err != nil {
				t.Fatal(err)
			}
			wantFindings(t, scan(t), 3, test.what)
		})
	}
}

func TestHarmlessLogsPass(t *testing.T) {
	t.Setenv(testlog.Env, t.TempDir())
	testlog.Secret(t, randomSecret())
	log := testlog.New(t)
	log.Info("request", "path", "/v3/oauth2/tokens", "challenge", `Basic realm="tapis"`, "jti", rand.Text())
	log.Info("key", "pem", "-----BEGIN PUBLIC KEY-----", "version", "v1.2.3")
	if report := scan(t); len(report.Findings) != 0 {
		t.Errorf("found %v in a harmless log", report.Findings)
	}
}

func TestAFindingNeverCarriesTheSecret(t *testing.T) {
	t.Setenv(testlog.Env, t.TempDir())
	secret := rand.Text()
	testlog.Secret(t, secret)
	testlog.New(t).Info("planted", "value", secret)
	for _, finding := range scan(t).Findings {
		if strings.Contains(finding.String(), secret) {
			t.Error("the finding prints the secret")
		}
	}
}

func TestAScanOfNothingFails(t *testing.T) {
	logs := func(t *testing.T) { testlog.New(t).Info("a line") }
	secrets := func(t *testing.T) { testlog.Secret(t, randomSecret()) }
	emptyLog := func(t *testing.T) { testlog.File(t, "empty") }
	for name, steps := range map[string][]func(*testing.T){
		"no logs, no secrets":  {},
		"no secrets":           {logs},
		"no logs":              {secrets},
		"an empty log":         {secrets, emptyLog},
		"a line without a key": {logs, secrets, func(t *testing.T) { appendLine(t, "not JSON") }},
		"a short secret":       {logs, secrets, func(t *testing.T) { appendLine(t, `"short"`) }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv(testlog.Env, dir)
			for _, step := range steps {
				step(t)
			}
			if report, err := testlog.Scan(dir); err == nil {
				t.Errorf("the scan passed with %+v", report)
			}
		})
	}
}

func TestWithoutAFolderTestsLogToOneOfTheirOwn(t *testing.T) {
	t.Setenv(testlog.Env, "")
	testlog.New(t).Info("a line")
	testlog.Secret(t, randomSecret())
}

func appendLine(t *testing.T, line string) {
	t.Helper()
	dir := filepath.Join(os.Getenv(testlog.Env), "secrets")
	if err := os.WriteFile(filepath.Join(dir, "other.jsonl"), []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func scan(t *testing.T) testlog.Report {
	t.Helper()
	report, err := testlog.Scan(os.Getenv(testlog.Env))
	if err != nil {
		t.Fatalf("scan: %v", err)
	}
	return report
}

func wantFindings(t *testing.T, report testlog.Report, line int, what string) {
	t.Helper()
	if len(report.Findings) != 1 {
		t.Fatalf("got %d findings, want one: %v", len(report.Findings), report.Findings)
	}
	if got := report.Findings[0]; got.Line != line || got.What != what {
		t.Errorf("got %v, want line %d: %s", got, line, what)
	}
}
