package e2e

import (
	"os"
	"os/exec"
	"testing"

	"gatehouse/internal/testlog"
)

func TestThePythonSDKWorksUnmodified(t *testing.T) {
	g := start(t)
	suite := exec.CommandContext(t.Context(), python(t), "tapipy_test.py", "--verbose")
	suite.Env = append(os.Environ(),
		"GATEHOUSE_URL="+g.url(), "GATEHOUSE_TEST_SECRETS="+testlog.SecretsFile(t), "PYTHONDONTWRITEBYTECODE=1")
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
