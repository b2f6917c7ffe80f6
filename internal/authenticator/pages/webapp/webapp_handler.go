package webapp

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/grants"
	"gatehouse/internal/authenticator/oauth2"
	"gatehouse/internal/authenticator/pages/browser"
	"gatehouse/internal/authenticator/sessions"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authn"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/seal"
)

// Paths below browser.Base.
const (
	path         = "/webapp"
	callbackPath = path + "/callback"
	logoutPath   = path + "/logout"
)

// kind is what the flows of this package are stored as.
const kind = "webapp"

// Deps are what a Handler uses.
type Deps struct {
	Pages    *browser.Pages
	Sessions *sessions.Service
	Settings *tenantconfig.Service
	Grants   *grants.Pipeline // the token endpoint, without the way over HTTP
	Tokens   *tokens.Service
}

// Handler serves the pages.
type Handler struct{ deps Deps }

// NewHandler returns a Handler.
func NewHandler(d Deps) *Handler { return &Handler{d} }

// Templates are the pages that are shown here.
func Templates() []string { return []string{"webapp", "webapp_logout"} }

// Mount registers the routes on r, below which the tenant is known.
func (h *Handler) Mount(r gin.IRouter) {
	h.deps.Pages.Get(r, path, h.gated(h.show))
	h.deps.Pages.Get(r, callbackPath, h.gated(h.callback))
	h.deps.Pages.Get(r, logoutPath, h.gated(h.showLogout))
	h.deps.Pages.Post(r, logoutPath, nil, h.gated(h.logout))
}

// gated serves only tenants that have the web application.
func (h *Handler) gated(serve func(v *browser.Visit) error) func(v *browser.Visit) error {
	return func(v *browser.Visit) error {
		settings, err := h.deps.Settings.For(v.Context(), v.Tenant.ID)
		if err != nil {
			return err
		}
		if !settings.UseTokenWebapp || v.Tenant.SiteAdmin && !settings.SiteAdminUsers {
			return apierr.New(apierr.NotFound, "The tenant %s has no token web application.", v.Tenant.ID)
		}
		return serve(v)
	}
}

// kept is the token in a session.
type kept struct {
	Token  string    `json:"token"`
	Expiry time.Time `json:"expiry"`
}

// login is the content of a flow. Its id is the state.
type login struct{ Verifier string }

type tokenPage struct {
	browser.Common

	Token, BaseURL string
	Expiry         time.Time
	Curl           string
	Python         []string
}

// show shows the token, or gets one first.
func (h *Handler) show(v *browser.Visit) error {
	k, err := h.kept(v.Context(), v.Tenant, v.Session)
	if err != nil {
		return err
	}
	if k == nil {
		return h.begin(v)
	}
	return v.Show(http.StatusOK, "webapp", tokenPage{
		Common: v.Common(""), Token: k.Token, BaseURL: v.Tenant.BaseURL, Expiry: k.Expiry.UTC(),
		Curl: `curl -H "X-Tapis-Token: $JWT" ` + v.Tenant.OAuthURL("/userinfo"),
		Python: []string{
			"from tapipy.tapis import Tapis",
			`t = Tapis(base_url="` + v.Tenant.BaseURL + `", access_token=JWT)`,
			"print(t.authenticator.get_userinfo())",
		},
	})
}

// kept returns the token of a session if it still stands, or nil.
func (h *Handler) kept(ctx context.Context, tenant registryclient.Tenant, session sessions.Session) (*kept, error) {
	if !session.SignedIn() {
		return nil, nil // nobody has a token
	}
	text, err := h.deps.Sessions.Kept(ctx, session)
	if err != nil || text == nil {
		return nil, err
	}
	var k kept
	if err := json.Unmarshal(text, &k); err != nil {
		return nil, apierr.Wrap(err, "decode the token of a session")
	}
	switch _, err := h.deps.Tokens.Access(ctx, issuer(tenant), k.Token); {
	case authn.IsRefusal(err):
		return nil, nil // expired or revoked
	case err != nil:
		return nil, err
	}
	return &k, nil
}

// begin sends the browser to authorize.
func (h *Handler) begin(v *browser.Visit) error {
	l := login{Verifier: seal.NewSecret()}
	state, err := v.Begin(kind, l)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(l.Verifier))
	return v.Redirect(browser.Base + "/authorize?" + url.Values{
		"client_id": {clients.WebAppID(v.Tenant.ID)}, "redirect_uri": {v.Tenant.OAuthURL(callbackPath)}, "response_type": {"code"},
		"state": {state}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}.Encode())
}

// callback takes the code. The state belongs to this browser and is good once.
func (h *Handler) callback(v *browser.Visit) error {
	query, err := url.ParseQuery(v.Query())
	if err != nil {
		return apierr.Invalidf("The query of the URL is not well-formed.")
	}
	var l login
	found, err := h.deps.Sessions.Take(v.Context(), v.Session, kind, query.Get("state"), &l)
	switch {
	case err != nil:
		return err
	case !found || len(query["state"]) != 1 || len(query["code"]) > 1 || query.Get("iss") != v.Tenant.OAuthURL("") ||
		!v.Session.SignedIn():
		return apierr.Invalidf("This sign-in was not begun here, has expired, or was already used. Please open the token page again.")
	case query.Get("error") != "" || query.Get("code") == "":
		return apierr.New(apierr.Forbidden, "You were not signed in to the token web application.")
	}
	granted, err := h.deps.Grants.Exchange(v.Context(), v.Tenant, grants.Request{
		GrantType: oauth2.AuthorizationCode, Credentials: &grants.Credentials{ID: clients.WebAppID(v.Tenant.ID)},
		Code: query.Get("code"), RedirectURI: v.Tenant.OAuthURL(callbackPath), CodeVerifier: l.Verifier, Address: v.Address(),
	})
	if err != nil {
		return err
	}
	text, err := json.Marshal(kept{Token: granted.Access.Value, Expiry: granted.Access.ExpiresAt})
	if err != nil {
		return apierr.Wrap(err, "encode the token of a session")
	}
	if err := h.deps.Sessions.Keep(v.Context(), v.Session, text); err != nil {
		return err
	}
	return v.Redirect(browser.Base + path)
}

func (h *Handler) showLogout(v *browser.Visit) error {
	k, err := h.kept(v.Context(), v.Tenant, v.Session)
	if err != nil {
		return err
	}
	if k != nil {
		return v.Show(http.StatusOK, "webapp_logout", v.Common(""))
	}
	links := []browser.Link{{Text: "Open the token page again", Address: browser.Base + path}}
	if v.Session.SignedIn() {
		links = append(links, browser.Link{Text: "Log out of everything here", Address: browser.Base + "/logout"})
	}
	return v.Tell(browser.Message{
		Title: "Signed out of the token page", Text: "The token page holds no token of yours.",
		Links: links,
	})
}

// logout voids the token and leaves the session as it is.
func (h *Handler) logout(v *browser.Visit) error {
	if err := h.End(v.Context(), v.Tenant, v.Session); err != nil {
		return err
	}
	return v.Redirect(browser.Base + logoutPath)
}

// End voids and forgets the token of a session, if it has one.
func (h *Handler) End(ctx context.Context, tenant registryclient.Tenant, session sessions.Session) error {
	k, err := h.kept(ctx, tenant, session)
	if err != nil {
		return err
	}
	if k != nil {
		found, err := h.deps.Tokens.Find(ctx, issuer(tenant), k.Token)
		if err != nil {
			return err
		}
		if err := h.deps.Tokens.Revoke(ctx, found); err != nil {
			return err
		}
	}
	return h.deps.Sessions.Keep(ctx, session, nil)
}

func issuer(t registryclient.Tenant) tokens.Tenant {
	return tokens.Tenant{ID: t.ID, Issuer: t.TokenService}
}
