package grants_test

import (
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/device"
	"gatehouse/internal/authenticator/grants"
	"gatehouse/internal/authenticator/oauth2"
)

// Between sign-in and token somebody may leave, or a tenant narrow who its
// people are.
func TestWhoLeftTheDirectoryGetsNoTokenByAnyGrant(t *testing.T) {
	w := onSQLite(t)
	w.allow(dev, oauth2.AuthorizationCode, oauth2.RefreshToken, oauth2.DeviceCode, oauth2.Implicit)
	c := w.register(confidential)
	approvedDevice := func() string {
		issued, err := w.devices.Request(t.Context(), dev.ID, device.Asked{ClientID: c.ID, Address: "192.0.2.1"})
		if err != nil {
			t.Fatal(err)
		}
		code, err := w.devices.Find(t.Context(), dev.ID, issued.UserCode)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.devices.Enter(t.Context(), dev.ID, code.ID, "ada"); err != nil {
			t.Fatal(err)
		}
		by := device.Approver{Username: "ada", AuthTime: w.now(), TTL: time.Hour, Began: w.begun(dev.ID)}
		if err := w.devices.Approve(t.Context(), dev.ID, code.ID, by); err != nil {
			t.Fatal(err)
		}
		return issued.DeviceCode
	}
	deviceGrant := func(code string) params {
		return params{"grant_type": "device_code", "device_code": code}.as(c)
	}
	refresh := w.token(codeGrant(c, w.code(c, w.approval(c)))).want(t, 200, "").text("refresh_token")
	w.token(deviceGrant(approvedDevice())).want(t, 200, "")
	code, deviceCode := w.code(c, w.approval(c)), approvedDevice()

	delete(w.people, "ada")
	w.token(codeGrant(c, code)).want(t, 400, "invalid_grant")
	w.token(deviceGrant(deviceCode)).want(t, 400, "invalid_grant")
	w.token(refreshGrant(c, refresh)).want(t, 400, "invalid_grant")
	if _, err := w.Implicit(t.Context(), dev, c, w.approval(c)); !apierr.Is(err, apierr.Forbidden) {
		t.Errorf("implicit: %v", err)
	}
}

// secondFactor makes dev ask for one.
const secondFactor = `{"mfa_config":{"tacc":{"privacy_idea_url":"https://mfa.example.org","privacy_idea_jwt":"x"}}}`

func TestATenantWithASecondFactorGivesNoTokenForAPassword(t *testing.T) {
	w := onSQLite(t)
	password := params{"grant_type": "password", "username": "ada", "password": w.people["ada"]}
	w.fixture.Configure(dev.ID, secondFactor)
	w.token(password).want(t, 400, "unauthorized_client")
	w.fixture.Configure(dev.ID, `{"password_grant_without_mfa":true}`)
	w.token(password).want(t, 200, "")
}

// What was granted before the tenant asked for a second factor is worth
// nothing after, by whichever grant it is continued.
func TestWhatWasGrantedWithoutTheSecondFactorEndsWhenItIsAskedFor(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.allow(dev, oauth2.Password, oauth2.AuthorizationCode, oauth2.RefreshToken, oauth2.DeviceCode, oauth2.Implicit)
		c := w.register(confidential)
		password := params{"grant_type": "password", "username": "ada", "password": w.people["ada"]}.as(c)
		with := w.approval(c)
		with.AMR = []string{"pwd", "otp", "mfa"}
		codeFamily := w.token(codeGrant(c, w.code(c, w.approval(c)))).want(t, 200, "").text("refresh_token")
		codeFamily = w.token(refreshGrant(c, codeFamily)).want(t, 200, "").text("refresh_token")
		strongFamily := w.token(codeGrant(c, w.code(c, with))).want(t, 200, "").text("refresh_token")
		passwordFamily := w.token(password).want(t, 200, "").text("refresh_token")
		passwordFamily = w.token(refreshGrant(c, passwordFamily)).want(t, 200, "").text("refresh_token")
		pending := w.code(c, w.approval(c))

		w.fixture.Configure(dev.ID, secondFactor)
		w.token(refreshGrant(c, codeFamily)).want(t, 400, "invalid_grant")
		w.token(refreshGrant(c, passwordFamily)).want(t, 400, "invalid_grant")
		w.token(codeGrant(c, pending)).want(t, 400, "invalid_grant")
		w.token(refreshGrant(c, strongFamily)).want(t, 200, "")
		if _, err := w.Implicit(t.Context(), dev, c, w.approval(c)); apierr.From(err).Code != oauth2.AccessDenied {
			t.Errorf("implicit: %v", err)
		}

		// The families of password grants stay good while the tenant permits
		// passwords alone, and only they.
		w.fixture.Configure(dev.ID, `{"password_grant_without_mfa":true}`)
		passwordFamily = w.token(refreshGrant(c, passwordFamily)).want(t, 200, "").text("refresh_token")
		w.token(refreshGrant(c, codeFamily)).want(t, 400, "invalid_grant")
		w.fixture.Configure(dev.ID, `{"password_grant_without_mfa":false}`)
		w.token(refreshGrant(c, passwordFamily)).want(t, 400, "invalid_grant")
		w.fixture.Configure(dev.ID, `{"mfa_config":null}`)
		w.token(refreshGrant(c, codeFamily)).want(t, 200, "")
		w.token(refreshGrant(c, passwordFamily)).want(t, 200, "")
	})
}

// A grant opts out of the checks of persons by saying that it is for none.
func TestOnlyClientCredentialsAreForNobody(t *testing.T) {
	for _, name := range grants.Types() {
		if got, want := grants.ForNobody(name), name == oauth2.ClientCredentials; got != want {
			t.Errorf("%s: %t, want %t", name, got, want)
		}
	}
}
