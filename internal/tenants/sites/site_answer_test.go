package sites

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, value any) {
	t.Helper()
	got, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n got %s\nwant %s", path, got, want)
	}
}

func TestSitesLookOnTheWireAsTheyAlwaysDid(t *testing.T) {
	at := time.Date(2020, 7, 2, 18, 45, 16, 0, time.FixedZone("CDT", -5*3600))
	primary := Site{
		ID: "main", Primary: true, BaseURL: "https://tapis.example.org",
		TenantBaseURLTemplate: "https://${tenant_id}.tapis.example.org", AdminTenantID: "admin",
		Services:   []string{"security", "tokens", "authenticator"},
		CreateTime: at, CreatedBy: "tenants@admin", LastUpdateTime: at.Add(time.Hour), LastUpdatedBy: "tokens@admin",
	}
	golden(t, "site_primary.json", newSiteAnswer(primary))
	golden(t, "site_associate.json", newSiteAnswer(Site{
		ID: "east", AdminTenantID: "east-admin",
		CreateTime: at, CreatedBy: "tenants@admin", LastUpdateTime: at, LastUpdatedBy: "tenants@admin",
	}))
}
