package signin

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/consents"
	"gatehouse/internal/authenticator/device"
	"gatehouse/internal/authenticator/grants"
	"gatehouse/internal/authenticator/pages/browser"
	"gatehouse/internal/authenticator/pages/webapp"
	"gatehouse/internal/authenticator/people"
	"gatehouse/internal/authenticator/sessions"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/seal"
	"gatehouse/internal/throttle"
)

// Deps are what a Handler uses.
type Deps struct {
	Pages    *browser.Pages
	Sessions *sessions.Service
	Consents *consents.Service
	Clients  *clients.Service
	Settings *tenantconfig.Service
	People   *people.Service
	Grants   *grants.Pipeline // says what a client may have, and makes it
	Devices  *device.Service
	Tokens   *tokens.Service
	Guard    *throttle.Guard
	WebApp   *webapp.Handler // whose token ends with the session
	Box      *seal.Box
	Now      func() time.Time
	Log      *slog.Logger
}

// Handler serves the pages.
type Handler struct {
	pages    *browser.Pages
	sessions *sessions.Service
	consents *consents.Service
	clients  *clients.Service
	settings *tenantconfig.Service
	people   *people.Service
	grants   *grants.Pipeline
	devices  *device.Service
	tokens   *tokens.Service
	guard    *throttle.Guard
	webapp   *webapp.Handler
	box      *seal.Box
	now      func() time.Time
	log      *slog.Logger
}

// NewHandler returns a Handler.
func NewHandler(d Deps) *Handler {
	return &Handler{
		pages: d.Pages, sessions: d.Sessions, consents: d.Consents, clients: d.Clients, settings: d.Settings, people: d.People,
		grants: d.Grants, devices: d.Devices, tokens: d.Tokens, guard: d.Guard, webapp: d.WebApp, box: d.Box, now: d.Now, log: d.Log,
	}
}

// Templates are the pages that are shown here.
func Templates() []string {
	return []string{"login", "consent", "device", "device_confirm", "logout", "authorizations"}
}

// Mount registers the routes on r, below which the tenant is known.
func (h *Handler) Mount(r gin.IRouter) {
	h.pages.Get(r, "/authorize", h.authorize)
	browser.PostAsGet(r, "/authorize", read) // OpenID Connect Core section 3.1.2.1
	h.pages.Get(r, loginStep.path, h.showLogin)
	h.pages.Post(r, loginStep.path, []string{"username", "password"}, h.login)
	h.pages.Get(r, consentStep.path, h.showConsent)
	h.pages.Post(r, consentStep.path, []string{"decision", "always"}, h.consent)
	h.pages.Get(r, codeStep.path, h.showDevice)
	h.pages.Post(r, codeStep.path, []string{"user_code"}, h.enterCode)
	h.pages.Get(r, confirmStep.path, h.showConfirm)
	h.pages.Post(r, confirmStep.path, []string{"decision", "ttl"}, h.confirm)
	h.pages.Get(r, logoutPath, h.showLogout)
	h.pages.PostOrAsk(r, logoutPath, logoutParameters, h.logout, h.askLogout)
	h.pages.Get(r, authorizationsPath, h.showAuthorizations)
	h.pages.Post(r, authorizationsPath, []string{"client_id"}, h.revoke)
}

// forPeople refuses the tenants in which nobody signs in.
func (h *Handler) forPeople(v *browser.Visit) error {
	if !v.Tenant.SiteAdmin {
		return nil
	}
	settings, err := h.settings.For(v.Context(), v.Tenant.ID)
	if err == nil && !settings.SiteAdminUsers {
		return apierr.New(apierr.Forbidden, "The tenant %s administers its site; people cannot sign in to it.", v.Tenant.ID)
	}
	return err
}

// fingerprint is a hash of several texts.
func fingerprint(texts []string) string {
	encoded, _ := json.Marshal(texts) // strings always encode
	sum := sha256.Sum256(encoded)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
