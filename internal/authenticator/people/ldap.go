package people

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/authenticator/people/directory"
	"gatehouse/internal/authenticator/serviceaccount"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/registryclient"
)

const (
	// freshFor is how long a connection is used before it is looked at again.
	freshFor = 10 * time.Second
	// retireAfter is how long a replaced connection lives on for those who
	// are using it.
	retireAfter = time.Minute
)

// LDAPDeps are what LDAP uses.
type LDAPDeps struct {
	Registry  *registryclient.Client
	Settings  *tenantconfig.Service
	Kernel    *kernel.Service // keeps the passwords to bind with
	Authorize registryclient.Authorize
	RootCAs   *x509.CertPool // nil: the system's
	// AllowPlaintext permits connections without encryption; for development.
	AllowPlaintext bool
	Now            func() time.Time
	Log            *slog.Logger
}

// LDAP finds the LDAP directory of a tenant's people: where it is comes from
// the registry's LDAP connection, the password to bind with from the sealed
// secrets, which of its entries are the tenant's people from the tenant's
// settings. A connection that changes is replaced without a restart, and kept
// while the registry is away. It is safe for concurrent use.
type LDAP struct {
	deps    LDAPDeps
	looking singleflight.Group

	mu      sync.Mutex
	entries map[string]*entry
	closed  bool
}

type entry struct {
	directory   *directory.Directory
	settings    settings
	lastChecked time.Time
	narrowed    map[string]narrowed // by tenant, whose rules may differ
}

// narrowed is a directory with the rules of one tenant.
type narrowed struct {
	rules     directory.Rules
	directory *directory.Directory
}

// settings are what decides whether a connection has changed.
type settings struct{ url, userDN, bindDN, password string }

// NewLDAP returns an LDAP without connections.
func NewLDAP(d LDAPDeps) *LDAP { return &LDAP{deps: d, entries: map[string]*entry{}} }

// For returns the directory of a tenant's people, narrowed by the tenant's
// rules; false when it has none.
func (l *LDAP) For(ctx context.Context, t registryclient.Tenant) (Directory, bool, error) {
	if t.UserLDAP == "" {
		return nil, false, nil
	}
	s, err := l.deps.Settings.For(ctx, t.ID)
	if err != nil || s.IdentitySource != tenantconfig.LDAPSource {
		return nil, false, err
	}
	rules := directory.Rules{Filter: s.People.Filter, GroupBaseDN: s.People.GroupBaseDN, Groups: s.People.Groups}
	e, err := l.connection(ctx, t.UserLDAP)
	if err != nil {
		return nil, false, err
	}
	d, err := l.narrowed(e, t.ID, rules)
	return d, err == nil, err
}

// connection returns what is known of a connection, and has it looked at
// again when it is stale.
func (l *LDAP) connection(ctx context.Context, id string) (*entry, error) {
	l.mu.Lock()
	e := l.entries[id]
	stale := e != nil && l.deps.Now().Sub(e.lastChecked) >= freshFor
	if stale {
		e.lastChecked = l.deps.Now() // one look at a time; those who come meanwhile use what is there
	}
	l.mu.Unlock()
	switch {
	case e == nil:
		return l.look(ctx, id)
	case stale:
		go func() {
			if _, err := l.look(context.WithoutCancel(ctx), id); err != nil {
				l.deps.Log.WarnContext(ctx, "LDAP connection not refreshed", slog.String("ldap_id", id), slog.Any("error", err))
			}
		}()
	}
	return e, nil
}

// narrowed returns the directory of e under a tenant's rules. Changed rules begin
// with nobody remembered.
func (l *LDAP) narrowed(e *entry, tenantID string, rules directory.Rules) (*directory.Directory, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n, ok := e.narrowed[tenantID]; ok && n.rules.Equal(rules) {
		return n.directory, nil
	}
	d, err := e.directory.Under(rules)
	if err != nil {
		return nil, apierr.Away(fmt.Errorf("rules of tenant %s: %w", tenantID, err), "The directory")
	}
	e.narrowed[tenantID] = narrowed{rules: rules, directory: d}
	return d, nil
}

// look asks for the connection and its secret and puts what they say in place.
func (l *LDAP) look(ctx context.Context, id string) (*entry, error) {
	found, err, _ := l.looking.Do(id, func() (any, error) {
		ctx := context.WithoutCancel(ctx)
		want, err := l.wanted(ctx, id)
		if err != nil {
			return nil, apierr.Away(fmt.Errorf("LDAP connection %s: %w", id, err), "The directory")
		}
		return l.install(id, want)
	})
	if err != nil {
		return nil, err
	}
	return found.(*entry), nil // the function above returns nothing else
}

func (l *LDAP) wanted(ctx context.Context, id string) (settings, error) {
	c, err := l.deps.Registry.LDAPConnection(ctx, id, l.deps.Authorize)
	if err != nil {
		return settings{}, err
	}
	admin, _, err := l.deps.Registry.Self()
	if err != nil {
		return settings{}, err
	}
	secret, found, err := l.deps.Kernel.Secret(ctx, serviceaccount.Secret(admin.ID, c.BindCredential))
	if err != nil {
		return settings{}, err
	}
	if !found || secret["password"] == "" {
		return settings{}, fmt.Errorf("there is no secret %s with the password to bind with", c.BindCredential)
	}
	address, err := addressOf(c)
	if err != nil {
		return settings{}, err
	}
	return settings{url: address, userDN: c.UserDN, bindDN: c.BindDN, password: secret["password"]}, nil
}

// addressOf makes a connection's URL. use_ssl decides the scheme, as it has
// always done in Tapis: ldaps with it, ldap (and StartTLS) without.
func addressOf(c registryclient.LDAPConnection) (string, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Hostname() == "" {
		return "", errors.New("its URL has no host")
	}
	scheme := "ldap"
	if c.UseSSL {
		scheme = "ldaps"
	}
	return scheme + "://" + net.JoinHostPort(u.Hostname(), strconv.Itoa(c.Port)), nil
}

func (l *LDAP) install(id string, want settings) (*entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.entries[id]
	if old != nil && old.settings == want {
		old.lastChecked = l.deps.Now()
		return old, nil
	}
	if l.closed {
		return nil, apierr.Away(errors.New("the service is closing"), "The directory")
	}
	d, err := directory.New(directory.Config{
		URL: want.url, StartTLS: !l.deps.AllowPlaintext && strings.HasPrefix(want.url, "ldap:"), RootCAs: l.deps.RootCAs,
		UserDN: want.userDN, BindDN: want.bindDN, BindPassword: want.password,
		AllowPlaintext: l.deps.AllowPlaintext, Now: l.deps.Now,
	}, l.deps.Log)
	if err != nil {
		return nil, apierr.Away(fmt.Errorf("LDAP connection %s: %w", id, err), "The directory")
	}
	e := &entry{directory: d, settings: want, lastChecked: l.deps.Now(), narrowed: map[string]narrowed{}}
	l.entries[id] = e
	if old != nil {
		time.AfterFunc(retireAfter, func() { _ = old.directory.Close() })
	}
	return e, nil
}

// Close closes the connections that are in use.
func (l *LDAP) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	var errs []error
	for _, e := range l.entries {
		errs = append(errs, e.directory.Close())
	}
	clear(l.entries)
	return errors.Join(errs...)
}
