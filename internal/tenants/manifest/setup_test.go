package manifest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/database"
	"gatehouse/internal/tenants"
)

// publicKeys makes two keys, once for all tests, as encoding/pem writes them.
var publicKeys = sync.OnceValue(func() (keys [2]string) {
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
		if err != nil {
			panic(err)
		}
		keys[i] = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	return keys
})

func newRegistry(t testing.TB, db *database.DB) *tenants.Service {
	t.Helper()
	s, err := tenants.New(tenants.Deps{DB: db, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
