// Package connections finds the directory of a tenant's people: where it is
// comes from the registry's LDAP connection, the password to bind with from
// the sealed secrets. A connection that changes there is replaced here without
// a restart, and kept while the registry is away.
//
// Speaking LDAP belongs to directory, asking the registry to tenancy.
package connections

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
	"gatehouse/internal/authenticator/directory"
	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/authenticator/serviceaccount"
	"gatehouse/internal/registryclient"
)

const (
	// freshFor is how long a connection is used before it is looked at again.
	freshFor = 10 * time.Second
	// retireAfter is how long a replaced connection lives on for those who
	// are using it.
	retireAfter = time.Minute
)

// Registry knows the LDAP connections.
type Registry interface {
	LDAPConnection(ctx context.Context, id string, authorize registryclient.Authorize) (registryclient.LDAPConnection, error)
	Self() (admin registryclient.Tenant, primarySite string, err error)
}

// Secrets knows the passwords to bind with.
type Secrets interface {
	Secret(ctx context.Context, a kernel.SecretAddress) (map[string]string, bool, error)
}

// Rules says which of a connection's people are a tenant's own; false when
// the tenant's people are not in a directory at all.
type Rules func(ctx context.Context, tenantID string) (directory.Rules, bool, error)

// Deps are what a Service uses.
type Deps struct {
	Registry  Registry
	Rules     Rules
	Secrets   Secrets
	Authorize registryclient.Authorize
	RootCAs   *x509.CertPool // nil: the system's
	// AllowPlaintext permits connections without encryption; for development.
	AllowPlaintext bool
	Now            func() time.Time
	Log            *slog.Logger
}

// Service keeps the directories that are in use.
type Service struct {
	deps    Deps
	looking singleflight.Group

	mu      sync.Mutex
	entries map[string]*entry
	closed  bool
}

type entry struct {
	directory   *directory.Directory
	settings    settings
	lastChecked time.Time
	views       map[string]view // by tenant, whose rules may differ
}

// view is a directory as one tenant sees it.
type view struct {
	rules     directory.Rules
	directory *directory.Directory
}

// settings are what decides whether a connection has changed.
type settings struct{ url, userDN, bindDN, password string }

// New returns a Service without connections.
func New(d Deps) *Service { return &Service{deps: d, entries: map[string]*entry{}} }

// For returns the directory of a tenant's people, narrowed by the tenant's
// rules; false when it has none.
func (s *Service) For(ctx context.Context, t registryclient.Tenant) (*directory.Directory, bool, error) {
	if t.UserLDAP == "" {
		return nil, false, nil
	}
	rules, has, err := s.deps.Rules(ctx, t.ID)
	if err != nil || !has {
		return nil, false, err
	}
	e, err := s.connection(ctx, t.UserLDAP)
	if err != nil {
		return nil, false, err
	}
	d, err := s.view(e, t.ID, rules)
	return d, err == nil, err
}

// connection returns what is known of a connection, and has it looked at
// again when it is stale.
func (s *Service) connection(ctx context.Context, id string) (*entry, error) {
	s.mu.Lock()
	e := s.entries[id]
	stale := e != nil && s.deps.Now().Sub(e.lastChecked) >= freshFor
	if stale {
		e.lastChecked = s.deps.Now() // one look at a time; those who come meanwhile use what is there
	}
	s.mu.Unlock()
	switch {
	case e == nil:
		return s.look(ctx, id)
	case stale:
		go func() {
			if _, err := s.look(context.WithoutCancel(ctx), id); err != nil {
				s.deps.Log.WarnContext(ctx, "LDAP connection not refreshed", slog.String("ldap_id", id), slog.Any("error", err))
			}
		}()
	}
	return e, nil
}

// view returns the directory of e under a tenant's rules. Changed rules begin
// with nobody remembered.
func (s *Service) view(e *entry, tenantID string, rules directory.Rules) (*directory.Directory, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := e.views[tenantID]; ok && v.rules.Equal(rules) {
		return v.directory, nil
	}
	d, err := e.directory.Under(rules)
	if err != nil {
		return nil, apierr.Away(fmt.Errorf("rules of tenant %s: %w", tenantID, err), "The directory")
	}
	e.views[tenantID] = view{rules: rules, directory: d}
	return d, nil
}

// look asks for the connection and its secret and puts what they say in place.
func (s *Service) look(ctx context.Context, id string) (*entry, error) {
	found, err, _ := s.looking.Do(id, func() (any, error) {
		ctx := context.WithoutCancel(ctx)
		want, err := s.wanted(ctx, id)
		if err != nil {
			return nil, apierr.Away(fmt.Errorf("LDAP connection %s: %w", id, err), "The directory")
		}
		return s.install(id, want)
	})
	if err != nil {
		return nil, err
	}
	return found.(*entry), nil // the function above returns nothing else
}

func (s *Service) wanted(ctx context.Context, id string) (settings, error) {
	c, err := s.deps.Registry.LDAPConnection(ctx, id, s.deps.Authorize)
	if err != nil {
		return settings{}, err
	}
	admin, _, err := s.deps.Registry.Self()
	if err != nil {
		return settings{}, err
	}
	secret, found, err := s.deps.Secrets.Secret(ctx, kernel.SecretAddress{
		TenantID: admin.ID, Type: kernel.UserSecret, Account: serviceaccount.Name, Name: c.BindCredential,
	})
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

func (s *Service) install(id string, want settings) (*entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.entries[id]
	if old != nil && old.settings == want {
		old.lastChecked = s.deps.Now()
		return old, nil
	}
	if s.closed {
		return nil, apierr.Away(errors.New("the service is closing"), "The directory")
	}
	d, err := directory.New(directory.Config{
		URL: want.url, StartTLS: !s.deps.AllowPlaintext && strings.HasPrefix(want.url, "ldap:"), RootCAs: s.deps.RootCAs,
		UserDN: want.userDN, BindDN: want.bindDN, BindPassword: want.password,
		AllowPlaintext: s.deps.AllowPlaintext, Now: s.deps.Now,
	}, s.deps.Log)
	if err != nil {
		return nil, apierr.Away(fmt.Errorf("LDAP connection %s: %w", id, err), "The directory")
	}
	e := &entry{directory: d, settings: want, lastChecked: s.deps.Now(), views: map[string]view{}}
	s.entries[id] = e
	if old != nil {
		time.AfterFunc(retireAfter, func() { _ = old.directory.Close() })
	}
	return e, nil
}

// Close closes the connections that are in use.
func (s *Service) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var errs []error
	for _, e := range s.entries {
		errs = append(errs, e.directory.Close())
	}
	clear(s.entries)
	return errors.Join(errs...)
}
