package signin

import (
	"errors"
	"slices"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/consents"
	"gatehouse/internal/authenticator/oauth2"
	"gatehouse/internal/authenticator/pages/browser"
)

// kind is what the flows of this package are stored as.
const kind = "signin"

// What a flow leads to.
const (
	forClient  = "client"  // a code or token for a client
	forDevice  = "device"  // approval of a device code
	forAccount = "account" // the page of one's authorizations
	forLogout  = "logout"  // away from here; it has no steps
)

// flow is one way through the pages: what was asked for, and what has been
// learned on the way. It is stored sealed; nothing of it is ever read from a
// form or a URL again.
type flow struct {
	id string // empty: not stored yet

	For        string
	Request    request // of a client
	Target     string  // the redirect URI where the answer goes
	Proved     bool    // an ID token showed that the client is the person's; of a logout
	UserCode   string  // as the link that led here has it
	DeviceID   string  // of the user code that was entered
	DeviceUser string  // who entered it
	CreateTime time.Time
}

// step is one page on the way. due reports whether it must be seen now.
type step struct {
	path   string
	refuse string // what a client that wants no pages is told instead
	due    func(h *Handler, v *browser.Visit, f *flow) (bool, error)
}

// The steps of each flow, in their order.
var (
	loginStep   = &step{path: "/login", refuse: oauth2.LoginRequired, due: loginDue}
	consentStep = &step{path: "/consent", refuse: oauth2.ConsentRequired, due: consentDue}
	codeStep    = &step{path: "/device", due: codeDue}
	confirmStep = &step{path: "/device/confirm", due: always}

	steps = map[string][]*step{
		forClient:  {loginStep, consentStep},
		forDevice:  {loginStep, codeStep, confirmStep},
		forAccount: {loginStep},
	}
)

// errExpired is what is said of a flow that is not there, or not this
// browser's: nobody learns which.
func errExpired() error {
	return apierr.Invalidf("This page has expired, was already used, or belongs to another browser. Please start again from " +
		"your application.")
}

// begun is the time at which a flow begins, as exact as those of sessions are
// stored.
func (h *Handler) begun() time.Time { return h.now().UTC().Truncate(time.Microsecond) }

// load reads the flow with an id.
func (h *Handler) load(v *browser.Visit, id string) (*flow, error) {
	var f flow
	found, err := h.sessions.Flow(v.Context(), v.Session, kind, id, &f)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, errExpired()
	}
	f.id = id
	return &f, nil
}

// take ends a flow, so that it can be finished once.
func (h *Handler) take(v *browser.Visit, f *flow) error {
	if f.id == "" {
		return nil // it was never stored
	}
	found, err := h.sessions.Take(v.Context(), v.Session, kind, f.id, &flow{})
	if err == nil && !found {
		return errExpired()
	}
	return err
}

// next returns the step that is due, or nil.
func (h *Handler) next(v *browser.Visit, f *flow) (*step, error) {
	way, ok := steps[f.For]
	if !ok {
		return nil, errExpired() // a flow without steps never comes here
	}
	for _, s := range way {
		due, err := s.due(h, v, f)
		if err != nil {
			return nil, err
		}
		if due {
			return s, nil
		}
	}
	return nil, nil // all is done
}

// advance sends the browser to the step that is due, or finishes.
func (h *Handler) advance(v *browser.Visit, f *flow) error {
	s, err := h.next(v, f)
	if err != nil {
		return err
	}
	if s == nil {
		if err := h.take(v, f); err != nil {
			return err
		}
		return h.finish(v, f)
	}
	if f.Request.prompts(promptNone) {
		return h.refuse(v, f, &protocolError{s.refuse, "Nothing was to be shown, but the person must be asked."})
	}
	if f.id == "" {
		if f.id, err = v.Begin(kind, f); err != nil {
			return err
		}
	}
	return v.Redirect(pageOf(s, f))
}

func pageOf(s *step, f *flow) string {
	return browser.Base + s.path + "?" + browser.FlowField + "=" + f.id
}

// at makes sure that a step is the one that is due; otherwise it sends the
// browser where it belongs and returns false.
func (h *Handler) at(v *browser.Visit, f *flow, wanted *step) (bool, error) {
	s, err := h.next(v, f)
	if err != nil {
		return false, err
	}
	if s != wanted {
		return false, h.advance(v, f)
	}
	return true, nil
}

// loginDue holds until somebody has signed in, recently enough.
func loginDue(h *Handler, v *browser.Visit, f *flow) (bool, error) {
	if !v.Session.SignedIn() {
		return true, nil
	}
	if !v.Session.AuthTime.Before(f.CreateTime) {
		return false, nil // on this very way
	}
	age, limited := f.Request.maxAge()
	return f.Request.prompts(promptLogin) || limited && h.now().Sub(v.Session.AuthTime) > age, nil
}

// consentDue holds unless the person said that this client, as it is, may
// always have what it asks for. Where anybody could pretend to be the client,
// the person is asked each time.
func consentDue(h *Handler, v *browser.Visit, f *flow) (bool, error) {
	r := f.Request
	chosen := !v.Session.AuthTime.Before(f.CreateTime)
	if r.prompts(promptConsent) || r.prompts(promptSelectAccount) && !chosen {
		return true, nil
	}
	client, err := h.clientOf(v, f)
	if err != nil {
		return false, err
	}
	if client.FirstParty {
		return false, nil
	}
	if !rememberable(client, f) {
		return true, nil
	}
	covered, err := h.consents.Covers(v.Context(), v.Tenant.ID, v.Session.Username, consentClient(client), r.scopes())
	return !covered, err
}

// rememberable reports whether consent may be given for good.
func rememberable(client clients.Client, f *flow) bool {
	_, native := destination(f.Target)
	return f.Request.ResponseType == oauth2.CodeResponse && (!client.Public() || !native)
}

// consentClient is a client as a person consents to it.
func consentClient(c clients.Client) consents.Client {
	uris := slices.Clone(c.RedirectURIs)
	slices.Sort(uris)
	return consents.Client{ID: c.ID, Fingerprint: fingerprint(append([]string{
		c.Owner, c.DisplayName, c.AuthMethod, c.Created.UTC().Format(time.RFC3339Nano),
	}, uris...))}
}

// codeDue holds until whoever is signed in now has entered a user code.
func codeDue(_ *Handler, v *browser.Visit, f *flow) (bool, error) {
	return f.DeviceID == "" || f.DeviceUser != v.Session.Username, nil
}

func always(*Handler, *browser.Visit, *flow) (bool, error) { return true, nil }

// clientOf returns the client of a flow, if it is still there and still has
// the redirect URI.
func (h *Handler) clientOf(v *browser.Visit, f *flow) (clients.Client, error) {
	client, err := h.clients.Find(v.Context(), v.Tenant.ID, f.Request.ClientID)
	if errors.Is(err, clients.ErrUnknown) {
		return clients.Client{}, apierr.Invalidf("The application that sent you here is no longer registered.")
	}
	if err != nil {
		return clients.Client{}, err
	}
	if uri, ok := client.Redirect(f.Request.RedirectURI); !ok || uri != f.Target {
		return clients.Client{}, apierr.Invalidf("The application that sent you here has changed meanwhile; please start again " +
			"from it.")
	}
	return client, nil
}
