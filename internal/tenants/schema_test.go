package tenants

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/database"
	"gatehouse/internal/testdb"
	"gatehouse/migrations"
)

const (
	insertSite = `INSERT INTO sites (site_id, is_primary, base_url, tenant_base_url_template, site_admin_tenant_id, services,
		create_time, created_by, last_update_time, last_updated_by) VALUES `
	insertTenant = `INSERT INTO tenants (tenant_id, base_url, site_id, status, token_service, security_kernel, authenticator,
		owner, admin_user, token_gen_services, public_key, service_ldap_connection_id, user_ldap_connection_id,
		create_time, created_by, last_update_time, last_updated_by) VALUES `
)

// TestTheSchemaRefusesWhatTheRulesRefuse goes around the program, as a hand
// with a database client would.
func TestTheSchemaRefusesWhatTheRulesRefuse(t *testing.T) {
	bad := map[string]string{
		"a second primary site":             insertSite + `('two', true, 'https://two', 'https://${tenant_id}.two', 'a', '[]', 1, 'x', 1, 'x')`,
		"a site without services":           insertSite + `('two', false, 'https://two', NULL, 'a', '{}', 1, 'x', 1, 'x')`,
		"an associate site with a template": insertSite + `('two', false, 'https://two', 'https://${tenant_id}.two', 'a', '[]', 1, 'x', 1, 'x')`,
		"a site's base URL twice":           insertSite + `('two', false, 'HTTP://localhost:8080', NULL, 'a', '[]', 1, 'x', 1, 'x')`,
		"a primary site without template":   `UPDATE sites SET tenant_base_url_template = NULL WHERE site_id = 'main'`,
		"a tenant id in other letters":      insertTenant + `('DEV', 'https://b', 'main', 'draft', 'a', 'a', 'a', 'ops@example.org', 'a', '[]', NULL, NULL, NULL, 1, 'x', 1, 'x')`,
		"a tenant id that is no DNS label":  insertTenant + `('a_b', 'https://b', 'main', 'draft', 'a', 'a', 'a', 'ops@example.org', 'a', '[]', NULL, NULL, NULL, 1, 'x', 1, 'x')`,
		"a tenant id with a leading hyphen": insertTenant + `('-a', 'https://b', 'main', 'draft', 'a', 'a', 'a', 'ops@example.org', 'a', '[]', NULL, NULL, NULL, 1, 'x', 1, 'x')`,
		"a tenant's base URL twice":         insertTenant + `('b', 'HTTP://LOCALHOST:8080', 'main', 'draft', 'a', 'a', 'a', 'ops@example.org', 'a', '[]', NULL, NULL, NULL, 1, 'x', 1, 'x')`,
		"a tenant of an unknown site":       insertTenant + `('b', 'https://b', 'nowhere', 'draft', 'a', 'a', 'a', 'ops@example.org', 'a', '[]', NULL, NULL, NULL, 1, 'x', 1, 'x')`,
		"a tenant of an unknown owner":      insertTenant + `('b', 'https://b', 'main', 'draft', 'a', 'a', 'a', 'x@example.org', 'a', '[]', NULL, NULL, NULL, 1, 'x', 1, 'x')`,
		"a tenant with unknown user LDAP":   insertTenant + `('b', 'https://b', 'main', 'draft', 'a', 'a', 'a', 'ops@example.org', 'a', '[]', NULL, NULL, 'x', 1, 'x', 1, 'x')`,
		"a tenant with unknown svc LDAP":    insertTenant + `('b', 'https://b', 'main', 'draft', 'a', 'a', 'a', 'ops@example.org', 'a', '[]', NULL, 'x', NULL, 1, 'x', 1, 'x')`,
		"a tenant with a made-up status":    insertTenant + `('b', 'https://b', 'main', 'ACTIVE', 'a', 'a', 'a', 'ops@example.org', 'a', '[]', NULL, NULL, NULL, 1, 'x', 1, 'x')`,
		"an active tenant without a key":    insertTenant + `('b', 'https://b', 'main', 'active', 'a', 'a', 'a', 'ops@example.org', 'a', '[]', NULL, NULL, NULL, 1, 'x', 1, 'x')`,
		"an empty description":              `UPDATE tenants SET description = '' WHERE tenant_id = 'dev'`,
		"a site that has tenants gone":      `DELETE FROM sites WHERE site_id = 'main'`,
		"an owner of tenants gone":          `DELETE FROM owners WHERE email = 'ops@example.org'`,
		"an LDAP connection in use gone":    `DELETE FROM ldap_connections WHERE ldap_id = 'tapis-dev'`,
		"a port beyond the last":            `UPDATE ldap_connections SET port = 65536`,
		"an unknown account type":           `UPDATE ldap_connections SET account_type = 'people'`,
		"a tenant's host twice":             insertTenant + `('b', 'https://127.0.0.1:8080', 'main', 'draft', 'a', 'a', 'a', 'ops@example.org', 'a', '[]', NULL, NULL, NULL, 1, 'x', 1, 'x')`,
		"history of no site":                `INSERT INTO site_history (site_id, update_time, updated_by, updates) VALUES ('x', 1, 'x', '{}')`,
		"history of a site that is none":    `INSERT INTO site_history (site_id, update_time, updated_by, updates) VALUES ('main', 1, 'x', '[]')`,
		"history of no tenant":              `INSERT INTO tenant_history (tenant_id, update_time, updated_by, updates) VALUES ('x', 1, 'x', '{}')`,
		"history that is no object":         `INSERT INTO tenant_history (tenant_id, update_time, updated_by, updates) VALUES ('dev', 1, 'x', '[]')`,
		"a tenant with history gone":        `DELETE FROM tenants WHERE tenant_id = 'dev'`,
		"a second change counter":           `INSERT INTO registry_changes (id, counter) VALUES (2, 1)`,
	}
	eachSeeded(t, func(t *testing.T, s *Service) {
		good := []string{
			`INSERT INTO tenant_history (tenant_id, update_time, updated_by, updates) VALUES ('dev', 1, 'x', '{"owner":{}}')`,
			insertTenant + `('b', 'https://b', 'main', 'draft', 'a', 'a', 'a', 'ops@example.org', 'a', '[]', NULL, NULL, NULL, 1, 'x', 1, 'x')`,
			`DELETE FROM tenants WHERE tenant_id = 'b'`,
		}
		for _, statement := range good {
			if err := s.snapshots.db.Conn(t.Context()).Exec(statement).Error; err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
		for what, statement := range bad {
			if err := s.snapshots.db.Conn(t.Context()).Exec(statement).Error; err == nil {
				t.Errorf("%s is possible", what)
			}
		}
	})
}

func TestTheSchemaCanBeTakenDownAndUpAgain(t *testing.T) {
	testdb.Each(t, migrations.Tenants, func(t *testing.T, db *database.DB) {
		files, err := migrations.Tenants.For(db.Dialect())
		if err != nil {
			t.Fatal(err)
		}
		down := downSQL(t, files)
		for _, statement := range down {
			if err := db.Conn(t.Context()).Exec(statement).Error; err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
		if err := db.Conn(t.Context()).Exec("DROP TABLE schema_versions_tenants").Error; err != nil {
			t.Fatal(err)
		}
		if _, err := db.Migrate(t.Context(), migrations.Tenants); err != nil {
			t.Errorf("up again: %v", err)
		}
	})
}

// downSQL returns the statements of the Down parts of all migrations, the
// newest first.
func downSQL(t testing.TB, files fs.FS) []string {
	t.Helper()
	names, err := fs.Glob(files, "*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("migrations %v: %v", names, err)
	}
	var statements []string
	for _, name := range slices.Backward(names) {
		raw, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		_, down, found := strings.Cut(string(raw), "-- +goose Down")
		if !found {
			t.Fatalf("there is no way down in %s", name)
		}
		for statement := range strings.SplitSeq(down, ";") {
			if statement = strings.TrimSpace(statement); statement != "" {
				statements = append(statements, statement)
			}
		}
	}
	return statements
}
