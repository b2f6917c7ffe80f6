package authenticator_test

import (
	"net/http"
	"net/url"
	"testing"
)

const mfaSent = `{"mfa_config":{"tacc":{"privacy_idea_url":"https://pi.example.org","privacy_idea_client_id":"id",
"privacy_idea_client_key":"a-key-of-the-client"}}}`

// A session that began before the tenant asked for a second factor has none.
func TestASessionWithoutTheSecondFactorGetsNothingMore(t *testing.T) {
	w := onSQLite(t)
	portal := w.portal()
	b := w.signedIn("ada", w.ada)
	consent := b.visit(portal.request(dev)).want(http.StatusOK, "Allow")
	deviceCode, userCode := w.device(portal)
	confirm := b.visit(dev+"/device").submit("user_code", userCode).follow()
	confirm.submit("decision", "allow", "ttl", "7").want(http.StatusOK, "Your device is signed in")

	w.configure(mfaSent)
	answer := consent.submit("decision", "allow").answer("https://portal.example.com/cb?keep=1&")
	if answer.Get("error") != "access_denied" || answer.Has("code") {
		t.Errorf("got %v", answer)
	}
	if got := w.poll(portal, deviceCode); got.Error != "access_denied" {
		t.Errorf("the device: %d %s", got.status, got.Error)
	}
}

func TestWhoeverIsOutsideTheFilterCannotSignInAtThePages(t *testing.T) {
	w := onSQLite(t)
	portal := w.portal()
	session := w.signedIn("bob", w.bob)
	consent := session.visit(portal.request(dev)).want(http.StatusOK, "Allow")
	login := w.browser().visit(portal.request(dev))

	w.configure(`{"custom_idp_configuration":{"ldap":{"user_search_filter":"(mail=*)"}}}`) // bob has no address
	login.submit("username", "bob", "password", w.bob).want(http.StatusUnauthorized, "Invalid username/password combination.")
	login.submit("username", "ada", "password", w.ada).follow().want(http.StatusOK, "Allow")
	// The session that he had gives him nothing more.
	answer := consent.submit("decision", "allow").answer("https://portal.example.com/cb?keep=1&")
	if answer.Get("error") != "access_denied" || answer.Has("code") {
		t.Errorf("got %v", answer)
	}
}

func TestPeopleWhoSignInElsewhereAreToldSo(t *testing.T) {
	w := onSQLite(t)
	login := w.browser().visit(w.portal().request(dev))
	w.configure(`{"custom_idp_configuration":{"github":{"client_id":"a","client_secret":"a-secret-of-the-client"}}}`)
	login.submit("username", "ada", "password", w.ada).want(http.StatusForbidden, "sign in elsewhere (github)")
}

func TestWhoSignedInBeforeThePeopleMovedElsewhereGetsNothingMore(t *testing.T) {
	w := onSQLite(t)
	portal, session := w.portal(), w.signedIn("ada", w.ada)
	approve := func() url.Values {
		return session.visit(portal.request(dev)).submit("decision", "allow").answer(portal.redirect)
	}
	refresh := url.Values{
		"grant_type": {"refresh_token"}, "client_id": {portal.id}, "client_key": {portal.key},
		"refresh_token": {w.redeem(portal, approve().Get("code")).want(t, http.StatusOK).Again},
	}
	w.token(dev, refresh).want(t, http.StatusOK)
	before := approve().Get("code")
	w.configure(`{"custom_idp_configuration":{"github":{"client_id":"a","client_secret":"a-secret-of-the-client"}}}`)
	if got := w.redeem(portal, before).want(t, http.StatusBadRequest); got.Error != "invalid_grant" {
		t.Errorf("the code: %s", got.Error)
	}
	if got := w.token(dev, refresh).want(t, http.StatusBadRequest); got.Error != "invalid_grant" {
		t.Errorf("the refresh token: %s", got.Error)
	}
	if got := approve(); got.Get("error") != "access_denied" || got.Has("code") {
		t.Errorf("the session: %v", got)
	}
}
