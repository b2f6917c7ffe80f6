package grants_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/device"
	"gatehouse/internal/authenticator/oauth2"
	"gatehouse/internal/authenticator/tenantconfig"
)

const urn = "urn:ietf:params:oauth:grant-type:device_code"

// ask gets a device code for a client.
func (w *world) ask(p params) reply {
	w.t.Helper()
	return w.post("dev", "/device/code", p)
}

// enter has ada enter a user code and returns the id of its code.
func (w *world) enter(userCode string) string {
	w.t.Helper()
	code, err := w.devices.Find(w.t.Context(), "dev", userCode)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.devices.Enter(w.t.Context(), "dev", code.ID, "ada"); err != nil {
		w.t.Fatal(err)
	}
	return code.ID
}

// approve has ada approve a device code.
func (w *world) approve(userCode string, ttl time.Duration) {
	w.t.Helper()
	by := device.Approver{Username: "ada", AuthTime: w.now(), AMR: []string{"pwd"}, IDPID: "campus", TTL: ttl, Began: w.begun("dev")}
	if err := w.devices.Approve(w.t.Context(), "dev", w.enter(userCode), by); err != nil {
		w.t.Fatal(err)
	}
}

func deviceGrant(id, code string) params {
	return params{"grant_type": urn, "client_id": id, "device_code": code}
}

func TestADeviceCodeOnTheWire(t *testing.T) {
	w := onSQLite(t)
	c := w.register(clients.Registration{ID: "device"})
	got := w.ask(params{"client_id": c.ID, "scope": "openid unknown"}).want(t, http.StatusOK, "")
	device, user := got.text("device_code"), got.text("user_code")
	members := fmt.Sprintf(`"device_code":%q,"user_code":%q,"client_id":"device",`+
		`"verification_uri":"https://dev.tapis.io/v3/oauth2/device?client_id=device",`+
		`"verification_uri_complete":"https://dev.tapis.io/v3/oauth2/device?client_id=device\u0026user_code=%s","expires_in":600,`+
		`"expires_at":"Sat, 21 Nov 2026 12:10:00 GMT","interval":5`, device, user, user)
	want := `{"result":{` + members + `},"status":"success","message":"Token created successfully.","version":"test",` +
		`"metadata":{},` +
		members + `}`
	if strings.TrimSpace(got.raw) != want {
		t.Errorf("got  %s\nwant %s", got.raw, want)
	}
	if got.header.Get("Cache-Control") != "no-store" || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", got.header)
	}
	form := w.send("dev", "/device/code", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		url.Values{"client_id": {c.ID}}.Encode())
	form.want(t, http.StatusOK, "")
}

// A-B02: a device code gives nothing until the person approved it.
func TestADeviceCodeGivesTokensOnlyWhenItWasApproved(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		c := w.register(clients.Registration{})
		issued := w.ask(params{"scope": "openid"}.as(c))
		poll := func() reply {
			w.advance(device.Interval)
			return w.token(deviceGrant(c.ID, issued.text("device_code")))
		}
		poll().want(t, 400, "authorization_pending")
		w.enter(issued.text("user_code"))
		poll().want(t, 400, "authorization_pending")
		w.approve(issued.text("user_code"), 30*24*time.Hour)
		got := poll().want(t, 200, "")
		cl := claims(t, got.text("access_token"))
		if cl["sub"] != "ada@dev" || cl["tapis/grant_type"] != "device_code" || cl["tapis/client_id"] != c.ID ||
			cl["tapis/idp_id"] != "campus" ||
			got.body["expires_in"] != float64(30*24*3600) || got.text("scope") != "openid" || got.text("refresh_token") == "" {
			t.Errorf("%v %s", cl, got.raw)
		}
		poll().want(t, 400, "invalid_grant")
		if !w.stands(got.text("access_token")) {
			t.Error("the token went when the code was used again")
		}
		w.token(refreshGrant(c, got.text("refresh_token"))).want(t, 200, "")
	})
}

func TestEveryStateOfADeviceCodeHasItsError(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		c := w.register(clients.Registration{})
		ask := func() (deviceCode, userCode string) {
			r := w.ask(params{"client_id": c.ID}).want(t, 200, "")
			return r.text("device_code"), r.text("user_code")
		}
		// slow_down lasts: the device must wait longer from now on.
		code, _ := ask()
		poll := func() reply { return w.token(deviceGrant(c.ID, code)) }
		poll().want(t, 400, "authorization_pending")
		poll().want(t, 400, "slow_down")
		w.advance(device.Interval)
		poll().want(t, 400, "slow_down")
		w.advance(3 * device.Interval)
		poll().want(t, 400, "authorization_pending")

		code, user := ask()
		if err := w.devices.Deny(t.Context(), "dev", w.enter(user), "ada"); err != nil {
			t.Fatal(err)
		}
		poll().want(t, 400, "access_denied")

		code, user = ask()
		w.approve(user, 0)
		w.advance(device.Lifetime)
		poll().want(t, 400, "expired_token")
		code = "unknown"
		poll().want(t, 400, "invalid_grant")
		w.token(params{"grant_type": "device_code", "client_id": c.ID}).want(t, 400, "invalid_request")
		w.token(params{"grant_type": "device_code", "device_code": "x"}).want(t, 401, "invalid_client")
	})
}

func TestADeviceCodeIsMintedOnceHoweverManyPoll(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		c := w.register(clients.Registration{})
		issued := w.ask(params{"client_id": c.ID})
		w.approve(issued.text("user_code"), 0)
		replies := make([]reply, 20)
		var group sync.WaitGroup
		for i := range replies {
			group.Go(func() { replies[i] = w.token(deviceGrant(c.ID, issued.text("device_code"))) })
		}
		group.Wait()
		won := 0
		for _, r := range replies {
			if r.status == http.StatusOK {
				won++
				if !w.stands(r.text("access_token")) {
					t.Error("the token does not stand")
				}
			} else {
				r.want(t, 400, "invalid_grant")
			}
		}
		if won != 1 {
			t.Errorf("%d polls got tokens", won)
		}
	})
}

// A-B13: the lifetime that a person chooses has an end.
func TestTheLifetimeOfADevicesTokenIsBounded(t *testing.T) {
	w := onSQLite(t)
	c := w.register(clients.Registration{})
	for ttl, want := range map[time.Duration]time.Duration{
		0: tenantconfig.Defaults().AccessTTL, time.Hour: time.Hour, 100 * 365 * 24 * time.Hour: tenantconfig.Defaults().MaxAccessTTL,
	} {
		issued := w.ask(params{}.as(c))
		w.approve(issued.text("user_code"), ttl)
		if got := w.token(deviceGrant(c.ID, issued.text("device_code"))).want(t, 200, ""); got.body["expires_in"] != want.Seconds() {
			t.Errorf("%v: expires in %v", ttl, got.body["expires_in"])
		}
	}
}

// Existing clients hold a key and send only their id; whoever registered a way
// of authentication is held to it.
func TestOnlyClientsThatChoseNothingPollByTheirID(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, test := range []struct {
			registration clients.Registration
			alone        bool // its id will do
		}{
			{clients.Registration{}, true},
			{clients.Registration{AuthMethod: clients.AuthNone}, true},
			{clients.Registration{AuthMethod: clients.AuthSecret}, false},
			{clients.Registration{AuthMethod: clients.AuthPost}, false},
		} {
			c := w.register(test.registration)
			issued := w.ask(params{}.as(c)).want(t, 200, "")
			w.approve(issued.text("user_code"), 0)
			grant := deviceGrant(c.ID, issued.text("device_code"))
			if !test.alone {
				w.ask(params{"client_id": c.ID}).want(t, 401, "invalid_client")
				w.token(grant).want(t, 401, "invalid_client")
				w.token(grant.with(params{"client_key": "wrong-wrong-wrong"})).want(t, 401, "invalid_client")
			}
			if c.Key != "" { // a key that is sent is checked, whatever was chosen
				w.token(grant.with(params{"client_key": "wrong-wrong-wrong"})).want(t, 401, "invalid_client")
			}
			if test.alone {
				delete(grant, "client_key")
			} else {
				grant = grant.as(c)
			}
			got := w.token(grant).want(t, 200, "")
			// A refresh token of a client with a key needs that key all the same.
			refresh := params{"grant_type": "refresh_token", "client_id": c.ID, "refresh_token": got.text("refresh_token")}
			if c.Key != "" {
				w.token(refresh).want(t, 401, "invalid_client")
			}
			w.token(refresh.as(c)).want(t, 200, "")
			if c.Public() { // rotated
				w.advance(time.Minute)
				w.token(refresh).want(t, 400, "invalid_grant")
			}
		}
	})
}

func TestDeviceCodesAreForClientsThatMayHaveThem(t *testing.T) {
	w := onSQLite(t)
	c := w.register(clients.Registration{})
	other := w.register(clients.Registration{})
	held := w.register(clients.Registration{GrantTypes: []string{"password"}})
	gone := w.register(clients.Registration{})
	if err := w.clients.Deactivate(t.Context(), "dev", "ada", gone.ID); err != nil {
		t.Fatal(err)
	}
	w.ask(params{}).want(t, 400, "invalid_request") // no body to speak of
	w.ask(params{"scope": "openid"}).want(t, 400, "invalid_request")
	w.ask(params{"client_id": "unknown"}).want(t, 401, "invalid_client")
	w.ask(params{"client_id": gone.ID}).want(t, 401, "invalid_client")
	w.ask(params{"client_id": held.ID}).want(t, 400, "unauthorized_client")
	w.ask(params{"client_id": "dev.CIC.tokenapp"}).want(t, 400, "unauthorized_client")
	w.post("lab", "/device/code", params{"client_id": c.ID}).want(t, 401, "invalid_client")
	w.post("admin", "/device/code", params{"client_id": c.ID}).want(t, 400, "unauthorized_client")

	issued := w.ask(params{"client_id": c.ID})
	w.approve(issued.text("user_code"), 0)
	w.token(deviceGrant(other.ID, issued.text("device_code"))).want(t, 400, "invalid_grant")
	inLab := w.registerIn(lab, clients.Registration{ID: c.ID})
	w.post("lab", "/tokens", deviceGrant(inLab.ID, issued.text("device_code"))).want(t, 400, "invalid_grant")
	w.token(deviceGrant(c.ID, issued.text("device_code"))).want(t, 200, "")

	w.allow(dev, oauth2.Password)
	w.ask(params{"client_id": c.ID}).want(t, 400, "unauthorized_client")
	w.token(deviceGrant(c.ID, "x")).want(t, 400, "unauthorized_client")
}

func TestAskingForDeviceCodesIsLimited(t *testing.T) {
	w := onSQLite(t)
	c := w.register(clients.Registration{})
	for range 100 {
		w.ask(params{"client_id": c.ID}).want(t, 200, "")
	}
	w.ask(params{"client_id": c.ID}).want(t, 429, "temporarily_unavailable")
	w.advance(3 * time.Second)
	w.ask(params{"client_id": c.ID}).want(t, 200, "")
}

// Anybody may send the id of a client: without its secret, shown when the
// device asks or when it redeems, there is little to be had under its name.
func TestADeviceThatDoesNotProveItsClientGetsLittle(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		keyed, app := w.register(clients.Registration{}), w.register(public)
		const long = 30 * 24 * time.Hour
		for name, test := range map[string]struct {
			ask, redeem params
			client      clients.Client
			expires     time.Duration
			refresh     time.Duration // 0: none
		}{
			"nowhere":         {params{"client_id": keyed.ID}, params{}, keyed, 4 * time.Hour, 0},
			"when it asks":    {params{}.as(keyed), params{}, keyed, long, 365 * 24 * time.Hour},
			"when it redeems": {params{"client_id": keyed.ID}, params{}.as(keyed), keyed, long, 365 * 24 * time.Hour},
			"a public one":    {params{"client_id": app.ID}, params{}, app, 4 * time.Hour, 30 * 24 * time.Hour},
		} {
			t.Run(name, func(t *testing.T) {
				issued := w.ask(test.ask).want(t, 200, "")
				w.approve(issued.text("user_code"), long)
				w.advance(device.Interval)
				got := w.token(deviceGrant(test.client.ID, issued.text("device_code")).with(test.redeem)).want(t, 200, "")
				if got.body["expires_in"] != test.expires.Seconds() || (got.text("refresh_token") != "") != (test.refresh > 0) {
					t.Fatalf("got %s", got.raw)
				}
				if test.refresh > 0 {
					cl := claims(t, got.text("refresh_token"))
					if left := cl["exp"].(float64) - float64(w.now().Unix()); left > test.refresh.Seconds() || left < test.refresh.Seconds()-1 {
						t.Errorf("the refresh token lives %f seconds", left)
					}
				}
			})
		}
		// What a public client has is rotated and ends with its family.
		issued := w.ask(params{"client_id": app.ID}).want(t, 200, "")
		w.approve(issued.text("user_code"), long)
		w.advance(device.Interval)
		first := w.token(deviceGrant(app.ID, issued.text("device_code"))).want(t, 200, "")
		w.advance(29 * 24 * time.Hour)
		second := w.token(refreshGrant(app, first.text("refresh_token"))).want(t, 200, "")
		w.advance(2 * 24 * time.Hour)
		w.token(refreshGrant(app, second.text("refresh_token"))).want(t, 400, "invalid_grant")

		w.fixture.Configure(dev.ID, `{"device_refresh_ttl":0}`)
		issued = w.ask(params{"client_id": app.ID}).want(t, 200, "")
		w.approve(issued.text("user_code"), long)
		w.advance(device.Interval)
		if got := w.token(deviceGrant(app.ID, issued.text("device_code"))).want(t, 200, ""); got.text("refresh_token") != "" {
			t.Errorf("got %s", got.raw)
		}
	})
}

func TestATenantMayAskDevicesToProveTheirClient(t *testing.T) {
	w := onSQLite(t)
	keyed, app := w.register(clients.Registration{}), w.register(public)
	before := w.ask(params{"client_id": keyed.ID}).want(t, 200, "")
	w.approve(before.text("user_code"), time.Hour)
	w.fixture.Configure(dev.ID, `{"device_authentication":true}`)
	w.ask(params{"client_id": keyed.ID}).want(t, 401, "invalid_client")
	w.ask(params{}.as(keyed)).want(t, 200, "")
	w.ask(params{"client_id": app.ID}).want(t, 200, "")
	w.advance(device.Interval)
	w.token(deviceGrant(keyed.ID, before.text("device_code"))).want(t, 401, "invalid_client")
	w.token(deviceGrant(keyed.ID, before.text("device_code")).as(keyed)).want(t, 200, "")
}
