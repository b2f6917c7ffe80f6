package e2e

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

func TestTheHostDecidesTheTenant(t *testing.T) {
	g := start(t)
	for host, tenant := range map[string]string{
		"localhost:" + g.port:       "dev",
		"LOCALHOST:" + g.port:       "dev",
		"dev.localhost:" + g.port:   "dev",
		"127.0.0.1:" + g.port:       "admin",
		"admin.localhost:" + g.port: "admin",
	} {
		var metadata struct {
			Issuer string `json:"issuer"`
		}
		g.call(t, http.MethodGet, "/v3/oauth2/.well-known/oauth-authorization-server", nil, "Host", host).
			want(t, http.StatusOK).into(t, &metadata)
		want := map[string]string{"dev": g.url(), "admin": g.adminURL()}[tenant] + "/v3/oauth2"
		if metadata.Issuer != want {
			t.Errorf("the issuer at %s is %s, want %s", host, metadata.Issuer, want)
		}
	}
	for _, host := range []string{
		"localhost", "localhost:1", "example.org", "localhost:" + g.port + ".example.org",
		"dev.localhost.example.org:" + g.port, "nowhere.localhost:" + g.port,
	} {
		got := g.call(t, http.MethodPost, "/v3/oauth2/tokens", password("testuser1"), "Host", host)
		if got.status != http.StatusNotFound {
			t.Errorf("at %s the status is %d, want 404; message %q", host, got.status, got.Text)
		}
	}
}

func TestATokenIsGoodInItsOwnTenantOnly(t *testing.T) {
	g := start(t)
	token := g.person(t, "testuser1")
	got := g.call(t, http.MethodGet, "/v3/oauth2/userinfo", nil, "Host", "127.0.0.1:"+g.port, "X-Tapis-Token", token)
	if got.status != http.StatusUnauthorized && got.status != http.StatusForbidden {
		t.Errorf("the status is %d, want 401 or 403", got.status)
	}
	got = g.call(t, http.MethodGet, "/v3/oauth2/userinfo", nil, "X-Tapis-Tenant", "admin", "X-Tapis-Token", token)
	if got.status != http.StatusUnauthorized && got.status != http.StatusForbidden {
		t.Errorf("with X-Tapis-Tenant the status is %d, want 401 or 403", got.status)
	}
}

func TestTheDataFolderIsPrivate(t *testing.T) {
	g := start(t)
	g.token(t, password("testuser1")) // the databases now have their side files
	files := 0
	err := filepath.WalkDir(g.dataDir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		want := os.FileMode(0o600)
		if entry.IsDir() {
			want = os.ModeDir | 0o700
		} else {
			files++
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", entry.Name(), info.Mode(), want)
		}
		return nil
	})
	if err != nil || files == 0 {
		t.Fatalf("walk the data folder: %d files, %v", files, err)
	}
}
