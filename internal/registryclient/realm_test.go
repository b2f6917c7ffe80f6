package registryclient_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authn"
	"gatehouse/internal/testdb"
	"gatehouse/migrations"
)

// withKey lists the tenant far of another site with what it publishes as its
// key.
func withKey(t *testing.T, published string) string {
	t.Helper()
	list, err := json.Marshal(map[string]any{"result": []map[string]string{
		{"tenant_id": "dev", "site_id": "main", "base_url": "https://dev.tapis.io", "status": "ACTIVE"},
		{"tenant_id": "far", "site_id": "edge", "base_url": "https://far.example.org", "status": "ACTIVE", "public_key": published},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return string(list)
}

// newKey returns a key, its id, and how it is published.
func newKey(t *testing.T) (key *rsa.PublicKey, kid, published string) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if published, err = authn.PublicPEM(&private.PublicKey); err != nil {
		t.Fatal(err)
	}
	return &private.PublicKey, authn.Thumbprint(&private.PublicKey), published
}

// The Python services reload the registry when a signature fails, and keep the
// old key all the same.
func TestUpstreamBugANewKeyOfAnotherSiteIsNotLearned(t *testing.T) {
	r, c := newRegistry(t), newClock()
	_, oldID, old := newKey(t)
	key, newID, renewed := newKey(t)
	r.serve("/v3/tenants", withKey(t, old))
	v := started(t, testdb.New(t, migrations.Authenticator), r, c)
	wanted := func(kid string, want error) {
		t.Helper()
		if got, err := v.PublicKey(t.Context(), "far", kid); !errors.Is(err, want) || (got == nil) != (err != nil) {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}
	}
	wanted(oldID, nil)
	r.serve("/v3/tenants", withKey(t, renewed))
	before, _ := r.looks()
	if got, err := v.PublicKey(t.Context(), "far", newID); err != nil || !got.Equal(key) {
		t.Errorf("the new key: %v", err)
	}
	wanted(oldID, authn.ErrUnknownKey)
	wanted("", nil) // tokens of other sites need not name it
	for range 50 {  // and who makes key ids up has the registry asked no more
		wanted("forged", authn.ErrUnknownKey)
	}
	if now, _ := r.looks(); now != before+1 {
		t.Errorf("the registry was asked %d times", now-before)
	}
	c.advance(5 * time.Second)
	r.serve("/v3/tenants", withKey(t, ""))
	wanted("forged", authn.ErrUnknownKey)
	wanted("", authn.ErrUnknownKey) // it publishes none any more
	c.advance(5 * time.Second)
	r.serve("/v3/tenants", withKey(t, "no key"))
	if _, err := v.PublicKey(t.Context(), "far", newID); !apierr.Is(err, apierr.Internal) {
		t.Errorf("a text that is no key: %v", err)
	}
}
