package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"gatehouse/internal/database"
	"gatehouse/internal/tenants"
	"gatehouse/migrations"
)

// allTenants are in the registry: the two of cmd/gatehouse and ours.
const allTenants = 40

// devLDAP is the connection to the people of the tenant dev.
const devLDAP = "tapis-dev"

// benchTenant is the id of a tenant of ours.
func benchTenant(i int) string { return fmt.Sprintf("bench-%02d", i+1) }

// seedTenants writes count tenants into the registry's database before the
// server adds its own. They share one key, and the people of dev if they are to
// have some.
func seedTenants(ctx context.Context, data, addr string, count int, public *rsa.PublicKey, withPeople bool) error {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	db, err := database.Open(ctx, "sqlite:"+filepath.Join(data, "tenants.db"), log)
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
	key, err := publicPEM(public)
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	seed := tenants.Seed{
		Site: tenants.Site{
			ID: "main", Primary: true, BaseURL: "http://localhost:" + port, TenantBaseURLTemplate: "http://${tenant_id}.localhost:" + port,
			AdminTenantID: "admin", Services: tenants.DefaultServices(),
		},
		Owner: tenants.Owner{Email: "bench@example.org", Name: "Bench owner", Institution: "Bench"},
	}
	ldap := ""
	if withPeople {
		ldap = devLDAP
		seed.LDAPs = []tenants.LDAPConnection{{ // the server puts its own address in
			ID: devLDAP, URL: "ldap://127.0.0.1", Port: 389, UserDN: "uid=${username},ou=dev,dc=tapis", BindDN: "cn=reader,dc=tapis",
			BindCredential: "ldap.development", AccountType: tenants.UserAccounts,
		}}
	}
	if err := registry.Seed(ctx, seed); err != nil {
		return err
	}
	_, err = registry.Apply(ctx, many(seed.Owner.Email, key, ldap, count))
	return err
}

// many are count tenants of the primary site.
func many(owner, key, ldap string, count int) tenants.Wanted {
	given := map[string]bool{}
	for _, f := range tenants.Tenants().Fields {
		given[f.Name] = true
	}
	var w tenants.Wanted
	for i := range count {
		id := benchTenant(i)
		w.Tenants = append(w.Tenants, tenants.Patch[tenants.Tenant]{Given: given, Values: tenants.Tenant{
			ID: id, BaseURL: "https://" + id + ".example.org", SiteID: "main", Status: tenants.Active, Owner: owner, AdminUser: "admin", PublicKey: key,
			TokenGenServices: []string{"authenticator"}, UserLDAPConnectionID: ldap, Description: "A tenant to measure the listing of tenants with.",
		}})
	}
	return w
}

// publicPEM is a public key as the registry publishes it.
func publicPEM(key *rsa.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", err
	}
	return tenants.NormalizePublicKey(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
}

// newKey makes a key of tenants.
func newKey() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, keyBits) }
