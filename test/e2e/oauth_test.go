package e2e

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"gatehouse/internal/testlog"
)

// awkward is a client key with every character that form encoding changes.
func awkward() string { return "a+b/c=d:e%f&" + rand.Text() }

func (g *gatehouse) oauth(c client, style oauth2.AuthStyle) *oauth2.Config {
	return &oauth2.Config{
		ClientID: c.ID, ClientSecret: c.Key,
		Endpoint: oauth2.Endpoint{TokenURL: g.url() + "/v3/oauth2/tokens", AuthStyle: style},
	}
}

func remember(t *testing.T, token *oauth2.Token) {
	t.Helper()
	testlog.Secret(t, token.AccessToken)
	if token.RefreshToken != "" {
		testlog.Secret(t, token.RefreshToken)
	}
}

func TestAnOAuthLibraryFetchesAndRefreshesTokens(t *testing.T) {
	g := start(t)
	for name, test := range map[string]struct {
		style oauth2.AuthStyle
		key   string
	}{
		"credentials in the header":       {oauth2.AuthStyleInHeader, ""},
		"credentials in the body":         {oauth2.AuthStyleInParams, ""},
		"credentials where they work":     {oauth2.AuthStyleAutoDetect, ""},
		"an awkward key in the header":    {oauth2.AuthStyleInHeader, awkward()},
		"an awkward key in the body":      {oauth2.AuthStyleInParams, awkward()},
		"an awkward key, where it works":  {oauth2.AuthStyleAutoDetect, awkward()},
		"a key with a percent, in header": {oauth2.AuthStyleInHeader, "%41%2B%" + rand.Text()},
	} {
		t.Run(name, func(t *testing.T) {
			conf := g.oauth(g.client(t, "testuser1", test.key), test.style)
			first, err := conf.PasswordCredentialsToken(t.Context(), "testuser1", "testuser1")
			if err != nil {
				t.Fatalf("fetch token: %v", err)
			}
			remember(t, first)
			if first.Type() != "Bearer" || first.RefreshToken == "" {
				t.Errorf("got type %q and %d bytes of refresh token", first.Type(), len(first.RefreshToken))
			}
			if left := time.Until(first.Expiry); left < 3*time.Hour || left > 4*time.Hour+time.Minute {
				t.Errorf("the token expires in %v, want 4 hours", left)
			}
			expired := *first
			expired.Expiry = time.Now().Add(-time.Minute)
			second, err := conf.TokenSource(t.Context(), &expired).Token()
			if err != nil {
				t.Fatalf("refresh token: %v", err)
			}
			remember(t, second)
			if second.AccessToken == first.AccessToken || second.RefreshToken == "" {
				t.Error("the refreshed token is not a new pair")
			}
			if got := g.username(t, second.AccessToken); got != "testuser1" {
				t.Errorf("the refreshed token is of %q", got)
			}
		})
	}
}

func TestAnOAuthLibraryNeedsNoClient(t *testing.T) {
	g := start(t)
	token, err := g.oauth(client{}, oauth2.AuthStyleInParams).PasswordCredentialsToken(t.Context(), "testuser2", "testuser2")
	if err != nil {
		t.Fatalf("fetch token: %v", err)
	}
	remember(t, token)
	if token.RefreshToken != "" {
		t.Error("there is a refresh token although no client asked")
	}
	if got := g.username(t, token.AccessToken); got != "testuser2" {
		t.Errorf("the token is of %q", got)
	}
}

func TestAnOAuthLibraryUnderstandsRefusals(t *testing.T) {
	g := start(t)
	good := g.client(t, "testuser3", "")
	wrong := client{ID: good.ID, Key: rand.Text()}
	testlog.Secret(t, wrong.Key)
	guess := rand.Text()
	testlog.Secret(t, guess)
	fetch := func(c client, style oauth2.AuthStyle, secret string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := g.oauth(c, style).PasswordCredentialsToken(ctx, "testuser3", secret)
			return err
		}
	}
	for name, test := range map[string]struct {
		try    func(context.Context) error
		status int
		code   string
	}{
		"wrong password":            {fetch(good, oauth2.AuthStyleInParams, guess), http.StatusBadRequest, "invalid_grant"},
		"wrong client key, header":  {fetch(wrong, oauth2.AuthStyleInHeader, "testuser3"), http.StatusUnauthorized, "invalid_client"},
		"wrong client key, in body": {fetch(wrong, oauth2.AuthStyleInParams, "testuser3"), http.StatusUnauthorized, "invalid_client"},
		"wrong refresh token": {func(ctx context.Context) error {
			_, err := g.oauth(good, oauth2.AuthStyleInHeader).TokenSource(ctx, &oauth2.Token{RefreshToken: guess}).Token()
			return err
		}, http.StatusBadRequest, "invalid_grant"},
	} {
		t.Run(name, func(t *testing.T) {
			var refusal *oauth2.RetrieveError
			if err := test.try(t.Context()); !errors.As(err, &refusal) {
				t.Fatalf("got %v, want a refusal", err)
			}
			if refusal.Response.StatusCode != test.status || refusal.ErrorCode != test.code || refusal.ErrorDescription == "" {
				t.Errorf("got %d %q %q, want %d %q with a description", refusal.Response.StatusCode,
					refusal.ErrorCode, refusal.ErrorDescription, test.status, test.code)
			}
		})
	}
}
