package grants

import (
	"context"
	"errors"
	"time"

	goauth2 "github.com/go-oauth2/oauth2/v4"
	oautherrors "github.com/go-oauth2/oauth2/v4/errors"
	"github.com/go-oauth2/oauth2/v4/manage"
	"github.com/go-oauth2/oauth2/v4/models"

	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/codes"
	"gatehouse/internal/authenticator/oauth2"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/authenticator/tokens"
)

// engine drives go-oauth2's Manager. The Manager is written for one tenant
// and trusts its caller with much (docs/go-oauth2.md lists what), so each call
// carries a job in its context: the client that the pipeline has
// authenticated and what the mint shall make. Without a job, or with one
// that does not fit, every adapter below refuses.
type engine struct{ manager *manage.Manager }

func newEngine(minted *tokens.Service, approvals *codes.Service) *engine {
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
	m.MapAccessGenerate(generator{minted})
	m.MapTokenStorage(tokenStore{minted})
	return &engine{manager: m}
}

// job is one job on its way through the Manager: to mint, or to record an
// approval.
type job struct {
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

type jobKey struct{}

// errNoJob means that the Manager was called past the pipeline.
var errNoJob = errors.New("no authenticated job in this context")

func jobFrom(ctx context.Context) (*job, error) {
	o, ok := ctx.Value(jobKey{}).(*job)
	if !ok {
		return nil, errNoJob
	}
	return o, nil
}

// newJob puts a job into a context.
func newJob(ctx context.Context, x exchange, request tokens.Request) (context.Context, *job) {
	o := &job{client: clientInfo{tenantID: x.tenant.ID, client: x.client}, request: request}
	return context.WithValue(ctx, jobKey{}, o), o
}

// issue has the Manager mint and record what was ordered.
func (e *engine) issue(ctx context.Context, x exchange, request tokens.Request, who grantee) (tokens.Pair, error) {
	ctx, o := newJob(ctx, x, request)
	o.previous = who.previous
	ask := &goauth2.TokenGenerateRequest{ClientID: request.ClientID, UserID: request.Username}
	var err error
	switch {
	case who.previous != nil:
		o.rotate, o.raw, ask.Refresh = x.rotates(), x.RefreshToken, x.RefreshToken
		_, err = e.manager.RefreshAccessToken(ctx, ask)
	case who.redemption != nil:
		o.redemption, o.raw, ask.Code, ask.CodeVerifier = who.redemption, x.Code, x.Code, x.CodeVerifier
		o.client.redirect, ask.RedirectURI = who.redirectURI, who.redirectURI
		_, err = e.manager.GenerateAccessToken(ctx, goauth2.AuthorizationCode, ask)
	case x.GrantType == oauth2.ClientCredentials:
		_, err = e.manager.GenerateAccessToken(ctx, goauth2.ClientCredentials, ask)
	default: // the Manager has no device grant; what differs has been decided
		_, err = e.manager.GenerateAccessToken(ctx, goauth2.PasswordCredentials, ask)
	}
	if err != nil {
		return tokens.Pair{}, err
	}
	return o.issued.Pair, nil
}

// code has the Manager record an approval and returns its code.
func (e *engine) code(ctx context.Context, x exchange, approval codes.Approval) (string, error) {
	approval.Scope = oauth2.KnownScope(approval.Scope)
	ctx, o := newJob(ctx, x, tokens.Request{
		Tenant: tokenTenant(x.tenant), Username: approval.Username, ClientID: approval.ClientID, FamilyTTL: x.settings.MaxRefreshTTL,
	})
	o.approval, o.client.redirect = &approval, x.RedirectURI
	info, err := e.manager.GenerateAuthToken(ctx, goauth2.Code, &goauth2.TokenGenerateRequest{
		ClientID: approval.ClientID, UserID: approval.Username, RedirectURI: x.RedirectURI, Scope: approval.Scope,
		CodeChallenge: approval.CodeChallenge, CodeChallengeMethod: goauth2.CodeChallengeS256,
	})
	if err != nil {
		return "", err
	}
	return info.GetCode(), nil
}

// implicit has the Manager mint and record an access token for the browser.
func (e *engine) implicit(ctx context.Context, x exchange, request tokens.Request) (tokens.Pair, error) {
	ctx, o := newJob(ctx, x, request)
	o.client.redirect = x.RedirectURI
	_, err := e.manager.GenerateAuthToken(ctx, goauth2.Token, &goauth2.TokenGenerateRequest{
		ClientID: request.ClientID, UserID: request.Username, RedirectURI: x.RedirectURI, Scope: request.Scope(),
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
	redirect string // the registered redirect URI that this job is about; empty: none
}

var (
	_ goauth2.ClientInfo             = clientInfo{}
	_ goauth2.ClientPasswordVerifier = clientInfo{}
	_ goauth2.ClientStore            = clientStore{}
	_ goauth2.AuthorizeGenerate      = codeGenerator{}
	_ goauth2.AccessGenerate         = generator{}
	_ goauth2.TokenStore             = tokenStore{}
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

// GetDomain returns the registered redirect URI of the job.
func (c clientInfo) GetDomain() string { return c.redirect }

// IsPublic reports whether the client has no secret.
func (c clientInfo) IsPublic() bool { return c.client == nil || c.client.Public() }

// GetUserID returns nothing: tokens belong to people, not to a client's owner.
func (c clientInfo) GetUserID() string { return "" }

// VerifyPassword refuses any secret: the pipeline passes none.
func (c clientInfo) VerifyPassword(secret string) bool { return secret == "" }

// clientStore finds the client of the job, and no other.
type clientStore struct{}

// GetByID returns the client that the pipeline authenticated for this request.
func (clientStore) GetByID(ctx context.Context, id string) (goauth2.ClientInfo, error) {
	o, err := jobFrom(ctx)
	if err != nil {
		return nil, err
	}
	if o.client.GetID() != id || o.client.tenantID != o.request.Tenant.ID {
		return nil, oautherrors.ErrInvalidClient
	}
	return o.client, nil
}

// codeGenerator has approvals recorded.
type codeGenerator struct{ codes *codes.Service }

// Token records the job's approval and returns its code.
func (g codeGenerator) Token(ctx context.Context, data *goauth2.GenerateBasic) (string, error) {
	o, err := jobFrom(ctx)
	if err != nil {
		return "", err
	}
	if o.approval == nil || data.UserID != o.approval.Username || data.Client.GetID() != o.approval.ClientID {
		return "", errNoJob
	}
	o.code, err = g.codes.Issue(ctx, *o.approval, o.request.FamilyTTL)
	return o.code, err
}

// generator has the mint sign.
type generator struct{ tokens *tokens.Service }

// Token signs what was ordered and tells the Manager its lifetimes.
func (g generator) Token(ctx context.Context, data *goauth2.GenerateBasic, _ bool) (access, refresh string, err error) {
	o, err := jobFrom(ctx)
	if err != nil {
		return "", "", err
	}
	if data.UserID != o.request.Username || data.Client.GetID() != o.request.ClientID {
		return "", "", errNoJob
	}
	if o.issued, err = g.tokens.Mint(ctx, o.request); err != nil {
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
type tokenStore struct{ tokens *tokens.Service }

// Create records the job's tokens, in the way that its grant asks for.
func (s tokenStore) Create(ctx context.Context, info goauth2.TokenInfo) error {
	o, err := jobFrom(ctx)
	if err != nil {
		return err
	}
	if o.approval != nil && o.code != "" && info.GetCode() == o.code {
		return nil // codeGenerator did it, in one step
	}
	if o.issued == nil || info.GetAccess() != o.issued.Access.Value {
		return errNoJob
	}
	if o.rotate {
		return s.tokens.Rotate(ctx, o.previous, o.issued)
	}
	return s.tokens.Record(ctx, o.issued)
}

// GetByRefresh describes the refresh token that the pipeline found good.
func (tokenStore) GetByRefresh(ctx context.Context, raw string) (goauth2.TokenInfo, error) {
	o, err := jobFrom(ctx)
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
func (tokenStore) GetByCode(ctx context.Context, raw string) (goauth2.TokenInfo, error) {
	o, err := jobFrom(ctx)
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
		info.SetCodeChallengeMethod(goauth2.CodeChallengeS256)
	}
	return info, nil
}

// GetByAccess refuses: access tokens are checked by tokens.Service.
func (tokenStore) GetByAccess(context.Context, string) (goauth2.TokenInfo, error) {
	return nil, oautherrors.ErrInvalidAccessToken
}

// RemoveByCode does nothing: a code is consumed where it is found.
func (tokenStore) RemoveByCode(context.Context, string) error { return nil }

// RemoveByAccess does nothing: revoking is tokens.Service's.
func (tokenStore) RemoveByAccess(context.Context, string) error { return nil }

// RemoveByRefresh does nothing: rotation is tokens.Service's.
func (tokenStore) RemoveByRefresh(context.Context, string) error { return nil }
