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
	"gatehouse/internal/authenticator/attempts"
	"gatehouse/internal/authenticator/browser"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/codes"
	"gatehouse/internal/authenticator/connections"
	"gatehouse/internal/authenticator/device"
	"gatehouse/internal/authenticator/directory"
	"gatehouse/internal/authenticator/discovery"
	"gatehouse/internal/authenticator/grants"
	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/authenticator/oidc"
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

// Service is the authenticator.
type Service struct {
	db          *database.DB
	log         *slog.Logger
	registry    *registryclient.Client
	connections *connections.Service
	keys        *keys.Service
	tokens      *tokens.Service
	codes       *codes.Service
	devices     *device.Service
	callers     *tenancy.Callers
	accounts    *kernel.Service
	kernel      *kernel.Handler
	clients     *clients.Handler
	grants      *grants.Handler
	inspector   *grants.Inspector
	metadata    *discovery.Handler
	profiles    *userinfo.Handler
	configs     *tenantconfig.Handler
	oidc        *oidc.Service
	issuance    *servicetokens.Handler

	provisioning provisioning
	pages        *pages
}

// New builds the service. It asks nothing of the network.
func New(d Deps) (*Service, error) {
	s := &Service{
		db: d.DB, log: d.Log,
		registry: registryclient.New(registryclient.Deps{
			DB: d.DB, Client: d.Registry, BaseURL: d.RegistryURL, SiteID: d.SiteID, Poll: d.RegistryPoll, Now: d.Now, Log: d.Log,
		}),
		keys:     keys.New(keys.Deps{DB: d.DB, Box: d.Box, Now: d.Now}),
		accounts: kernel.New(d.DB, d.Box, d.Now),
	}
	s.tokens = tokens.New(tokens.Deps{
		DB: d.DB, Box: d.Box, Signers: s.keys, Keys: s.keys, Now: d.Now, Log: d.Log, Retention: d.TokenRetention,
	})
	self := serviceaccount.New(s.registry, s.tokens, s.keys, d.Now)
	s.provisioning = s.newProvisioning(d, self)
	s.callers = tenancy.NewCallers(s.registry, s.keys, s.tokens, d.SiteID, d.Now)
	settings := tenantconfig.New(tenantconfig.Deps{
		DB: d.DB, Box: d.Box, Now: d.Now, Log: d.Log,
		LDAP: tenantconfig.LDAP{CheckFilter: directory.CheckFilter, CheckDN: directory.CheckDN},
	})
	s.configs = tenantconfig.NewHandler(settings, s.accounts, s.isOwn)
	s.connections = connections.New(connections.Deps{
		Registry: s.registry, Secrets: s.accounts, Rules: rulesOf(settings), Authorize: self.Authorize, RootCAs: d.LDAPRootCAs,
		AllowPlaintext: d.LDAPPlaintext, Now: d.Now, Log: d.Log,
	})
	registered := clients.New(clients.Deps{
		DB: d.DB, Box: d.Box, Revoker: s.tokens, Now: d.Now,
		WebApp: func(ctx context.Context, tenantID string) (string, error) {
			t, err := s.registry.Served(ctx, tenantID)
			return t.OAuthURL("/webapp/callback"), err
		},
	})
	s.codes = codes.New(codes.Deps{DB: d.DB, Revoker: s.tokens, Now: d.Now, Log: d.Log})
	s.devices = device.New(d.DB, d.Now)
	guard := attempts.New(d.Now)
	s.kernel = s.newKernel(d.SiteID, guard)
	pipeline := grants.New(grants.Deps{
		Clients: registered, Settings: settings, Mint: s.tokens, Guard: guard,
		Codes: s.codes, Devices: s.devices, Records: s.tokens, Now: d.Now,
		Directories: func(ctx context.Context, t registryclient.Tenant) (grants.Directory, bool, error) {
			return s.people(ctx, t)
		},
	})
	s.oidc = oidc.New(func(ctx context.Context, t registryclient.Tenant) (oidc.Directory, bool, error) {
		return s.connections.For(ctx, t)
	}, s.tokens)
	s.grants = grants.NewHandler(pipeline, s.oidc, d.CountTokens)
	s.inspector = grants.NewInspector(pipeline, s.registry)
	s.clients = clients.NewHandler(registered, d.ShowClientKeys)
	s.metadata = discovery.NewHandler(discovery.Deps{
		Keys: s.keys, Settings: settings, Served: pipeline, Scopes: oidc.Scopes(),
		Authorization: "/authorize", Device: "/device/code", Revocation: "/tokens/revoke", Introspection: "/tokens/introspect", EndSession: "/logout",
	})
	s.profiles = userinfo.NewHandler(func(ctx context.Context, t registryclient.Tenant) (userinfo.Directory, bool, error) {
		return s.connections.For(ctx, t)
	}, settings, s.accounts)
	s.issuance = servicetokens.NewHandler(servicetokens.New(servicetokens.Deps{
		Registry: s.registry, Accounts: s.accounts, Settings: settings, Tokens: s.tokens, Guard: guard, Lifetimes: d.TokenLifetimes, Log: d.Log,
	}), s.callers.For("tokens"))
	var err error
	s.pages, err = s.newPages(d, pageParts{clients: registered, settings: settings, pipeline: pipeline, guard: guard})
	return s, err
}

// rulesOf says which people of a directory are a tenant's, by its settings.
func rulesOf(settings *tenantconfig.Service) connections.Rules {
	return func(ctx context.Context, tenantID string) (directory.Rules, bool, error) {
		s, err := settings.For(ctx, tenantID)
		if err != nil || s.IdentitySource != tenantconfig.LDAPSource {
			return directory.Rules{}, false, err
		}
		return directory.Rules{Filter: s.People.Filter, GroupBaseDN: s.People.GroupBaseDN, Groups: s.People.Groups}, true, nil
	}
}

// isOwn reports whether a service account is this authenticator's own.
func (s *Service) isOwn(caller authn.Caller) (bool, error) {
	admin, _, err := s.registry.Self()
	return err == nil && caller.Username == serviceaccount.Name && caller.TenantID == admin.ID, err
}

// Mount registers the routes.
func (s *Service) Mount(r gin.IRouter) {
	httpapi.MountHealth(r, "/v3/oauth2", s.Ready)
	apidoc.Mount(r, "/v3/oauth2", apidoc.Document{Name: "authenticator", Path: "/v3/oauth2/openapi.yaml"})
	apidoc.Mount(r, "/v3/security", apidoc.Document{Name: "security", Path: "/v3/security/openapi.yaml"})
	s.kernel.Mount(r.Group("/v3/security"), s.callers.For("security"))
	services := r.Group("/v3/oauth2", httpapi.OAuthErrors, httpapi.NoStore)
	s.inspector.Mount(services.Group("", authn.Optional(s.callers.For(serviceaccount.Name))))
	oauth := r.Group("/v3/oauth2", httpapi.OAuthErrors, tenancy.Middleware(s.registry))
	s.metadata.Mount(oauth)
	s.metadata.MountRoot(r.Group("", httpapi.OAuthErrors, tenancy.Middleware(s.registry)))
	s.grants.Mount(oauth.Group("", httpapi.NoStore))
	s.oidc.Mount(oauth.Group("", httpapi.NoStore, authn.RequireUser(s.verify)))
	ofTenant := services.Group("", s.callers.InTenant(serviceaccount.Name)...)
	s.clients.Mount(ofTenant)
	s.profiles.Mount(ofTenant)
	s.configs.Mount(ofTenant)
	apidoc.Mount(r, "/v3/tokens", apidoc.Document{Name: "tokens", Path: "/v3/tokens/openapi.yaml"})
	for _, prefix := range []string{"/v3/tokens", "/v3/site-router"} {
		httpapi.MountHealth(r, prefix, s.Ready)
	}
	s.issuance.Mount(r)
	s.provisioning.handler.Mount(r.Group("/v3/tokens", httpapi.NoStore, authn.Require(s.callers.For("tokens"))))
	s.pages.shared.MountAssets(r)
	shown := r.Group(browser.Base, s.pages.shared.Middleware(), tenancy.Middleware(s.registry))
	s.pages.signin.Mount(shown)
	s.pages.webapp.Mount(shown)
}

// verify checks an access token against the tenant of the request.
func (s *Service) verify(ctx context.Context, raw string) (authn.Caller, error) {
	tenant, err := tenancy.From(ctx)
	if err != nil {
		return authn.Caller{}, err
	}
	return s.tokens.Access(ctx, tokens.Tenant{ID: tenant.ID, Issuer: tenant.TokenService}, raw)
}

// SetServicePassword gives a service account of a tenant its password.
func (s *Service) SetServicePassword(ctx context.Context, tenantID, service, password string) error {
	return s.accounts.SetPassword(ctx, tenantID, service, password)
}

// RevokeUser voids every token that a person or service of a tenant has until
// now, and what could become one without signing in again.
func (s *Service) RevokeUser(ctx context.Context, tenantID, username string) error {
	if err := s.pages.sessions.End(ctx, tenantID, username); err != nil {
		return err
	}
	return s.withdrawal().revokeUser(ctx, tenantID, username)
}

// RevokeIssuedTo voids every token that an OAuth client of a tenant has until
// now.
func (s *Service) RevokeIssuedTo(ctx context.Context, tenantID, clientID string) error {
	return s.tokens.RevokeIssuedTo(ctx, tenantID, clientID)
}

// SetBindPassword stores, sealed, the password with which the authenticator
// binds to the directories whose connections name this credential. It belongs
// to the authenticator's account in the administrative tenant.
func (s *Service) SetBindPassword(ctx context.Context, adminTenant, credential, password string) error {
	return s.accounts.SetSecret(ctx, kernel.SecretAddress{
		TenantID: adminTenant, Type: kernel.UserSecret, Account: serviceaccount.Name, Name: credential,
	}, map[string]string{"password": password})
}

// Start begins the background work, which ends with ctx.
func (s *Service) Start(ctx context.Context) error {
	if err := s.registry.Start(ctx); err != nil {
		return err
	}
	go s.sweep(ctx)
	go s.provisioning.rotator.Run(ctx)
	go s.provisioning.provisioner.Run(ctx)
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
			err := errors.Join(s.tokens.Sweep(ctx), s.codes.Sweep(ctx), s.devices.Sweep(ctx),
				s.pages.sessions.Sweep(ctx), s.pages.consents.Sweep(ctx))
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
	admin, _, err := s.registry.Self()
	if err != nil {
		return err
	}
	if _, err := s.keys.Active(ctx, admin.ID); err != nil {
		return fmt.Errorf("signing key of tenant %s: %w", admin.ID, err)
	}
	return nil
}

// Close gives back connections. The database is its opener's to close.
func (s *Service) Close() error { return s.connections.Close() }
