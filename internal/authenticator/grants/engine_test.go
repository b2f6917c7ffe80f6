package grants

import (
	"context"
	"errors"
	"testing"

	"github.com/go-oauth2/oauth2/v4"
	oautherrors "github.com/go-oauth2/oauth2/v4/errors"
	"github.com/go-oauth2/oauth2/v4/models"

	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/codes"
	"gatehouse/internal/authenticator/tokens"
)

// L-16: nothing is done outside an order, which names tenant and client.
func TestTheManagerDoesNothingWithoutAnOrder(t *testing.T) {
	e := newEngine(nil, nil) // a nil mint: using it would panic
	ask := &oauth2.TokenGenerateRequest{ClientID: "app", UserID: "ada", Refresh: "x"}
	if _, err := e.manager.GenerateAccessToken(t.Context(), oauth2.PasswordCredentials, ask); !errors.Is(err, errNoOrder) {
		t.Errorf("minted without an order: %v", err)
	}
	if _, err := e.manager.RefreshAccessToken(t.Context(), ask); !errors.Is(err, errNoOrder) {
		t.Errorf("refreshed without an order: %v", err)
	}
	for _, kind := range []oauth2.ResponseType{oauth2.Code, oauth2.Token} {
		if _, err := e.manager.GenerateAuthToken(t.Context(), kind, ask); !errors.Is(err, errNoOrder) {
			t.Errorf("%s without an order: %v", kind, err)
		}
	}
	for _, kind := range []oauth2.GrantType{oauth2.AuthorizationCode, oauth2.ClientCredentials} {
		if _, err := e.manager.GenerateAccessToken(t.Context(), kind, ask); !errors.Is(err, errNoOrder) {
			t.Errorf("%s without an order: %v", kind, err)
		}
	}
	if _, err := (codeGenerator{}).Token(t.Context(), &oauth2.GenerateBasic{}); !errors.Is(err, errNoOrder) {
		t.Errorf("a code without an order: %v", err)
	}
	if _, err := (tokenStore{}).GetByCode(t.Context(), "x"); !errors.Is(err, errNoOrder) {
		t.Errorf("found a code without an order: %v", err)
	}
	if err := (tokenStore{}).Create(t.Context(), models.NewToken()); !errors.Is(err, errNoOrder) {
		t.Errorf("stored without an order: %v", err)
	}
	if _, _, err := (generator{}).Token(t.Context(), &oauth2.GenerateBasic{}, true); !errors.Is(err, errNoOrder) {
		t.Errorf("signed without an order: %v", err)
	}
}

// L-01: an order is good for its own client, tenant, person and token only.
func TestAnOrderServesOnlyItself(t *testing.T) {
	app := &clients.Client{ID: "app", AuthMethod: clients.AuthSecret}
	o := &order{
		client:   clientInfo{tenantID: "dev", client: app},
		request:  tokens.Request{Tenant: tokens.Tenant{ID: "dev"}, ClientID: "app", Username: "ada"},
		previous: &tokens.Refresh{}, raw: "the token",
	}
	ctx := context.WithValue(t.Context(), orderKey{}, o)
	if _, err := (clientStore{}).GetByID(ctx, "other"); !errors.Is(err, oautherrors.ErrInvalidClient) {
		t.Errorf("another client: %v", err)
	}
	if _, err := (tokenStore{}).GetByRefresh(ctx, "another token"); !errors.Is(err, oautherrors.ErrInvalidRefreshToken) {
		t.Errorf("another token: %v", err)
	}
	if _, err := (tokenStore{}).GetByRefresh(ctx, ""); !errors.Is(err, oautherrors.ErrInvalidRefreshToken) {
		t.Errorf("no token: %v", err)
	}
	if _, _, err := (generator{}).Token(ctx, &oauth2.GenerateBasic{Client: o.client, UserID: "bob"}, true); !errors.Is(err, errNoOrder) {
		t.Errorf("another person: %v", err)
	}
	if err := (tokenStore{}).Create(ctx, models.NewToken()); !errors.Is(err, errNoOrder) {
		t.Errorf("stored what was not minted: %v", err)
	}
	for name, redemption := range map[string]*codes.Redemption{"no redemption": nil, "another code": {}} {
		o.redemption = redemption
		if _, err := (tokenStore{}).GetByCode(ctx, "another"); !errors.Is(err, oautherrors.ErrInvalidAuthorizeCode) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, approval := range map[string]*codes.Approval{
		"no approval": nil, "another's": {Username: "bob", ClientID: "app"}, "another client's": {Username: "ada", ClientID: "other"},
	} {
		o.approval = approval
		if _, err := (codeGenerator{}).Token(ctx, &oauth2.GenerateBasic{Client: o.client, UserID: "ada"}); !errors.Is(err, errNoOrder) {
			t.Errorf("a code for %s: %v", name, err)
		}
	}
	o.client.tenantID = "lab"
	if _, err := (clientStore{}).GetByID(ctx, "app"); !errors.Is(err, oautherrors.ErrInvalidClient) {
		t.Errorf("a client of another tenant: %v", err)
	}
}

// L-08: the Manager compares no secrets; it is given none.
func TestTheManagerNeverSeesASecret(t *testing.T) {
	c := clientInfo{client: &clients.Client{ID: "app", Key: "the key", AuthMethod: clients.AuthSecret}}
	if c.GetSecret() != "" || c.VerifyPassword("the key") || !c.VerifyPassword("") {
		t.Error("a secret reaches the Manager")
	}
}

// L-02: redirect URIs are compared exactly.
func TestRedirectURIsAreComparedExactly(t *testing.T) {
	const registered = "https://app.example.org/cb"
	if err := exactRedirect(registered, registered); err != nil {
		t.Error(err)
	}
	for _, sent := range []string{
		"https://xapp.example.org/cb", "http://app.example.org/cb", "https://app.example.org/cb/", "https://app.example.org/CB",
		"https://app.example.org:443/cb", "https://u@app.example.org/cb", "https://app.example.org/cb#x", "",
	} {
		if exactRedirect(registered, sent) == nil {
			t.Errorf("%q passes for %q", sent, registered)
		}
	}
	if exactRedirect("", "") == nil || exactRedirect("", registered) == nil {
		t.Error("an empty registration passes")
	}
}
