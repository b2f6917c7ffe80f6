// Package pages is what people see in a browser: signing in, with what leads
// to it and from it (signin), and the token web application (webapp). This
// file builds and mounts them; what all pages share is in browser.
//
// Sessions and consents are kept by packages of those names; what is granted
// in the end is decided and made by grants.
package pages

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/consents"
	"gatehouse/internal/authenticator/device"
	"gatehouse/internal/authenticator/grants"
	"gatehouse/internal/authenticator/pages/browser"
	"gatehouse/internal/authenticator/pages/signin"
	"gatehouse/internal/authenticator/pages/webapp"
	"gatehouse/internal/authenticator/people"
	"gatehouse/internal/authenticator/sessions"
	"gatehouse/internal/authenticator/tenancy"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/database"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/seal"
	"gatehouse/internal/throttle"
)

// Deps are what pages use.
type Deps struct {
	DB       *database.DB
	Box      *seal.Box
	Registry *registryclient.Client
	Settings *tenantconfig.Service
	Clients  *clients.Service
	People   *people.Service
	Grants   *grants.Pipeline
	Devices  *device.Service
	Tokens   *tokens.Service
	Guard    *throttle.Guard
	// SessionIdle is how long an unused browser session lasts, SessionLifetime
	// how long one lasts at all.
	SessionIdle, SessionLifetime time.Duration
	Now                          func() time.Time
	Log                          *slog.Logger
}

// Pages are all of them.
type Pages struct {
	registry *registryclient.Client
	browser  *browser.Pages
	sessions *sessions.Service
	consents *consents.Service
	signin   *signin.Handler
	webapp   *webapp.Handler
}

// New returns the pages.
func New(d Deps) (*Pages, error) {
	p := &Pages{
		registry: d.Registry,
		sessions: sessions.New(sessions.Deps{DB: d.DB, Box: d.Box, Now: d.Now, Idle: d.SessionIdle, Lifetime: d.SessionLifetime}),
		consents: consents.New(d.DB, d.Grants, d.Now),
	}
	var err error
	templates := append(signin.Templates(), webapp.Templates()...)
	if p.browser, err = browser.New(p.sessions, d.Tokens, d.Guard, templates...); err != nil {
		return nil, err
	}
	p.webapp = webapp.NewHandler(webapp.Deps{
		Pages: p.browser, Sessions: p.sessions, Settings: d.Settings, Grants: d.Grants, Tokens: d.Tokens,
	})
	p.signin = signin.NewHandler(signin.Deps{
		Pages: p.browser, Sessions: p.sessions, Consents: p.consents, Clients: d.Clients, Settings: d.Settings, People: d.People,
		Grants: d.Grants, Devices: d.Devices, Tokens: d.Tokens, Guard: d.Guard, WebApp: p.webapp, Box: d.Box, Now: d.Now, Log: d.Log,
	})
	return p, nil
}

// Mount registers the routes on the root of the host.
func (p *Pages) Mount(r gin.IRouter) {
	p.browser.MountAssets(r)
	shown := r.Group(browser.Base, p.browser.Middleware(), tenancy.Middleware(p.registry))
	p.signin.Mount(shown)
	p.webapp.Mount(shown)
}

// EndSessions ends the browser sessions of a person.
func (p *Pages) EndSessions(ctx context.Context, tenantID, username string) error {
	return p.sessions.End(ctx, tenantID, username)
}

// Sweep deletes old sessions and consents. It is called from time to time.
func (p *Pages) Sweep(ctx context.Context) error {
	return errors.Join(p.sessions.Sweep(ctx), p.consents.Sweep(ctx))
}

// Serves reports of a path whether people visit it in a browser.
func (p *Pages) Serves(path string) bool { return p.browser.Serves(path) }

// AssetPath is the path below which pages find their style sheet.
const AssetPath = browser.AssetPath
