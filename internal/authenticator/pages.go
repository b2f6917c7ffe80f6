package authenticator

import (
	"context"
	"strings"

	"gatehouse/internal/authenticator/attempts"
	"gatehouse/internal/authenticator/browser"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/consents"
	"gatehouse/internal/authenticator/grants"
	"gatehouse/internal/authenticator/sessions"
	"gatehouse/internal/authenticator/signin"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authenticator/webapp"
	"gatehouse/internal/registryclient"
)

// pages are what people see in a browser.
type pages struct {
	shared   *browser.Pages
	sessions *sessions.Service
	consents *consents.Service
	signin   *signin.Handler
	webapp   *webapp.Handler
}

// pageParts are what pages share with the token endpoint.
type pageParts struct {
	clients  *clients.Service
	settings *tenantconfig.Service
	pipeline *grants.Pipeline
	guard    *attempts.Guard
}

func (s *Service) newPages(d Deps, parts pageParts) (*pages, error) {
	p := &pages{
		sessions: sessions.New(sessions.Deps{DB: d.DB, Box: d.Box, Now: d.Now, Idle: d.SessionIdle, Lifetime: d.SessionLifetime}),
		consents: consents.New(d.DB, s.withdrawal(), d.Now),
	}
	var err error
	if p.shared, err = browser.New(p.sessions, parts.guard, append(signin.Templates(), webapp.Templates()...)...); err != nil {
		return nil, err
	}
	p.webapp = webapp.NewHandler(webapp.Deps{
		Pages: p.shared, Sessions: p.sessions,
		Enabled: func(ctx context.Context, t registryclient.Tenant) (bool, error) {
			settings, err := parts.settings.For(ctx, t.ID)
			return settings.UseTokenWebapp && (!t.SiteAdmin || settings.SiteAdminUsers), err
		},
		Redeem: func(ctx context.Context, t registryclient.Tenant, r webapp.Redemption) (tokens.Pair, error) {
			out, err := parts.pipeline.Exchange(ctx, t, grants.Request{
				GrantType: tenantconfig.AuthorizationCode, Credentials: &grants.Credentials{ID: r.ClientID}, Code: r.Code,
				RedirectURI: r.RedirectURI, CodeVerifier: r.Verifier, Address: r.Address,
			})
			return out.Pair, err
		},
		Check: func(ctx context.Context, t registryclient.Tenant, token string) error {
			_, err := s.tokens.Access(ctx, tokens.Tenant{ID: t.ID, Issuer: t.TokenService}, token)
			return err
		},
		Revoke: func(ctx context.Context, t registryclient.Tenant, token string) error {
			found, err := s.tokens.Find(ctx, tokens.Tenant{ID: t.ID, Issuer: t.TokenService}, token)
			if err != nil {
				return err
			}
			return s.tokens.Revoke(ctx, found)
		},
	})
	p.signin = signin.NewHandler(signin.Deps{
		Pages: p.shared, Sessions: p.sessions, Consents: p.consents, Clients: parts.clients, Settings: parts.settings,
		Directories: func(ctx context.Context, t registryclient.Tenant) (signin.Directory, bool, error) {
			return s.people(ctx, t)
		},
		Issuer: parts.pipeline, Devices: s.devices, Guard: parts.guard, Ending: p.webapp.End, Now: d.Now, Log: d.Log,
		ReadHint: func(ctx context.Context, t registryclient.Tenant, idToken string) (string, error) {
			hint, err := s.tokens.ReadIDHint(ctx, t.ID, t.OAuthURL(""), idToken)
			return hint.ClientID, err
		},
	})
	return p, nil
}

// IsPage reports of a path whether people visit it in a browser.
func IsPage(path string) bool {
	below, found := strings.CutPrefix(path, browser.Base+"/")
	if !found {
		return false
	}
	first, rest, _ := strings.Cut(below, "/")
	switch first {
	case "login", "consent", "logout", "authorize", "authorizations", "webapp":
		return true
	case "device":
		return rest != "code" // which devices ask for
	}
	return false
}

// PageAssets is the path below which pages find their style sheet.
const PageAssets = browser.AssetPath
