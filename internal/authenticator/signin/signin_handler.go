package signin

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/attempts"
	"gatehouse/internal/authenticator/browser"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/codes"
	"gatehouse/internal/authenticator/consents"
	"gatehouse/internal/authenticator/device"
	"gatehouse/internal/authenticator/directory"
	"gatehouse/internal/authenticator/grants"
	"gatehouse/internal/authenticator/sessions"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/registryclient"
)

// Clients finds OAuth clients.
type Clients interface {
	Find(ctx context.Context, tenantID, clientID string) (clients.Client, error)
}

// Settings finds what a tenant permits.
type Settings interface {
	For(ctx context.Context, tenantID string) (tenantconfig.Settings, error)
}

// Directory checks passwords.
type Directory interface {
	Authenticate(ctx context.Context, username, password string) (directory.Profile, error)
}

// Directories finds the directory of a tenant; false when it has none.
type Directories func(ctx context.Context, tenant registryclient.Tenant) (Directory, bool, error)

// Issuer says what a client may have, and makes it.
type Issuer interface {
	Permits(ctx context.Context, tenant registryclient.Tenant, client clients.Client, grantType string) error
	Code(ctx context.Context, tenant registryclient.Tenant, client clients.Client, a codes.Approval) (code string, err error)
	Implicit(ctx context.Context, tenant registryclient.Tenant, client clients.Client, a codes.Approval) (grants.Outcome, error)
}

// Devices keeps device codes.
type Devices interface {
	Find(ctx context.Context, tenantID, userCode string) (device.Code, error)
	Get(ctx context.Context, tenantID, id string) (device.Code, error)
	Enter(ctx context.Context, tenantID, id, username string) error
	Approve(ctx context.Context, tenantID, id string, by device.Approver) error
	Deny(ctx context.Context, tenantID, id, username string) error
}

// Ending is told when a session in which somebody is signed in is about to
// end, before it does.
type Ending func(ctx context.Context, tenant registryclient.Tenant, session sessions.Session) error

// ReadHint says to which client a tenant gave an ID token that has come back,
// or that it is none of the tenant's.
type ReadHint func(ctx context.Context, tenant registryclient.Tenant, idToken string) (clientID string, err error)

// Deps are what a Handler uses.
type Deps struct {
	Pages       *browser.Pages
	Sessions    *sessions.Service
	Consents    *consents.Service
	Clients     Clients
	Settings    Settings
	Directories Directories
	Issuer      Issuer
	Devices     Devices
	Guard       *attempts.Guard
	Ending      Ending
	ReadHint    ReadHint
	Now         func() time.Time
	Log         *slog.Logger
}

// Handler serves the pages.
type Handler struct {
	pages       *browser.Pages
	sessions    *sessions.Service
	consents    *consents.Service
	clients     Clients
	settings    Settings
	directories Directories
	issuer      Issuer
	devices     Devices
	guard       *attempts.Guard
	ending      Ending
	readHint    ReadHint
	now         func() time.Time
	log         *slog.Logger
}

// NewHandler returns a Handler.
func NewHandler(d Deps) *Handler {
	return &Handler{
		pages: d.Pages, sessions: d.Sessions, consents: d.Consents, clients: d.Clients, settings: d.Settings,
		directories: d.Directories, issuer: d.Issuer, devices: d.Devices, guard: d.Guard, ending: d.Ending,
		readHint: d.ReadHint, now: d.Now, log: d.Log,
	}
}

// Templates are the pages that are shown here.
func Templates() []string {
	return []string{"login", "consent", "device", "device_confirm", "logout", "authorizations"}
}

// Mount registers the routes on r, below which the tenant is known.
func (h *Handler) Mount(r gin.IRoutes) {
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
