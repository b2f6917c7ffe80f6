package kernel_test

import (
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/database"
)

func TestASecretIsReadByItsAddressAndTheNewestVersionCounts(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		s := newService(t, db)
		at := kernel.SecretAddress{TenantID: "admin", Type: kernel.UserSecret, Account: "authenticator", Name: "ldap.dev"}
		for _, value := range []string{"first", "second"} {
			if err := s.SetSecret(t.Context(), at, map[string]string{"password": value}); err != nil {
				t.Fatal(err)
			}
		}
		got, found, err := s.Secret(t.Context(), at)
		if err != nil || !found || !maps.Equal(got, map[string]string{"password": "second"}) {
			t.Fatalf("got %v, %v, %v", got, found, err)
		}
		for _, other := range []kernel.SecretAddress{
			{TenantID: "dev", Type: at.Type, Account: at.Account, Name: at.Name},
			{TenantID: at.TenantID, Type: "service", Account: at.Account, Name: at.Name},
			{TenantID: at.TenantID, Type: at.Type, Account: "files", Name: at.Name},
			{TenantID: at.TenantID, Type: at.Type, Account: at.Account, Name: "ldap.other"},
			{TenantID: at.TenantID, Type: at.Type, Account: at.Account, Name: "ldap\x00dev"},
		} {
			if _, found, err := s.Secret(t.Context(), other); found || err != nil {
				t.Errorf("%+v: found %v, %v", other, found, err)
			}
		}
	})
}

func TestSecretsAreSealedForTheirPlace(t *testing.T) {
	f := authtest.OnSQLite(t)
	s := f.Kernel()
	at := kernel.SecretAddress{TenantID: "admin", Type: kernel.UserSecret, Account: "authenticator", Name: "ldap.dev"}
	value := authtest.Secret(t)
	if err := s.SetSecret(t.Context(), at, map[string]string{"password": value}); err != nil {
		t.Fatal(err)
	}
	var stored string
	if err := f.DB.Conn(t.Context()).Raw("SELECT content FROM secrets").Scan(&stored).Error; err != nil {
		t.Fatal(err)
	}
	if strings.Contains(stored, value) || strings.Contains(stored, "password") {
		t.Error("the secret stands in the database")
	}
	if err := f.DB.Conn(t.Context()).Exec("UPDATE secrets SET account = 'files'").Error; err != nil {
		t.Fatal(err)
	}
	at.Account = "files"
	if _, _, err := s.Secret(t.Context(), at); err == nil {
		t.Error("a secret moved to another account opens there")
	}
}

func TestNamesThatCannotBeAreRefused(t *testing.T) {
	s := newService(t, onlyDB(t))
	for _, name := range []string{"", "a b", "ä", "a/b", "a\x00", strings.Repeat("a", 201)} {
		err := s.SetSecret(t.Context(), kernel.SecretAddress{TenantID: "admin", Type: kernel.UserSecret, Account: "x", Name: name}, nil)
		if !apierr.Is(err, apierr.Invalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestSomebodyWhoWantsManyKeyPairsDelaysOthersByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := kernel.New(nil, nil, time.Now)
		release, err := k.HoldGeneration(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		made := make(chan string, 5)
		want := func(owner string) {
			go func() {
				if err := k.Generate(t.Context(), owner); err != nil {
					t.Error(err)
				}
				made <- owner
			}()
			synctest.Wait()
		}
		for range 4 {
			want("ada")
		}
		want("bob")
		release()
		if first, second := <-made, <-made; first == second {
			t.Errorf("%s had two before bob had one", first)
		}
		for range 3 {
			<-made
		}
	})
}
