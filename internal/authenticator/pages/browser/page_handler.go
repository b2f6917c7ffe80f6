package browser

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/sessions"
	"gatehouse/internal/authenticator/tenancy"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/page"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/throttle"
)

// Base is the path below which all pages are.
const Base = "/v3/oauth2"

// AssetPath is where the style sheet and the images of pages are.
const AssetPath = Base + "/authorize/"

// The fields that every form carries.
const (
	tokenField = "csrf_token"
	FlowField  = "flow"
)

// Pages serves the pages of all tenants.
type Pages struct {
	sessions *sessions.Service
	tokens   *tokens.Service
	guard    *throttle.Guard // keeps strangers from filling the database
	renderer *page.Renderer
	assets   *page.Assets
	paths    map[string]bool // of the pages that are mounted
}

// New returns Pages that can show the named templates.
func New(s *sessions.Service, t *tokens.Service, g *throttle.Guard, names ...string) (*Pages, error) {
	renderer, err := page.New(AssetPath, append(names, "message")...)
	if err != nil {
		return nil, err
	}
	assets, err := page.NewAssets()
	if err != nil {
		return nil, err
	}
	return &Pages{sessions: s, tokens: t, guard: g, renderer: renderer, assets: assets, paths: map[string]bool{}}, nil
}

// Serves reports whether a page is mounted at a path, or what pages consist of.
// The scripts of other origins are kept out of both.
func (p *Pages) Serves(path string) bool { return p.paths[path] || strings.HasPrefix(path, AssetPath) }

// Middleware makes errors pages; it stands before the one that finds the tenant.
func (p *Pages) Middleware() gin.HandlerFunc { return httpapi.ErrorPages(p.fail) }

// MountAssets serves what pages consist of besides HTML. No tenant is needed.
func (p *Pages) MountAssets(r gin.IRoutes) {
	httpapi.Get(r, AssetPath+":file", func(c *gin.Context) error {
		if !p.assets.Write(c.Writer, c.Request, c.Param("file")) {
			return apierr.New(apierr.NotFound, "There is no such file.")
		}
		return nil
	})
}

// Get serves a page.
func (p *Pages) Get(r gin.IRoutes, path string, serve func(v *Visit) error) {
	p.paths[Base+path] = true
	httpapi.Get(r, path, func(c *gin.Context) error {
		v, err := p.visit(c)
		if err != nil {
			return err
		}
		return serve(v)
	})
}

// Post serves the form of a page with the given fields. A form that did not
// come from a page of ours, shown to this very browser, is answered with 403.
func (p *Pages) Post(r gin.IRoutes, path string, fields []string, serve func(v *Visit) error) {
	names := append([]string{tokenField, FlowField}, fields...)
	r.POST(path, httpapi.Handle(func(c *gin.Context) error {
		form, err := httpapi.ReadForm(c, names...)
		if err != nil {
			return err
		}
		return p.submit(c, form, serve)
	}))
}

// PostAsGet turns a form with the given parameters into the same request by
// GET. It looks at no cookie: with a form of another site the browser sends
// none, and with the GET that follows it does.
func PostAsGet(r gin.IRoutes, path string, parameters []string) {
	r.POST(path, httpapi.Handle(func(c *gin.Context) error {
		form, err := httpapi.ReadForm(c, parameters...)
		if err != nil {
			return err
		}
		query := url.Values{}
		for name, value := range form {
			query.Set(name, value)
		}
		redirect(c, Base+path+"?"+query.Encode())
		return nil
	}))
}

// PostOrAsk serves the form of a page that has no fields, as Post does. Without
// its token it is no form of ours but a request with the given parameters that
// an application had the browser post: ask sends the browser to the page. With
// a form of another site the browser sends no cookie, so the session that ask
// sees is nobody's.
func (p *Pages) PostOrAsk(r gin.IRoutes, path string, parameters []string, serve, ask func(v *Visit) error) {
	names := append([]string{tokenField, FlowField}, parameters...)
	r.POST(path, httpapi.Handle(func(c *gin.Context) error {
		form := httpapi.Params{}
		if c.Request.ContentLength != 0 { // nothing is a good request, too
			var err error
			if form, err = httpapi.ReadForm(c, names...); err != nil {
				return err
			}
		}
		if form[tokenField] != "" {
			return p.submit(c, form, serve)
		}
		v, err := p.visit(c)
		if err != nil {
			return err
		}
		v.Form = form
		return ask(v)
	}))
}

// submit serves a form that was sent.
func (p *Pages) submit(c *gin.Context, form httpapi.Params, serve func(v *Visit) error) error {
	v, err := p.visit(c)
	if err != nil {
		return err
	}
	if !v.sameOrigin() {
		return apierr.New(apierr.Forbidden, "This form was sent by another website, and nothing was done.")
	}
	if !p.sessions.FormTokenMatches(v.Session, form[FlowField], form[tokenField]) {
		c.Set(continueKey, form[FlowField])
		return apierr.New(apierr.Forbidden, "This form is out of date, and nothing was done. "+
			"You may have signed in or out meanwhile, or your browser does not accept cookies.")
	}
	v.Form = form
	return serve(v)
}

func (p *Pages) visit(c *gin.Context) (*Visit, error) {
	ctx := c.Request.Context()
	tenant, err := tenancy.From(ctx)
	if err != nil {
		return nil, err
	}
	v := &Visit{Tenant: tenant, gin: c, pages: p}
	cookie, err := c.Request.Cookie(v.cookieName())
	sent := ""
	if err == nil {
		sent = cookie.Value
	}
	// Before the session is looked at: what is revoked from now on voids what
	// comes of this visit.
	if v.Began, err = p.tokens.Begin(ctx, tenant.ID); err != nil {
		return nil, err
	}
	v.Session, err = p.sessions.Open(ctx, tenant.ID, sent)
	return v, err
}

// continueKey is where the id of a flow is kept with which the person may go
// on although the form was refused.
const continueKey = "gatehouse.continue"

// titles are what error pages are called.
var titles = map[int]string{
	http.StatusBadRequest:          "This request cannot be served",
	http.StatusForbidden:           "Not allowed",
	http.StatusNotFound:            "Not found",
	http.StatusTooManyRequests:     "Too many attempts",
	http.StatusServiceUnavailable:  "Not available at the moment",
	http.StatusInternalServerError: "Something went wrong",
}

// fail writes an error page.
func (p *Pages) fail(c *gin.Context, status int, message string) {
	title := titles[status]
	if title == "" {
		title = http.StatusText(status)
	}
	m := Message{Title: title, Text: message, RequestID: httpapi.RequestID(c.Request.Context()), Problem: true}
	if flow := c.GetString(continueKey); flow != "" {
		m.Links = []Link{{Text: "Continue signing in", Address: template.URL(Continue(flow))}} //nolint:gosec // it is our own
	}
	if tenant, err := tenancy.From(c.Request.Context()); err == nil {
		m.Tenant = tenant.ID
	}
	if err := p.renderer.Write(c.Writer, status, "message", m); err != nil {
		http.Error(c.Writer, title, status)
	}
}

// Continue is the address that goes on with a flow where it is.
func Continue(flow string) string {
	return Base + "/authorize?" + url.Values{FlowField: {flow}}.Encode()
}

// Visit is one request for a page.
type Visit struct {
	Tenant  registryclient.Tenant
	Session sessions.Session
	Began   int64          // the revocation number at which the visit began
	Form    httpapi.Params // of a POST
	gin     *gin.Context
	pages   *Pages
	told    bool // the browser has been told its cookie
}

// Context is the request's.
func (v *Visit) Context() context.Context { return v.gin.Request.Context() }

// Query is the raw query of the request.
func (v *Visit) Query() string { return v.gin.Request.URL.RawQuery }

// Address is where the request came from, for throttling.
func (v *Visit) Address() string { return v.gin.ClientIP() }

// Become makes the browser's session another one.
func (v *Visit) Become(s sessions.Session) {
	v.Session, v.told = s, false
	v.tell()
}

// Begin records a flow of this browser and returns its id.
func (v *Visit) Begin(kind string, content any) (string, error) {
	if !v.Session.SignedIn() {
		if err := v.pages.guard.Visit(v.Context(), v.Tenant.ID, v.Address()); err != nil {
			return "", err
		}
	}
	v.tell()
	return v.pages.sessions.Begin(v.Context(), v.Session, kind, content)
}

// tell gives the browser its cookie if it does not have it.
func (v *Visit) tell() {
	value, isNew := v.Session.Cookie()
	if !isNew || v.told {
		return
	}
	v.told = true
	http.SetCookie(v.gin.Writer, &http.Cookie{ //nolint:gosec // Secure wherever there is TLS
		Name: v.cookieName(), Value: value, Path: "/", HttpOnly: true, Secure: v.secure(), SameSite: http.SameSiteLaxMode,
	})
}

// secure reports whether the tenant is reached over TLS; only development
// and plain test sites are not.
func (v *Visit) secure() bool { return strings.HasPrefix(v.Tenant.BaseURL, "https://") }

func (v *Visit) cookieName() string {
	if v.secure() {
		return "__Host-tapis_session"
	}
	// Cookies do not know ports, where several development sites differ.
	if at, err := url.Parse(v.Tenant.BaseURL); err == nil && at.Port() != "" {
		return "tapis_session_" + at.Port()
	}
	return "tapis_session"
}

// sameOrigin reports whether a form was sent by a page of this host, as far
// as the browser says. Old ones say nothing, and where no referrer is told
// the origin is null; then the form's token decides alone.
func (v *Visit) sameOrigin() bool {
	if site := v.gin.GetHeader("Sec-Fetch-Site"); site != "" {
		return site == "same-origin" || site == "none"
	}
	origin := v.gin.GetHeader("Origin")
	if origin == "" || origin == "null" {
		return true
	}
	scheme, host, _ := strings.Cut(origin, "://")
	return strings.EqualFold(host, v.gin.Request.Host) && (scheme == "https") == v.secure()
}

// Common is what every page shows.
type Common struct {
	Tenant    string
	FormToken string
	Flow      string // id of the flow that the page is about
	Account   string // who is signed in; empty: nobody
}

// Common returns it for a page about a flow, or about none.
func (v *Visit) Common(flow string) Common {
	v.tell()
	return Common{
		Tenant: v.Tenant.ID, FormToken: v.pages.sessions.FormToken(v.Session, flow), Flow: flow, Account: v.Session.Username,
	}
}

// Message is a page that tells something.
type Message struct {
	Tenant, Title, Text, RequestID string
	Problem                        bool // it is no good news
	Links                          []Link
}

// Link is where a person may go next: an address of ours, or one that is
// registered, whose scheme HTML templates would not let pass otherwise.
type Link struct {
	Text    string
	Address template.URL
}

// Tell shows a Message.
func (v *Visit) Tell(m Message) error {
	m.Tenant = v.Tenant.ID
	return v.Show(http.StatusOK, "message", m)
}

// TellProblem shows a Message about what cannot be done.
func (v *Visit) TellProblem(m Message) error {
	m.Tenant, m.Problem = v.Tenant.ID, true
	return v.Show(http.StatusBadRequest, "message", m)
}

// Show shows a page, whose forms may lead to further CSP sources.
func (v *Visit) Show(status int, name string, data any, formTargets ...string) error {
	if err := v.pages.renderer.Write(v.gin.Writer, status, name, data, formTargets...); err != nil {
		return fmt.Errorf("show page: %w", err)
	}
	return nil
}

// RetryAfter says how long to wait, in seconds.
func (v *Visit) RetryAfter(seconds string) { v.gin.Header("Retry-After", seconds) }

// Redirect sends the browser to another page, which it will GET.
func (v *Visit) Redirect(location string) error {
	redirect(v.gin, location)
	return nil
}

func redirect(c *gin.Context, location string) {
	c.Header("Location", location)
	c.Header("Cache-Control", "no-store")
	c.Header("Referrer-Policy", "no-referrer")
	c.Status(http.StatusSeeOther)
	c.Writer.WriteHeaderNow()
}
