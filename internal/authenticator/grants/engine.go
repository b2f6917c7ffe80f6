package grants

import (
	"context"
	"errors"

	"github.com/go-oauth2/oauth2/v4"
	oautherrors "github.com/go-oauth2/oauth2/v4/errors"
	"github.com/go-oauth2/oauth2/v4/manage"
	"github.com/go-oauth2/oauth2/v4/models"

	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/authenticator/tokens"
)

// engine drives go-oauth2's Manager. The Manager is written for one tenant
// and trusts its caller with much (docs/go-oauth2.md lists what), so each call
// carries an order in its context: the client that the pipeline has
// authenticated and what the mint shall make. Without an order, or with one
// that does not fit, every adapter below refuses.
type engine struct{ manager *manage.Manager }

func newEngine(mint Mint) *engine {
	m := manage.NewManager()
	// The mint decides lifetimes and whether a refresh token is due; the
	// Manager must only never fall back to "does not expire".
	m.SetPasswordTokenCfg(&manage.Config{AccessTokenExp: tenantconfig.Defaults().AccessTTL, IsGenerateRefresh: true})
	m.SetRefreshTokenCfg(&manage.RefreshingConfig{AccessTokenExp: tenantconfig.Defaults().AccessTTL, IsGenerateRefresh: true})
	m.SetValidateURIHandler(exactRedirect)
	m.MapClientStorage(clientStore{})
	m.MapAccessGenerate(generator{mint})
	m.MapTokenStorage(tokenStore{mint})
	return &engine{manager: m}
}

// order is one mint job on its way through the Manager.
type order struct {
	client   clientInfo
	request  tokens.Request
	previous *tokens.Refresh
	rotate   bool
	raw      string // the refresh token presented
	issued   *tokens.Issued
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

// issue has the Manager mint and record what was ordered.
func (e *engine) issue(ctx context.Context, a attempt, request tokens.Request, previous *tokens.Refresh) (tokens.Pair, error) {
	o := &order{client: clientInfo{tenantID: a.tenant.ID, client: a.client}, request: request, previous: previous}
	ctx = context.WithValue(ctx, orderKey{}, o)
	ask := &oauth2.TokenGenerateRequest{ClientID: request.ClientID, UserID: request.Username}
	var err error
	if previous == nil {
		_, err = e.manager.GenerateAccessToken(ctx, oauth2.PasswordCredentials, ask)
	} else {
		o.rotate, o.raw, ask.Refresh = a.rotates(), a.RefreshToken, a.RefreshToken
		_, err = e.manager.RefreshAccessToken(ctx, ask)
	}
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
}

var (
	_ oauth2.ClientInfo             = clientInfo{}
	_ oauth2.ClientPasswordVerifier = clientInfo{}
	_ oauth2.ClientStore            = clientStore{}
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

// GetDomain returns the registered redirect URI.
func (c clientInfo) GetDomain() string {
	if c.client == nil {
		return ""
	}
	return c.client.CallbackURL
}

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

// GetByCode refuses: authorization codes do not come this way yet.
func (tokenStore) GetByCode(context.Context, string) (oauth2.TokenInfo, error) {
	return nil, oautherrors.ErrInvalidAuthorizeCode
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
