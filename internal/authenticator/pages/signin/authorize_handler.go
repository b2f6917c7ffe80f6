package signin

import (
	"errors"
	"html/template"
	"net/url"
	"slices"
	"strconv"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/codes"
	"gatehouse/internal/authenticator/grants"
	"gatehouse/internal/authenticator/oauth2"
	"gatehouse/internal/authenticator/pages/browser"
)

// authorize begins a flow for a client, or goes on with one.
func (h *Handler) authorize(v *browser.Visit) error {
	p, ok := parseParameters(v.Query())
	if !ok {
		return apierr.Invalidf("The query of the URL is not well-formed.")
	}
	if id := p.text(browser.FlowField); id != "" {
		f, err := h.load(v, id)
		if err != nil {
			return err
		}
		return h.advance(v, f)
	}
	f, fault, err := h.begin(v, p)
	if err != nil {
		return err
	}
	if fault != nil {
		return h.refuse(v, f, fault)
	}
	return h.advance(v, f)
}

// refuse tells of a fault in the request of a client. Where nobody is signed
// in, a link to us must not send people on to wherever its maker registered a
// client (RFC 9700 section 4.11.2): the person decides on a page. At once it
// goes to clients that are vouched for, and to an address that is exactly
// registered where no page is wanted.
func (h *Handler) refuse(v *browser.Visit, f *flow, fault *protocolError) error {
	client, err := h.clientOf(v, f)
	if err != nil {
		return err
	}
	exactly := slices.Contains(client.RedirectURIs, f.Target)
	if v.Session.SignedIn() || client.FirstParty || f.Request.prompts(promptNone) && exactly {
		return h.answerError(v, f, fault)
	}
	to, err := h.answerLocation(v, f, errorAnswer(fault))
	if err != nil {
		return err
	}
	words, _ := destination(f.Target)
	return v.TellProblem(browser.Message{
		Title: "This request cannot be served", Text: "The application that sent you here made a mistake: " + fault.description,
		Links: []browser.Link{{Text: "Go back to " + words, Address: template.URL(to)}}, //nolint:gosec // it is a registered one
	})
}

// begin checks a request. Until the client and its redirect URI are known to
// be good, errors are for the person alone; then they are for the client.
func (h *Handler) begin(v *browser.Visit, p parameters) (*flow, *protocolError, error) {
	ctx := v.Context()
	id, once := p.one("client_id")
	if id == "" || !once {
		return nil, nil, apierr.Invalidf("The application that sent you here did not say which one it is: client_id must be given " +
			"once.")
	}
	client, err := h.clients.Find(ctx, v.Tenant.ID, id)
	if errors.Is(err, clients.ErrUnknown) {
		return nil, nil, apierr.Invalidf("The application that sent you here is not registered in the tenant %s.", v.Tenant.ID)
	}
	if err != nil {
		return nil, nil, err
	}
	sent, once := p.one("redirect_uri")
	target, ok := client.Redirect(sent)
	if !ok || !once {
		return nil, nil, apierr.Invalidf("The application that sent you here wants the answer at an address that is not " +
			"registered for it: " +
			"redirect_uri must be one of those, exactly.")
	}
	f := &flow{For: forClient, Target: target, CreateTime: h.begun()}
	settings, err := h.settings.For(ctx, v.Tenant.ID)
	if err != nil {
		return nil, nil, err
	}
	var fault *protocolError
	if f.Request, fault = parseRequest(p, client, settings.ImplicitResponseMode); fault != nil {
		return f, fault, nil
	}
	fault, err = h.permitted(v, f, client)
	return f, fault, err
}

// permitted checks what tenant and client may do.
func (h *Handler) permitted(v *browser.Visit, f *flow, client clients.Client) (*protocolError, error) {
	grant := oauth2.AuthorizationCode
	if f.Request.ResponseType == oauth2.TokenResponse {
		grant = oauth2.Implicit
	}
	err := h.grants.Permits(v.Context(), v.Tenant, client, grant)
	if e := apierr.From(err); err != nil && e.Code != "" {
		return &protocolError{e.Code, e.Message}, nil
	}
	return nil, err
}

// finish gives what a flow leads to; the flow has ended.
func (h *Handler) finish(v *browser.Visit, f *flow) error {
	switch f.For {
	case forAccount:
		return v.Redirect(browser.Base + authorizationsPath)
	case forClient:
		return h.issue(v, f)
	}
	return errExpired() // the others end on pages of their own
}

// issue gives a client its code or token.
func (h *Handler) issue(v *browser.Visit, f *flow) error {
	client, err := h.clientOf(v, f)
	if err != nil {
		return err
	}
	who, r := v.Session.Person, f.Request
	approval := codes.Approval{
		TenantID: v.Tenant.ID, ClientID: client.ID, Username: who.Username, RedirectURI: r.RedirectURI, Scope: r.Scope,
		Nonce: r.Nonce, CodeChallenge: r.CodeChallenge, AuthTime: who.AuthTime, AMR: who.AMR, IDPID: who.IDPID, Began: v.Began,
	}
	if r.ResponseType == oauth2.TokenResponse {
		out, err := h.grants.Implicit(v.Context(), v.Tenant, client, approval)
		if err != nil {
			return h.answerFailure(v, f, err)
		}
		return h.answer(v, f, tokenAnswer(out))
	}
	code, err := h.grants.Code(v.Context(), v.Tenant, client, approval)
	if err != nil {
		return h.answerFailure(v, f, err)
	}
	return h.answer(v, f, url.Values{"code": {code}})
}

// tokenAnswer is RFC 6749 section 4.2.2.
func tokenAnswer(out grants.Outcome) url.Values {
	answer := url.Values{
		"access_token": {out.Access.Value}, "token_type": {"Bearer"},
		"expires_in": {strconv.FormatInt(int64(out.Access.TTL.Seconds()), 10)},
	}
	if scope := out.Request.Login.Scope; scope != "" {
		answer.Set("scope", scope)
	}
	return answer
}

// answer sends the browser back to the client, with the state that it sent
// and, against mix-ups, our name (RFC 9207).
func (h *Handler) answer(v *browser.Visit, f *flow, answer url.Values) error {
	to, err := h.answerLocation(v, f, answer)
	if err != nil {
		return err
	}
	return v.Redirect(to)
}

// answerLocation is where an answer takes the browser.
func (h *Handler) answerLocation(v *browser.Visit, f *flow, answer url.Values) (string, error) {
	if f.Request.State != "" {
		answer.Set("state", f.Request.State)
	}
	answer.Set("iss", v.Tenant.OAuthURL(""))
	return location(f.Target, f.Request.ResponseMode, answer)
}

func errorAnswer(fault *protocolError) url.Values {
	return url.Values{"error": {fault.code}, "error_description": {fault.description}}
}

// answerError tells the client that it gets nothing, and why.
func (h *Handler) answerError(v *browser.Visit, f *flow, fault *protocolError) error {
	return h.answer(v, f, errorAnswer(fault))
}

// answerFailure tells the client of an error that has an OAuth code; others
// are for the person.
func (h *Handler) answerFailure(v *browser.Visit, f *flow, err error) error {
	e := apierr.From(err)
	switch {
	case e.Kind == apierr.Unavailable:
		h.warnAway(v, err)
		return h.answerError(v, f, &protocolError{oauth2.TemporarilyUnavailable, e.Message})
	case e.Code != "":
		return h.answerError(v, f, &protocolError{e.Code, e.Message})
	}
	return err
}
