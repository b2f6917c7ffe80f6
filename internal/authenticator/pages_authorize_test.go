package authenticator_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/seal"
	"gatehouse/internal/testlog"
)

func TestAPersonSignsInAllowsAndTheClientGetsACode(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		portal, b := w.portal(), w.browser()
		first := b.get(portal.request(dev, "state", "a&code=evil#é x", "scope", "openid profile unknown", "nonce", "n"))
		if !strings.HasPrefix(first.location, dev+"/login?flow=") || first.status != http.StatusSeeOther {
			t.Fatalf("status %d, location %s", first.status, first.location)
		}
		login := first.follow().want(http.StatusOK, "to continue to The <Portal>", "tenant dev")
		consent := login.logIn("ada", w.ada).want(http.StatusOK, "The <Portal>", "You are logged in as ada", "portal.example.com",
			"Registered by", "Know your user name", "See your name", "Always allow")
		if strings.Contains(consent.body, "<Portal>") {
			t.Error("the client's name is not escaped")
		}
		answer := consent.submit("decision", "allow").answer("https://portal.example.com/cb?keep=1&")
		if answer.Get("state") != "a&code=evil#é x" || answer.Get("iss") != dev || answer.Get("keep") != "1" ||
			len(answer["code"]) != 1 || answer.Has("error") {
			t.Errorf("got %v", answer)
		}
		got := w.redeem(portal, answer.Get("code")).want(t, http.StatusOK)
		if name, status := w.whose(dev, got.access(t)); name != "ada" || status != http.StatusOK {
			t.Errorf("the token is of %q, %d", name, status)
		}
		// The flow was good once.
		again := consent.submit("decision", "allow")
		again.want(http.StatusBadRequest, "already used")
		if again.location != "" {
			t.Errorf("location %q", again.location)
		}
	})
}

func TestWhoDeniesSendsAnErrorAndNoCode(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		portal := w.portal()
		answer := w.browser().visit(portal.request(dev, "state", "")).logIn("ada", w.ada).submit("decision", "deny").
			answer(portal.redirect)
		if answer.Get("error") != "access_denied" || answer.Has("code") || answer.Has("state") || answer.Get("iss") != dev {
			t.Errorf("got %v", answer)
		}
	})
}

// TestABadRequestNeverLeadsAnywhere: docs/go-oauth2.md, host suffixes and
// errors by redirect.
func TestABadRequestNeverLeadsAnywhere(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		portal := w.portal()
		labs := w.register(lab, w.labAda, `{"client_id":"labs","callback_url":"https://labs.example.com/cb"}`)
		gone := w.register(dev, w.ada, `{"client_id":"gone","callback_url":"https://gone.example.com/cb"}`)
		none := w.register(dev, w.ada, `{"client_id":"none"}`)
		token := w.token(dev, url.Values{"grant_type": {"password"}, "username": {"ada"}, "password": {w.ada}}).access(t)
		w.api(http.MethodDelete, dev+"/clients/gone", "", "X-Tapis-Token", token).want(t, http.StatusOK)
		for name, address := range map[string]string{
			"unknown client":         portal.request(dev, "client_id", "nobody"),
			"no client":              portal.request(dev, "client_id", ""),
			"client twice":           portal.request(dev) + "&client_id=portal",
			"NUL in the client":      portal.request(dev, "client_id", "portal\x00"),
			"inactive client":        gone.request(dev),
			"client of another":      labs.request(dev),
			"no redirect registered": none.request(dev, "redirect_uri", ""),
			"suffix of the host":     portal.request(dev, "redirect_uri", "https://xportal.example.com/cb?keep=1"),
			"subdomain":              portal.request(dev, "redirect_uri", "https://a.portal.example.com/cb?keep=1"),
			"scheme":                 portal.request(dev, "redirect_uri", "http://portal.example.com/cb?keep=1"),
			"path":                   portal.request(dev, "redirect_uri", "https://portal.example.com/cb/../x?keep=1"),
			"query":                  portal.request(dev, "redirect_uri", "https://portal.example.com/cb"),
			"port":                   portal.request(dev, "redirect_uri", "https://portal.example.com:443/cb?keep=1"),
			"userinfo":               portal.request(dev, "redirect_uri", "https://portal.example.com@evil.example/cb?keep=1"),
			"fragment":               portal.request(dev, "redirect_uri", portal.redirect+"#x"),
			"letter case":            portal.request(dev, "redirect_uri", "https://portal.example.com/CB?keep=1"),
			"encoded":                portal.request(dev, "redirect_uri", "https://portal.example.com/%63b?keep=1"),
			"script":                 portal.request(dev, "redirect_uri", "javascript:alert(1)"),
			"redirect twice":         portal.request(dev) + "&redirect_uri=" + url.QueryEscape(portal.redirect),
			"bad escape":             portal.request(dev) + "&x=%zz",
			"bad response type too":  portal.request(dev, "client_id", "nobody", "response_type", "x"),
		} {
			p := w.browser().get(address)
			p.want(http.StatusBadRequest, "request id")
			if p.location != "" || p.header.Get("Set-Cookie") != "" {
				t.Errorf("%s: location %q, cookie %q", name, p.location, p.header.Get("Set-Cookie"))
			}
			if name == "bad escape" || name == "no client" {
				continue
			}
			if json := w.browser().get(address, "Accept", "application/json"); json.header.Get("Content-Type") != "application/json" ||
				json.status != http.StatusBadRequest {
				t.Errorf("%s: %d %s", name, json.status, json.header.Get("Content-Type"))
			}
		}
		if p := w.browser().get(portal.request("https://unknown.example.org/v3/oauth2")); p.status != http.StatusNotFound ||
			p.location != "" ||
			!strings.HasPrefix(p.header.Get("Content-Type"), "text/html") {
			t.Errorf("unknown host: %d %q", p.status, p.location)
		}
	})
}

func TestErrorsAreSentToTheClientOfWhoeverIsSignedIn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		portal, b := w.portal(), w.signedIn("ada", w.ada)
		app := w.register(dev, w.ada, `{"client_id":"app","callback_url":"https://app.example.com/",
			"token_endpoint_auth_method":"none"}`)
		passwordOnly := w.register(
			dev, w.ada, `{"client_id":"scripts","callback_url":"https://scripts.example.com/","grant_types":["password"]}`)
		good := challenge(seal.NewSecret())
		for name, test := range map[string]struct {
			address string
			client  client
			err     string
		}{
			"no response type":    {portal.request(dev, "response_type", ""), portal, "invalid_request"},
			"unknown type":        {portal.request(dev, "response_type", "id_token"), portal, "unsupported_response_type"},
			"device code as type": {portal.request(dev, "response_type", "device_code"), portal, "unsupported_response_type"},
			"implicit not listed": {portal.request(dev, "response_type", "token"), portal, "unauthorized_client"},
			"form_post":           {portal.request(dev, "response_mode", "form_post"), portal, "invalid_request"},
			"request object":      {portal.request(dev, "request", "e30."), portal, "request_not_supported"},
			"request by URI":      {portal.request(dev, "request_uri", "https://x.example/r"), portal, "request_uri_not_supported"},
			"registration":        {portal.request(dev, "registration", "{}"), portal, "registration_not_supported"},
			"scope twice":         {portal.request(dev, "scope", "openid") + "&scope=email", portal, "invalid_request"},
			"nonce too long":      {portal.request(dev, "nonce", strings.Repeat("x", 3000)), portal, "invalid_request"},
			"unknown prompt":      {portal.request(dev, "prompt", "maybe"), portal, "invalid_request"},
			"none and another":    {portal.request(dev, "prompt", "none login"), portal, "invalid_request"},
			"negative max_age":    {portal.request(dev, "max_age", "-1"), portal, "invalid_request"},
			"max_age no number":   {portal.request(dev, "max_age", "1h"), portal, "invalid_request"},
			"consent needed":      {portal.request(dev, "prompt", "none"), portal, "consent_required"},
			"public without PKCE": {app.request(dev), app, "invalid_request"},
			"plain by default":    {app.request(dev, "code_challenge", good), app, "invalid_request"},
			"plain":               {app.request(dev, "code_challenge", good, "code_challenge_method", "plain"), app, "invalid_request"},
			"short challenge": {
				app.request(dev, "code_challenge", good[:42], "code_challenge_method", "S256"), app,
				"invalid_request",
			},
			"method alone":        {portal.request(dev, "code_challenge_method", "S256"), portal, "invalid_request"},
			"client held to more": {passwordOnly.request(dev), passwordOnly, "unauthorized_client"},
		} {
			t.Run(name, func(t *testing.T) {
				answer := b.get(test.address).answer(test.client.redirect)
				if answer.Get("error") != test.err || answer.Get("state") != "xyz" || answer.Get("iss") != dev ||
					answer.Get("error_description") == "" || answer.Has("code") {
					t.Errorf("got %v, want %s", answer, test.err)
				}
			})
		}
		// A state that is given twice is nobody's.
		answer := b.get(portal.request(dev) + "&state=2").answer(portal.redirect)
		if answer.Get("error") != "invalid_request" || answer.Has("state") {
			t.Errorf("got %v", answer)
		}
	})
}

// Anybody may register a client: a link to us must not lead people who were
// shown nothing to wherever its maker likes, RFC 9700 section 4.11.2.
func TestWithNobodySignedInAnErrorLeadsNowhereByItself(t *testing.T) {
	w := onSQLite(t)
	portal := w.portal()
	local := w.register(dev, w.ada, `{"client_id":"local","callback_url":"http://127.0.0.1:8080/cb"}`)
	native := w.register(dev, w.ada, `{"client_id":"native","callback_url":"org.example.app:/cb"}`)
	elsewhere := url.Values{"redirect_uri": {"http://127.0.0.1:9999/cb"}, "prompt": {"none"}}.Encode()
	for name, test := range map[string]struct{ address, shown, link string }{
		"a fault": {
			portal.request(dev, "response_type", "x"), "portal.example.com",
			"https://portal.example.com/cb?keep=1&amp;error=",
		},
		"an app": {native.request(dev, "response_mode", "x"), "an app on this device", "org.example.app:/cb?error="},
		"not registered": {
			local.request(dev, "redirect_uri", "") + "&" + elsewhere, "a program on this computer",
			"127.0.0.1:9999/cb?error=",
		},
	} {
		p := w.browser().get(test.address).want(http.StatusBadRequest, "made a mistake", test.shown)
		if p.location != "" || !strings.Contains(p.body, `<a href="`+test.link) && !strings.Contains(p.body, test.link) {
			t.Errorf("%s: location %q\n%s", name, p.location, p.body)
		}
	}
	for name, address := range map[string]string{
		"login_required": portal.request(dev, "prompt", "none"), "invalid_request": portal.request(dev, "prompt", "none login"),
	} {
		if got := w.browser().get(address).answer(portal.redirect); got.Get("error") != name || got.Get("iss") != dev {
			t.Errorf("where no page is wanted: %v, want %s", got, name)
		}
	}
}

func TestAPublicClientRedeemsWithItsVerifier(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		app := w.register(dev, w.ada, `{"client_id":"app","callback_url":"http://127.0.0.1/cb","token_endpoint_auth_method":"none"}`)
		app.redirect = "http://127.0.0.1:43211/cb" // native programs choose a port, RFC 8252
		verifier := secret(t)
		consent := w.browser().visit(app.request(dev, "code_challenge", challenge(verifier), "code_challenge_method", "S256")).
			logIn("ada", w.ada).want(http.StatusOK, "a program on this computer (127.0.0.1:43211)")
		if strings.Contains(consent.body, "Always allow") {
			t.Error("anybody could pretend to be this client, and still it may be allowed for good")
		}
		code := consent.submit("decision", "allow", "always", "yes").answer(app.redirect).Get("code")
		got := w.redeem(app, code, "code_verifier", verifier).want(t, http.StatusOK)
		if name, _ := w.whose(dev, got.access(t)); name != "ada" {
			t.Errorf("the token is of %q", name)
		}
		// Though "always" was sent, the person is asked again.
		b := w.signedIn("ada", w.ada)
		b.visit(app.request(dev, "code_challenge", challenge(verifier), "code_challenge_method", "S256")).want(http.StatusOK, "Allow")
	})
}

func TestALoopbackClientGoesBackToThePortThatItSent(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		native := w.register(
			dev, w.ada, `{"client_id":"native","callback_url":"org.example.app:/cb","token_endpoint_auth_method":"none"}`)
		verifier := secret(t)
		consent := w.browser().visit(native.request(dev, "code_challenge", challenge(verifier), "code_challenge_method", "S256")).
			logIn("ada", w.ada).want(http.StatusOK, "an app on this device (org.example.app:)")
		if csp := consent.header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' org.example.app:;") {
			t.Errorf("the browser would not follow: %s", csp)
		}
		p := consent.submit("decision", "allow")
		if !strings.HasPrefix(p.header.Get("Location"), "org.example.app:/cb?code=") {
			t.Error("the answer goes elsewhere")
		}
	})
}

// TestImplicitAnswersInTheFragment: docs/go-oauth2.md, the implicit answer.
func TestImplicitAnswersInTheFragment(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.configure(`{"allowable_grant_types":["password","authorization_code","refresh_token","device_code","implicit"]}`)
		portal, b := w.portal(), w.browser()
		state := "x&access_token=evil#é"
		consent := b.visit(portal.request(dev, "response_type", "token", "state", state)).logIn("ada", w.ada).want(http.StatusOK)
		if strings.Contains(consent.body, "Always allow") {
			t.Error("implicit may be allowed for good")
		}
		p := consent.submit("decision", "allow", "always", "yes")
		answer := p.answer("https://portal.example.com/cb?keep=1#")
		if len(answer["access_token"]) != 1 || answer.Get("state") != state || answer.Get("token_type") != "Bearer" ||
			answer.Get("expires_in") != "14400" ||
			answer.Get("iss") != dev || answer.Has("refresh_token") {
			t.Errorf("got %v", answer)
		}
		if query, _, _ := strings.Cut(p.location, "#"); strings.Contains(query, "access_token") {
			t.Error("a token is in the query")
		}
		if name, _ := w.whose(dev, answer.Get("access_token")); name != "ada" {
			t.Errorf("the token is of %q", name)
		}
		b.visit(portal.request(dev, "response_type", "token")).want(http.StatusOK, "Allow") // never remembered
		answer = b.get(portal.request(dev, "response_type", "token", "response_mode", "query")).answer(portal.redirect + "#")
		if answer.Get("error") != "invalid_request" {
			t.Errorf("got %v", answer)
		}
		answer = b.get(portal.request(dev, "response_type", "token", "prompt", "none")).answer(portal.redirect + "#")
		if answer.Get("error") != "consent_required" {
			t.Errorf("got %v", answer)
		}
	})
}

func TestPromptAndMaxAgeAreHeeded(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		portal, b := w.portal(), w.signedIn("ada", w.ada)
		w.advance(time.Second)
		if a := b.get(portal.request(dev, "prompt", "none")).answer(portal.redirect); a.Get("error") != "consent_required" {
			t.Errorf("got %v", a)
		}
		b.visit(portal.request(dev)).want(http.StatusOK, "Always allow").submit("decision", "allow", "always", "yes").
			answer(portal.redirect)
		if a := b.get(portal.request(dev)).answer(portal.redirect); a.Get("code") == "" {
			t.Errorf("asked again: %v", a)
		}
		if a := b.get(portal.request(dev, "prompt", "none", "max_age", "60")).answer(portal.redirect); a.Get("code") == "" {
			t.Errorf("got %v", a)
		}
		b.visit(portal.request(dev, "prompt", "consent")).want(http.StatusOK, "Allow")
		b.visit(portal.request(dev, "prompt", "select_account")).want(http.StatusOK, "Not you?")
		again := b.visit(portal.request(dev, "prompt", "login")).want(http.StatusOK, "Log in", "You are logged in as ada now")
		w.advance(time.Second)
		if a := again.logIn("ada", w.ada).answer(portal.redirect); a.Get("code") == "" {
			t.Errorf("got %v", a)
		}
		w.advance(2 * time.Minute)
		if a := b.get(portal.request(dev, "prompt", "none", "max_age", "60")).
			answer(portal.redirect); a.Get("error") != "login_required" {
			t.Errorf("got %v", a)
		}
		old := b.visit(portal.request(dev, "max_age", "60")).want(http.StatusOK, "Log in")
		if a := old.logIn("ada", w.ada).answer(portal.redirect); a.Get("code") == "" {
			t.Errorf("got %v", a)
		}
		w.advance(time.Second)
		b.visit(portal.request(dev, "login_hint", "bob", "prompt", "login")).want(http.StatusOK, `value="bob"`)
	})
}

func TestARequestThatIsPostedIsTheSameByGET(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		portal, b := w.portal(), w.signedIn("ada", w.ada)
		before := b.cookie(devHost).Value
		_, query, _ := strings.Cut(portal.request(dev), "?")
		form, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		posted := b.do(http.MethodPost, dev+"/authorize", form, "Origin", "https://portal.example.com", "Sec-Fetch-Site", "cross-site")
		if posted.location != portal.request(dev) || posted.status != http.StatusSeeOther {
			t.Errorf("%d %s", posted.status, posted.location)
		}
		if b.cookie(devHost).Value != before {
			t.Error("another website changed the session")
		}
		posted.follow().want(http.StatusOK, "Allow")
	})
}

func TestParallelFlowsInOneBrowserDoNotMix(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		portal, b := w.portal(), w.browser()
		other := w.register(dev, w.ada, `{"client_id":"other","callback_url":"https://other.example.com/cb","display_name":"Other"}`)
		first := b.visit(portal.request(dev, "state", "one")).want(http.StatusOK, "The <Portal>")
		second := b.visit(other.request(dev, "state", "two")).want(http.StatusOK, "Other")
		consent := first.logIn("ada", w.ada).want(http.StatusOK, "The <Portal>")
		// The second tab's form is from before signing in; it says so and goes on.
		stale := second.submit("username", "bob", "password", w.bob).want(http.StatusForbidden, "out of date", "Continue signing in")
		_, flow := second.form()
		if !strings.Contains(stale.body, flow.Get("flow")) {
			t.Error("it does not lead on")
		}
		then := b.visit(dev+"/authorize?flow="+flow.Get("flow")).want(http.StatusOK, "Other", "ada")
		if a := then.submit("decision", "deny").answer(other.redirect); a.Get("state") != "two" || a.Get("error") != "access_denied" {
			t.Errorf("got %v", a)
		}
		if a := consent.submit("decision", "allow").answer(portal.redirect); a.Get("state") != "one" || a.Get("code") == "" {
			t.Errorf("got %v", a)
		}
	})
}

func TestAFlowCannotBeContinuedInAnotherBrowser(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		portal := w.portal()
		mine := w.browser().visit(portal.request(dev)).want(http.StatusOK)
		_, fields := mine.form()
		id := "?flow=" + fields.Get("flow")
		for _, b := range []*browser{w.browser(), w.signedIn("bob", w.bob)} {
			for _, path := range []string{"/login", "/authorize", "/consent", "/device", "/device/confirm"} {
				if p := b.get(dev + path + id); p.status != http.StatusBadRequest || p.location != "" {
					t.Errorf("%s: %d %s", path, p.status, p.location)
				}
			}
			form := url.Values{"flow": fields["flow"], "csrf_token": fields["csrf_token"], "username": {"bob"}, "password": {w.bob}}
			if p := b.do(http.MethodPost, dev+"/login", form); p.status != http.StatusForbidden {
				t.Errorf("status %d", p.status)
			}
		}
		w.advance(10 * time.Minute)
		mine.submit("username", "ada", "password", w.ada).want(http.StatusBadRequest, "expired")
	})
}

func TestAClientThatChangesMeanwhileGetsNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		portal := w.portal()
		token := w.token(dev, url.Values{"grant_type": {"password"}, "username": {"ada"}, "password": {w.ada}}).access(t)
		testlog.Secret(t, token)
		consent := w.browser().visit(portal.request(dev)).logIn("ada", w.ada).want(http.StatusOK)
		w.api(http.MethodPut, dev+"/clients/portal", `{"callback_url":"https://new.example.com/cb"}`, "X-Tapis-Token", token,
			"Content-Type", "application/json").want(t, http.StatusOK)
		if p := consent.submit("decision", "allow").want(http.StatusBadRequest, "has changed meanwhile"); p.location != "" {
			t.Errorf("location %s", p.location)
		}
		portal.redirect = "https://new.example.com/cb"
		consent = w.browser().visit(portal.request(dev)).logIn("ada", w.ada).want(http.StatusOK)
		w.api(http.MethodDelete, dev+"/clients/portal", "", "X-Tapis-Token", token).want(t, http.StatusOK)
		if p := consent.submit("decision", "allow").want(http.StatusBadRequest, "no longer registered"); p.location != "" {
			t.Errorf("location %s", p.location)
		}
	})
}

func TestATokenGoesIntoTheQueryOnlyWhereTheTenantAsksForIt(t *testing.T) {
	w := onSQLite(t)
	w.configure(`{"allowable_grant_types":["password","authorization_code","refresh_token","device_code","implicit"],
		"implicit_response_mode":"query"}`)
	portal, b := w.portal(), w.signedIn("ada", w.ada)
	p := b.visit(portal.request(dev, "response_type", "token", "state", "a&access_token=evil")).submit("decision", "allow")
	if a := p.answer(portal.redirect + "&"); len(a["access_token"]) != 1 || a.Get("state") != "a&access_token=evil" {
		t.Errorf("got %v", a)
	}
	p = b.visit(portal.request(dev, "response_type", "token", "response_mode", "fragment")).submit("decision", "allow")
	if a := p.answer(portal.redirect + "#"); len(a["access_token"]) != 1 {
		t.Errorf("got %v", a)
	}
}
