package people_test

import (
	"errors"
	"testing"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/authenticator/oauth2"
	"gatehouse/internal/authenticator/people"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/devldap"
)

// admit asks whether ada may have tokens of a tenant.
func (f *fixture) admit(tenantID string, l people.Login) error {
	f.T.Helper()
	settings, err := f.Settings().For(f.T.Context(), tenantID)
	if err != nil {
		f.T.Fatal(err)
	}
	return f.People().Admit(f.T.Context(), f.Tenant(tenantID), settings, l)
}

func TestOnlyWhoIsStillThereIsAdmitted(t *testing.T) {
	f := newFixture(t)
	for name, test := range map[string]struct {
		tenant string
		login  people.Login
		want   error
	}{
		"somebody of the directory":                    {"dev", people.Login{Username: "ada"}, nil},
		"somebody who left":                            {"dev", people.Login{Username: "bob"}, people.ErrGone},
		"somebody in another spelling":                 {"dev", people.Login{Username: "ADA"}, people.ErrGone},
		"a federated person whose tenant moved here":   {"dev", people.Login{Username: "eve", IDPID: "campus"}, people.ErrGone},
		"a federated person":                           {"lab", people.Login{Username: "eve", IDPID: "campus"}, nil},
		"somebody from before the directory went away": {"lab", people.Login{Username: "ada"}, people.ErrGone},
		"a federated person in an administrative one":  {"admin", people.Login{Username: "eve", IDPID: "campus"}, people.ErrGone},
	} {
		t.Run(name, func(t *testing.T) {
			f.Registry().Change("lab", map[string]any{"site_id": "main"})
			if err := f.Client().Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := f.admit(test.tenant, test.login); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
	if err := f.server.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.admit("dev", people.Login{Username: "eve"}); !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("without the directory: %v", err)
	}
}

func TestTheSecondFactorIsAskedOfAllButPermittedPasswordGrants(t *testing.T) {
	f := newFixture(t)
	off, on, passwords := tenantconfig.Defaults(), tenantconfig.Defaults(), tenantconfig.Defaults()
	on.MFA, passwords.MFA, passwords.PasswordWithoutMFA = true, true, true
	weak := []string{people.AMRPassword}
	for name, test := range map[string]struct {
		settings tenantconfig.Settings
		login    people.Login
		want     error
	}{
		"none is asked":          {off, people.Login{AMR: weak}, nil},
		"given":                  {on, people.Login{AMR: []string{"pwd", people.AMRMultiFactor}}, nil},
		"a session without":      {on, people.Login{AMR: weak}, people.ErrSecondFactor},
		"a code without":         {passwords, people.Login{AMR: weak, GrantType: oauth2.AuthorizationCode}, people.ErrSecondFactor},
		"a permitted password":   {passwords, people.Login{AMR: weak, GrantType: oauth2.Password}, nil},
		"a password":             {on, people.Login{AMR: weak, GrantType: oauth2.Password}, people.ErrSecondFactor},
		"from before it is kept": {passwords, people.Login{AMR: weak}, people.ErrSecondFactor},
	} {
		t.Run(name, func(t *testing.T) {
			test.login.Username = "ada"
			if err := f.People().Admit(t.Context(), f.Tenant("dev"), test.settings, test.login); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestNamesOfClientsAndServicesAreNobodys(t *testing.T) {
	f := newFixture(t)
	for _, name := range []string{"client:portal", "CLIENT:x", "service:files", "Service:"} {
		if err := f.admit("dev", people.Login{Username: name}); apierr.From(err).Code != oauth2.InvalidGrant {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"client", "clients:x", "ada:client:x", ""} {
		if err := people.CheckName(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOfAnAdministrativeTenantOnlyNamedPeopleComeIn(t *testing.T) {
	f := newFixture(t)
	f.Directory(map[string][]devldap.Person{"admin": {{Username: "ada", Password: f.password}}})
	if err := f.signIn("admin", "ada"); !errors.Is(err, people.ErrRefused) {
		t.Errorf("not named: %v", err)
	}
	f.Grant("admin", "ada", kernel.SiteAdminUser)
	if err := f.signIn("admin", "ada"); err != nil {
		t.Errorf("named: %v", err)
	}
	if err := f.admit("admin", people.Login{Username: "ada"}); err != nil {
		t.Errorf("named: %v", err)
	}
	if n, err := f.Kernel().RevokeRole(t.Context(), "admin", "ada", kernel.SiteAdminUser); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if err := f.admit("admin", people.Login{Username: "ada"}); !errors.Is(err, people.ErrGone) {
		t.Errorf("no longer named: %v", err)
	}
}

func TestGuessesAreThrottledWhereverTheyAreMade(t *testing.T) {
	f := newFixture(t)
	guess := func() error {
		_, err := f.People().Authenticate(t.Context(), f.Tenant("dev"), "ada", "wrong", "192.0.2.1")
		return err
	}
	for range 10 {
		if err := guess(); !errors.Is(err, people.ErrRefused) {
			t.Fatal(err)
		}
	}
	if err := guess(); !apierr.Is(err, apierr.TooMany) {
		t.Errorf("the eleventh: %v", err)
	}
	if err := f.signIn("dev", "ada"); !apierr.Is(err, apierr.TooMany) {
		t.Errorf("the right one after them: %v", err)
	}
}
