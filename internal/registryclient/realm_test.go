package registryclient_test

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authn"
)

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
	f := onSQLite(t)
	_, oldID, old := newKey(t)
	key, newID, renewed := newKey(t)
	publish := func(key string) { f.registry.Change("far", object{"public_key": key}) }
	publish(old)
	f.refresh(t)
	wanted := func(kid string, want error) {
		t.Helper()
		if got, err := f.PublicKey(t.Context(), "far", kid); !errors.Is(err, want) || (got == nil) != (err != nil) {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}
	}
	wanted(oldID, nil)
	publish(renewed)
	before := f.asked()
	if got, err := f.PublicKey(t.Context(), "far", newID); err != nil || !got.Equal(key) {
		t.Errorf("the new key: %v", err)
	}
	wanted(oldID, authn.ErrUnknownKey)
	wanted("", nil) // tokens of other sites need not name it
	for range 50 {  // and who makes key ids up has the registry asked no more
		wanted("forged", authn.ErrUnknownKey)
	}
	if now := f.asked(); now != before+1 {
		t.Errorf("the registry was asked %d times", now-before)
	}
	f.clock.Advance(5 * time.Second)
	publish("")
	wanted("forged", authn.ErrUnknownKey)
	wanted("", authn.ErrUnknownKey) // it publishes none any more
	f.clock.Advance(5 * time.Second)
	publish("no key")
	if _, err := f.PublicKey(t.Context(), "far", newID); !apierr.Is(err, apierr.Internal) {
		t.Errorf("a text that is no key: %v", err)
	}
}
