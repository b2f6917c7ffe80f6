package e2e

import (
	"os"
	"os/exec"
	"testing"

	"gatehouse/internal/testlog"
)

func TestThePythonSDKWorksUnmodified(t *testing.T) {
	g := start(t)
	runSDK(t, g.url(), g.servicePassword(t))
}

// runSDK runs the Python suite against the site at url, whose services files
// and tokens have the password.
func runSDK(t *testing.T, url, password string) {
	t.Helper()
	env := []string{"GATEHOUSE_URL=" + url, "GATEHOUSE_SERVICE_PASSWORD=" + password}
	runSuite(t, "", env, python(t), "tapipy_test.py", "--verbose")
}

// runSuite runs tests in another language, in a folder of this one.
func runSuite(t *testing.T, dir string, env []string, name string, args ...string) {
	t.Helper()
	suite := exec.CommandContext(t.Context(), name, args...)
	suite.Dir = dir
	suite.Env = append(os.Environ(), "GATEHOUSE_TEST_SECRETS="+testlog.SecretsFile(t), "PYTHONDONTWRITEBYTECODE=1")
	suite.Env = append(suite.Env, env...)
	out, err := suite.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

func TestTheTypeScriptPackagesWorkUnmodified(t *testing.T) {
	g := start(t)
	env := []string{"GATEHOUSE_URL=" + g.url(), "GATEHOUSE_ADMIN_URL=" + g.adminURL()}
	env = append(env, "SERVICE_TOKEN="+g.serviceToken(t, "tenants"))
	runSuite(t, "node", env, "node", "--test", "--test-reporter=spec", "sdk.test.mjs")
}
