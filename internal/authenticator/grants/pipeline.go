package grants

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/attempts"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/codes"
	"gatehouse/internal/authenticator/device"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/registryclient"
)

// Request is a token request as it was sent, RFC 6749 section 4.
type Request struct {
	GrantType    string
	Credentials  *Credentials // nil: no client took part
	Username     string
	Password     string
	RefreshToken string
	Code         string
	RedirectURI  string
	CodeVerifier string
	DeviceCode   string
	Scope        string
	Address      string // of the caller, for throttling
}

// Outcome is what a token request yields: tokens, and what was asked of the
// mint for them.
type Outcome struct {
	tokens.Pair

	Request tokens.Request
}

// askedBefore reports whether the scope was asked for in an earlier request.
func (o Outcome) askedBefore() bool {
	return o.Request.GrantType == tenantconfig.AuthorizationCode || o.Request.GrantType == tenantconfig.DeviceCode
}

// grant says who is granted what. It checks only what is its own: the shared
// checks are the pipeline's, so that no grant can forget one.
type grant interface {
	client() clientRule
	authorize(ctx context.Context, a attempt) (grantee, error)
}

// attempt is a Request whose tenant and client are established.
type attempt struct {
	Request

	tenant   registryclient.Tenant
	settings tenantconfig.Settings
	client   *clients.Client // nil: none took part
}

// grantee is whom tokens are for.
type grantee struct {
	username    string
	redirectURI string
	idpID       string
	login       tokens.Login
	narrowed    *string           // scope of the access token, where a refresh asked for less
	accessTTL   time.Duration     // 0: the tenant's default
	family      *tokens.Family    // chosen before; nil: a refresh token begins a new one
	previous    *tokens.Refresh   // the refresh token that is being continued
	redemption  *codes.Redemption // the authorization code that was redeemed
	alone       bool              // no refresh token is due
}

// Clients finds and authenticates OAuth clients.
type Clients interface {
	Find(ctx context.Context, tenantID, clientID string) (clients.Client, error)
	Authenticate(ctx context.Context, tenantID, clientID, secret string) (clients.Client, error)
}

// Codes keeps authorization codes.
type Codes interface {
	Issue(ctx context.Context, a codes.Approval, familyTTL time.Duration) (string, error)
	Redeem(ctx context.Context, tenantID, clientID, code string) (codes.Redemption, error)
}

// Devices keeps device codes.
type Devices interface {
	Request(ctx context.Context, tenantID, clientID, scope, address string) (device.Issued, error)
	Redeem(ctx context.Context, tenantID, clientID, deviceCode string) (device.Approval, error)
}

// Settings finds what a tenant permits.
type Settings interface {
	For(ctx context.Context, tenantID string) (tenantconfig.Settings, error)
}

// Mint is the part of tokens.Service that grants need.
type Mint interface {
	Mint(ctx context.Context, r tokens.Request) (*tokens.Issued, error)
	Record(ctx context.Context, i *tokens.Issued) error
	Present(ctx context.Context, tenant tokens.Tenant, clientID, raw string) (*tokens.Refresh, error)
	Rotate(ctx context.Context, r *tokens.Refresh, i *tokens.Issued) error
}

// Deps are what a Pipeline uses.
type Deps struct {
	Clients     Clients
	Settings    Settings
	Directories Directories
	Mint        Mint
	Codes       Codes
	Devices     Devices
	Records     Records
	Now         func() time.Time
	Guard       *attempts.Guard // shared with all that check passwords
}

// Pipeline turns token requests into tokens.
type Pipeline struct {
	clients  Clients
	settings Settings
	devices  Devices
	records  Records
	guard    *attempts.Guard
	engine   *engine
	grants   map[string]grant

	directories Directories
}

// New returns a Pipeline with every grant there is.
func New(d Deps) *Pipeline {
	return &Pipeline{
		clients: d.Clients, settings: d.Settings, guard: d.Guard, engine: newEngine(d.Mint, d.Codes),
		devices: d.Devices, records: d.Records, directories: d.Directories,
		grants: map[string]grant{
			tenantconfig.Password:          password{directories: d.Directories, guard: d.Guard, now: d.Now},
			tenantconfig.RefreshToken:      refresh{directories: d.Directories, mint: d.Mint},
			tenantconfig.AuthorizationCode: authorizationCode{codes: d.Codes, directories: d.Directories, now: d.Now},
			tenantconfig.DeviceCode:        deviceCode{devices: d.Devices, directories: d.Directories},
			tenantconfig.ClientCredentials: clientCredentials{},
			tenantconfig.Implicit:          nil, // known, but not at the token endpoint
		},
	}
}

// GrantTypes returns those that a tenant offers, as far as that does not depend
// on who asks. Passwords alone need a directory that is asked for nothing else.
func (p *Pipeline) GrantTypes(tenant registryclient.Tenant, settings tenantconfig.Settings) []string {
	passwords := tenant.UserLDAP != "" && settings.IdentitySource == tenantconfig.LDAPSource && !settings.PasswordNeedsMFA()
	served := []string{}
	for _, name := range settings.GrantTypes {
		if p.knows(name) && permitted(tenant, settings, name) == nil && (name != tenantconfig.Password || passwords) {
			served = append(served, name)
		}
	}
	return served
}

func (p *Pipeline) knows(grantType string) bool {
	_, ok := p.grants[grantType]
	return ok
}

// Permits fails unless a tenant and a client both permit a grant type, with
// the OAuth error to answer, or to send to the client's redirect URI.
func (p *Pipeline) Permits(ctx context.Context, tenant registryclient.Tenant, client clients.Client, grantType string) error {
	settings, err := p.settings.For(ctx, tenant.ID)
	if err != nil {
		return err
	}
	if err := permitted(tenant, settings, grantType); err != nil {
		return err
	}
	return permittedFor(&client, grantType)
}

// Exchange carries out a token request in five steps. Its errors carry the
// codes of RFC 6749 section 5.2.
func (p *Pipeline) Exchange(ctx context.Context, tenant registryclient.Tenant, req Request) (Outcome, error) {
	if req.GrantType == tenantconfig.DeviceCodeURN {
		req.GrantType = tenantconfig.DeviceCode
	}
	// 1. Is the grant there, and permitted in this tenant?
	settings, err := p.settings.For(ctx, tenant.ID)
	if err != nil {
		return Outcome{}, err
	}
	grant, err := p.choose(tenant, settings, req.GrantType)
	if err != nil {
		return Outcome{}, err
	}
	// 2. Who is the client, and may it use the grant?
	client, err := p.authenticate(ctx, tenant, grant.client(), req.Credentials, req.Address)
	if err != nil {
		return Outcome{}, err
	}
	if err := permittedFor(client, req.GrantType); err != nil {
		return Outcome{}, err
	}
	a := attempt{Request: req, tenant: tenant, settings: settings, client: client}
	out, err := p.issue(ctx, grant, a)
	if errors.Is(err, tokens.ErrRotated) {
		// A parallel request was faster; asking again finds its successor.
		out, err = p.issue(ctx, grant, a)
	}
	if errors.Is(err, tokens.ErrRotated) || errors.Is(err, tokens.ErrRefused) {
		return Outcome{}, invalidRefreshToken(err)
	}
	return out, err
}

func (p *Pipeline) issue(ctx context.Context, grant grant, a attempt) (Outcome, error) {
	// 3. Who is granted what?
	who, err := grant.authorize(ctx, a)
	if err != nil {
		return Outcome{}, err
	}
	httpapi.Annotate(ctx, slog.String("user", who.username))
	out := Outcome{Request: a.order(who)}
	if who.previous != nil && who.previous.Successor != nil {
		out.Pair = *who.previous.Successor
		return out, nil
	}
	// 4. and 5. The one mint, and the pair.
	out.Pair, err = p.engine.issue(ctx, a, out.Request, who)
	return out, err
}

func (p *Pipeline) choose(tenant registryclient.Tenant, settings tenantconfig.Settings, grantType string) (grant, error) {
	if grantType == "" {
		return nil, apierr.Invalidf("Missing the required grant_type parameter.")
	}
	grant := p.grants[grantType]
	if grant == nil {
		return nil, apierr.OAuth(apierr.Invalid, "unsupported_grant_type", "Invalid grant_type; this tenant offers %s.",
			strings.Join(p.GrantTypes(tenant, settings), ", "))
	}
	return grant, permitted(tenant, settings, grantType)
}

func permitted(tenant registryclient.Tenant, settings tenantconfig.Settings, grantType string) error {
	if !settings.Allows(grantType) {
		return apierr.OAuth(apierr.Invalid, "unauthorized_client",
			"Invalid grant_type (%s); this grant type is not allowed for this tenant.", grantType)
	}
	if tenant.SiteAdmin && (!settings.SiteAdminUsers || grantType == tenantconfig.ClientCredentials) {
		return apierr.OAuth(apierr.Invalid, "unauthorized_client",
			"The tenant %s administers its site; people cannot get tokens in it.", tenant.ID)
	}
	return nil
}

func permittedFor(client *clients.Client, grantType string) error {
	if client != nil && !client.Allows(grantType) {
		return apierr.OAuth(apierr.Invalid, "unauthorized_client",
			"Invalid grant_type (%s); this grant type is not allowed for this client.", grantType)
	}
	return nil
}

// order says what the mint shall make for a grantee.
func (a attempt) order(who grantee) tokens.Request {
	r := tokens.Request{
		Tenant: tokenTenant(a.tenant), Username: who.username, GrantType: a.GrantType,
		RedirectURI: who.redirectURI, IDPID: who.idpID, Login: who.login, Narrowed: who.narrowed,
		AccessTTL: a.settings.AccessTTL, FamilyTTL: a.settings.MaxRefreshTTL, Family: who.family,
	}
	if who.accessTTL > 0 {
		r.AccessTTL = min(who.accessTTL, a.settings.MaxAccessTTL)
	}
	if a.client != nil {
		r.ClientID = a.client.ID
		if !who.alone && a.settings.Allows(tenantconfig.RefreshToken) && a.client.Allows(tenantconfig.RefreshToken) {
			r.RefreshTTL = a.settings.RefreshTTL
		}
	}
	if who.previous != nil {
		r.Family, r.Count = &who.previous.Family, who.previous.Count+1
		r.AccessTTL = min(who.previous.AccessTTL, a.settings.MaxAccessTTL)
	}
	return r
}

// rotates reports whether a refresh ends the token that was presented.
func (a attempt) rotates() bool { return a.settings.RotateRefresh || a.client.Public() }

func tokenTenant(t registryclient.Tenant) tokens.Tenant {
	return tokens.Tenant{ID: t.ID, Issuer: t.TokenService}
}

func invalidGrant(message string, cause error) error {
	return apierr.OAuth(apierr.Invalid, "invalid_grant", "%s", message).Because(cause)
}
