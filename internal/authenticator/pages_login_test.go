package authenticator_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/testdb"
	"gatehouse/internal/testlog"
)

func TestEveryFailureOfALoginReadsTheSameAndNoPasswordComesBack(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		login := w.browser().visit(w.portal().request(dev))
		typed := secret(t)
		for name, username := range map[string]string{
			"wrong password": "ada", "unknown": "nobody", "other tenant's": "ada@lab", "LDAP": "*)(uid=*",
			"markup":           `"><script>alert(1)</script>`,
			"NUL-free control": "a\tb", "very long": strings.Repeat("x", 2000),
		} {
			p := login.submit("username", username, "password", typed).
				want(http.StatusUnauthorized, "Invalid username/password combination.", "role=\"alert\"")
			if strings.Contains(p.body, typed) || strings.Contains(p.body, "<script") || p.header.Get("Set-Cookie") != "" {
				t.Errorf("%s: the page shows too much, or there is a new cookie", name)
			}
			if !strings.Contains(p.body, `<title>Error: `) {
				t.Errorf("%s: the title does not say that something is wrong", name)
			}
		}
		login.submit("username", "", "password", "x").want(http.StatusBadRequest, "Username is required.")
		empty := login.submit("username", "ada", "password", "").want(http.StatusBadRequest, "Password is required.", `value="ada"`)
		if strings.Contains(empty.body, "Username is required.") {
			t.Error("the wrong field is named")
		}
		// Spaces and letter case do not make another person.
		login.submit("username", " Ada ", "password", w.ada).follow().want(http.StatusOK, "You are logged in as ada in")
	})
}

func TestGuessesAtTheLoginPageAndAtTheTokenEndpointCountTogether(t *testing.T) {
	w := onSQLite(t)
	login := w.browser().visit(w.portal().request(dev))
	for range 5 {
		login.submit("username", "bob", "password", "wrong").want(http.StatusUnauthorized)
		w.token(dev, url.Values{"grant_type": {"password"}, "username": {"bob"}, "password": {"wrong"}}).want(t, http.StatusBadRequest)
	}
	refused := login.submit("username", "Bob", "password", w.bob).want(http.StatusTooManyRequests, "Too many failed attempts")
	if refused.header.Get("Retry-After") == "" {
		t.Error("it does not say how long to wait")
	}
	w.token(dev, url.Values{"grant_type": {"password"}, "username": {"bob"}, "password": {w.bob}}).
		want(t, http.StatusTooManyRequests)
	login.submit("username", "ada", "password", w.ada).follow().want(http.StatusOK, "Allow")
	w.advance(time.Minute)
	w.browser().visit(dev+"/authorizations").logIn("bob", w.bob).want(http.StatusOK)
}

func TestADirectoryThatIsAwayIsSaidToBe(t *testing.T) {
	w := onSQLite(t)
	login := w.browser().visit(w.portal().request(dev))
	if err := w.people.Close(); err != nil {
		t.Fatal(err)
	}
	p := login.submit("username", "ada", "password", w.ada).
		want(http.StatusServiceUnavailable, "not available at the moment", `value="ada"`)
	if p.header.Get("Retry-After") == "" || strings.Contains(p.body, w.ada) || strings.Contains(p.body, "127.0.0.1") {
		t.Error("the page tells too much or too little")
	}
}

// TestUpstreamBugASessionIsGoodAtOtherTenants: W-B02, acceptance check 2.
func TestUpstreamBugASessionIsGoodAtOtherTenants(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		labs := w.register(lab, w.labAda, `{"client_id":"labs","callback_url":"https://labs.example.com/cb"}`)
		b := w.signedIn("ada", w.ada)
		b.setCookie(labHost, b.cookie(devHost).Value)
		b.visit(labs.request(lab)).want(http.StatusOK, "Log in")
		b.visit(lab+"/webapp").want(http.StatusOK, "Log in")
		if a := b.get(labs.request(lab, "prompt", "none")).answer(labs.redirect); a.Get("error") != "login_required" {
			t.Errorf("got %v", a)
		}
		// Nor does a consent form of one tenant count at the other.
		consent := w.signedIn("bob", w.bob).visit(w.portal().request(dev)).want(http.StatusOK)
		_, fields := consent.form()
		fields.Set("decision", "allow")
		if p := b.do(http.MethodPost, lab+"/consent", fields); p.status != http.StatusForbidden {
			t.Errorf("status %d", p.status)
		}
		b.visit(dev+"/authorizations").want(http.StatusOK, "logged in as ada")
	})
}

// TestUpstreamBugASessionCanBeForged: W-B01; the old service signed its
// cookies with a key that its source printed.
func TestUpstreamBugASessionCanBeForged(t *testing.T) {
	w := onSQLite(t)
	for _, forged := range []string{
		"eyJ1c2VybmFtZSI6ImFkYSIsInRlbmFudF9pZCI6ImRldiJ9.aaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbb", "ada", strings.Repeat("A", 43),
		strings.Repeat("é", 43),
	} {
		b := w.browser()
		p := b.get(dev+"/authorizations", "Cookie", "__Host-tapis_session="+forged+"; session="+forged+"; tapis_session="+forged)
		if p.status != http.StatusSeeOther || !strings.HasPrefix(p.location, dev+"/login?") {
			t.Errorf("%.50q is good: %d %s", forged, p.status, p.location)
		}
	}
}

// TestUpstreamBugTheCookieTellsWhoSomebodyIsAndLivesOn: W-B08.
func TestUpstreamBugTheCookieTellsWhoSomebodyIsAndLivesOn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		b := w.browser()
		login := b.visit(dev + "/webapp")
		anonymous := b.cookie(devHost).Value
		p := login.submit("username", "ada", "password", w.ada)
		header := p.header.Get("Set-Cookie")
		value := b.cookie(devHost).Value
		if value == anonymous || len(value) != 43 || !strings.Contains(header, "__Host-tapis_session=") {
			t.Error("signing in did not rotate the cookie")
		}
		for _, attribute := range []string{"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} {
			if !strings.Contains(header, attribute) {
				t.Errorf("the cookie lacks %s", attribute)
			}
		}
		if strings.Contains(header, "Domain") || strings.Contains(header, "Expires") || strings.Contains(header, "Max-Age") {
			t.Errorf("the cookie is meant for more than this host and this browser session")
		}
		p.follow().want(http.StatusOK, "Your token")
		copied := w.browser()
		copied.setCookie(devHost, value)
		copied.get(dev+"/webapp").want(http.StatusOK, "Your token")
		b.get(dev+"/logout").want(http.StatusOK, "Log out").submit().follow().want(http.StatusOK, "You have been logged out")
		copied.visit(dev+"/webapp").want(http.StatusOK, "Log in")
		// Use prolongs a session, but not for ever.
		b = w.signedIn("ada", w.ada)
		for range 50 {
			w.advance(10 * time.Minute)
			b.get(dev + "/authorizations")
		}
		b.visit(dev+"/authorizations").want(http.StatusOK, "Log in")
	})
}

// TestUpstreamBugFormsOfOtherWebsitesCount: W-B03, acceptance check 3.
func TestUpstreamBugFormsOfOtherWebsitesCount(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		portal, b := w.portal(), w.signedIn("ada", w.ada)
		consent := b.visit(portal.request(dev)).want(http.StatusOK)
		action, good := consent.form()
		good.Set("decision", "allow")
		with := func(name, value string) url.Values {
			changed := url.Values{}
			for k, v := range good {
				changed[k] = v
			}
			if value == "" {
				changed.Del(name)
			} else {
				changed.Set(name, value)
			}
			return changed
		}
		other := b.visit(portal.request(dev)).want(http.StatusOK)
		_, otherFields := other.form()
		_, bobs := w.signedIn("bob", w.bob).visit(portal.request(dev)).form()
		own := []string{"Origin", "https://" + devHost, "Sec-Fetch-Site", "same-origin"}
		for name, test := range map[string]struct {
			form    url.Values
			headers []string
		}{
			"no token":               {with("csrf_token", ""), own},
			"token of another flow":  {with("csrf_token", otherFields.Get("csrf_token")), own},
			"token of another":       {with("csrf_token", bobs.Get("csrf_token")), own},
			"no flow":                {with("flow", ""), own},
			"another flow":           {with("flow", otherFields.Get("flow")), own},
			"cross-site":             {good, []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}},
			"sister site":            {good, []string{"Origin", "https://tacc.tapis.io", "Sec-Fetch-Site", "same-site"}},
			"other origin, no fetch": {good, []string{"Origin", "https://evil.example"}},
			"other scheme, no fetch": {good, []string{"Origin", "http://" + devHost}},
		} {
			p := b.do(http.MethodPost, action, test.form, test.headers...)
			if p.status != http.StatusForbidden || p.location != "" {
				t.Errorf("%s: %d %s", name, p.status, p.location)
			}
		}
		if p := b.do(http.MethodPost, action+"?decision=allow", good, own...); p.status != http.StatusBadRequest {
			t.Errorf("parameters in the URL: %d", p.status)
		}
		twice := with("decision", "deny")
		twice.Add("decision", "allow")
		if p := b.do(http.MethodPost, action, twice, own...); p.status != http.StatusBadRequest {
			t.Errorf("decision twice: %d", p.status)
		}
		for _, path := range []string{"/login", "/consent", "/device", "/device/confirm", "/authorizations", "/webapp/logout"} {
			p := b.do(http.MethodPost, dev+path, url.Values{"decision": {"allow"}, "username": {"bob"}, "password": {w.bob}}, own...)
			if p.status != http.StatusForbidden || p.header.Get("Set-Cookie") != "" {
				t.Errorf("%s without a token: %d", path, p.status)
			}
		}
		b.visit(dev+"/authorizations").want(http.StatusOK, "logged in as ada")
		// Browsers that say null, because no referrer is told, are heard.
		if p := b.do(http.MethodPost, action, good, "Origin", "null"); p.answer(portal.redirect).Get("code") == "" {
			t.Error("a form of our own was refused")
		}
	})
}

// TestUpstreamBugABadLinkSignsOut: W-B12; a GET never changes a session.
func TestUpstreamBugABadLinkSignsOut(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		portal, b := w.portal(), w.signedIn("ada", w.ada)
		before := b.cookie(devHost).Value
		for _, path := range []string{
			"/authorize", "/authorize?client_id=x", "/authorize?flow=x", "/login?flow=x", "/consent?flow=x", "/consent", "/device",
			"/device?flow=x",
			"/device/confirm?flow=x", "/logout", "/webapp/callback", "/webapp/callback?code=x&state=x", "/webapp/logout", "/webapp",
			"/authorizations",
		} {
			if p := b.get(dev + path); p.status >= http.StatusInternalServerError {
				t.Errorf("%s: %d", path, p.status)
			}
		}
		b.get(portal.request(dev, "redirect_uri", "https://evil.example"))
		if b.cookie(devHost).Value != before {
			t.Error("the cookie has changed")
		}
		b.visit(dev+"/authorizations").want(http.StatusOK, "logged in as ada")
	})
}

// TestUpstreamBugWhatStepsSayIsBelieved: W-B10; hidden fields and queries of
// the old forms are ignored.
func TestUpstreamBugWhatStepsSayIsBelieved(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.configure(`{"allowable_grant_types":["password","authorization_code","refresh_token","device_code","implicit"]}`)
		portal := w.portal()
		evil := w.register(dev, w.ada, `{"client_id":"evil","callback_url":"https://evil.example.com/cb"}`)
		lies := []string{
			"client_id", evil.id, "client_redirect_uri", evil.redirect, "redirect_uri", evil.redirect, "client_response_type", "token",
			"response_type", "token", "client_state", "evil", "state", "evil", "scope", "email", "client_display_name", "Evil",
			"user_code", "AAAA-AAAA", "approve", "true",
		}
		login := w.browser().visit(portal.request(dev))
		consent := login.submit(append(lies, "username", "ada", "password", w.ada)...).follow().
			want(http.StatusOK, "The <Portal>", "portal.example.com")
		answer := consent.submit(append(lies, "decision", "allow")...).answer(portal.redirect)
		if answer.Get("code") == "" || answer.Get("state") != "xyz" || answer.Has("access_token") {
			t.Errorf("got %v", answer)
		}
		consent = w.signedIn("bob", w.bob).visit(portal.request(dev)).want(http.StatusOK)
		if p := consent.submit("approve", "true"); p.status != http.StatusBadRequest || p.location != "" {
			t.Errorf("the old field counts: %d", p.status)
		}
	})
}

func TestSwitchingAccountsEndsTheOthersSession(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		portal, b := w.portal(), w.signedIn("ada", w.ada)
		token := b.visit(dev+"/webapp").want(http.StatusOK, "Your token").shownToken()
		consent := b.visit(portal.request(dev)).want(http.StatusOK, "logged in as ada", "Not you?")
		_, fields := consent.form()
		login := b.get(dev+"/login?flow="+fields.Get("flow")).want(http.StatusOK, "logged in as ada now")
		then := login.logIn("bob", w.bob).want(http.StatusOK, "logged in as bob")
		if _, status := w.whose(dev, token); status != http.StatusUnauthorized {
			t.Errorf("the first person's token is still good: %d", status)
		}
		got := w.redeem(portal, then.submit("decision", "allow").answer(portal.redirect).Get("code")).want(t, http.StatusOK)
		if name, _ := w.whose(dev, got.access(t)); name != "bob" {
			t.Errorf("the token is of %q", name)
		}
	})
}

// TestUpstreamBugPagesCanBeFramedAndKept: W-B14 and the headers of every page.
func TestUpstreamBugPagesCanBeFramedAndKept(t *testing.T) {
	w := onSQLite(t)
	portal, b := w.portal(), w.signedIn("ada", w.ada)
	pages := map[string]page{
		"login": w.browser().visit(portal.request(dev)), "consent": b.visit(portal.request(dev)), "device": b.visit(dev + "/device"),
		"logout": b.get(dev + "/logout"), "authorizations": b.get(dev + "/authorizations"), "webapp": b.visit(dev + "/webapp"),
		"webapp logout": b.get(dev + "/webapp/logout"), "error": b.get(dev + "/authorize"),
		"forbidden":    b.do(http.MethodPost, dev+"/webapp/logout", url.Values{"x": {"y"}}),
		"unknown flow": b.get(dev + "/consent?flow=x"),
	}
	for name, p := range pages {
		h := p.header
		csp := h.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'") ||
			!strings.Contains(csp, "base-uri 'none'") || !strings.HasSuffix(csp, "frame-ancestors 'none'") ||
			strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", name, csp)
		}
		for header, want := range map[string]string{
			"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
			"Content-Type": "text/html; charset=utf-8", "Strict-Transport-Security": "max-age=31536000", "Access-Control-Allow-Origin": "",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := strings.Join(h.Values(header), ", "); got != want {
				t.Errorf("%s: %s is %q", name, header, got)
			}
		}
		for _, never := range []string{"<script", "http://", " style=", "javascript:", "onclick"} {
			if strings.Contains(p.body, never) {
				t.Errorf("%s contains %s", name, never)
			}
		}
		for _, always := range []string{`<html lang="en">`, "<title>", "<h1>", `name="viewport"`} {
			if !strings.Contains(p.body, always) {
				t.Errorf("%s lacks %s", name, always)
			}
		}
		for header, values := range h {
			if strings.Contains(strings.Join(values, " "), "eyJ") {
				t.Errorf("%s: a token is in the header %s", name, header)
			}
		}
	}
	csp := pages["consent"].header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "form-action 'self' https://portal.example.com;") {
		t.Errorf("the browser would not follow to the client: %s", csp)
	}
}

// TestUpstreamBugTemplatesCanBeDownloaded: W-B20.
func TestUpstreamBugTemplatesCanBeDownloaded(t *testing.T) {
	w := onSQLite(t)
	b := w.browser()
	css := b.get(dev + "/authorize/gatehouse.css")
	if css.status != http.StatusOK || !strings.HasPrefix(css.header.Get("Content-Type"), "text/css") {
		t.Errorf("the style sheet: %d %s", css.status, css.header.Get("Content-Type"))
	}
	for _, name := range []string{"login.html", "layout.html", "..%2Ftemplates%2Flogin.html", "%2e%2e", "gatehouse.css%2F.."} {
		if p := b.get(dev + "/authorize/" + name); p.status != http.StatusNotFound {
			t.Errorf("%s: %d", name, p.status)
		}
	}
}

func TestWhatIsTypedAndGivenIsInNoLogOrRow(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		portal, b := w.portal(), w.browser()
		code := b.visit(portal.request(dev)).logIn("ada", w.ada).submit("decision", "allow").answer(portal.redirect).Get("code")
		token := b.visit(dev+"/webapp").want(http.StatusOK, "Your token").shownToken()
		testlog.Secret(t, code) // the log scan of make test looks for it
		dump := testdb.Dump(t, w.db)
		for name, value := range map[string]string{"code": code, "token": token, "password": w.ada, "cookie": b.cookie(devHost).Value} {
			if strings.Contains(dump, value) {
				t.Errorf("the %s is in the database", name)
			}
		}
	})
}

// TestUpstreamBugASecondFactorIsPassedBy: as long as no second factor can be
// given, a tenant that asks for one lets nobody in; part of W-B05.
func TestUpstreamBugASecondFactorIsPassedBy(t *testing.T) {
	w := onSQLite(t)
	w.configure(mfaSent)
	login := w.browser().visit(dev + "/authorizations").want(http.StatusOK)
	p := login.submit("username", "ada", "password", w.ada).want(http.StatusForbidden, "second factor")
	if p.header.Get("Set-Cookie") != "" {
		t.Error("there is a new session")
	}
}

func TestTheJSONOfTenantsWithTLSTellsBrowsersSoToo(t *testing.T) {
	w := onSQLite(t)
	for _, path := range []string{"/jwks", "/userinfo", "/nowhere"} {
		p := w.browser().get(dev + path)
		if got := p.header.Values("Strict-Transport-Security"); len(got) != 1 {
			t.Errorf("%s: %d %v", path, p.status, got)
		}
	}
}
