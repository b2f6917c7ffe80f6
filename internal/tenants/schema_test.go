package tenants

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/database"
	"gatehouse/migrations"
)

// insertTenant and insertSite return statements that insert a good row with
// changes: pairs of a column and an SQL expression.
func insertTenant(changes ...string) string {
	return insert("tenants", map[string]string{
		"tenant_id": "'b'", "base_url": "'https://b'", "site_id": "'main'", "status": "'draft'", "token_service": "'a'",
		"security_kernel": "'a'", "authenticator": "'a'", "owner": "'ops@example.org'", "admin_user": "'a'",
		"token_gen_services": "'[]'",
	}, changes)
}

func insertSite(changes ...string) string {
	return insert("sites", map[string]string{
		"site_id": "'two'", "is_primary": "false", "base_url": "'https://two'", "site_admin_tenant_id": "'a'", "services": "'[]'",
	}, changes)
}

func insert(table string, row map[string]string, changes []string) string {
	maps.Copy(row, map[string]string{"create_time": "1", "created_by": "'x'", "last_update_time": "1", "last_updated_by": "'x'"})
	for i := 0; i < len(changes); i += 2 {
		row[changes[i]] = changes[i+1]
	}
	columns := slices.Sorted(maps.Keys(row))
	return "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES (" +
		strings.Join(converted(columns, func(c string) string { return row[c] }), ", ") + ")"
}

func insertHistory(of, id, updates string) string {
	return fmt.Sprintf(`INSERT INTO %[1]s_history (%[1]s_id, update_time, updated_by, updates) VALUES ('%[2]s', 1, 'x', '%[3]s')`,
		of, id, updates)
}

// TestTheSchemaRefusesWhatTheRulesRefuse goes around the program, as a hand
// with a database client would.
func TestTheSchemaRefusesWhatTheRulesRefuse(t *testing.T) {
	bad := map[string]string{
		"a second primary site":             insertSite("is_primary", "true", "tenant_base_url_template", "'https://${tenant_id}.two'"),
		"a site without services":           insertSite("services", "'{}'"),
		"an associate site with a template": insertSite("tenant_base_url_template", "'https://${tenant_id}.two'"),
		"a site's base URL twice":           insertSite("base_url", "'HTTP://localhost:8080'"),
		"a primary site without template":   `UPDATE sites SET tenant_base_url_template = NULL WHERE site_id = 'main'`,
		"a tenant id in other letters":      insertTenant("tenant_id", "'DEV'"),
		"a tenant id that is no DNS label":  insertTenant("tenant_id", "'a_b'"),
		"a tenant id with a leading hyphen": insertTenant("tenant_id", "'-a'"),
		"a tenant's base URL twice":         insertTenant("base_url", "'HTTP://LOCALHOST:8080'"),
		"a tenant of an unknown site":       insertTenant("site_id", "'nowhere'"),
		"a tenant of an unknown owner":      insertTenant("owner", "'x@example.org'"),
		"a tenant with unknown user LDAP":   insertTenant("user_ldap_connection_id", "'x'"),
		"a tenant with unknown svc LDAP":    insertTenant("service_ldap_connection_id", "'x'"),
		"a tenant with a made-up status":    insertTenant("status", "'ACTIVE'"),
		"an active tenant without a key":    insertTenant("status", "'active'"),
		"an empty description":              `UPDATE tenants SET description = '' WHERE tenant_id = 'dev'`,
		"a site that has tenants gone":      `DELETE FROM sites WHERE site_id = 'main'`,
		"an owner of tenants gone":          `DELETE FROM owners WHERE email = 'ops@example.org'`,
		"an LDAP connection in use gone":    `DELETE FROM ldap_connections WHERE ldap_id = 'tapis-dev'`,
		"a port beyond the last":            `UPDATE ldap_connections SET port = 65536`,
		"an unknown account type":           `UPDATE ldap_connections SET account_type = 'people'`,
		"a tenant's host twice":             insertTenant("base_url", "'https://127.0.0.1:8080'"),
		"history of no site":                insertHistory("site", "x", `{}`),
		"history of a site that is none":    insertHistory("site", "main", `[]`),
		"history of no tenant":              insertHistory("tenant", "x", `{}`),
		"history that is no object":         insertHistory("tenant", "dev", `[]`),
		"a tenant with history gone":        `DELETE FROM tenants WHERE tenant_id = 'dev'`,
		"a second change counter":           `INSERT INTO registry_changes (id, counter) VALUES (2, 1)`,
	}
	eachSeeded(t, func(t *testing.T, s *Service) {
		good := []string{
			insertHistory("tenant", "dev", `{"owner":{}}`),
			insertTenant(),
			`DELETE FROM tenants WHERE tenant_id = 'b'`,
		}
		for _, statement := range good {
			execute(t, s, statement)
		}
		for what, statement := range bad {
			if err := s.snapshots.db.Conn(t.Context()).Exec(statement).Error; err == nil {
				t.Errorf("%s is possible", what)
			}
		}
	})
}

func TestTheSchemaCanBeTakenDownAndUpAgain(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
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
