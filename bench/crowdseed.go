package main

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authn"
	"gatehouse/internal/database"
	"gatehouse/internal/seal"
	"gatehouse/migrations"
)

func benchClient(tenant, n int) string { return fmt.Sprintf("app-%d-%d", tenant+1, n+1) }

// startCrowd starts a server with many tenants, all of which have one key, the
// people of dev and clients of their own: a thousand keys would take minutes to
// make, and cost the server the same as one that it reads a thousand times.
// The rows are written as the server would write them, before it starts.
func startCrowd(ctx context.Context, program, dir string) (*crowd, error) {
	addr, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if err := seedTenants(ctx, data, addr, crowdOf, &key.PublicKey, true); err != nil {
		return nil, fmt.Errorf("seed tenants: %w", err)
	}
	c := &crowd{key: seal.NewSecret()}
	if err := c.seed(ctx, data, key); err != nil {
		return nil, fmt.Errorf("seed keys and clients: %w", err)
	}
	if c.server, err = startServer(ctx, program, addr, []string{"GATEHOUSE_DATA_DIR=" + data}, io.Discard); err != nil {
		return nil, err
	}
	published, err := c.at(0).publishedKeys(ctx)
	if err != nil {
		c.server.stop()
		return nil, err
	}
	c.book = newBook(published)
	return c, nil
}

// seed writes the keys and the clients into the authenticator's database.
func (c *crowd) seed(ctx context.Context, data string, key *rsa.PrivateKey) error {
	master := seal.NewKey()
	if err := os.WriteFile(filepath.Join(data, "master-key"), []byte(base64.StdEncoding.EncodeToString(master)+"\n"), 0o600); err != nil {
		return err
	}
	box, err := seal.New(master)
	if err != nil {
		return err
	}
	db, err := database.Open(ctx, "sqlite:"+filepath.Join(data, "authenticator.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Migrate(ctx, migrations.Authenticator); err != nil {
		return err
	}
	if err := db.InTx(ctx, func(ctx context.Context) error { return seedKeys(ctx, db, box, key) }); err != nil {
		return err
	}
	registered := clients.New(clients.Deps{DB: db, Box: box, Now: time.Now})
	for tenant := range crowdOf {
		for n := range crowdClients {
			_, err := registered.Register(ctx, benchTenant(tenant), username(n), clients.Registration{ID: benchClient(tenant, n), Key: c.key})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// seedKeys gives each tenant the key, sealed for its place.
func seedKeys(ctx context.Context, db *database.DB, box *seal.Box, key *rsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	public, err := publicPEM(&key.PublicKey)
	if err != nil {
		return err
	}
	id, now := authn.Thumbprint(&key.PublicKey), int64(database.At(time.Now()))
	for i := range crowdOf {
		tenant := benchTenant(i)
		_, err := db.Exec(ctx, `
INSERT INTO signing_keys (tenant_id, kid, state, private_key, public_key, create_time, activate_time) VALUES (?, ?, 'active', ?, ?, ?, ?)`,
			tenant, id, box.Seal(private, "signing_keys", tenant+"/"+id, "private_key"), public, now, now)
		if err != nil {
			return err
		}
	}
	return nil
}
