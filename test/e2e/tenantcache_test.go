package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// resolve prints the tenant and the site that tapisservice finds for each URL
// that it is given.
const resolve = `
import sys
from tapisservice.tenants import tenant_cache
for url in sys.argv[1:]:
    tenant = tenant_cache.get_tenant_config(url=url)
    print(tenant.tenant_id, tenant.site.site_id, tenant.site.site_admin_tenant_id)
`

// tapisservice reads the registry anonymously when it is imported, and finds
// tenants of both sites by their https base URLs and by the primary's template.
func TestTheServiceLibraryFindsTheTenantsOfBothSites(t *testing.T) {
	g := start(t)
	startAssociate(t, g)
	key := g.publicKey(t, "dev")
	for id, site := range map[string]string{"sci": "main", "edge-sci": "edge"} {
		tenant := changed(tenantAt(id, site, "https://"+id+".example.org"),
			"status", "active", "public_key", key, "owner", "owner@example.org")
		g.call(t, http.MethodPost, "/v3/tenants", tenant, g.service(t, "tenants")...).want(t, http.StatusCreated)
	}
	cmd := exec.CommandContext(t.Context(), python(t), "-c", resolve,
		"https://sci.example.org/v3/files/ops", "http://edge-sci.example.org/v3/jobs")
	cmd.Env = append(os.Environ(), serviceSettings(t, g)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := strings.TrimSpace(string(out)); got != "sci main admin\nedge-sci edge edge-admin" {
		t.Errorf("got\n%s", got)
	}
}

// serviceSettings writes the settings of the service files of g's site, as
// tapisservice wants them, and returns the variables that name them.
func serviceSettings(t *testing.T, g *gatehouse) []string {
	t.Helper()
	dir := t.TempDir()
	settings, schema := filepath.Join(dir, "config.json"), filepath.Join(dir, "schema.json")
	for path, content := range map[string]string{settings: settingsOf(t, g), schema: "{}"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"TAPIS_CONFIG_PATH=" + settings, "TAPIS_CONFIGSCHEMA_PATH=" + schema, "PYTHONDONTWRITEBYTECODE=1"}
}
