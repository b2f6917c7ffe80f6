package authenticator_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/testlog"
)

// An application may have the browser post what it says in the query
// otherwise. That asks and ends nothing, whoever sends it; our own form does.
func TestAClientMayPostPeopleToLogOut(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		portal, b := w.portal(), w.signedIn("ada", w.ada)
		form := url.Values{
			"client_id": {portal.id}, "post_logout_redirect_uri": {portal.redirect}, "state": {"s&x"}, "flow": {"x"},
			"logout": {"true"},
		}
		foreign := []string{"Origin", "https://portal.example.com", "Sec-Fetch-Site", "cross-site"}
		for name, from := range map[string]*browser{"with its cookie": b, "without": w.browser()} {
			p := from.do(http.MethodPost, dev+"/logout", form, foreign...)
			if p.status != http.StatusSeeOther || p.header.Get("Set-Cookie") != "" || p.header.Get("Cache-Control") != "no-store" ||
				p.location != dev+
					"/logout?client_id=portal&post_logout_redirect_uri="+url.QueryEscape(portal.redirect)+"&state=s%26x" {
				t.Errorf("%s: %d %v", name, p.status, p.header)
			}
		}
		if p := b.do(http.MethodPost, dev+"/logout", url.Values{}, foreign...); p.status != http.StatusSeeOther ||
			p.location != dev+"/logout" {
			t.Errorf("with nothing: %d %s", p.status, p.location)
		}
		asked := b.do(http.MethodPost, dev+"/logout", form, foreign...).follow().want(http.StatusOK, "Log out", "portal.example.com")
		b.visit(dev+"/authorizations").want(http.StatusOK, "logged in as ada")

		action, own := asked.form()
		if p := b.do(http.MethodPost, action, own, foreign...); p.status != http.StatusForbidden {
			t.Errorf("our form, from another website: %d", p.status)
		}
		forged := maps.Clone(own)
		forged.Set("csrf_token", "x")
		if p := b.do(http.MethodPost, action, forged); p.status != http.StatusForbidden {
			t.Errorf("another token: %d", p.status)
		}
		// The hint need not go into a URL, be it as long as it may.
		code := b.visit(portal.request(dev, "scope", "openid", "nonce", strings.Repeat("n", 2000))).submit("decision", "allow").
			answer(portal.redirect).Get("code")
		var got struct {
			ID string `json:"id_token"`
		}
		decode(t, json.RawMessage(w.redeem(portal, code).want(t, http.StatusOK).body), &got)
		testlog.Secret(t, got.ID)
		hint := url.Values{"id_token_hint": {got.ID}, "post_logout_redirect_uri": {portal.redirect}}
		proved := b.do(http.MethodPost, dev+"/logout", hint, foreign...)
		if proved.status != http.StatusSeeOther || strings.Contains(proved.location, got.ID[:20]) || !strings.HasPrefix(proved.location,
			dev+"/logout?client_id=portal&post_logout_redirect_uri="+url.QueryEscape(portal.redirect)+"&proof=") {
			t.Errorf("by a hint: %d %s", proved.status, proved.location)
		}
		b.get(dev+"/logout?"+hint.Encode()).want(http.StatusOK, "portal.example.com")
		hint.Set("id_token_hint", got.ID[:100])
		if p := b.do(http.MethodPost, dev+"/logout", hint, foreign...); p.status != http.StatusBadRequest || p.location != "" {
			t.Errorf("a hint that is cut: %d %s", p.status, p.location)
		}
		twice := url.Values{"client_id": {portal.id, "other"}}
		if p := b.do(http.MethodPost, dev+"/logout", twice); p.status != http.StatusBadRequest || p.location != "" {
			t.Errorf("a parameter twice: %d", p.status)
		}
		b.visit(dev+"/authorizations").want(http.StatusOK, "logged in as ada")
		// Only a client that showed the person's own ID token has the browser sent on; others have a link.
		asked.submit().follow().want(http.StatusOK, "You have been logged out", "Go on to portal.example.com", "state=s%26x")
		b.visit(dev+"/authorizations").want(http.StatusOK, "Log in")
		b.get(proved.location).want(http.StatusOK, "Go on to portal.example.com") // the token may be anybody's
		b.get(strings.Replace(proved.location, "client_id=portal", "client_id=x", 1)).want(http.StatusBadRequest)
		w.advance(6 * time.Minute)
		b.get(proved.location).want(http.StatusOK, "Go on to portal.example.com")
	})
}

func TestAClientMaySendPeopleToLogOutAndHaveThemBack(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		portal, b := w.portal(), w.signedIn("ada", w.ada)
		other := w.register(dev, w.ada, `{"client_id":"other","callback_url":"https://other.example.com/cb"}`)
		code := b.visit(portal.request(dev, "scope", "openid")).submit("decision", "allow").answer(portal.redirect).Get("code")
		var got struct {
			ID string `json:"id_token"`
		}
		decode(t, json.RawMessage(w.redeem(portal, code).want(t, http.StatusOK).body), &got)
		testlog.Secret(t, got.ID)
		address := func(values ...string) string {
			query := url.Values{}
			for i := 0; i < len(values); i += 2 {
				query.Set(values[i], values[i+1])
			}
			return dev + "/logout?" + query.Encode()
		}
		for name, bad := range map[string]string{
			"not registered": address("id_token_hint", got.ID, "post_logout_redirect_uri", "https://evil.example/"),
			"another's":      address("id_token_hint", got.ID, "post_logout_redirect_uri", other.redirect),
			"no client":      address("post_logout_redirect_uri", portal.redirect),
			"two clients":    address("id_token_hint", got.ID, "client_id", other.id, "post_logout_redirect_uri", portal.redirect),
			"not a token":    address("id_token_hint", "x.y.z", "post_logout_redirect_uri", portal.redirect),
			"given twice":    address("client_id", portal.id, "post_logout_redirect_uri", portal.redirect) + "&state=1&state=2",
		} {
			if p := b.get(bad); p.status != http.StatusBadRequest || p.location != "" {
				t.Errorf("%s: %d %s", name, p.status, p.location)
			}
		}
		out := b.get(address("id_token_hint", got.ID, "post_logout_redirect_uri", portal.redirect, "state", "s&x")).
			want(http.StatusOK, "portal.example.com")
		b.visit(dev+"/authorizations").want(http.StatusOK, "logged in as ada") // asking alone ends nothing
		_, fields := out.form()
		for _, path := range []string{"/authorize", "/consent", "/device", "/device/confirm"} { // a flow to log out leads nowhere else
			if p := b.get(dev + path + "?flow=" + fields.Get("flow")); p.status != http.StatusBadRequest || p.location != "" {
				t.Errorf("%s: %d %s", path, p.status, p.location)
			}
		}
		eve := w.signedIn("bob", w.bob)
		eve.get(address("id_token_hint", got.ID, "post_logout_redirect_uri", portal.redirect)).submit().
			want(http.StatusOK, "Go on to portal.example.com") // it is not bob's token
		after := out.submit()
		if a := after.answer(portal.redirect); a.Get("state") != "s&x" {
			t.Errorf("got %v", a)
		}
		b.get(address("client_id", portal.id, "post_logout_redirect_uri", portal.redirect)).
			want(http.StatusOK, "Go on to portal.example.com")
		// A token that is not of whoever is signed in may come from anybody: it sends nobody on.
		b.get(address("id_token_hint", got.ID, "post_logout_redirect_uri", portal.redirect)).
			want(http.StatusOK, "Go on to portal.example.com")
		b.visit(dev+"/authorizations").want(http.StatusOK, "Log in")
	})
}
