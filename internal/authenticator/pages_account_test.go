package authenticator_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authenticator/device"
	"gatehouse/internal/testlog"
)

var tokenPattern = regexp.MustCompile(`(?s)<details>.*<textarea[^>]*readonly[^>]*>([^<]+)</textarea>.*</details>`)

// shownToken is the token that the token page holds, hidden until it is asked
// to show it.
func (p page) shownToken() string {
	p.b.w.t.Helper()
	found := tokenPattern.FindStringSubmatch(p.body)
	if found == nil {
		p.b.w.t.Fatalf("%s shows no token", p.address)
	}
	token := html.UnescapeString(found[1])
	testlog.Secret(p.b.w.t, token)
	return token
}

func TestTheTokenPageGivesATokenAndVoidsIt(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		b := w.browser()
		shown := b.visit(dev+"/webapp").want(http.StatusOK, "Tapis Token Webapp").logIn("ada", w.ada).
			want(http.StatusOK, "Your token", "ada", "dev", "https://dev.tapis.io", "Valid until", "21 November 2026, 16:00 UTC",
				`curl -H "X-Tapis-Token: $JWT" https://dev.tapis.io/v3/oauth2/userinfo`, "from tapipy.tapis import Tapis")
		token := shown.shownToken()
		if name, _ := w.whose(dev, token); name != "ada" {
			t.Errorf("the token is of %q", name)
		}
		if again := b.get(dev + "/webapp").shownToken(); again != token {
			t.Error("each look makes a token")
		}
		out := shown.submit()
		if out.location != dev+"/webapp/logout" {
			t.Errorf("location %s", out.location)
		}
		out.follow().want(http.StatusOK, "Signed out of the token page")
		if _, status := w.whose(dev, token); status != http.StatusUnauthorized {
			t.Errorf("the token is still good: %d", status)
		}
		// The person is still signed in, and gets another.
		next := b.visit(dev+"/webapp").want(http.StatusOK, "Your token").shownToken()
		if next == token {
			t.Error("the void token came back")
		}
		b.get(dev+"/webapp/logout").want(http.StatusOK, "becomes void").submit().follow().
			want(http.StatusOK, "Signed out of the token page")
		// A token that has expired is replaced by a new one.
		for range 30 {
			w.advance(10 * time.Minute)
			b.get(dev + "/authorizations")
		}
		b.visit(dev+"/webapp").want(http.StatusOK, "Your token").shownToken()
	})
}

func TestLoggingOutVoidsTheTokenOfTheTokenPage(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn("ada", w.ada)
		token := b.visit(dev + "/webapp").shownToken()
		b.get(dev+"/logout").submit().follow().want(http.StatusOK, "You have been logged out")
		if _, status := w.whose(dev, token); status != http.StatusUnauthorized {
			t.Errorf("the token is still good: %d", status)
		}
		b.visit(dev+"/webapp").want(http.StatusOK, "Log in")
		// Logging out twice, and without having logged in, is no error.
		b.get(dev+"/logout").want(http.StatusOK, "You have been logged out")
	})
}

// TestUpstreamBugTheStateOfTheTokenPageCountsTwice: W-B16.
func TestUpstreamBugTheStateOfTheTokenPageCountsTwice(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn("ada", w.ada)
		authorize := b.get(dev + "/webapp")
		callback := b.get(authorize.location)
		if !strings.HasPrefix(callback.location, dev+"/webapp/callback?code=") {
			t.Fatalf("location %s", callback.location)
		}
		u, err := url.Parse(callback.location)
		if err != nil {
			t.Fatal(err)
		}
		testlog.Secret(t, u.Query().Get("code"))
		for name, change := range map[string]func(q url.Values){
			"no state":            func(q url.Values) { q.Del("state") },
			"another state":       func(q url.Values) { q.Set("state", strings.Repeat("A", 43)) },
			"an issuer elsewhere": func(q url.Values) { q.Set("iss", lab) },
		} {
			q := u.Query()
			change(q)
			p := b.get(dev+"/webapp/callback?"+q.Encode()).want(http.StatusBadRequest, "was not begun here")
			if p.location != "" {
				t.Errorf("%s: %s", name, p.location)
			}
			if name == "an issuer elsewhere" { // costs the state
				callback = b.get(b.get(dev + "/webapp").location)
				if u, err = url.Parse(callback.location); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.signedIn("bob", w.bob).get(callback.location).want(http.StatusBadRequest)
		b.get(callback.location).follow().want(http.StatusOK, "Your token")
		b.get(callback.location).want(http.StatusBadRequest, "already used")
		denied := b.get(dev + "/webapp/logout").submit()
		_ = denied
		authorize = b.get(dev + "/webapp")
		a, err := url.Parse(authorize.location)
		if err != nil {
			t.Fatal(err)
		}
		q := url.Values{"error": {"access_denied"}, "state": {a.Query().Get("state")}, "iss": {dev}}
		b.get(dev+"/webapp/callback?"+q.Encode()).want(http.StatusForbidden, "not signed in")
	})
}

// TestUpstreamBugOneSecretServesTheTokenPagesOfAllTenants: W-B15, W-B22.
func TestUpstreamBugOneSecretServesTheTokenPagesOfAllTenants(t *testing.T) {
	w := onSQLite(t)
	b := w.signedIn("ada", w.ada)
	authorize := b.get(dev + "/webapp")
	u, err := url.Parse(authorize.location)
	if err != nil {
		t.Fatal(err)
	}
	if q := u.Query(); q.Get("redirect_uri") != dev+"/webapp/callback" || q.Get("client_id") != "dev.CIC.tokenapp" ||
		q.Get("code_challenge_method") != "S256" {
		t.Errorf("got %v", q)
	}
	callback := b.get(authorize.location)
	c, err := url.Parse(callback.location)
	if err != nil {
		t.Fatal(err)
	}
	code := c.Query().Get("code")
	testlog.Secret(t, code)
	app := client{id: "dev.CIC.tokenapp", redirect: dev + "/webapp/callback"}
	w.redeem(app, code, "client_key", "any-key-that-was-published").want(t, http.StatusUnauthorized)
	w.redeem(app, code).want(t, http.StatusBadRequest) // only the page has the verifier
	for _, id := range []string{"local.dev.CIC.tokenapp", "lab.CIC.tokenapp", "*.CIC.tokenapp"} {
		b.get(client{id: id, redirect: "http://localhost:5000/v3/oauth2/webapp/callback"}.request(dev)).want(http.StatusBadRequest)
	}
}

func TestPeopleSeeWhatTheyAllowedAndWithdrawIt(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		portal, b := w.portal(), w.signedIn("ada", w.ada)
		b.get(dev+"/authorizations").want(http.StatusOK, "There are none")
		code := b.visit(portal.request(dev)).submit("decision", "allow", "always", "yes").answer(portal.redirect).Get("code")
		held := w.redeem(portal, code).want(t, http.StatusOK)
		bobs := w.redeem(portal, w.signedIn("bob", w.bob).visit(portal.request(dev)).submit("decision", "allow").
			answer(portal.redirect).Get("code")).want(t, http.StatusOK)
		if a := b.get(portal.request(dev)).answer(portal.redirect); a.Get("code") == "" {
			t.Errorf("asked again: %v", a)
		}
		list := b.get(dev+"/authorizations").want(http.StatusOK, "The <Portal>", "Registered by ada", "Allowed always",
			"21 November 2026")
		w.advance(time.Second)
		list.submit().follow().want(http.StatusOK, "There are none")
		refresh := func(token string) int {
			return w.token(dev, url.Values{
				"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {portal.id},
				"client_key": {portal.key},
			}).status
		}
		if _, status := w.whose(dev, held.access(t)); status != http.StatusUnauthorized ||
			refresh(held.Again) != http.StatusBadRequest {
			t.Errorf("the client still holds good tokens: %d", status)
		}
		if _, status := w.whose(dev, bobs.access(t)); status != http.StatusOK || refresh(bobs.Again) != http.StatusOK {
			t.Errorf("another person's tokens are void: %d", status)
		}
		b.visit(portal.request(dev)).want(http.StatusOK, "Allow") // asked again
		// The form of somebody who has logged out does nothing.
		stale := w.signedIn("bob", w.bob)
		form := stale.get(dev + "/authorizations")
		stale.get(dev + "/logout").submit()
		form.submit().want(http.StatusForbidden)
	})
}

// TestUpstreamBugConsentIsAPhishingRedirector: W-B24 and section 10: consent
// that was given for good ends when the client becomes another one.
func TestUpstreamBugConsentIsAPhishingRedirector(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		portal, b := w.portal(), w.signedIn("bob", w.bob)
		token := w.token(dev, url.Values{"grant_type": {"password"}, "username": {"ada"}, "password": {w.ada}}).access(t)
		b.visit(portal.request(dev)).want(http.StatusOK, "Registered by", "ada", "portal.example.com").
			submit("decision", "allow", "always", "yes").answer(portal.redirect)
		if a := b.get(portal.request(dev)).answer(portal.redirect); a.Get("code") == "" {
			t.Fatalf("got %v", a)
		}
		b.visit(portal.request(dev, "scope", "email")).want(http.StatusOK, "See your e-mail address") // wants more
		w.advance(time.Second)
		w.api(http.MethodPut, dev+"/clients/portal", `{"callback_url":"https://elsewhere.example.com/cb"}`, "X-Tapis-Token", token,
			"Content-Type", "application/json").want(t, http.StatusOK)
		portal.redirect = "https://elsewhere.example.com/cb"
		b.visit(portal.request(dev)).want(http.StatusOK, "Allow", "elsewhere.example.com")
	})
}

// device gives a client a device code, asked for from 192.0.2.7.
func (w *world) device(c client) (deviceCode, userCode string) {
	w.t.Helper()
	issued, err := device.New(w.db, w.clock).Request(w.t.Context(), "dev",
		device.Asked{ClientID: c.id, Address: "192.0.2.7", Proved: true})
	if err != nil {
		w.t.Fatal(err)
	}
	testlog.Secret(w.t, issued.DeviceCode)
	return issued.DeviceCode, issued.UserCode
}

// poll asks for the tokens of a device code.
func (w *world) poll(c client, deviceCode string) reply {
	w.t.Helper()
	w.advance(6 * time.Second)
	return w.token(dev, url.Values{"grant_type": {"device_code"}, "client_id": {c.id}, "device_code": {deviceCode}})
}

// The page does not vouch for a program that only gave a client's id.
func TestADeviceThatDoesNotProveItsClientIsShownAsSuch(t *testing.T) {
	w := onSQLite(t)
	portal := w.portal()
	issued, err := device.New(w.db, w.clock).Request(t.Context(), "dev", device.Asked{ClientID: portal.id, Address: "192.0.2.7"})
	if err != nil {
		t.Fatal(err)
	}
	testlog.Secret(t, issued.DeviceCode)
	confirm := w.signedIn("ada", w.ada).visit(dev+"/device?user_code="+issued.UserCode).submit("user_code", issued.UserCode).follow()
	confirm.want(http.StatusOK, "says it is The <Portal>, which is not proved", "That one is registered by")
	if strings.Contains(confirm.body, "30 days") {
		t.Errorf("a longer life is offered:\n%s", confirm.body)
	}
	confirm.submit("decision", "allow").want(http.StatusOK, "Your device is signed in")
}

// TestUpstreamBugTypingAUserCodeIsEnough: W-B09, W-B19, A-B02 and acceptance
// check 5: a device gets nothing before the person has confirmed.
func TestUpstreamBugTypingAUserCodeIsEnough(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		portal := w.portal()
		deviceCode, userCode := w.device(portal)
		pending := func() {
			t.Helper()
			if got := w.poll(portal, deviceCode); got.Error != "authorization_pending" {
				t.Errorf("got %d %s", got.status, got.Error)
			}
		}
		b := w.browser()
		entry := b.visit(dev+"/device?user_code="+userCode).logIn("ada", w.ada).
			want(http.StatusOK, "Sign in a device", `value="`+userCode+`"`)
		pending()
		confirm := entry.submit("user_code", strings.ToLower(userCode)).follow().
			want(http.StatusOK, "Sign in this device?", "The <Portal>", "ada", userCode, "192.0.2.7", "21 November 2026, 12:00 UTC",
				"30 days")
		pending()
		// Looking at the page again approves nothing, nor does another person's word.
		b.get(confirm.address).want(http.StatusOK)
		pending()
		other := w.signedIn("bob", w.bob)
		other.visit(dev+"/device").submit("user_code", userCode).want(http.StatusBadRequest, "no such code")
		if p := b.get(portal.request(dev, "redirect_uri", "https://evil.example/")); p.status != http.StatusBadRequest {
			t.Errorf("a device's flow switched checks off for other requests: %d", p.status)
		}
		confirm.submit("decision", "").want(http.StatusBadRequest)
		confirm.submit("decision", "allow", "ttl", "7").want(http.StatusOK, "Your device is signed in")
		confirm.submit("decision", "allow").want(http.StatusBadRequest)
		got := w.poll(portal, deviceCode).want(t, http.StatusOK)
		if name, _ := w.whose(dev, got.access(t)); name != "ada" {
			t.Errorf("the token is of %q", name)
		}
		b.get(dev+"/authorizations").want(http.StatusOK, "The <Portal>", "Allowed when it asked")
		b.visit(portal.request(dev)).want(http.StatusOK, "Allow") // not remembered
		if got := w.poll(portal, deviceCode); got.Error != "invalid_grant" {
			t.Errorf("the second time: %d %s", got.status, got.Error)
		}
	})
}

func TestADeviceThatIsDeniedOrTooLateGetsNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		portal, b := w.portal(), w.signedIn("ada", w.ada)
		deviceCode, userCode := w.device(portal)
		b.visit(dev+"/device").submit("user_code", userCode).follow().submit("decision", "deny").want(http.StatusOK, "Refused")
		if got := w.poll(portal, deviceCode); got.Error != "access_denied" {
			t.Errorf("got %d %s", got.status, got.Error)
		}
		deviceCode, userCode = w.device(portal)
		w.advance(5 * time.Minute)
		confirm := b.visit(dev+"/device").submit("user_code", userCode).follow().want(http.StatusOK)
		w.advance(6 * time.Minute)
		confirm.submit("decision", "allow").want(http.StatusBadRequest)
		if got := w.poll(portal, deviceCode); got.Error != "expired_token" {
			t.Errorf("got %d %s", got.status, got.Error)
		}
		b.visit(dev+"/device").submit("user_code", userCode).want(http.StatusBadRequest, "no such code")
		b.visit(dev+"/device").submit("user_code", "").want(http.StatusBadRequest, "Please type the code")
	})
}

func TestWrongUserCodesAreThrottled(t *testing.T) {
	w := onSQLite(t)
	portal, b := w.portal(), w.signedIn("ada", w.ada)
	_, userCode := w.device(portal)
	entry := b.visit(dev + "/device")
	for range 5 {
		entry.submit("user_code", "BBBB-BBBB").want(http.StatusBadRequest, "no such code")
	}
	refused := entry.submit("user_code", userCode).want(http.StatusTooManyRequests, "Too many failed attempts")
	if refused.header.Get("Retry-After") == "" {
		t.Error("it does not say how long to wait")
	}
	// Another browser of the same person is no way around it; another person may go on.
	w.signedIn("ada", w.ada).visit(dev+"/device").submit("user_code", userCode).want(http.StatusTooManyRequests)
	w.signedIn("bob", w.bob).visit(dev+"/device").submit("user_code", userCode).follow().want(http.StatusOK, "Sign in this device?")
}

func TestTheLifetimeOfADeviceIsWithinWhatTheTenantPermits(t *testing.T) {
	w := onSQLite(t)
	w.configure(`{"max_access_token_ttl":864000}`)
	portal, b := w.portal(), w.signedIn("ada", w.ada)
	deviceCode, userCode := w.device(portal)
	confirm := b.visit(dev+"/device").submit("user_code", userCode).follow().want(http.StatusOK, "7 days")
	if strings.Contains(confirm.body, "30 days") {
		t.Error("more is offered than the tenant permits")
	}
	for _, bad := range []string{"0", "-1", "x", "1.5", "99999999999999999999"} {
		confirm.submit("decision", "allow", "ttl", bad).want(http.StatusBadRequest, "The field ttl")
	}
	confirm.submit("decision", "allow", "ttl", "365").want(http.StatusOK)
	got := w.poll(portal, deviceCode).want(t, http.StatusOK)
	var pair struct {
		Access struct {
			ExpiresIn int64 `json:"expires_in"`
		} `json:"access_token"`
	}
	decode(t, got.Result, &pair)
	if pair.Access.ExpiresIn != 10*24*3600 {
		t.Errorf("the token lives %d seconds", pair.Access.ExpiresIn)
	}
}

func TestDevicesNeedATenantThatLetsThemIn(t *testing.T) {
	w := onSQLite(t)
	w.configure(`{"allowable_grant_types":["password","authorization_code"]}`)
	w.signedIn("ada", w.ada).get(dev+"/device").want(http.StatusForbidden, "does not let devices sign in")
}

// TestUpstreamBugLogoutNeedsTheTokenPage: W-B13, acceptance check 9.
func TestUpstreamBugLogoutNeedsTheTokenPage(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.configure(`{"use_token_webapp":false}`)
		b := w.signedIn("ada", w.ada)
		old := w.browser()
		old.setCookie(devHost, b.cookie(devHost).Value)
		for _, path := range []string{"/webapp", "/webapp/callback", "/webapp/logout"} {
			b.get(dev+path).want(http.StatusNotFound, "no token web application")
		}
		out := b.get(dev+"/logout").want(http.StatusOK, "Log out").submit()
		if out.status != http.StatusSeeOther || out.location != dev+"/logout" {
			t.Errorf("%d %s", out.status, out.location)
		}
		out.follow().want(http.StatusOK, "You have been logged out")
		old.visit(dev+"/authorizations").want(http.StatusOK, "Log in")
	})
}

// Whoever has stolen a cookie, or got a code approved, gets nothing by it.
func TestRevokingAPersonAlsoEndsWhatCouldStillBecomeAToken(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		portal, b, bobs := w.portal(), w.signedIn("ada", w.ada), w.signedIn("bob", w.bob)
		code := b.visit(portal.request(dev)).submit("decision", "allow").answer(portal.redirect).Get("code")
		deviceCode, userCode := w.device(portal)
		b.visit(dev+"/device?user_code="+userCode).submit("user_code", userCode).follow().submit("decision", "allow").
			want(http.StatusOK, "signed in")
		bobsCode := bobs.visit(portal.request(dev)).submit("decision", "allow").answer(portal.redirect).Get("code")
		if err := w.RevokeUser(t.Context(), "dev", "ada"); err != nil {
			t.Fatal(err)
		}
		w.advance(time.Minute)
		if r := w.redeem(portal, code).want(t, http.StatusBadRequest); r.Error != "invalid_grant" {
			t.Errorf("the code: %s", r.Error)
		}
		if r := w.poll(portal, deviceCode).want(t, http.StatusBadRequest); r.Error != "access_denied" {
			t.Errorf("the device: %s", r.Error)
		}
		b.visit(dev+"/webapp").want(http.StatusOK, "Log in")
		w.redeem(portal, bobsCode).want(t, http.StatusOK)
		bobs.visit(dev+"/authorizations").want(http.StatusOK, "logged in as bob")
	})
}

func TestWithdrawingConsentAlsoVoidsWhatWasNotFetchedYet(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		portal, b := w.portal(), w.signedIn("ada", w.ada)
		other := w.register(dev, w.ada, `{"client_id":"other","callback_url":"https://other.example.com/cb"}`)
		kept := b.visit(other.request(dev)).submit("decision", "allow").answer(other.redirect).Get("code")
		deviceCode, userCode := w.device(portal)
		b.visit(dev+"/device?user_code="+userCode).submit("user_code", userCode).follow().submit("decision", "allow").
			want(http.StatusOK, "signed in")
		code := b.visit(portal.request(dev)).submit("decision", "allow").answer(portal.redirect).Get("code")
		list := b.visit(dev+"/authorizations").want(http.StatusOK, "The <Portal>")
		list.submit("client_id", "portal").follow().want(http.StatusOK)
		w.advance(time.Minute)
		if r := w.redeem(portal, code).want(t, http.StatusBadRequest); r.Error != "invalid_grant" {
			t.Errorf("the code: %s", r.Error)
		}
		if r := w.poll(portal, deviceCode).want(t, http.StatusBadRequest); r.Error != "access_denied" {
			t.Errorf("the device: %s", r.Error)
		}
		w.redeem(other, kept).want(t, http.StatusOK)
	})
}

func TestAnAddressCannotFillTheDatabaseWithVisits(t *testing.T) {
	w := onSQLite(t)
	portal := w.portal()
	known := w.signedIn("ada", w.ada)
	stranger := w.browser()
	stranger.http.Jar = nil
	visits, last := 0, stranger.get(portal.request(dev))
	for ; last.status == http.StatusSeeOther && visits < 1000; visits++ {
		last = stranger.get(portal.request(dev))
	}
	last.want(http.StatusTooManyRequests, "Too many visits")
	if last.header.Get("Retry-After") == "" {
		t.Error("it does not say how long to wait")
	}
	known.visit(portal.request(dev)).want(http.StatusOK, "Allow")
	w.advance(time.Second)
	if p := stranger.get(portal.request(dev)); p.status != http.StatusSeeOther {
		t.Errorf("status %d a second later", p.status)
	}
}
