package directory

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"
)

const (
	defaultPoolSize    = 24
	defaultDialTimeout = 5 * time.Second
	defaultTimeout     = 10 * time.Second
	// maxEntryTTL is both the default and the most that an entry may be kept:
	// whoever leaves the filter can sign in for as long.
	maxEntryTTL = time.Minute
)

// Config describes one LDAP directory and how Gatehouse uses it.
type Config struct {
	// URL is ldap://host:port or ldaps://host:port; the ports default to 389
	// and 636. The server's certificate must be valid for its host.
	URL string
	// StartTLS upgrades an ldap:// connection before anything else is sent.
	StartTLS bool
	// RootCAs are those that may have signed the server's certificate; nil
	// means the system's.
	RootCAs *x509.CertPool

	// UserDN is the template of people's DNs, such as
	// "uid=${username},ou=People,dc=example,dc=org", or the base below which
	// they are searched. A template states the naming attribute; for a base it
	// is cn if BindDN begins with cn, and uid otherwise.
	UserDN string
	// BindDN and BindPassword are the service account that looks people up.
	BindDN, BindPassword string
	// Rules say who of those below UserDN counts.
	Rules

	// AllowPlaintext permits ldap:// without StartTLS. It is for development.
	AllowPlaintext bool

	// PoolSize is the most connections of each of the two kinds, for look-ups
	// and for password checks, which package fair shares between those who
	// ask: one person alone has a third of them. Zero means 24.
	PoolSize int
	// DialTimeout bounds making a connection, its encryption included. Zero
	// means 5 s.
	DialTimeout time.Duration
	// Timeout bounds each call as a whole: waiting for a connection, making
	// it, and asking. Zero means 10 s.
	Timeout time.Duration
	// EntryTTL is how long a person that was found is remembered. Zero means
	// 60 s, which is also the most; below zero, nobody is.
	EntryTTL time.Duration
	// Now is the clock; nil means the system's.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	c.PoolSize = cmp.Or(c.PoolSize, defaultPoolSize)
	c.DialTimeout = cmp.Or(c.DialTimeout, defaultDialTimeout)
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	c.EntryTTL = cmp.Or(c.EntryTTL, maxEntryTTL)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// validate checks what is neither about names nor about the server's address.
func (c Config) validate() error {
	switch {
	case c.BindDN == "" || c.BindPassword == "":
		return errors.New("directory: the service account needs a bind DN and a password")
	case !usablePassword(c.BindPassword):
		return errors.New("directory: the service account's password cannot be sent")
	case c.PoolSize < 0 || c.DialTimeout < 0 || c.Timeout < 0:
		return errors.New("directory: the pool size and the timeouts must not be negative")
	case c.EntryTTL > maxEntryTTL:
		return fmt.Errorf("directory: entries must not be kept longer than %s", maxEntryTTL)
	}
	return nil
}

// server is where a directory listens and how to speak to it.
type server struct {
	addr     string      // host:port
	tls      *tls.Config // nil: plain text
	startTLS bool
}

func newServer(c Config) (server, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return server{}, errors.New("directory: the URL cannot be parsed") // It may hold a password.
	}
	host, port := u.Hostname(), u.Port()
	switch {
	case u.Scheme != "ldap" && u.Scheme != "ldaps":
		return server{}, errors.New("directory: the URL must begin with ldap:// or ldaps://")
	case host == "" || u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "":
		return server{}, errors.New("directory: the URL must consist of a scheme, a host and a port")
	case u.Scheme == "ldaps" && c.StartTLS:
		return server{}, errors.New("directory: StartTLS is for ldap:// only; ldaps:// is encrypted from the start")
	case u.Scheme == "ldap" && !c.StartTLS && !c.AllowPlaintext:
		return server{}, errors.New("directory: an ldap:// directory needs StartTLS, because passwords must not travel in plain text")
	}
	if port == "" {
		port = map[string]string{"ldap": "389", "ldaps": "636"}[u.Scheme]
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return server{}, errors.New("directory: the port of the URL is not between 1 and 65535")
	}
	s := server{addr: net.JoinHostPort(host, port), startTLS: c.StartTLS}
	if u.Scheme == "ldaps" || c.StartTLS {
		s.tls = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, RootCAs: c.RootCAs}
	}
	return s, nil
}
