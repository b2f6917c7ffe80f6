package signin

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/pages/browser"
)

const logoutPath = "/logout"

// logoutParameters are those of OpenID Connect RP-Initiated Logout section 2.
var logoutParameters = []string{"id_token_hint", "client_id", "post_logout_redirect_uri", "state"}

// maxHint bounds id_token_hint, in bytes: a token has as many groups as its
// person.
const maxHint = 16 << 10

// logoutPage asks whether to log out.
type logoutPage struct {
	browser.Common

	Destination string // where one goes then; empty: nowhere
}

// showLogout asks whether to log out, and says so when nobody is signed in. A
// client may send the person here and want them back.
func (h *Handler) showLogout(v *browser.Visit) error {
	f, err := h.logoutRequest(v)
	if err != nil {
		return err
	}
	switch {
	case !v.Session.SignedIn() && f != nil:
		return h.afterLogout(v, f)
	case !v.Session.SignedIn():
		return v.Tell(browser.Message{Title: "Logged out", Text: "You have been logged out. Nobody is signed in in this browser."})
	case f == nil:
		return v.Show(http.StatusOK, "logout", logoutPage{Common: v.Common("")})
	}
	if f.id, err = v.Begin(kind, f); err != nil {
		return err
	}
	words, _ := destination(f.Target)
	return v.Show(http.StatusOK, "logout", logoutPage{Common: v.Common(f.id), Destination: words}, formTarget(f.Target)...)
}

// askLogout sends the browser of a person whom a client posts here to the page.
// The client's name stands for the token that it posted, which tells much of
// the person and might not fit into a URL.
func (h *Handler) askLogout(v *browser.Visit) error {
	query := url.Values{}
	for name, value := range v.Form {
		query.Set(name, value)
	}
	id, username, err := h.logoutClient(v, parameters{query})
	if err != nil {
		return err
	}
	to := browser.Base + logoutPath
	query.Del(browser.FlowField)
	query.Del("id_token_hint")
	if id != "" {
		query.Set("client_id", id)
	}
	if username != "" {
		query.Set(proofField, h.proof(v.Tenant.ID, id, username))
	}
	if len(query) > 0 {
		to += "?" + query.Encode()
	}
	return v.Redirect(to)
}

// logoutClient returns the id of the client that sends a person here, "" when
// none does, and the person whose ID token it holds, "" when it showed none. It
// makes sure that the parameters can be read.
func (h *Handler) logoutClient(v *browser.Visit, p parameters) (id, username string, err error) {
	for _, name := range logoutParameters {
		limit := maxParameter
		if name == "id_token_hint" {
			limit = maxHint
		}
		if _, ok := p.upTo(limit, name); !ok {
			return "", "", apierr.Invalidf("The parameter %s is given more than once, is too long, or is not text.", name)
		}
	}
	id = p.text("client_id")
	raw, _ := p.upTo(maxHint, "id_token_hint")
	if raw == "" {
		return id, h.proved(p.text(proofField), v.Tenant.ID, id), nil
	}
	hint, err := h.tokens.ReadIDHint(v.Context(), v.Tenant.ID, v.Tenant.OAuthURL(""), raw)
	if err != nil {
		return "", "", err
	}
	if id != "" && id != hint.ClientID {
		return "", "", apierr.Invalidf("The parameters client_id and id_token_hint are of different clients.")
	}
	return hint.ClientID, hint.Username, nil
}

// proofField carries, where an ID token was posted, whose it was: for a few
// minutes, and only from this page to itself.
const (
	proofField    = "proof"
	proofLifetime = 5 * time.Minute
)

func (h *Handler) proof(tenantID, clientID, username string) string {
	until := h.now().Add(proofLifetime).UTC().Format(time.RFC3339)
	return h.box.Seal([]byte(until+" "+username), "logout", tenantID, clientID)
}

func (h *Handler) proved(proof, tenantID, clientID string) (username string) {
	text, err := h.box.Open(proof, "logout", tenantID, clientID)
	if err != nil {
		return ""
	}
	end, username, _ := strings.Cut(string(text), " ")
	if until, err := time.Parse(time.RFC3339, end); err != nil || !h.now().Before(until) {
		return ""
	}
	return username
}

// logoutRequest reads what a client wants; nil when no client does. It may
// have people sent only to its redirect URIs.
func (h *Handler) logoutRequest(v *browser.Visit) (*flow, error) {
	p, ok := parseParameters(v.Query())
	if !ok {
		return nil, apierr.Invalidf("The query of the URL is not well-formed.")
	}
	id, username, err := h.logoutClient(v, p)
	if err != nil {
		return nil, err
	}
	target := p.text("post_logout_redirect_uri")
	if target == "" {
		return nil, nil // nobody is sent anywhere
	}
	client, err := h.clients.Find(v.Context(), v.Tenant.ID, id)
	if err != nil && !errors.Is(err, clients.ErrUnknown) {
		return nil, err
	}
	if err != nil || !slices.Contains(client.RedirectURIs, target) {
		return nil, apierr.Invalidf("The application that sent you here wants you back at an address that is not registered for it: " +
			"post_logout_redirect_uri must be one of its redirect URIs, and client_id or id_token_hint must name it.")
	}
	return &flow{
		For: forLogout, Target: target, Proved: v.Session.SignedIn() && username == v.Session.Username, CreateTime: h.begun(),
		Request: request{ClientID: id, State: p.text("state")},
	}, nil
}

// logout ends the session here, so that no copy of its cookie is good for
// anything.
func (h *Handler) logout(v *browser.Visit) error {
	var f *flow
	if id := v.Form[browser.FlowField]; id != "" {
		var err error
		if f, err = h.load(v, id); err != nil {
			return err
		}
		if f.For != forLogout {
			return errExpired()
		}
	}
	if v.Session.SignedIn() {
		if err := h.webapp.End(v.Context(), v.Tenant, v.Session); err != nil {
			return err
		}
	}
	session, err := h.sessions.SignOut(v.Context(), v.Session)
	if err != nil {
		return err
	}
	v.Become(session)
	if f != nil {
		return h.afterLogout(v, f)
	}
	return v.Redirect(browser.Base + logoutPath) // which says that nobody is signed in
}

// afterLogout sends a person on to the client that showed their own ID token.
// Otherwise the person decides: anybody may register a client, sign in to it,
// and have others follow a link to here.
func (h *Handler) afterLogout(v *browser.Visit, f *flow) error {
	answer := url.Values{}
	if f.Request.State != "" {
		answer.Set("state", f.Request.State)
	}
	to, err := location(f.Target, "query", answer)
	if err != nil {
		return err
	}
	if f.Proved {
		return v.Redirect(to)
	}
	words, _ := destination(f.Target)
	return v.Tell(browser.Message{
		Title: "Logged out", Text: "You have been logged out. Nobody is signed in in this browser.",
		Links: []browser.Link{{Text: "Go on to " + words, Address: template.URL(to)}}, //nolint:gosec // it is a registered one
	})
}
