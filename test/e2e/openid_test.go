package e2e

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"gatehouse/internal/testlog"
)

// reader is somebody with a browser, as far as forms and cookies go.
type reader struct {
	t    *testing.T
	http *http.Client
}

func newReader(t *testing.T) *reader {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &reader{t: t, http: &http.Client{Jar: jar, CheckRedirect: func(req *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(req.URL.Path, "/v3/oauth2/") {
			return http.ErrUseLastResponse // the client's address
		}
		return nil
	}}}
}

// open gets a page and returns it with the address that it came to.
func (r *reader) open(address string) (page string, at *url.URL) {
	r.t.Helper()
	return r.read(r.http.Get(address))
}

func (r *reader) read(res *http.Response, err error) (page string, at *url.URL) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	if to, err := res.Location(); err == nil {
		return "", to
	}
	return string(text), res.Request.URL
}

var (
	formAction  = regexp.MustCompile(`<form method="post" action="([^"]*)"`)
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// send fills in the form of a page.
func (r *reader) send(page string, at *url.URL, fields ...string) (next string, to *url.URL) {
	r.t.Helper()
	action := formAction.FindStringSubmatch(page)
	if action == nil {
		r.t.Fatalf("no form at %s:\n%s", at, page)
	}
	values := url.Values{}
	for _, field := range hiddenField.FindAllStringSubmatch(page, -1) {
		values.Set(field[1], html.UnescapeString(field[2]))
	}
	for i := 0; i < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	address, err := at.Parse(html.UnescapeString(action[1]))
	if err != nil {
		r.t.Fatal(err)
	}
	return r.read(r.http.PostForm(address.String(), values))
}

// A generic OpenID Connect client, made of the libraries that Go programs use,
// needs the issuer and its registration, and nothing about Tapis.
func TestAGenericOpenIDClientSignsPeopleInAndOut(t *testing.T) {
	g := start(t)
	ctx := t.Context()
	provider, err := oidc.NewProvider(ctx, g.url()+"/v3/oauth2")
	if err != nil {
		t.Fatal(err)
	}
	const callback = "https://portal.example.org/callback"
	var registered client
	g.call(t, http.MethodPost, "/v3/oauth2/clients", map[string]string{"callback_url": callback, "display_name": "Portal"},
		"X-Tapis-Token", g.person(t, "testuser1")).want(t, http.StatusCreated).into(t, &registered)
	testlog.Secret(t, registered.Key)
	config := oauth2.Config{
		ClientID: registered.ID, ClientSecret: registered.Key, RedirectURL: callback, Endpoint: provider.Endpoint(),
		Scopes: []string{oidc.ScopeOpenID, "profile", "email"},
	}

	// Authorization code with PKCE, through the pages.
	verifier, person := oauth2.GenerateVerifier(), newReader(t)
	page, at := person.open(config.AuthCodeURL("state-1", oauth2.S256ChallengeOption(verifier), oidc.Nonce("nonce-1")))
	page, at = person.send(page, at, "username", "testuser2", "password", "testuser2")
	_, at = person.send(page, at, "decision", "allow")
	answer := at.Query()
	if !strings.HasPrefix(at.String(), callback+"?") || answer.Get("state") != "state-1" ||
		answer.Get("iss") != g.url()+"/v3/oauth2" {
		t.Fatalf("came to %s", at)
	}
	testlog.Secret(t, answer.Get("code"))
	token, err := config.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	remember(t, token)
	if _, err := config.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(verifier)); err == nil {
		t.Error("the code was good twice")
	}
	// The second use has voided what the first gave: sign in again.
	page, at = person.open(config.AuthCodeURL("state-2", oauth2.S256ChallengeOption(verifier), oidc.Nonce("nonce-2")))
	_, at = person.send(page, at, "decision", "allow")
	testlog.Secret(t, at.Query().Get("code"))
	if token, err = config.Exchange(ctx, at.Query().Get("code"), oauth2.VerifierOption(verifier)); err != nil {
		t.Fatal(err)
	}
	remember(t, token)
	raw, _ := token.Extra("id_token").(string)
	testlog.Secret(t, raw)
	check := func(raw, nonce string) {
		t.Helper()
		id, err := provider.Verifier(&oidc.Config{ClientID: config.ClientID}).Verify(ctx, raw)
		if err != nil {
			t.Fatal(err)
		}
		var said struct {
			Name  string `json:"preferred_username"`
			Email string `json:"email"`
		}
		err = id.Claims(&said)
		if err != nil || said.Name != "testuser2" || said.Email != "testuser2@example.org" || id.Nonce != nonce {
			t.Errorf("the ID token says %+v, nonce %q (%v)", said, id.Nonce, err)
		}
	}
	check(raw, "nonce-2")

	// UserInfo and refresh.
	info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil || info.Subject != "testuser2@dev" || info.Email != "testuser2@example.org" {
		t.Errorf("userinfo %+v, %v", info, err)
	}
	stale := *token
	stale.Expiry = time.Now().Add(-time.Hour)
	renewed, err := config.TokenSource(ctx, &stale).Token()
	if err != nil || renewed.AccessToken == token.AccessToken {
		t.Fatalf("not refreshed: %v", err)
	}
	remember(t, renewed)

	// The device grant, approved in the browser.
	device, err := config.DeviceAuth(ctx)
	if err != nil {
		t.Fatal(err)
	}
	testlog.Secret(t, device.DeviceCode)
	page, at = person.open(device.VerificationURIComplete)
	page, at = person.send(page, at, "user_code", device.UserCode)
	page, _ = person.send(page, at, "decision", "allow")
	if !strings.Contains(page, "testuser2") && !strings.Contains(page, "device") {
		t.Errorf("the last page is\n%s", page)
	}
	onDevice, err := config.DeviceAccessToken(ctx, device)
	if err != nil {
		t.Fatal(err)
	}
	remember(t, onDevice)
	if name := g.username(t, onDevice.AccessToken); name != "testuser2" {
		t.Errorf("the device signed %q in", name)
	}

	// Logging out leads back to the client.
	var discovered struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := provider.Claims(&discovered); err != nil {
		t.Fatal(err)
	}
	page, at = person.open(discovered.EndSession + "?" + url.Values{
		"id_token_hint": {raw}, "post_logout_redirect_uri": {callback}, "state": {"bye"},
	}.Encode())
	if _, at = person.send(page, at); at.String() != callback+"?state=bye" {
		t.Errorf("logging out came to %s", at)
	}
	page, _ = person.open(config.AuthCodeURL("state-3", oauth2.S256ChallengeOption(verifier)))
	if !strings.Contains(page, `name="password"`) {
		t.Error("still signed in")
	}
}
