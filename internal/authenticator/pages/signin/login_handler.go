package signin

import (
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/pages/browser"
	"gatehouse/internal/authenticator/people"
	"gatehouse/internal/authenticator/sessions"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/httpapi"
)

// loginPage is what the login page shows. It has no place for a password.
type loginPage struct {
	browser.Common

	Application string // for which one signs in; empty: for these pages
	Username    string
	Problem     string // above the form
	NoUsername  bool   // the field was left empty
	NoPassword  bool
}

// flowOf loads the flow that the query names.
func (h *Handler) flowOf(v *browser.Visit) (*flow, error) {
	p, ok := parseParameters(v.Query())
	if !ok {
		return nil, apierr.Invalidf("The query of the URL is not well-formed.")
	}
	return h.load(v, p.text(browser.FlowField))
}

func (h *Handler) showLogin(v *browser.Visit) error {
	if v.Query() == "" {
		return v.Redirect(browser.Base + authorizationsPath)
	}
	if err := h.forPeople(v); err != nil {
		return err
	}
	f, err := h.flowOf(v)
	if err != nil {
		return err
	}
	username := f.Request.Username
	if username == "" {
		username = v.Session.Username
	}
	return h.loginForm(v, f, http.StatusOK, loginPage{Username: username})
}

func (h *Handler) loginForm(v *browser.Visit, f *flow, status int, p loginPage) error {
	p.Common = v.Common(f.id)
	if f.For == forClient {
		client, err := h.clientOf(v, f)
		if err != nil {
			return err
		}
		p.Application = client.DisplayName
	}
	return v.Show(status, "login", p, formTarget(f.Target)...)
}

func (h *Handler) login(v *browser.Visit) error {
	if err := h.forPeople(v); err != nil {
		return err
	}
	f, err := h.load(v, v.Form[browser.FlowField])
	if err != nil {
		return err
	}
	username, password := strings.TrimSpace(v.Form["username"]), v.Form["password"]
	if username == "" || password == "" {
		return h.loginForm(v, f, http.StatusBadRequest, loginPage{
			Username: username, Problem: "Please fill in both fields.", NoUsername: username == "", NoPassword: password == "",
		})
	}
	person, err := h.checkPassword(v, username, password)
	switch {
	case errors.Is(err, people.ErrRefused):
		return h.loginForm(v, f, http.StatusUnauthorized, loginPage{
			Username: username, Problem: "Invalid username/password combination.",
		})
	case apierr.Is(err, apierr.TooMany), apierr.Is(err, apierr.Unavailable):
		return h.loginLater(v, f, username, err)
	case err != nil:
		return err
	}
	httpapi.Annotate(v.Context(), slog.String("user", person.Username))
	who := sessions.Person{Username: person.Username, AuthTime: h.now(), AMR: []string{people.AMRPassword}}
	if err := h.signIn(v, who); err != nil {
		return err
	}
	return h.advance(v, f)
}

// checkPassword signs a person in by name and password.
func (h *Handler) checkPassword(v *browser.Visit, username, password string) (people.Profile, error) {
	ctx := v.Context()
	settings, err := h.settings.For(ctx, v.Tenant.ID)
	if err != nil {
		return people.Profile{}, err
	}
	if settings.MFA { // never less than what the tenant asks for
		return people.Profile{}, apierr.New(apierr.Forbidden,
			"The tenant %s asks for a second factor, which cannot be given here yet.", v.Tenant.ID)
	}
	if settings.IdentitySource != tenantconfig.LDAPSource {
		return people.Profile{}, apierr.New(apierr.Forbidden,
			"People of the tenant %s sign in elsewhere (%s), which is not available here yet.", v.Tenant.ID, settings.IdentitySource)
	}
	person, err := h.people.Authenticate(ctx, v.Tenant, username, password, v.Address())
	if errors.Is(err, people.ErrNoDirectory) {
		return people.Profile{}, apierr.New(apierr.Forbidden, "The tenant %s has no directory of people; nobody can sign in to it.",
			v.Tenant.ID)
	}
	if err != nil {
		return people.Profile{}, err
	}
	err = h.people.Admit(ctx, v.Tenant, settings, people.Login{Username: person.Username, AMR: []string{people.AMRPassword}})
	if errors.Is(err, people.ErrGone) {
		err = people.ErrRefused
	}
	return person, err
}

// loginLater shows the form to somebody who must wait.
func (h *Handler) loginLater(v *browser.Visit, f *flow, username string, err error) error {
	e, status := apierr.From(err), http.StatusTooManyRequests
	if e.Kind == apierr.Unavailable {
		status = http.StatusServiceUnavailable
		h.warnAway(v, err)
	}
	wait(v, e)
	return h.loginForm(v, f, status, loginPage{Username: username, Problem: e.Message})
}

func (h *Handler) warnAway(v *browser.Visit, err error) {
	h.log.WarnContext(v.Context(), "dependency away", slog.String("request_id", httpapi.RequestID(v.Context())),
		slog.String("error", err.Error()))
}

func wait(v *browser.Visit, e *apierr.Error) {
	if e.RetryAfter > 0 {
		v.RetryAfter(strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
}

// signIn makes the browser's session one of a person. The session of somebody
// else ends as if that person had logged out.
func (h *Handler) signIn(v *browser.Visit, who sessions.Person) error {
	if v.Session.SignedIn() && v.Session.Username != who.Username {
		if err := h.webapp.End(v.Context(), v.Tenant, v.Session); err != nil {
			return err
		}
	}
	session, err := h.sessions.SignIn(v.Context(), v.Session, who)
	if err != nil {
		return err
	}
	v.Become(session)
	return nil
}

// switchAddress is where the person of a flow becomes another one.
func switchAddress(f *flow) string {
	return browser.Base + loginStep.path + "?" + url.Values{browser.FlowField: {f.id}}.Encode()
}
