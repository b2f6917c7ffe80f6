package signin

import (
	"net/http"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/oauth2"
	"gatehouse/internal/authenticator/pages/browser"
)

// The decisions of a form.
const (
	allow = "allow"
	deny  = "deny"
)

// consentPage is what the consent page shows.
type consentPage struct {
	browser.Common

	Application, Owner, Destination string
	FirstParty                      bool
	Scopes                          []string // in words
	Rememberable                    bool
	Switch                          string // address
}

func (h *Handler) showConsent(v *browser.Visit) error {
	f, err := h.flowOf(v)
	if err != nil {
		return err
	}
	if f.For != forClient {
		return errExpired()
	}
	if ok, err := h.at(v, f, consentStep); !ok || err != nil {
		return err
	}
	client, err := h.clientOf(v, f)
	if err != nil {
		return err
	}
	p := consentPage{
		Common: v.Common(f.id), Application: client.DisplayName, Owner: client.Owner, FirstParty: client.FirstParty,
		Rememberable: !client.FirstParty && rememberable(client, f), Switch: switchAddress(f),
	}
	p.Destination, _ = destination(f.Target)
	for _, name := range f.Request.scopes() {
		p.Scopes = append(p.Scopes, scopeWords[name])
	}
	return v.Show(http.StatusOK, "consent", p, formTarget(f.Target)...)
}

func (h *Handler) consent(v *browser.Visit) error {
	f, err := h.load(v, v.Form[browser.FlowField])
	if err != nil {
		return err
	}
	if f.For != forClient {
		return errExpired()
	}
	decision := v.Form["decision"]
	if decision != allow && decision != deny {
		return apierr.Invalidf("The field decision must be allow or deny.")
	}
	if ok, err := h.at(v, f, consentStep); !ok || err != nil {
		return err
	}
	client, err := h.clientOf(v, f)
	if err != nil {
		return err
	}
	if err := h.take(v, f); err != nil {
		return err
	}
	if decision == deny {
		return h.answerError(v, f, &protocolError{oauth2.AccessDenied, "The person did not allow it."})
	}
	if !client.FirstParty {
		always := v.Form["always"] == "yes" && rememberable(client, f)
		err := h.consents.Record(v.Context(), v.Tenant.ID, v.Session.Username, consentClient(client), f.Request.scopes(), always)
		if err != nil {
			return err
		}
	}
	return h.finish(v, f)
}
