package grants_test

import (
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/device"
	"gatehouse/internal/authenticator/tenantconfig"
)

// Between sign-in and token somebody may leave, or a tenant narrow who its
// people are.
func TestWhoLeftTheDirectoryGetsNoTokenByAnyGrant(t *testing.T) {
	w := onSQLite(t)
	w.allow(dev, tenantconfig.AuthorizationCode, tenantconfig.RefreshToken, tenantconfig.DeviceCode, tenantconfig.Implicit)
	c := w.register(confidential)
	approvedDevice := func() string {
		issued, err := w.devices.Request(t.Context(), dev.ID, c.ID, "", "192.0.2.1")
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
		if err := w.devices.Approve(t.Context(), dev.ID, code.ID, device.Approver{Username: "ada", AuthTime: w.now(), TTL: time.Hour}); err != nil {
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

func TestATenantWithASecondFactorGivesNoTokenForAPassword(t *testing.T) {
	w := onSQLite(t)
	password := params{"grant_type": "password", "username": "ada", "password": w.people["ada"]}
	w.configure(dev, `{"mfa_config":{"tacc":{"privacy_idea_url":"https://mfa.example.org","privacy_idea_jwt":"x"}}}`)
	w.token(password).want(t, 400, "unauthorized_client")
	w.configure(dev, `{"password_grant_without_mfa":true}`)
	w.token(password).want(t, 200, "")
}
