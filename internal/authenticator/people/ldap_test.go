package people_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/people"
	"gatehouse/internal/devldap"
)

// fixture is an authenticator whose tenants dev and tacc have ada in their
// directory.
type fixture struct {
	*authtest.Fixture

	password string
	server   *devldap.Server
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{Fixture: authtest.OnSQLite(t), password: authtest.Secret(t)}
	f.serve("ada")
	return f
}

// serve makes a directory with one person, of everybody's password, that of
// both tenants.
func (f *fixture) serve(person string) {
	f.T.Helper()
	f.Registry().Change("tacc", authtest.Object{"user_ldap_connection_id": "dev"})
	f.server = f.Directory(map[string][]devldap.Person{"dev": {{Username: person, Password: f.password}}})
}

func (f *fixture) signIn(tenantID, username string) error {
	f.T.Helper()
	_, err := f.People().Authenticate(f.T.Context(), f.Tenant(tenantID), username, f.password, "192.0.2.1")
	return err
}

func TestAConnectionThatChangesIsFollowedWithoutARestart(t *testing.T) {
	f := newFixture(t)
	if err := f.signIn("dev", "ada"); err != nil {
		t.Fatal(err)
	}
	f.serve("bob")
	if err := f.signIn("dev", "bob"); !errors.Is(err, people.ErrRefused) {
		t.Errorf("asked again at once: %v", err)
	}
	f.Clock.Advance(11 * time.Second)
	deadline := time.Now().Add(10 * time.Second)
	for f.signIn("dev", "bob") != nil {
		if time.Now().After(deadline) {
			t.Fatal("the new directory is not used")
		}
		f.Clock.Advance(time.Minute) // guesses are throttled
		time.Sleep(10 * time.Millisecond)
	}
	if err := f.signIn("dev", "ada"); !errors.Is(err, people.ErrRefused) {
		t.Errorf("the old directory is still used: %v", err)
	}
}

func TestWhileTheRegistryIsAwayTheConnectionStays(t *testing.T) {
	f := newFixture(t)
	if err := f.signIn("dev", "ada"); err != nil {
		t.Fatal(err)
	}
	f.Registry().Fail(503)
	for range 3 {
		f.Clock.Advance(11 * time.Second)
		if err := f.signIn("dev", "ada"); err != nil {
			t.Errorf("away: %v", err)
		}
	}
}

func TestWithoutItsSecretOrRegistryADirectoryIsAway(t *testing.T) {
	f := newFixture(t)
	f.Registry().ChangeLDAP("dev", authtest.Object{"bind_credential": "ldap.unknown"})
	if err := f.signIn("dev", "ada"); !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("without a secret: %v", err)
	}
	other := authtest.OnSQLite(t)
	tenant := f.Tenant("dev")
	other.Registry().Fail(503)
	if _, _, err := other.LDAP().For(t.Context(), tenant); !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("without a registry: %v", err)
	}
}

func TestManyRequestsCauseOneLook(t *testing.T) {
	f := newFixture(t)
	tenant := f.Tenant("dev")
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			if _, err := f.People().Authenticate(t.Context(), tenant, "ada", f.password, "192.0.2.1"); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	// those who came while the first look ended may look once more
	if looks := f.Registry().Asked("GET /v3/tenants/ldaps/dev"); looks > 3 {
		t.Errorf("the registry was asked %d times", looks)
	}
}

func TestEachTenantOfAConnectionHasItsOwnRulesAtOnce(t *testing.T) {
	f := newFixture(t)
	for range 2 { // remembered the second time
		if err := errors.Join(f.signIn("dev", "ada"), f.signIn("tacc", "ada")); err != nil {
			t.Fatal(err)
		}
	}
	filter := func(text string) {
		f.Configure("tacc", `{"custom_idp_configuration":{"ldap":{"user_search_filter":"`+text+`"}}}`)
	}
	filter("(uid=somebody)")
	if err := f.signIn("tacc", "ada"); !errors.Is(err, people.ErrRefused) {
		t.Errorf("outside the new filter: %v", err)
	}
	if err := f.signIn("dev", "ada"); err != nil {
		t.Errorf("the other tenant: %v", err)
	}
	filter("(uid=ada)")
	if err := f.signIn("tacc", "ada"); err != nil {
		t.Errorf("inside the next filter: %v", err)
	}
}

func TestATenantWithoutADirectoryHasNoPeople(t *testing.T) {
	f := newFixture(t)
	if err := f.signIn("admin", "ada"); !errors.Is(err, people.ErrNoDirectory) {
		t.Errorf("without a connection: %v", err)
	}
	f.Configure("dev", `{"use_ldap":false,"custom_idp_configuration":{"github":{"client_id":"x","client_secret":"y"}}}`)
	if err := f.signIn("dev", "ada"); !errors.Is(err, people.ErrNoDirectory) {
		t.Errorf("whose people are elsewhere: %v", err)
	}
}
