// Package authenticator is the OAuth2 service of a Tapis site. This file is
// its composition root: it builds the parts, connects them, and mounts their
// routes below /v3/oauth2. Everything it does is done in its sub-packages.
package authenticator

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apidoc"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/codes"
	"gatehouse/internal/authenticator/device"
	"gatehouse/internal/authenticator/discovery"
	"gatehouse/internal/authenticator/grants"
	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/authenticator/pages"
	"gatehouse/internal/authenticator/people"
	"gatehouse/internal/authenticator/provision"
	"gatehouse/internal/authenticator/serviceaccount"
	"gatehouse/internal/authenticator/servicetokens"
	"gatehouse/internal/authenticator/tenancy"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authenticator/userinfo"
	"gatehouse/internal/authn"
	"gatehouse/internal/database"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/seal"
	"gatehouse/internal/throttle"
	"gatehouse/migrations"
)

// sweepEvery is how often the janitor looks for records past their retention.
const sweepEvery = time.Minute

// Deps are what the service uses.
type Deps struct {
	DB       *database.DB
	Box      *seal.Box
	Registry *http.Client // reaches the registry
	Log      *slog.Logger
	Now      func() time.Time

	RegistryURL    string
	SiteID         string
	RegistryPoll   time.Duration
	TokenRetention time.Duration
	// TokenLifetimes are those of tokens at /v3/tokens.
	TokenLifetimes servicetokens.Lifetimes
	// SessionIdle is how long an unused browser session lasts, SessionLifetime
	// how long one lasts at all.
	SessionIdle, SessionLifetime time.Duration
	// ShowClientKeys lets owners read the keys of their clients again later.
	ShowClientKeys bool
	// CountTokens is told of every token request: its grant type, or other, and
	// ok or the OAuth error code. Nil: nobody is.
	CountTokens func(grantType, outcome string)
	// LDAPRootCAs may have signed the certificates of LDAP servers; nil: the system's.
	LDAPRootCAs *x509.CertPool
	// LDAPPlaintext permits LDAP without encryption; for development.
	LDAPPlaintext bool
}

// Service is the authenticator. Operator commands reach its parts directly.
type Service struct {
	Registry *registryclient.Client
	Records  *registryclient.Records
	Keys     *keys.Service
	Rotator  *keys.Rotator
	Kernel   *kernel.Service

	db        *database.DB
	log       *slog.Logger
	tokens    *tokens.Service
	callers   *tenancy.Callers
	ldap      *people.LDAP
	codes     *codes.Service
	devices   *device.Service
	pipeline  *grants.Pipeline
	grants    *grants.Handler
	inspector *grants.Inspector
	clients   *clients.Handler
	configs   *tenantconfig.Handler
	discovery *discovery.Handler
	userinfo  *userinfo.Handler
	services  *servicetokens.Handler
	security  *kernel.Handler
	provision *provision.Provisioner
	pages     *pages.Pages
}

// New builds the service, one part a line where it can. It asks nothing of the
// network.
func New(d Deps) (*Service, error) {
	s := &Service{db: d.DB, log: d.Log}
	guard := throttle.NewGuard(d.Now)
	s.Registry = registryclient.New(registryclient.Deps{
		DB: d.DB, Client: d.Registry, BaseURL: d.RegistryURL, SiteID: d.SiteID, Poll: d.RegistryPoll, Now: d.Now, Log: d.Log,
	})
	s.Keys = keys.New(keys.Deps{DB: d.DB, Box: d.Box, Now: d.Now})
	s.Kernel = kernel.New(d.DB, d.Box, d.Now)
	s.tokens = tokens.New(tokens.Deps{DB: d.DB, Box: d.Box, Keys: s.Keys, Now: d.Now, Log: d.Log, Retention: d.TokenRetention})
	self := serviceaccount.New(s.Registry, s.tokens, s.Keys, d.Now)
	s.Records = s.Registry.Records(self.Authorize)
	s.Rotator = keys.NewRotator(s.Keys, s.Records, s.tokens.LastExpiry, d.Log)
	s.provision = provision.New(provision.Deps{
		Records: s.Records, Rotator: s.Rotator, Kernel: s.Kernel, Poll: d.RegistryPoll, Log: d.Log,
	})
	s.callers = tenancy.NewCallers(s.Registry, s.Keys, s.tokens, d.SiteID, d.Now)
	settings := tenantconfig.New(tenantconfig.Deps{DB: d.DB, Box: d.Box, GrantTypes: grants.Types(), Now: d.Now, Log: d.Log})
	s.ldap = people.NewLDAP(people.LDAPDeps{
		Registry: s.Registry, Settings: settings, Kernel: s.Kernel, Authorize: self.Authorize,
		RootCAs: d.LDAPRootCAs, AllowPlaintext: d.LDAPPlaintext, Now: d.Now, Log: d.Log,
	})
	persons := people.New(people.Deps{Directories: s.ldap.For, Kernel: s.Kernel, Guard: guard})
	registered := clients.New(clients.Deps{
		DB: d.DB, Box: d.Box, Tokens: s.tokens, GrantTypes: grants.Types(), WebApp: s.webApp, Now: d.Now,
	})
	stranger := thirdParty(registered, settings)
	mayAdminister := administration(stranger)
	s.configs = tenantconfig.NewHandler(settings, s.Kernel, s.isOwn, mayAdminister)
	s.clients = clients.NewHandler(registered, s.Kernel, mayAdminister, d.ShowClientKeys)
	s.security = kernel.NewHandler(kernel.HandlerDeps{
		Service: s.Kernel, Registry: s.Registry, SiteID: d.SiteID, Guard: guard, Ready: s.Ready,
		MayAdminister: mayAdminister,
	})
	s.codes = codes.New(codes.Deps{DB: d.DB, Tokens: s.tokens, Now: d.Now, Log: d.Log})
	s.devices = device.New(d.DB, d.Now)
	s.pipeline = grants.New(grants.Deps{
		Clients: registered, Settings: settings, People: persons, Tokens: s.tokens, Codes: s.codes, Devices: s.devices,
		Guard: guard, Now: d.Now,
	})
	claims := userinfo.New(persons, s.tokens)
	s.userinfo = userinfo.NewHandler(claims, settings, s.Kernel)
	s.grants = grants.NewHandler(s.pipeline, claims, d.CountTokens)
	s.inspector = grants.NewInspector(s.pipeline, s.Registry)
	s.discovery = discovery.NewHandler(s.Keys, settings, s.pipeline)
	s.services = servicetokens.NewHandler(servicetokens.New(servicetokens.Deps{
		Registry: s.Registry, Records: s.Records, Accounts: s.Kernel, Settings: settings, Tokens: s.tokens,
		Rotator: s.Rotator, Guard: guard, Lifetimes: d.TokenLifetimes, Log: d.Log,
		ThirdParty: stranger, MayAdminister: mayAdminister,
	}), s.callers.For("tokens"))
	var err error
	s.pages, err = pages.New(pages.Deps{
		DB: d.DB, Box: d.Box, Registry: s.Registry, Settings: settings, Clients: registered, People: persons, Grants: s.pipeline,
		Devices: s.devices, Tokens: s.tokens, Guard: guard, SessionIdle: d.SessionIdle, SessionLifetime: d.SessionLifetime,
		Now: d.Now, Log: d.Log,
	})
	return s, err
}

// strangerOf returns the client of somebody else that holds a person's token.
type strangerOf func(ctx context.Context, caller authn.Caller) (clientID string, err error)

// thirdParty knows them where a tenant keeps them from administering.
func thirdParty(registered *clients.Service, settings *tenantconfig.Service) strangerOf {
	return func(ctx context.Context, caller authn.Caller) (string, error) {
		stranger, err := registered.ThirdParty(ctx, caller)
		if err != nil || stranger == "" {
			return "", err
		}
		s, err := settings.For(ctx, caller.TenantID)
		if err != nil || s.ThirdPartyAdministration {
			return "", err
		}
		return stranger, nil
	}
}

func administration(of strangerOf) authn.MayAdminister {
	return func(ctx context.Context, caller authn.Caller) error {
		stranger, err := of(ctx, caller)
		if err != nil || stranger == "" {
			return err
		}
		return authn.ThirdPartyRefused(stranger)
	}
}

// isOwn reports whether a service account is this authenticator's own.
func (s *Service) isOwn(caller authn.Caller) (bool, error) {
	admin, _, err := s.Registry.Self()
	return err == nil && caller.Username == serviceaccount.Name && caller.TenantID == admin.ID, err
}

// webApp returns where a tenant's token web application is called back.
func (s *Service) webApp(ctx context.Context, tenantID string) (string, error) {
	t, err := s.Registry.Served(ctx, tenantID)
	return t.OAuthURL("/webapp/callback"), err
}

// Mount registers the routes: what is mounted, where, behind which middleware.
func (s *Service) Mount(r gin.IRouter) {
	const oauth, security, direct = "/v3/oauth2", "/v3/security", "/v3/tokens"
	tenant := tenancy.Middleware(s.Registry)
	inTenant := s.callers.InTenant(serviceaccount.Name)
	type middlewares = []gin.HandlerFunc
	for _, part := range []struct {
		prefix string
		behind middlewares
		mount  func(r gin.IRouter)
	}{
		{
			oauth,
			middlewares{httpapi.OAuthErrors, httpapi.NoStore, authn.Optional(s.callers.For(serviceaccount.Name))},
			s.inspector.Mount,
		},
		{oauth, middlewares{httpapi.OAuthErrors, httpapi.NoStore, tenant}, s.grants.Mount},
		{oauth, middlewares{httpapi.OAuthErrors, httpapi.NoStore, tenant, authn.RequireUser(s.verify)}, s.userinfo.MountOpenID},
		{oauth, append(middlewares{httpapi.OAuthErrors, httpapi.NoStore}, inTenant...), s.userinfo.Mount},
		{oauth, append(middlewares{httpapi.OAuthErrors, httpapi.NoStore}, inTenant...), s.clients.Mount},
		{oauth, append(middlewares{httpapi.OAuthErrors, httpapi.NoStore}, inTenant...), s.configs.Mount},
		{oauth, middlewares{httpapi.OAuthErrors, tenant}, s.discovery.Mount},
		{"", middlewares{httpapi.OAuthErrors, tenant}, s.discovery.MountRoot},
		{"", nil, s.pages.Mount},
		{"", nil, s.services.Mount},
		{security, nil, func(r gin.IRouter) { s.security.Mount(r, s.callers.For("security")) }},
	} {
		part.mount(r.Group(part.prefix, part.behind...))
	}
	for _, prefix := range []string{oauth, direct, "/v3/site-router"} {
		httpapi.MountHealth(r, prefix, s.Ready)
	}
	for prefix, name := range map[string]string{oauth: "authenticator", security: "security", direct: "tokens"} {
		apidoc.Mount(r, prefix, apidoc.Document{Name: name, Path: prefix + "/openapi.yaml"})
	}
}

// IsPage reports of a path whether people visit it in a browser.
func (s *Service) IsPage(path string) bool { return s.pages.Serves(path) }

// IsSecure reports of a host whether a tenant is there, over TLS alone.
func (s *Service) IsSecure(host string) bool { return s.Registry.IsSecure(host) }

// verify checks an access token against the tenant of the request.
func (s *Service) verify(ctx context.Context, raw string) (authn.Caller, error) {
	tenant, err := tenancy.From(ctx)
	if err != nil {
		return authn.Caller{}, err
	}
	return s.tokens.Access(ctx, tokens.Tenant{ID: tenant.ID, Issuer: tenant.TokenService}, raw)
}

// RevokeUser voids every token that a person or service of a tenant has until
// now, and what could become one without signing in again.
func (s *Service) RevokeUser(ctx context.Context, tenantID, username string) error {
	if err := s.pages.EndSessions(ctx, tenantID, username); err != nil {
		return err
	}
	return s.pipeline.RevokeUser(ctx, tenantID, username)
}

// RevokeIssuedTo voids every token that an OAuth client of a tenant has until
// now.
func (s *Service) RevokeIssuedTo(ctx context.Context, tenantID, clientID string) error {
	return s.tokens.RevokeIssuedTo(ctx, tenantID, clientID)
}

// Start begins the background work, which ends with ctx.
func (s *Service) Start(ctx context.Context) error {
	if err := s.Registry.Start(ctx); err != nil {
		return err
	}
	go s.sweep(ctx)
	go s.Rotator.Run(ctx)
	go s.provision.Run(ctx)
	return nil
}

func (s *Service) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			err := errors.Join(s.tokens.Sweep(ctx), s.codes.Sweep(ctx), s.devices.Sweep(ctx), s.pages.Sweep(ctx))
			if err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "old records not swept", slog.Any("error", err))
			}
		}
	}
}

// Ready fails while the database is away, the registry was never seen, or the
// key is missing that signs the tokens of the site's services.
func (s *Service) Ready(ctx context.Context) error {
	if err := s.db.Ping(ctx); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if err := s.db.Usable(ctx, migrations.Authenticator); err != nil {
		return err
	}
	admin, _, err := s.Registry.Self()
	if err != nil {
		return err
	}
	if _, err := s.Keys.Active(ctx, admin.ID); err != nil {
		return fmt.Errorf("signing key of tenant %s: %w", admin.ID, err)
	}
	return nil
}

// Close gives back connections. The database is its opener's to close.
func (s *Service) Close() error { return s.ldap.Close() }
