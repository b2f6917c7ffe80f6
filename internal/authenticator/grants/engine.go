package grants

import (
	"context"
	"errors"
	"time"

	"github.com/go-oauth2/oauth2/v4"
	oautherrors "github.com/go-oauth2/oauth2/v4/errors"
	"github.com/go-oauth2/oauth2/v4/manage"
	"github.com/go-oauth2/oauth2/v4/models"

	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/codes"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/authenticator/tokens"
)

// engine drives go-oauth2's Manager. The Manager is written for one tenant
// and trusts its caller with much (docs/go-oauth2.md lists what), so each call
// carries an order in its context: the client that the pipeline has
// authenticated and what the mint shall make. Without an order, or with one
// that does not fit, every adapter below refuses.
type engine struct{ manager *manage.Manager }

func newEngine(mint Mint, approvals Codes) *engine {
	m := manage.NewManager()
	// The mint decides lifetimes and whether a refresh token is due; the
	// Manager must only never fall back to "does not expire".
	config := &manage.Config{AccessTokenExp: tenantconfig.Defaults().AccessTTL, IsGenerateRefresh: true}
	m.SetPasswordTokenCfg(config)
	m.SetAuthorizeCodeTokenCfg(config)
	m.SetClientTokenCfg(config)
	m.SetImplicitTokenCfg(config)
	m.SetAuthorizeCodeExp(codes.Lifetime)
	m.SetRefreshTokenCfg(&manage.RefreshingConfig{AccessTokenExp: tenantconfig.Defaults().AccessTTL, IsGenerateRefresh: true})
	m.SetValidateURIHandler(exactRedirect)
	m.MapClientStorage(clientStore{})
	m.MapAuthorizeGenerate(codeGenerator{approvals})
	m.MapAccessGenerate(generator{mint})
	m.MapTokenStorage(tokenStore{mint})
	return &engine{manager: m}
}

// order is one job on its way through the Manager: to mint, or to record an
// approval.
type order struct {
	client     clientInfo
	request    tokens.Request
	previous   *tokens.Refresh
	rotate     bool
	redemption *codes.Redemption
	raw        string // the refresh token or authorization code presented
	issued     *tokens.Issued

	approval *codes.Approval // to be recorded
	code     string          // what it was recorded as
}

type orderKey struct{}

// errNoOrder means that the Manager was called past the pipeline.
var errNoOrder = errors.New("no authenticated token order in this context")

func orderFrom(ctx context.Context) (*order, error) {
	o, ok := ctx.Value(orderKey{}).(*order)
	if !ok {
		return nil, errNoOrder
	}
	return o, nil
}

// newOrder puts an order into a context.
func newOrder(ctx context.Context, a attempt, request tokens.Request) (context.Context, *order) {
	o := &order{client: clientInfo{tenantID: a.tenant.ID, client: a.client}, request: request}
	return context.WithValue(ctx, orderKey{}, o), o
}

// issue has the Manager mint and record what was ordered.
func (e *engine) issue(ctx context.Context, a attempt, request tokens.Request, who grantee) (tokens.Pair, error) {
	ctx, o := newOrder(ctx, a, request)
	o.previous = who.previous
	ask := &oauth2.TokenGenerateRequest{ClientID: request.ClientID, UserID: request.Username}
	var err error
	switch {
	case who.previous != nil:
		o.rotate, o.raw, ask.Refresh = a.rotates(), a.RefreshToken, a.RefreshToken
		_, err = e.manager.RefreshAccessToken(ctx, ask)
	case who.redemption != nil:
		o.redemption, o.raw, ask.Code, ask.CodeVerifier = who.redemption, a.Code, a.Code, a.CodeVerifier
		o.client.redirect, ask.RedirectURI = who.redirectURI, who.redirectURI
		_, err = e.manager.GenerateAccessToken(ctx, oauth2.AuthorizationCode, ask)
	case a.GrantType == tenantconfig.ClientCredentials:
		_, err = e.manager.GenerateAccessToken(ctx, oauth2.ClientCredentials, ask)
	default: // the Manager has no device grant; what differs has been decided
		_, err = e.manager.GenerateAccessToken(ctx, oauth2.PasswordCredentials, ask)
	}
	if err != nil {
		return tokens.Pair{}, err
	}
	return o.issued.Pair, nil
}

// code has the Manager record an approval and returns its code.
func (e *engine) code(ctx context.Context, a attempt, approval codes.Approval) (string, error) {
	approval.Scope = Granted(approval.Scope)
	ctx, o := newOrder(ctx, a, tokens.Request{
		Tenant: tokenTenant(a.tenant), Username: approval.Username, ClientID: approval.ClientID, FamilyTTL: a.settings.MaxRefreshTTL,
	})
	o.approval, o.client.redirect = &approval, a.RedirectURI
	info, err := e.manager.GenerateAuthToken(ctx, oauth2.Code, &oauth2.TokenGenerateRequest{
		ClientID: approval.ClientID, UserID: approval.Username, RedirectURI: a.RedirectURI, Scope: approval.Scope,
		CodeChallenge: approval.CodeChallenge, CodeChallengeMethod: oauth2.CodeChallengeS256,
	})
	if err != nil {
		return "", err
	}
	return info.GetCode(), nil
}

// implicit has the Manager mint and record an access token for the browser.
func (e *engine) implicit(ctx context.Context, a attempt, request tokens.Request) (tokens.Pair, error) {
	ctx, o := newOrder(ctx, a, request)
	o.client.redirect = a.RedirectURI
	_, err := e.manager.GenerateAuthToken(ctx, oauth2.Token, &oauth2.TokenGenerateRequest{
		ClientID: request.ClientID, UserID: request.Username, RedirectURI: a.RedirectURI, Scope: request.Scope(),
	})
	if err != nil {
		return tokens.Pair{}, err
	}
	return o.issued.Pair, nil
}

// exactRedirect replaces the Manager's comparison of host suffixes.
func exactRedirect(registered, sent string) error {
	if registered == "" || registered != sent {
		return oautherrors.ErrInvalidRedirectURI
	}
	return nil
}

// clientInfo shows an authenticated client, or the absence of one, to the
// Manager.
type clientInfo struct {
	tenantID string
	client   *clients.Client
	redirect string // the registered redirect URI that this order is about; empty: none
}

var (
	_ oauth2.ClientInfo             = clientInfo{}
	_ oauth2.ClientPasswordVerifier = clientInfo{}
	_ oauth2.ClientStore            = clientStore{}
	_ oauth2.AuthorizeGenerate      = codeGenerator{}
	_ oauth2.AccessGenerate         = generator{}
	_ oauth2.TokenStore             = tokenStore{}
)

// GetID returns the client's id, "" where none took part.
func (c clientInfo) GetID() string {
	if c.client == nil {
		return ""
	}
	return c.client.ID
}

// GetSecret returns nothing: secrets are checked before the Manager is asked.
func (c clientInfo) GetSecret() string { return "" }

// GetDomain returns the registered redirect URI of the order.
func (c clientInfo) GetDomain() string { return c.redirect }

// IsPublic reports whether the client has no secret.
func (c clientInfo) IsPublic() bool { return c.client == nil || c.client.Public() }

// GetUserID returns nothing: tokens belong to people, not to a client's owner.
func (c clientInfo) GetUserID() string { return "" }

// VerifyPassword refuses any secret: the pipeline passes none.
func (c clientInfo) VerifyPassword(secret string) bool { return secret == "" }

// clientStore finds the client of the order, and no other.
type clientStore struct{}

// GetByID returns the client that the pipeline authenticated for this request.
func (clientStore) GetByID(ctx context.Context, id string) (oauth2.ClientInfo, error) {
	o, err := orderFrom(ctx)
	if err != nil {
		return nil, err
	}
	if o.client.GetID() != id || o.client.tenantID != o.request.Tenant.ID {
		return nil, oautherrors.ErrInvalidClient
	}
	return o.client, nil
}

// codeGenerator has approvals recorded.
type codeGenerator struct{ codes Codes }

// Token records the order's approval and returns its code.
func (g codeGenerator) Token(ctx context.Context, data *oauth2.GenerateBasic) (string, error) {
	o, err := orderFrom(ctx)
	if err != nil {
		return "", err
	}
	if o.approval == nil || data.UserID != o.approval.Username || data.Client.GetID() != o.approval.ClientID {
		return "", errNoOrder
	}
	o.code, err = g.codes.Issue(ctx, *o.approval, o.request.FamilyTTL)
	return o.code, err
}

// generator has the mint sign.
type generator struct{ mint Mint }

// Token signs what was ordered and tells the Manager its lifetimes.
func (g generator) Token(ctx context.Context, data *oauth2.GenerateBasic, _ bool) (access, refresh string, err error) {
	o, err := orderFrom(ctx)
	if err != nil {
		return "", "", err
	}
	if data.UserID != o.request.Username || data.Client.GetID() != o.request.ClientID {
		return "", "", errNoOrder
	}
	if o.issued, err = g.mint.Mint(ctx, o.request); err != nil {
		return "", "", err
	}
	data.TokenInfo.SetAccessExpiresIn(o.issued.Access.TTL)
	if o.issued.Refresh == nil {
		return o.issued.Access.Value, "", nil
	}
	data.TokenInfo.SetRefreshExpiresIn(o.issued.Refresh.TTL)
	return o.issued.Access.Value, o.issued.Refresh.Value, nil
}

// tokenStore records what was minted. Removing is never the Manager's to do.
type tokenStore struct{ mint Mint }

// Create records the order's tokens, in the way that its grant asks for.
func (s tokenStore) Create(ctx context.Context, info oauth2.TokenInfo) error {
	o, err := orderFrom(ctx)
	if err != nil {
		return err
	}
	if o.approval != nil && o.code != "" && info.GetCode() == o.code {
		return nil // codeGenerator did it, in one step
	}
	if o.issued == nil || info.GetAccess() != o.issued.Access.Value {
		return errNoOrder
	}
	if o.rotate {
		return s.mint.Rotate(ctx, o.previous, o.issued)
	}
	return s.mint.Record(ctx, o.issued)
}

// GetByRefresh describes the refresh token that the pipeline found good.
func (tokenStore) GetByRefresh(ctx context.Context, raw string) (oauth2.TokenInfo, error) {
	o, err := orderFrom(ctx)
	if err != nil {
		return nil, err
	}
	if o.previous == nil || raw == "" || raw != o.raw {
		return nil, oautherrors.ErrInvalidRefreshToken
	}
	info := models.NewToken()
	info.SetClientID(o.request.ClientID)
	info.SetUserID(o.request.Username)
	info.SetRefresh(raw)
	return info, nil
}

// GetByCode describes the authorization code that the pipeline redeemed.
func (tokenStore) GetByCode(ctx context.Context, raw string) (oauth2.TokenInfo, error) {
	o, err := orderFrom(ctx)
	if err != nil {
		return nil, err
	}
	if o.redemption == nil || raw == "" || raw != o.raw {
		return nil, oautherrors.ErrInvalidAuthorizeCode
	}
	info := models.NewToken()
	info.SetClientID(o.redemption.ClientID)
	info.SetUserID(o.redemption.Username)
	info.SetRedirectURI(o.client.redirect)
	info.SetScope(o.request.Scope())
	info.SetCode(raw)
	info.SetCodeCreateAt(time.Now()) // expiry was checked where the code was redeemed
	info.SetCodeExpiresIn(codes.Lifetime)
	if o.redemption.CodeChallenge != "" {
		info.SetCodeChallenge(o.redemption.CodeChallenge)
		info.SetCodeChallengeMethod(oauth2.CodeChallengeS256)
	}
	return info, nil
}

// GetByAccess refuses: access tokens are checked by tokens.Service.
func (tokenStore) GetByAccess(context.Context, string) (oauth2.TokenInfo, error) {
	return nil, oautherrors.ErrInvalidAccessToken
}

// RemoveByCode does nothing: a code is consumed where it is found.
func (tokenStore) RemoveByCode(context.Context, string) error { return nil }

// RemoveByAccess does nothing: revoking is tokens.Service's.
func (tokenStore) RemoveByAccess(context.Context, string) error { return nil }

// RemoveByRefresh does nothing: rotation is tokens.Service's.
func (tokenStore) RemoveByRefresh(context.Context, string) error { return nil }
