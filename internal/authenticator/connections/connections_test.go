package connections_test

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/connections"
	"gatehouse/internal/authenticator/directory"
	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/authenticator/serviceaccount"
	"gatehouse/internal/devldap"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/seal"
	"gatehouse/internal/testlog"
)

const bindDN = "cn=reader,dc=test"

// world is a registry and a store of secrets whose content the test decides,
// around real LDAP servers.
type world struct {
	mu         sync.Mutex
	connection registryclient.LDAPConnection
	away       error
	secrets    map[kernel.SecretAddress]map[string]string
	now        time.Time
	looks      int
	rules      map[string]directory.Rules
	elsewhere  bool // the people are in no directory
}

func (w *world) LDAPConnection(context.Context, string, registryclient.Authorize) (registryclient.LDAPConnection, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks++
	return w.connection, w.away
}

func (w *world) Self() (registryclient.Tenant, string, error) {
	return registryclient.Tenant{ID: "admin"}, "main", nil
}

func (w *world) Secret(_ context.Context, a kernel.SecretAddress) (map[string]string, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	content, found := w.secrets[a]
	return content, found, nil
}

func (w *world) Rules(_ context.Context, tenantID string) (directory.Rules, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rules[tenantID], !w.elsewhere, nil
}

func (w *world) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// serve starts a directory with one person and points the connection at it.
func (w *world) serve(t *testing.T, person, password string) {
	t.Helper()
	bind := seal.NewSecret()
	testlog.Secret(t, bind)
	s, err := devldap.Start(devldap.Config{
		BaseDN: "dc=test", BindDN: bindDN, BindPassword: bind,
		People: map[string][]devldap.Person{"dev": {{Username: person, Password: password}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	u, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	credential := "ldap." + person
	w.change(func() {
		w.connection = registryclient.LDAPConnection{
			ID: "people", URL: "ldap://" + u.Hostname(), Port: port, UserDN: s.UserDN("dev"), BindDN: bindDN, BindCredential: credential,
		}
		w.secrets[kernel.SecretAddress{TenantID: "admin", Type: kernel.UserSecret, Account: serviceaccount.Name, Name: credential}] = map[string]string{"password": bind}
	})
}

func newWorld(t *testing.T) (*world, *connections.Service) {
	t.Helper()
	w := &world{secrets: map[kernel.SecretAddress]map[string]string{}, rules: map[string]directory.Rules{}, now: time.Now()}
	s := connections.New(connections.Deps{Registry: w, Secrets: w, Rules: w.Rules, AllowPlaintext: true, Now: w.Now, Log: testlog.New(t)})
	t.Cleanup(func() { _ = s.Close() })
	return w, s
}

var tenant = registryclient.Tenant{ID: "dev", UserLDAP: "people"}

func signIn(t *testing.T, s *connections.Service, name, password string) error {
	t.Helper()
	d, found, err := s.For(t.Context(), tenant)
	if err != nil {
		return err
	}
	if !found {
		t.Fatal("the tenant has no directory")
	}
	_, err = d.Authenticate(t.Context(), name, password)
	return err
}

func TestATenantWithoutAConnectionHasNoDirectory(t *testing.T) {
	_, s := newWorld(t)
	if _, found, err := s.For(t.Context(), registryclient.Tenant{ID: "admin"}); found || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
}

func TestAConnectionThatChangesIsFollowedWithoutARestart(t *testing.T) {
	w, s := newWorld(t)
	password := seal.NewSecret()
	testlog.Secret(t, password)
	w.serve(t, "ada", password)
	if err := signIn(t, s, "ada", password); err != nil {
		t.Fatal(err)
	}
	w.serve(t, "bob", password)
	if err := signIn(t, s, "bob", password); !errors.Is(err, directory.ErrRefused) {
		t.Errorf("asked again at once: %v", err)
	}
	w.change(func() { w.now = w.now.Add(11 * time.Second) })
	deadline := time.Now().Add(10 * time.Second)
	for signIn(t, s, "bob", password) != nil {
		if time.Now().After(deadline) {
			t.Fatal("the new directory is not used")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := signIn(t, s, "ada", password); !errors.Is(err, directory.ErrRefused) {
		t.Errorf("the old directory is still used: %v", err)
	}
}

func TestWhileTheRegistryIsAwayTheConnectionStays(t *testing.T) {
	w, s := newWorld(t)
	password := seal.NewSecret()
	testlog.Secret(t, password)
	w.serve(t, "ada", password)
	if err := signIn(t, s, "ada", password); err != nil {
		t.Fatal(err)
	}
	w.change(func() { w.away = errors.New("gone") })
	for range 3 {
		w.change(func() { w.now = w.now.Add(11 * time.Second) })
		if err := signIn(t, s, "ada", password); err != nil {
			t.Errorf("away: %v", err)
		}
	}
}

func TestWithoutItsSecretOrRegistryADirectoryIsAway(t *testing.T) {
	w, s := newWorld(t)
	w.serve(t, "ada", "x")
	w.change(func() { clear(w.secrets) })
	if err := signIn(t, s, "ada", "x"); !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("without a secret: %v", err)
	}
	w.change(func() { w.away = errors.New("gone") })
	if err := signIn(t, s, "ada", "x"); !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("without a registry: %v", err)
	}
}

func TestManyRequestsCauseOneLook(t *testing.T) {
	w, s := newWorld(t)
	password := seal.NewSecret()
	testlog.Secret(t, password)
	w.serve(t, "ada", password)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if err := signIn(t, s, "ada", password); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.looks > 3 { // those who came while the first look ended may look once more
		t.Errorf("the registry was asked %d times", w.looks)
	}
}

func TestEachTenantOfAConnectionHasItsOwnRulesAtOnce(t *testing.T) {
	w, s := newWorld(t)
	password := seal.NewSecret()
	testlog.Secret(t, password)
	w.serve(t, "ada", password)
	other := registryclient.Tenant{ID: "lab", UserLDAP: "people"}
	signInTo := func(tenant registryclient.Tenant) error {
		d, found, err := s.For(t.Context(), tenant)
		if err != nil || !found {
			t.Fatalf("no directory: %v", err)
		}
		_, err = d.Authenticate(t.Context(), "ada", password)
		return err
	}
	for range 2 { // remembered the second time
		if err := errors.Join(signInTo(tenant), signInTo(other)); err != nil {
			t.Fatal(err)
		}
	}
	w.change(func() { w.rules["lab"] = directory.Rules{Filter: "(uid=somebody)"} })
	if err := signInTo(other); !errors.Is(err, directory.ErrRefused) {
		t.Errorf("outside the new filter: %v", err)
	}
	if err := signInTo(tenant); err != nil {
		t.Errorf("the other tenant: %v", err)
	}
	w.change(func() { w.rules["lab"] = directory.Rules{Filter: "(uid=ada)"} })
	if err := signInTo(other); err != nil {
		t.Errorf("inside the next filter: %v", err)
	}
	w.change(func() { w.rules["lab"] = directory.Rules{Filter: "(uid=ada"} })
	if _, _, err := s.For(t.Context(), other); !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("a filter that is none: %v", err)
	}
}

func TestATenantWhosePeopleAreElsewhereHasNoDirectory(t *testing.T) {
	w, s := newWorld(t)
	w.serve(t, "ada", "x")
	w.change(func() { w.elsewhere = true })
	if _, found, err := s.For(t.Context(), tenant); found || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
}
