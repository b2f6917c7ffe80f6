// Portal is the least web application that signs people in at a tenant, by
// OpenID Connect with an authorization code and PKCE, and then calls Tapis as
// them. The README says how to register it and start it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// portal knows the tenant and what it has registered there.
type portal struct {
	provider *oidc.Provider
	conf     oauth2.Config
}

func main() {
	if err := run(); err != nil {
		slog.Error("portal stopped", "error", err)
		os.Exit(1)
	}
}

func run() error {
	back, err := url.Parse(os.Getenv("CALLBACK"))
	if err != nil || back.Port() == "" {
		return errors.New("CALLBACK must be an address on this machine, with a port, as it was registered")
	}
	provider, err := oidc.NewProvider(context.Background(), os.Getenv("ISSUER"))
	if err != nil {
		return err
	}
	p := portal{provider, oauth2.Config{
		ClientID: os.Getenv("CLIENT_ID"), ClientSecret: os.Getenv("CLIENT_SECRET"), RedirectURL: back.String(),
		Endpoint: provider.Endpoint(), Scopes: []string{oidc.ScopeOpenID, "profile"},
	}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.login)
	mux.HandleFunc("GET "+back.Path, p.callback)
	server := &http.Server{Addr: "127.0.0.1:" + back.Port(), Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	slog.Info("open the host and port of CALLBACK in a browser")
	return server.ListenAndServe()
}

// login sends the browser to the tenant. What the answer must match stays in
// cookies of this browser.
func (p portal) login(w http.ResponseWriter, r *http.Request) {
	state, nonce, verifier := oauth2.GenerateVerifier(), oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	for name, value := range map[string]string{"state": state, "nonce": nonce, "verifier": verifier} {
		// Browsers take Secure cookies from localhost without https, too.
		http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: 600, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	}
	http.Redirect(w, r, p.conf.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), http.StatusFound)
}

// callback redeems the code and greets whoever signed in.
func (p portal) callback(w http.ResponseWriter, r *http.Request) {
	answer := r.URL.Query()
	if state := cookie(r, "state"); state == "" || answer.Get("state") != state {
		http.Error(w, "this sign-in was not begun in this browser", http.StatusBadRequest)
		return
	}
	if problem := answer.Get("error"); problem != "" { // the person said no, say
		http.Error(w, problem+": "+answer.Get("error_description"), http.StatusForbidden)
		return
	}
	token, err := p.conf.Exchange(r.Context(), answer.Get("code"), oauth2.VerifierOption(cookie(r, "verifier")))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	encoded, _ := token.Extra("id_token").(string)
	identity, err := p.provider.Verifier(&oidc.Config{ClientID: p.conf.ClientID}).Verify(r.Context(), encoded)
	if err != nil || identity.Nonce != cookie(r, "nonce") {
		http.Error(w, "the ID token is not for this sign-in", http.StatusBadGateway)
		return
	}
	name, err := profile(r.Context(), identity.Issuer, token)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprintf(w, "<h1>Hello %s</h1><p>You are %s.</p>", html.EscapeString(name), html.EscapeString(identity.Subject))
}

// profile asks Tapis, as the person, for their name. Every call of a Tapis
// service has this shape.
func profile(ctx context.Context, issuer string, token *oauth2.Token) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, issuer+"/userinfo", nil) //nolint:gosec // the issuer is the one that the portal was told
	if err != nil {
		return "", err
	}
	req.Header.Set("X-Tapis-Token", token.AccessToken)
	res, err := http.DefaultClient.Do(req) //nolint:gosec // the same
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	var reply struct {
		Message string `json:"message"`
		Result  struct {
			Name string `json:"name"`
		} `json:"result"`
	}
	if err := json.NewDecoder(res.Body).Decode(&reply); err != nil {
		return "", fmt.Errorf("read the profile: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the profile is not told: %s", reply.Message)
	}
	return reply.Result.Name, nil
}

// cookie is the value that login has put into a cookie, empty if there is none.
func cookie(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}
