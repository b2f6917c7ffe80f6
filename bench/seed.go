package main

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authn"
	"gatehouse/internal/database"
	"gatehouse/internal/seal"
	"gatehouse/internal/tenants"
	"gatehouse/migrations"
)

const (
	owner   = "bench@example.org"
	devLDAP = "tapis-dev" // the connection to the people of the tenant dev
)

func tenantID(i int) string { return fmt.Sprintf("bench-%02d", i+1) }

func tenantHost(i int) string { return tenantID(i) + ".localhost" }

func clientID(tenant, n int) string { return fmt.Sprintf("app-%d-%d", tenant+1, n+1) }

// seed is written into a server's databases, as it would write it, before it
// starts: tenants of the primary site beside the two of cmd/gatehouse. They
// share one key: a thousand would take minutes to make, and cost the server the
// same as one that it reads a thousand times.
type seed struct {
	dir     string
	tenants int
	clients int    // of each tenant, which then signs and has the people of dev
	secret  string // of all clients
}

// database is the URL of one of the databases.
func (s seed) database(name string) string { return "sqlite:" + filepath.Join(s.dir, name+".db") }

func (s seed) write(ctx context.Context, addr string) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	key, err := newKey()
	if err != nil {
		return err
	}
	if err := s.writeTenants(ctx, addr, &key.PublicKey); err != nil || s.clients == 0 {
		return err
	}
	return s.writeClients(ctx, key)
}

func (s seed) writeTenants(ctx context.Context, addr string, public *rsa.PublicKey) error {
	log := slog.New(slog.DiscardHandler)
	db, err := database.Open(ctx, s.database("tenants"), log)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Migrate(ctx, migrations.Tenants); err != nil {
		return err
	}
	registry, err := tenants.New(tenants.Deps{DB: db, Log: log, Now: time.Now})
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	key, err := authn.PublicPEM(public)
	if err != nil {
		return err
	}
	first := tenants.Seed{
		Site: tenants.Site{
			ID: "main", Primary: true, BaseURL: "http://localhost:" + port,
			TenantBaseURLTemplate: "http://${tenant_id}.localhost:" + port,
			AdminTenantID:         "admin", Services: tenants.DefaultServices(),
		},
		Owner: tenants.Owner{Email: owner, Name: "Bench owner", Institution: "Bench"},
	}
	people := ""
	if s.clients > 0 {
		people = devLDAP
		first.LDAPs = []tenants.LDAPConnection{{ // the server puts its own address in
			ID: devLDAP, URL: "ldap://127.0.0.1", Port: 389, UserDN: "uid=${username},ou=dev,dc=tapis", BindDN: "cn=reader,dc=tapis",
			BindCredential: "ldap.development", AccountType: tenants.UserAccounts,
		}}
	}
	if err := registry.Seed(ctx, first); err != nil {
		return err
	}
	given := map[string]bool{}
	for _, f := range tenants.Tenants().Fields {
		given[f.Name] = true
	}
	var wanted tenants.Wanted
	for i := range s.tenants {
		wanted.Tenants = append(wanted.Tenants, tenants.Patch[tenants.Tenant]{Given: given, Values: tenants.Tenant{
			ID: tenantID(i), BaseURL: "https://" + tenantHost(i), SiteID: "main", Status: tenants.Active, Owner: owner,
			AdminUser: "admin", PublicKey: key, TokenGenServices: []string{"authenticator"}, UserLDAPConnectionID: people,
			Description: "A tenant to measure the listing of tenants with.",
		}})
	}
	_, err = registry.Apply(ctx, wanted)
	return err
}

// writeClients writes the key and the clients of each tenant into the
// authenticator's database.
func (s seed) writeClients(ctx context.Context, key *rsa.PrivateKey) error {
	master := seal.NewKey()
	file := filepath.Join(s.dir, "master-key")
	if err := os.WriteFile(file, []byte(base64.StdEncoding.EncodeToString(master)+"\n"), 0o600); err != nil {
		return err
	}
	box, err := seal.New(master)
	if err != nil {
		return err
	}
	db, err := database.Open(ctx, s.database("authenticator"), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Migrate(ctx, migrations.Authenticator); err != nil {
		return err
	}
	if err := db.InTx(ctx, func(ctx context.Context) error { return s.writeKeys(ctx, db, box, key) }); err != nil {
		return err
	}
	registered := clients.New(clients.Deps{DB: db, Box: box, Now: time.Now})
	for tenant := range s.tenants {
		for n := range s.clients {
			client := clients.Registration{ID: clientID(tenant, n), Key: s.secret}
			if _, err := registered.Register(ctx, tenantID(tenant), username(n), client); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeKeys gives each tenant the key, sealed for its place.
func (s seed) writeKeys(ctx context.Context, db *database.DB, box *seal.Box, key *rsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	public, err := authn.PublicPEM(&key.PublicKey)
	if err != nil {
		return err
	}
	id, now := authn.Thumbprint(&key.PublicKey), int64(database.At(time.Now()))
	for i := range s.tenants {
		sealed := box.Seal(private, "signing_keys", tenantID(i)+"/"+id, "private_key")
		_, err := db.Exec(ctx, `
INSERT INTO signing_keys (tenant_id, kid, state, private_key, public_key, create_time, activate_time)
VALUES (?, ?, 'active', ?, ?, ?, ?)`,
			tenantID(i), id, sealed, public, now, now)
		if err != nil {
			return err
		}
	}
	return nil
}
