package keys_test

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/authn"
	"gatehouse/internal/database"
	"gatehouse/internal/seal"
	"gatehouse/internal/testdb"
	"gatehouse/migrations"
)

// generate makes different keys for all services of these tests.
var generate = authtest.Generator()

func newKeys(db *database.DB, box *seal.Box) *keys.Service {
	return keys.New(keys.Deps{DB: db, Box: box, Now: time.Now, Generate: generate})
}

func ensure(t testing.TB, s *keys.Service, tenantID string) string {
	t.Helper()
	pem, err := s.Ensure(t.Context(), tenantID)
	if err != nil {
		t.Fatal(err)
	}
	return pem
}

func TestEachTenantHasAKeyOfItsOwnAndNothingCrosses(t *testing.T) {
	testdb.Each(t, migrations.Authenticator, func(t *testing.T, db *database.DB) {
		box := authtest.Box(t)
		s := newKeys(db, box)
		one, two := ensure(t, s, "one"), ensure(t, s, "two")
		if one == two {
			t.Fatal("two tenants share a key")
		}
		keyOne, err := s.Active(t.Context(), "one")
		if err != nil || keyOne.TenantID != "one" {
			t.Fatalf("got %+v, %v", keyOne, err)
		}
		if _, err := s.PublicKey(t.Context(), "two", keyOne.ID); !errors.Is(err, authn.ErrUnknownKey) {
			t.Errorf("tenant two verifies with the key of one: %v", err)
		}
		set, err := s.JWKS(t.Context(), "two")
		if err != nil || len(set) != 1 || set[0].ID == keyOne.ID {
			t.Errorf("JWKS of two: %+v, %v", set, err)
		}
		if _, err := s.Active(t.Context(), "three"); !apierr.Is(err, apierr.NotFound) {
			t.Errorf("a tenant without a key got one: %v", err)
		}
		again := newKeys(db, box)
		if got := ensure(t, again, "one"); got != one {
			t.Error("a restart changed the key")
		}
	})
}

func TestPrivateKeysAreSealedAtRest(t *testing.T) {
	db := testdb.New(t, migrations.Authenticator)
	ensure(t, newKeys(db, authtest.Box(t)), "one")
	var stored string
	if err := db.Conn(t.Context()).Raw("SELECT private_key FROM signing_keys").Scan(&stored).Error; err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(stored, "v1.") || strings.Contains(stored, "PRIVATE") {
		t.Errorf("the stored key is not sealed: %.20s", stored)
	}
	if _, err := newKeys(db, authtest.Box(t)).Active(t.Context(), "one"); err == nil {
		t.Error("another master key opened the signing key")
	}
}

func TestASealedKeyMovedToAnotherTenantDoesNotOpen(t *testing.T) {
	db := testdb.New(t, migrations.Authenticator)
	box := authtest.Box(t)
	ensure(t, newKeys(db, box), "one")
	if err := db.Conn(t.Context()).Exec("UPDATE signing_keys SET tenant_id = 'two'").Error; err != nil {
		t.Fatal(err)
	}
	if _, err := newKeys(db, box).Active(t.Context(), "two"); err == nil {
		t.Error("the key of one signs for two")
	}
}

func TestParallelFirstStartsAgreeOnOneKey(t *testing.T) {
	testdb.Each(t, migrations.Authenticator, func(t *testing.T, db *database.DB) {
		box := authtest.Box(t)
		pems := make([]string, 4)
		var wg sync.WaitGroup
		for i := range pems {
			wg.Go(func() {
				pem, err := newKeys(db, box).Ensure(context.WithoutCancel(t.Context()), "one")
				if err != nil {
					t.Error(err)
				}
				pems[i] = pem
			})
		}
		wg.Wait()
		for _, pem := range pems {
			if pem != pems[0] {
				t.Fatal("two starts use different keys")
			}
		}
	})
}

func TestThePublicKeyIsOneUnwrappedLine(t *testing.T) {
	pem := ensure(t, newKeys(testdb.New(t, migrations.Authenticator), authtest.Box(t)), "one")
	lines := strings.Split(pem, "\n")
	if len(lines) != 3 || lines[0] != "-----BEGIN PUBLIC KEY-----" || lines[2] != "-----END PUBLIC KEY-----" {
		t.Errorf("got %q", pem)
	}
}

func TestSignedTokensVerifyWithThePublishedJWK(t *testing.T) {
	s := newKeys(testdb.New(t, migrations.Authenticator), authtest.Box(t))
	ensure(t, s, "one")
	key, err := s.Active(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	signed, err := key.Sign(struct {
		Subject string `json:"sub"`
	}{"somebody@one"})
	if err != nil {
		t.Fatal(err)
	}
	set, err := s.JWKS(t.Context(), "one")
	if err != nil || len(set) != 1 {
		t.Fatal(set, err)
	}
	public := fromJWK(t, set[0])
	token, err := jwt.Parse(signed, func(*jwt.Token) (any, error) { return public, nil }, jwt.WithValidMethods([]string{"RS256"}))
	if err != nil {
		t.Fatal(err)
	}
	if token.Header["kid"] != set[0].ID || token.Header["typ"] != "JWT" || len(token.Header) != 3 {
		t.Errorf("header %v", token.Header)
	}
}

// The example of RFC 7638 section 3.1.
func TestTheThumbprintIsThatOfTheRFC(t *testing.T) {
	jwk := keys.JWK{
		Modulus: "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs" +
			"tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zg" +
			"dAZHzu6qMQvRL5hajrn1n91CbOpbI" +
			"SD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
		Exponent: "AQAB",
	}
	if got := authn.Thumbprint(fromJWK(t, jwk)); got != "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
		t.Errorf("got %s", got)
	}
}

func fromJWK(t *testing.T, j keys.JWK) *rsa.PublicKey {
	t.Helper()
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	var members struct{ N, E string }
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	n, err := base64.RawURLEncoding.DecodeString(members.N)
	if err != nil {
		t.Fatal(err)
	}
	e, err := base64.RawURLEncoding.DecodeString(members.E)
	if err != nil {
		t.Fatal(err)
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
}
