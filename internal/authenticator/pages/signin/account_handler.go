package signin

import (
	"errors"
	"net/http"
	"time"

	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/pages/browser"
)

// authorizationsPath is the page on which people see what they have allowed.
const authorizationsPath = "/authorizations"

type authorizationsPage struct {
	browser.Common

	Applications []allowed
}

// allowed is an application on the list.
type allowed struct {
	ClientID, Name, Owner string // without a name it is no longer registered
	Always                bool
	Since                 time.Time
}

func (h *Handler) showAuthorizations(v *browser.Visit) error {
	if err := h.forPeople(v); err != nil {
		return err
	}
	if !v.Session.SignedIn() {
		return h.advance(v, &flow{For: forAccount, CreateTime: h.begun()})
	}
	given, err := h.consents.List(v.Context(), v.Tenant.ID, v.Session.Username)
	if err != nil {
		return err
	}
	p := authorizationsPage{Common: v.Common("")}
	for _, c := range given {
		a := allowed{ClientID: c.ClientID, Always: c.Always, Since: c.GrantTime.UTC()}
		client, err := h.clients.Find(v.Context(), v.Tenant.ID, c.ClientID)
		if err != nil && !errors.Is(err, clients.ErrUnknown) {
			return err
		}
		a.Name, a.Owner = client.DisplayName, client.Owner
		p.Applications = append(p.Applications, a)
	}
	return v.Show(http.StatusOK, "authorizations", p)
}

// revoke takes an application off the list.
func (h *Handler) revoke(v *browser.Visit) error {
	if v.Session.SignedIn() {
		if err := h.consents.Revoke(v.Context(), v.Tenant.ID, v.Session.Username, v.Form["client_id"]); err != nil {
			return err
		}
	}
	return v.Redirect(browser.Base + authorizationsPath)
}
