package signin

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/device"
	"gatehouse/internal/authenticator/oauth2"
	"gatehouse/internal/authenticator/pages/browser"
	"gatehouse/internal/authenticator/tenantconfig"
)

// devicePage is the page on which a user code is typed.
type devicePage struct {
	browser.Common

	UserCode string
	Problem  string
	Switch   string
}

// confirmPage shows whom and what a device code is for.
type confirmPage struct {
	browser.Common

	Application, Owner, UserCode, Address string
	Proved                                bool // the device showed the client's secret when it asked
	Asked                                 time.Time
	Lifetimes                             []lifetime
	Switch                                string
}

// lifetime is one choice of how long a device stays signed in.
type lifetime struct {
	Days     int
	Words    string
	Selected bool
}

// lifetimes are offered as far as the tenant permits them; 30 days is what
// devices have always got.
var lifetimes = []lifetime{
	{1, "1 day", false},
	{7, "7 days", false},
	{30, "30 days", true},
	{90, "90 days", false},
	{365, "1 year", false},
}

const day = 24 * time.Hour

// showDevice begins a flow for a device, or shows the page of one.
func (h *Handler) showDevice(v *browser.Visit) error {
	if err := h.forDevices(v); err != nil {
		return err
	}
	p, ok := parseParameters(v.Query())
	if !ok {
		return apierr.Invalidf("The query of the URL is not well-formed.")
	}
	id := p.text(browser.FlowField)
	if id == "" {
		return h.advance(v, &flow{For: forDevice, UserCode: p.text("user_code"), CreateTime: h.begun()})
	}
	f, err := h.load(v, id)
	if err != nil {
		return err
	}
	if ok, err := h.at(v, f, codeStep); !ok || err != nil {
		return err
	}
	return h.deviceForm(v, f, http.StatusOK, f.UserCode, "")
}

// forDevices refuses tenants without people or device codes.
func (h *Handler) forDevices(v *browser.Visit) error {
	if err := h.forPeople(v); err != nil {
		return err
	}
	settings, err := h.settings.For(v.Context(), v.Tenant.ID)
	if err == nil && !settings.Allows(oauth2.DeviceCode) {
		return apierr.New(apierr.Forbidden, "The tenant %s does not let devices sign in.", v.Tenant.ID)
	}
	return err
}

func (h *Handler) deviceForm(v *browser.Visit, f *flow, status int, userCode, problem string) error {
	return v.Show(status, "device", devicePage{
		Common: v.Common(f.id), UserCode: userCode, Problem: problem,
		Switch: switchAddress(f),
	})
}

// enterCode binds a device code to the person who typed its user code. That
// approves nothing.
func (h *Handler) enterCode(v *browser.Visit) error {
	f, err := h.load(v, v.Form[browser.FlowField])
	if err != nil {
		return err
	}
	if f.For != forDevice {
		return errExpired()
	}
	if ok, err := h.at(v, f, codeStep); !ok || err != nil {
		return err
	}
	typed := v.Form["user_code"]
	if typed == "" {
		return h.deviceForm(v, f, http.StatusBadRequest, "", "Please type the code that your device shows.")
	}
	id, err := h.tryCode(v, typed)
	switch {
	case errors.Is(err, device.ErrUnknown), errors.Is(err, device.ErrState):
		return h.deviceForm(v, f, http.StatusBadRequest, typed,
			"There is no such code, or it has expired. Please compare it with your device.")
	case apierr.Is(err, apierr.TooMany):
		wait(v, apierr.From(err))
		return h.deviceForm(v, f, http.StatusTooManyRequests, typed, apierr.From(err).Message)
	case err != nil:
		return err
	}
	f.DeviceID, f.DeviceUser = id, v.Session.Username
	if err := h.sessions.Change(v.Context(), v.Session, kind, f.id, f); err != nil {
		return err
	}
	return h.advance(v, f)
}

func (h *Handler) tryCode(v *browser.Visit, typed string) (id string, err error) {
	ctx := v.Context()
	attempt, err := h.guard.UserCode(ctx, v.Tenant.ID, v.Session.Username, v.Address())
	if err != nil {
		return "", err
	}
	defer attempt.Cancel()
	code, err := h.devices.Find(ctx, v.Tenant.ID, typed)
	if err == nil {
		err = h.devices.Enter(ctx, v.Tenant.ID, code.ID, v.Session.Username)
	}
	if errors.Is(err, device.ErrUnknown) || errors.Is(err, device.ErrState) {
		attempt.Fail()
	}
	return code.ID, err
}

// waiting returns the device code of a flow and its client.
func (h *Handler) waiting(v *browser.Visit, f *flow) (device.Code, clients.Client, error) {
	code, err := h.devices.Get(v.Context(), v.Tenant.ID, f.DeviceID)
	if errors.Is(err, device.ErrUnknown) {
		return device.Code{}, clients.Client{}, errCodeGone()
	}
	if err != nil {
		return device.Code{}, clients.Client{}, err
	}
	client, err := h.clients.Find(v.Context(), v.Tenant.ID, code.ClientID)
	if errors.Is(err, clients.ErrUnknown) {
		return device.Code{}, clients.Client{}, errCodeGone()
	}
	return code, client, err
}

func errCodeGone() error {
	return apierr.Invalidf("The code has expired or was already used. Please let your device show a new one.")
}

func (h *Handler) showConfirm(v *browser.Visit) error {
	if err := h.forDevices(v); err != nil {
		return err
	}
	f, err := h.flowOf(v)
	if err != nil {
		return err
	}
	if ok, err := h.at(v, f, confirmStep); !ok || err != nil {
		return err
	}
	code, client, err := h.waiting(v, f)
	if err != nil {
		return err
	}
	settings, err := h.settings.For(v.Context(), v.Tenant.ID)
	if err != nil {
		return err
	}
	p := confirmPage{
		Common: v.Common(f.id), Application: client.DisplayName, Owner: client.Owner, UserCode: code.UserCode, Address: code.Address,
		Proved: code.Proved, Asked: code.CreateTime.UTC(), Switch: switchAddress(f),
	}
	if code.Proved {
		p.Lifetimes = offered(settings)
	}
	return v.Show(http.StatusOK, "device_confirm", p)
}

// offered returns the lifetimes that a tenant permits; none where even a day
// is too long, and then the tenant's own holds.
func offered(s tenantconfig.Settings) []lifetime {
	list := []lifetime{}
	for _, l := range lifetimes {
		if time.Duration(l.Days)*day <= s.MaxAccessTTL {
			list = append(list, l)
		}
	}
	return list
}

func (h *Handler) confirm(v *browser.Visit) error {
	if err := h.forDevices(v); err != nil {
		return err
	}
	f, err := h.load(v, v.Form[browser.FlowField])
	if err != nil {
		return err
	}
	if ok, err := h.at(v, f, confirmStep); !ok || err != nil {
		return err
	}
	decision := v.Form["decision"]
	if decision != allow && decision != deny {
		return apierr.Invalidf("The field decision must be allow or deny.")
	}
	ttl, err := h.chosenTTL(v)
	if err != nil {
		return err
	}
	_, client, err := h.waiting(v, f)
	if err != nil {
		return err
	}
	if err := h.take(v, f); err != nil {
		return err
	}
	if decision == deny {
		if err := h.devices.Deny(v.Context(), v.Tenant.ID, f.DeviceID, v.Session.Username); err != nil {
			return codeGone(err)
		}
		return v.Tell(browser.Message{Title: "Refused", Text: "The device was not signed in. You can close this page."})
	}
	// Listed first: what was approved must never be missing from the list.
	if err := h.consents.Record(v.Context(), v.Tenant.ID, v.Session.Username, consentClient(client), nil, false); err != nil {
		return err
	}
	err = h.devices.Approve(v.Context(), v.Tenant.ID, f.DeviceID, device.Approver{
		Username: v.Session.Username, AuthTime: v.Session.AuthTime, AMR: v.Session.AMR, IDPID: v.Session.IDPID, TTL: ttl,
		Began: v.Began,
	})
	if err != nil {
		return codeGone(err)
	}
	return v.Tell(browser.Message{
		Title: "Your device is signed in",
		Text:  "Return to your device; it goes on by itself. You can close this page.",
	})
}

func codeGone(err error) error {
	if errors.Is(err, device.ErrState) || errors.Is(err, device.ErrUnknown) {
		return errCodeGone()
	}
	return err
}

// chosenTTL is the lifetime that was chosen, within what the tenant permits.
func (h *Handler) chosenTTL(v *browser.Visit) (time.Duration, error) {
	if v.Form["ttl"] == "" {
		return 0, nil
	}
	days, err := strconv.Atoi(v.Form["ttl"])
	if err != nil || days < 1 || days > 36500 {
		return 0, apierr.Invalidf("The field ttl must be a number of days.")
	}
	settings, err := h.settings.For(v.Context(), v.Tenant.ID)
	return min(time.Duration(days)*day, settings.MaxAccessTTL), err
}
