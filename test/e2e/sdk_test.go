package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/testlog"
)

func TestThePythonSDKWorksUnmodified(t *testing.T) {
	g := start(t)
	password, err := os.ReadFile(filepath.Join(g.dataDir, "service-password"))
	if err != nil {
		t.Fatal(err)
	}
	runSDK(t, g.url(), strings.TrimSpace(string(password)))
}

// runSDK runs the Python suite against the site at url, whose services files
// and tokens have the password.
func runSDK(t *testing.T, url, password string) {
	t.Helper()
	suite := exec.CommandContext(t.Context(), python(t), "tapipy_test.py", "--verbose")
	suite.Env = append(os.Environ(),
		"GATEHOUSE_URL="+url, "GATEHOUSE_SERVICE_PASSWORD="+password,
		"GATEHOUSE_TEST_SECRETS="+testlog.SecretsFile(t), "PYTHONDONTWRITEBYTECODE=1")
	out, err := suite.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

func TestTheTypeScriptPackagesWorkUnmodified(t *testing.T) {
	g := start(t)
	suite := exec.CommandContext(t.Context(), "node", "--test", "--test-reporter=spec", "sdk.test.mjs")
	suite.Dir = "node"
	suite.Env = append(os.Environ(),
		"GATEHOUSE_URL="+g.url(), "GATEHOUSE_ADMIN_URL="+g.adminURL(), "SERVICE_TOKEN="+g.serviceToken(t, "tenants"))
	out, err := suite.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
