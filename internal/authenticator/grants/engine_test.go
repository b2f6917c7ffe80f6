package grants

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	goauth2 "github.com/go-oauth2/oauth2/v4"
	oautherrors "github.com/go-oauth2/oauth2/v4/errors"
	"github.com/go-oauth2/oauth2/v4/models"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/codes"
	"gatehouse/internal/authenticator/tokens"
)

// L-16: nothing is done outside a job, which names tenant and client.
func TestTheManagerDoesNothingWithoutAnOrder(t *testing.T) {
	e := newEngine(nil, nil) // a nil mint: using it would panic
	ask := &goauth2.TokenGenerateRequest{ClientID: "app", UserID: "ada", Refresh: "x"}
	if _, err := e.manager.GenerateAccessToken(t.Context(), goauth2.PasswordCredentials, ask); !errors.Is(err, errNoJob) {
		t.Errorf("minted without a job: %v", err)
	}
	if _, err := e.manager.RefreshAccessToken(t.Context(), ask); !errors.Is(err, errNoJob) {
		t.Errorf("refreshed without a job: %v", err)
	}
	for _, kind := range []goauth2.ResponseType{goauth2.Code, goauth2.Token} {
		if _, err := e.manager.GenerateAuthToken(t.Context(), kind, ask); !errors.Is(err, errNoJob) {
			t.Errorf("%s without a job: %v", kind, err)
		}
	}
	for _, kind := range []goauth2.GrantType{goauth2.AuthorizationCode, goauth2.ClientCredentials} {
		if _, err := e.manager.GenerateAccessToken(t.Context(), kind, ask); !errors.Is(err, errNoJob) {
			t.Errorf("%s without a job: %v", kind, err)
		}
	}
	if _, err := (codeGenerator{}).Token(t.Context(), &goauth2.GenerateBasic{}); !errors.Is(err, errNoJob) {
		t.Errorf("a code without a job: %v", err)
	}
	if _, err := (tokenStore{}).GetByCode(t.Context(), "x"); !errors.Is(err, errNoJob) {
		t.Errorf("found a code without a job: %v", err)
	}
	if err := (tokenStore{}).Create(t.Context(), models.NewToken()); !errors.Is(err, errNoJob) {
		t.Errorf("stored without a job: %v", err)
	}
	if _, _, err := (generator{}).Token(t.Context(), &goauth2.GenerateBasic{}, true); !errors.Is(err, errNoJob) {
		t.Errorf("signed without a job: %v", err)
	}
}

// L-01: a job is good for its own client, tenant, person and token only.
func TestAnOrderServesOnlyItself(t *testing.T) {
	app := &clients.Client{ID: "app", AuthMethod: clients.AuthSecret}
	o := &job{
		client:   clientInfo{tenantID: "dev", client: app},
		request:  tokens.Request{Tenant: tokens.Tenant{ID: "dev"}, ClientID: "app", Username: "ada"},
		previous: &tokens.Refresh{}, raw: "the token",
	}
	ctx := context.WithValue(t.Context(), jobKey{}, o)
	if _, err := (clientStore{}).GetByID(ctx, "other"); !errors.Is(err, oautherrors.ErrInvalidClient) {
		t.Errorf("another client: %v", err)
	}
	if _, err := (tokenStore{}).GetByRefresh(ctx, "another token"); !errors.Is(err, oautherrors.ErrInvalidRefreshToken) {
		t.Errorf("another token: %v", err)
	}
	if _, err := (tokenStore{}).GetByRefresh(ctx, ""); !errors.Is(err, oautherrors.ErrInvalidRefreshToken) {
		t.Errorf("no token: %v", err)
	}
	bobs := &goauth2.GenerateBasic{Client: o.client, UserID: "bob"}
	if _, _, err := (generator{}).Token(ctx, bobs, true); !errors.Is(err, errNoJob) {
		t.Errorf("another person: %v", err)
	}
	if err := (tokenStore{}).Create(ctx, models.NewToken()); !errors.Is(err, errNoJob) {
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
		if _, err := (codeGenerator{}).Token(ctx, &goauth2.GenerateBasic{Client: o.client, UserID: "ada"}); !errors.Is(err, errNoJob) {
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

// uncomparable panics when it is compared or used as a map key.
type uncomparable []string

func (u uncomparable) Error() string { return strings.Join(u, ",") }

// failing makes no tokens.
type failing struct{ err error }

func (f failing) Token(context.Context, *goauth2.GenerateBasic, bool) (string, string, error) {
	return "", "", f.err
}

// L-13: errors pass through the library as they are.
func TestErrorsOfAnyTypePassThroughTheLibrary(t *testing.T) {
	e := newEngine(nil, nil)
	for _, want := range []error{
		uncomparable{"a", "b"},
		fmt.Errorf("wrapped: %w", uncomparable{"a"}),
		apierr.Away(uncomparable{"a"}, "The database"),
	} {
		e.manager.MapAccessGenerate(failing{want})
		_, err := e.issue(t.Context(), exchange{}, tokens.Request{Username: "ada"}, grantee{})
		if !errors.As(err, new(uncomparable)) || err.Error() != want.Error() {
			t.Errorf("got %v, want %v", err, want)
		}
	}
}
