package directory_test

import (
	"crypto/rand"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gatehouse/internal/authenticator/people/directory"
	"gatehouse/internal/devldap"
	"gatehouse/internal/slapdtest"
)

const (
	developmentBindDN = "cn=admin,dc=tapis"
	developmentUnit   = "dev"
)

// developmentPassword is of the service account of every devldap in these tests.
var developmentPassword = randomPassword()

func randomPassword() string { return rand.Text() }

// open returns a Directory that is closed with the test.
func open(t testing.TB, cfg directory.Config) *directory.Directory {
	t.Helper()
	d, err := directory.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// startDevelopment runs devldap with people.
func startDevelopment(t testing.TB, people ...devldap.Person) *devldap.Server {
	t.Helper()
	return startUnits(t, map[string][]devldap.Person{developmentUnit: people})
}

func startUnits(t testing.TB, people map[string][]devldap.Person) *devldap.Server {
	t.Helper()
	s, err := devldap.Start(devldap.Config{
		BaseDN: "dc=tapis", BindDN: developmentBindDN, BindPassword: developmentPassword, People: people,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// developmentConfig names the people of devldap by a template.
func developmentConfig(s *devldap.Server) directory.Config {
	return directory.Config{
		URL: s.URL(), AllowPlaintext: true, UserDN: s.UserDN(developmentUnit),
		BindDN: developmentBindDN, BindPassword: developmentPassword,
	}
}

// slapdConfig names the people of slapd by a template, over plain text.
func slapdConfig(s *slapdtest.Server) directory.Config {
	return directory.Config{
		URL: s.URL(), AllowPlaintext: true, UserDN: "uid=${username}," + s.PeopleDN(),
		BindDN: s.BindDN, BindPassword: s.BindPassword, RootCAs: s.CACert(),
	}
}

// encrypted makes cfg speak ldaps to slapd.
func encrypted(cfg directory.Config, s *slapdtest.Server) directory.Config {
	cfg.AllowPlaintext, cfg.URL = false, s.TLSURL()
	return cfg
}

// upgraded makes cfg use StartTLS.
func upgraded(cfg directory.Config) directory.Config {
	cfg.AllowPlaintext, cfg.StartTLS = false, true
	return cfg
}

// searching makes cfg search for people below the base of its template.
func searching(cfg directory.Config) directory.Config {
	_, cfg.UserDN, _ = strings.Cut(cfg.UserDN, "},")
	return cfg
}

// each runs test with the same people in devldap and in slapd, named by a
// template and searched for, and over each kind of connection.
func each(t *testing.T, people []devldap.Person, test func(t *testing.T, cfg directory.Config)) {
	t.Helper()
	development := developmentConfig(startDevelopment(t, people...))
	t.Run("devldap, template", func(t *testing.T) { test(t, development) })
	t.Run("devldap, search", func(t *testing.T) { test(t, searching(development)) })
	t.Run("slapd", func(t *testing.T) {
		var entries []slapdtest.Person
		for _, p := range people {
			entries = append(entries, slapdtest.Person{
				Username: p.Username, Password: p.Password, GivenName: p.GivenName, LastName: p.LastName, Email: p.Email,
			})
		}
		s := slapdtest.Start(t, slapdtest.Options{People: entries})
		plain := slapdConfig(s)
		t.Run("plain, template", func(t *testing.T) { test(t, plain) })
		t.Run("plain, search", func(t *testing.T) { test(t, searching(plain)) })
		t.Run("StartTLS, search", func(t *testing.T) { test(t, searching(upgraded(plain))) })
		t.Run("ldaps, template", func(t *testing.T) { test(t, encrypted(plain, s)) })
	})
}

// counter forwards connections to a server and counts the requests.
type counter struct {
	url      string
	requests atomic.Int64
}

// count puts a counter before the server of an ldap:// URL. It counts what is
// read at once, which is a request where the client waits for each answer.
func count(t *testing.T, url string) *counter {
	t.Helper()
	c := &counter{}
	c.url = listen(t, func(client net.Conn) { c.forward(client, strings.TrimPrefix(url, "ldap://")) })
	return c
}

// listen serves connections until the test ends, at the ldap:// URL that it
// returns.
func listen(t *testing.T, serve func(net.Conn)) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); open.Wait() })
	open.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() { serve(client) })
		}
	})
	return "ldap://" + l.Addr().String()
}

func (c *counter) forward(client net.Conn, addr string) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			break
		}
		c.requests.Add(1)
		if _, err := server.Write(buffer[:n]); err != nil {
			break
		}
	}
	_ = server.Close()
	<-answered
}

// during returns how many requests do makes.
func (c *counter) during(do func()) int64 {
	before := c.requests.Load()
	do()
	return c.requests.Load() - before
}
