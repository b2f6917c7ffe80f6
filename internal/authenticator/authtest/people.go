package authtest

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"gatehouse/internal/authenticator/people"
	"gatehouse/internal/authenticator/serviceaccount"
	"gatehouse/internal/devldap"
	"gatehouse/internal/throttle"
)

// LDAP finds the directories that Serve has put into the registry.
func (f *Fixture) LDAP() *people.LDAP {
	return f.ldap.get(func() *people.LDAP {
		l := people.NewLDAP(people.LDAPDeps{
			Registry: f.Client(), Settings: f.Settings(), Kernel: f.Kernel(), AllowPlaintext: true, Now: f.Clock.Now, Log: f.Log,
			Authorize: func(_ context.Context, r *http.Request) error {
				r.Header.Set("X-Tapis-Token", "of the authenticator")
				return nil
			},
		})
		f.T.Cleanup(func() { _ = l.Close() })
		return l
	})
}

// People are those of LDAP's directories.
func (f *Fixture) People() *people.Service {
	return f.people.get(func() *people.Service {
		return people.New(people.Deps{Directories: f.LDAP().For, Kernel: f.Kernel(), Guard: throttle.NewGuard(f.Clock.Now)})
	})
}

// Directory starts an LDAP server with the people of tenants, each of which gets
// an LDAP connection of its own id.
func (f *Fixture) Directory(persons map[string][]devldap.Person) *devldap.Server {
	f.T.Helper()
	const bindDN = "cn=reader,dc=test"
	bind := Secret(f.T)
	s, err := devldap.Start(devldap.Config{
		BaseDN: "dc=test", BindDN: bindDN, BindPassword: bind, Now: f.Clock.Now, Log: f.Log, People: persons,
	})
	if err != nil {
		f.T.Fatal(err)
	}
	f.T.Cleanup(func() { _ = s.Close() })
	u, err := url.Parse(s.URL())
	if err != nil {
		f.T.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		f.T.Fatal(err)
	}
	credential := "ldap." + u.Port()
	if err := f.Kernel().SetSecret(f.T.Context(), serviceaccount.Secret("admin", credential),
		map[string]string{"password": bind}); err != nil {
		f.T.Fatal(err)
	}
	for id := range persons {
		f.Registry().ChangeLDAP(id, Object{
			"url": "ldap://" + u.Hostname(), "port": port, "user_dn": s.UserDN(id), "bind_dn": bindDN, "bind_credential": credential,
		})
		f.Registry().Change(id, Object{"user_ldap_connection_id": id})
	}
	if err := f.Client().Refresh(f.T.Context()); err != nil {
		f.T.Fatal(err)
	}
	return s
}
