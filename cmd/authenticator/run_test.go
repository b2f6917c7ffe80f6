package main

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/config"
	"gatehouse/internal/seal"
	"gatehouse/internal/testdb"
	"gatehouse/internal/testdoc"
)

func TestTheReadmeListsTheSettings(t *testing.T) {
	testdoc.Section(t, "README.md", "settings authenticator", config.Table(settings{}))
}

// environ is a working configuration on an empty database.
func environ(dsn string) []string {
	return []string{
		"GATEHOUSE_DATABASE_URL=" + dsn, "GATEHOUSE_SITE_ID=main", "GATEHOUSE_MASTER_KEY=" + hex.EncodeToString(seal.NewKey()),
		"GATEHOUSE_REGISTRY_URL=http://127.0.0.1:1", "GATEHOUSE_LISTEN=127.0.0.1:0",
	}
}

// call runs a command and fails the test unless it ends with the status and
// says what it should.
func call(t *testing.T, env []string, status int, want string, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	got := run(t.Context(), args, env, &stdout, &stderr)
	if all := stdout.String() + stderr.String(); got != status || !strings.Contains(all, want) {
		t.Fatalf("%v ended with %d: %s", args, got, all)
	}
	return stdout.String()
}

func TestCommandsAnswerAsTheyShould(t *testing.T) {
	env := environ("sqlite:" + filepath.Join(t.TempDir(), "a.db"))
	call(t, env, 0, "serve", "help")
	call(t, env, 0, "authenticator", "version")
	call(t, env, 2, "serve", "serv")
	call(t, env, 0, "", "config", "validate")
	text := call(t, env, 0, "site_id: main", "config", "print")
	if strings.Contains(text, strings.TrimPrefix(env[2], "GATEHOUSE_MASTER_KEY=")) {
		t.Error("config print shows the master key")
	}
	for _, key := range []string{"database.url", "master_key", "registry.url", "site_id"} {
		call(t, nil, 1, key, "config", "validate")
	}
	call(t, append(env, "GATEHOUSE_MASTER_KEY="+strings.Repeat("00", 32)), 1, "master_key", "config", "validate")
	call(t, append(env, "GATEHOUSE_LDAP_CA_FILE=/nowhere"), 1, "ldap.ca_file", "serve")
}

func TestAServerRefusesAnOlderSchema(t *testing.T) {
	for name, dsn := range map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "a.db") },
		"postgres": func(t *testing.T) string { return testdb.PostgresDSN(t) },
	} {
		t.Run(name, func(t *testing.T) {
			env := environ(dsn(t))
			call(t, env, 1, "run the migrate command first", "serve")
			call(t, env, 0, "schema version", "migrate")
			call(t, env, 0, "schema version", "migrate")
		})
	}
}

func TestKeysAndSecretsAreMadeOnTheCommandLine(t *testing.T) {
	env := environ("sqlite:" + filepath.Join(t.TempDir(), "a.db"))
	call(t, env, 0, "schema version", "migrate")
	first := call(t, env, 0, "-----BEGIN PUBLIC KEY-----", "keys", "init", "admin")
	if again := call(t, env, 0, "", "keys", "init", "admin"); again != first {
		t.Error("a second keys init made another key")
	}
	if strings.Contains(first, "PRIVATE") {
		t.Error("keys init shows the private half")
	}
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(rand.Text()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	call(t, env, 0, "Stored ldap.dev.", "secret", "set", "ldap.dev", file)
	call(t, env, 0, "Stored tenants.", "service-password", "set", "tenants", file)
	call(t, env, 0, "Stored tenants.", "service-password", "set", "tenants", file, "--compromised")
	call(t, env, 0, "are void", "service-password", "remove", "tenants")
	call(t, env, 1, "has no password", "service-password", "remove", "tenants")
	call(t, env, 2, "service-password remove takes", "service-password", "remove")
	call(t, env, 2, "secret set takes", "secret", "set")
	call(t, env, 0, "Every token that ada has in the tenant dev", "tokens", "revoke-user", "dev", "ada")
	call(t, env, 0, "Every token that portal has in the tenant dev", "tokens", "revoke-client", "dev", "portal")
	call(t, env, 2, "tokens revoke-user takes", "tokens", "revoke-user", "dev")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	call(t, env, 1, "must have 1 to", "secret", "set", "ldap.dev", file)
	call(t, env, 1, "no such file", "secret", "set", "ldap.dev", file+"x")
}

func TestRolesAreGrantedOnTheCommandLine(t *testing.T) {
	env := environ("sqlite:" + filepath.Join(t.TempDir(), "a.db"))
	call(t, env, 0, "schema version", "migrate")
	call(t, env, 0, "Granted $!tenant_admin.", "role", "grant", "dev", "ada", "$!tenant_admin")
	call(t, env, 0, "has $!tenant_admin already", "role", "grant", "dev", "ada", "$!tenant_admin")
	call(t, env, 0, "Granted staff.", "role", "grant", "dev", "bob", "staff")
	call(t, env, 0, "Granted staff.", "role", "grant", "dev", "ada", "staff")
	if got := call(t, env, 0, "", "role", "list", "dev"); got != "$!tenant_admin: ada\nstaff: ada bob\n" {
		t.Errorf("got %q", got)
	}
	call(t, env, 0, "", "role", "list", "tacc")
	call(t, env, 0, "Revoked staff.", "role", "revoke", "dev", "bob", "staff")
	call(t, env, 0, "does not have staff", "role", "revoke", "dev", "bob", "staff")
	call(t, env, 1, "last administrator", "role", "revoke", "dev", "ada", "$!tenant_admin")
	call(t, env, 1, "There is no such role", "role", "revoke", "dev", "ada", "nothing")
	call(t, env, 1, "The field roleName ", "role", "grant", "dev", "ada", "a b")
	call(t, env, 1, "The field user ", "role", "grant", "dev", " ", "staff")
	for _, args := range [][]string{{"role", "grant", "dev", "ada"}, {"role", "revoke"}, {"role", "list"}} {
		call(t, env, 2, "takes", args...)
	}
}

func TestSigningKeysAreListedRotatedAndRetired(t *testing.T) {
	master := seal.NewKey()
	env := environ("sqlite:" + filepath.Join(t.TempDir(), "a.db"))
	env = append(env, "GATEHOUSE_MASTER_KEY="+hex.EncodeToString(master))
	call(t, env, 0, "schema version", "migrate")
	call(t, env, 0, "TENANT", "keys", "list")
	call(t, env, 1, "has no signing key", "keys", "rotate", "dev")
	call(t, env, 0, "-----BEGIN PUBLIC KEY-----", "keys", "init", "dev")
	call(t, env, 0, "-----BEGIN PUBLIC KEY-----", "keys", "init", "lab")
	call(t, env, 0, "is published now and signs from", "keys", "rotate", "dev")
	list := call(t, env, 0, "what the registry publishes is not known", "keys", "list")
	for _, word := range []string{"dev", "lab", "active", "next"} {
		if !strings.Contains(list, word) {
			t.Errorf("the list does not contain %s: %s", word, list)
		}
	}
	if strings.Contains(list, "PRIVATE") || strings.Contains(list, "v1.") {
		t.Errorf("the list shows what is sealed: %s", list)
	}
	call(t, env, 1, "a running authenticator completes it", "keys", "rotate", "dev", "--now")
	fields := strings.Fields(call(t, env, 0, "", "keys", "list", "dev"))
	kids := map[string]string{}
	for i, word := range fields {
		if word == "active" || word == "next" {
			kids[word] = fields[i-1]
		}
	}
	call(t, env, 1, "while it signs; rotate it first", "keys", "retire", "dev", kids["active"])
	call(t, env, 1, "is to sign next", "keys", "retire", "dev", kids["next"])
	call(t, env, 1, "has no key", "keys", "retire", "lab", kids["next"])
	call(t, env, 1, "has no key -x", "keys", "retire", "lab", "-x", "--end")
	call(t, env, 0, "verifies nothing any more", "keys", "retire", "-end", "dev", kids["next"])
	call(t, env, 0, "ended", "keys", "list", "dev")
	for _, args := range [][]string{
		{"keys", "rotate"},
		{"keys", "rotate", "-now", "-emergency", "dev"},
		{"keys", "rotate", "-soon", "dev"},
		{"keys", "retire", "dev"},
		{"keys", "list", "dev", "lab"},
		{"keys", "init"},
	} {
		call(t, env, 2, "", args...)
	}
}

func TestAWrongMasterKeyStartsNothing(t *testing.T) {
	env := environ("sqlite:" + filepath.Join(t.TempDir(), "a.db"))
	call(t, env, 0, "schema version", "migrate")
	call(t, env, 0, "-----BEGIN PUBLIC KEY-----", "keys", "init", "dev")
	wrong := append(slices.Clone(env), "GATEHOUSE_MASTER_KEY="+hex.EncodeToString(seal.NewKey()))
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(strings.Repeat("x", 30)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"serve"},
		{"keys", "init", "lab"},
		{"keys", "list"},
		{"keys", "rotate", "dev"},
		{"secret", "set", "ldap", file},
		{"service-password", "set", "files", file},
		{"tokens", "revoke-user", "dev", "ada"},
		{"role", "list", "dev"},
	} {
		call(t, wrong, 1, "GATEHOUSE_MASTER_KEY", args...)
	}
	call(t, env, 0, "TENANT", "keys", "list")
}
