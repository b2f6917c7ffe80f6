package authn_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"gatehouse/internal/authn"
)

// now is when the tests take place.
var now = time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)

const issuer = "https://dev.example.org/v3/tokens"

var wanted = authn.Expect{TenantID: "dev", Issuer: issuer, TokenType: authn.AccessToken}

// Making a key takes a while, so all tests share these two.
var (
	devKey   = sync.OnceValue(makeKey)
	otherKey = sync.OnceValue(makeKey)
)

func makeKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

// keyring has a key for the tenant dev and one for the tenant other; every
// other key is unknown, or not to be had at all when away is set.
type keyring struct{ away error }

func (k keyring) PublicKey(_ context.Context, tenantID, kid string) (*rsa.PublicKey, error) {
	switch {
	case k.away != nil:
		return nil, k.away
	case tenantID == "dev" && kid == "dev-1":
		return &devKey().PublicKey, nil
	case tenantID == "other" && kid == "other-1":
		return &otherKey().PublicKey, nil
	}
	return nil, authn.ErrUnknownKey
}

func newVerifier() *authn.Verifier {
	return authn.NewVerifier(keyring{}, func() time.Time { return now })
}

type object = map[string]any

// header and claims are those of a good token, with changes; a nil value
// removes a member.
func header(changes object) object {
	return changed(object{"typ": "JWT", "alg": "RS256", "kid": "dev-1"}, changes)
}

func claims(changes object) object {
	return changed(object{
		"jti": "5b1f9f0c-8b4f-4f6e-9a53-0d3f5e7d1c11", "iss": issuer, "sub": "testuser1@dev", "exp": now.Add(time.Hour).Unix(),
		"tapis/tenant_id": "dev", "tapis/token_type": "access", "tapis/username": "testuser1", "tapis/account_type": "user",
		"tapis/delegation": false, "tapis/delegation_sub": nil,
	}, changes)
}

func changed(members, changes object) object {
	maps.Copy(members, changes)
	maps.DeleteFunc(members, func(name string, value any) bool { return value == nil && name != "tapis/delegation_sub" })
	return members
}

func encode(t testing.TB, part any) string {
	t.Helper()
	raw, isText := part.(string)
	if !isText {
		text, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		raw = string(text)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(raw))
}

// compact signs header and payload, objects or raw JSON, with the given method.
func compact(t testing.TB, method jwt.SigningMethod, key, header, payload any) string {
	t.Helper()
	text := encode(t, header) + "." + encode(t, payload)
	signature, err := method.Sign(text, key)
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// signed is a token with a good signature of dev's key.
func signed(t testing.TB, header, payload any) string {
	t.Helper()
	return compact(t, jwt.SigningMethodRS256, devKey(), header, payload)
}

func publicPEM(t testing.TB, key *rsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}
