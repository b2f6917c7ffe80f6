package grants

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/codes"
	"gatehouse/internal/authenticator/device"
	"gatehouse/internal/authenticator/oauth2"
	"gatehouse/internal/authenticator/people"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/throttle"
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

	Request  tokens.Request
	approved bool // the scope was asked for in an earlier request
}

// exchange is a Request whose tenant and client are established.
type exchange struct {
	Request

	tenant   registryclient.Tenant
	settings tenantconfig.Settings
	client   *clients.Client // nil: none took part
	began    int64           // the revocation number before anything was checked
}

// grant says who is granted what. It checks only what is its own: the shared
// checks are the pipeline's, so that no grant can forget one.
type grant interface {
	rules() rules
	// authorize says whom the tokens are for.
	authorize(ctx context.Context, p *Pipeline, x exchange) (grantee, error)
}

// rules are what the pipeline has to know of a grant.
type rules struct {
	client clientRule
	// nobody: the tokens are for no person, who then need not be there.
	nobody bool
	// withdrawn is the answer where whoever was granted this earlier may not
	// have tokens any more; nil: as the pipeline says it.
	withdrawn func(cause error) error
}

// all are the grants that there are. A new one is a file and a line here.
var all = map[string]grant{
	oauth2.Password:          password{},
	oauth2.RefreshToken:      refresh{},
	oauth2.AuthorizationCode: authorizationCode{},
	oauth2.DeviceCode:        deviceCode{},
	oauth2.ClientCredentials: clientCredentials{},
	oauth2.Implicit:          nil, // known, but not at the token endpoint
}

// Types returns the grant types that there are, in alphabetical order.
func Types() []string { return slices.Sorted(maps.Keys(all)) }

// grantee is whom tokens are for.
type grantee struct {
	username    string
	redirectURI string
	idpID       string
	began       int64 // the revocation number at which the grant began
	login       tokens.Login
	approved    bool              // the scope was asked for in an earlier request
	narrowed    *string           // scope of the access token, where a refresh asked for less
	accessTTL   time.Duration     // 0: the tenant's default
	refreshTTL  time.Duration     // of the whole family; 0: the tenant's
	family      *tokens.Family    // chosen before; nil: a refresh token begins a new one
	previous    *tokens.Refresh   // the refresh token that is being continued
	redemption  *codes.Redemption // the authorization code that was redeemed
	alone       bool              // no refresh token is due
}

// Deps are what a Pipeline uses.
type Deps struct {
	Clients  *clients.Service
	Settings *tenantconfig.Service
	People   *people.Service
	Tokens   *tokens.Service
	Codes    *codes.Service
	Devices  *device.Service
	Guard    *throttle.Guard // shared with all that check secrets
	Now      func() time.Time
}

// Pipeline turns token requests into tokens.
type Pipeline struct {
	Deps

	engine *engine
}

// New returns a Pipeline with every grant there is.
func New(d Deps) *Pipeline { return &Pipeline{Deps: d, engine: newEngine(d.Tokens, d.Codes)} }

// GrantTypes returns those that a tenant offers, as far as that does not depend
// on who asks. Passwords alone need a directory that is asked for nothing else.
func (p *Pipeline) GrantTypes(tenant registryclient.Tenant, settings tenantconfig.Settings) []string {
	passwords := tenant.UserLDAP != "" && settings.IdentitySource == tenantconfig.LDAPSource && !settings.PasswordNeedsMFA()
	served := []string{}
	for _, name := range settings.GrantTypes {
		if known(name) && permitted(tenant, settings, name) == nil && (name != oauth2.Password || passwords) {
			served = append(served, name)
		}
	}
	return served
}

func known(grantType string) bool {
	_, ok := all[grantType]
	return ok
}

// Permits fails unless a tenant and a client both permit a grant type, with
// the OAuth error to answer, or to send to the client's redirect URI.
func (p *Pipeline) Permits(ctx context.Context, tenant registryclient.Tenant, client clients.Client, grantType string) error {
	settings, err := p.Settings.For(ctx, tenant.ID)
	if err != nil {
		return err
	}
	if err := permitted(tenant, settings, grantType); err != nil {
		return err
	}
	return permittedFor(&client, grantType)
}

// Exchange carries out a token request in six steps. Its errors carry the
// codes of RFC 6749 section 5.2.
func (p *Pipeline) Exchange(ctx context.Context, tenant registryclient.Tenant, req Request) (Outcome, error) {
	if req.GrantType == oauth2.DeviceCodeURN {
		req.GrantType = oauth2.DeviceCode
	}
	// 1. Is the grant there, and permitted in this tenant?
	settings, err := p.Settings.For(ctx, tenant.ID)
	if err != nil {
		return Outcome{}, err
	}
	grant, err := p.choose(tenant, settings, req.GrantType)
	if err != nil {
		return Outcome{}, err
	}
	// What is revoked from here on, be it of the client that is about to
	// authenticate, voids what comes of it.
	began, err := p.Tokens.Begin(ctx, tenant.ID)
	if err != nil {
		return Outcome{}, err
	}
	// 2. Who is the client, and may it use the grant?
	rule := grant.rules().client
	if rule == clientNamed {
		rule = deviceRule(settings)
	}
	client, err := p.authenticate(ctx, tenant, rule, req.Credentials, req.Address)
	if err != nil {
		return Outcome{}, err
	}
	if err := permittedFor(client, req.GrantType); err != nil {
		return Outcome{}, err
	}
	x := exchange{Request: req, tenant: tenant, settings: settings, client: client, began: began}
	out, err := p.issue(ctx, grant, x)
	if errors.Is(err, tokens.ErrRotated) {
		// A parallel request was faster; asking again finds its successor.
		out, err = p.issue(ctx, grant, x)
	}
	if errors.Is(err, tokens.ErrRotated) || errors.Is(err, tokens.ErrRefused) {
		return Outcome{}, invalidRefreshToken(err)
	}
	return out, err
}

func (p *Pipeline) issue(ctx context.Context, grant grant, x exchange) (Outcome, error) {
	// 3. Who is granted what?
	who, err := grant.authorize(ctx, p, x)
	if err != nil {
		return Outcome{}, err
	}
	httpapi.Annotate(ctx, slog.String("user", who.username))
	if who.previous == nil {
		who.login.GrantType = x.GrantType
	}
	// 4. May that person have tokens now?
	if rules := grant.rules(); !rules.nobody {
		if err := p.admit(ctx, x, who, rules.withdrawn); err != nil {
			return Outcome{}, err
		}
	}
	out := Outcome{Request: x.issueRequest(who), approved: who.approved}
	if who.previous != nil && who.previous.Successor != nil {
		out.Pair = *who.previous.Successor
		return out, nil
	}
	// 5. and 6. The one mint, and the pair.
	out.Pair, err = p.engine.issue(ctx, x, out.Request, who)
	return out, err
}

// admit refuses whoever may not have tokens of the tenant now, perhaps since a
// moment ago.
func (p *Pipeline) admit(ctx context.Context, x exchange, who grantee, withdrawn func(cause error) error) error {
	err := p.People.Admit(ctx, x.tenant, x.settings, people.Login{
		Username: who.username, IDPID: who.idpID, AMR: who.login.AMR, GrantType: who.login.GrantType,
	})
	switch {
	case !errors.Is(err, people.ErrGone) && !errors.Is(err, people.ErrSecondFactor):
		return err
	case withdrawn != nil:
		return withdrawn(err)
	case errors.Is(err, people.ErrGone):
		return apierr.OAuth(apierr.Forbidden, oauth2.AccessDenied, "The account is not in the directory of tenant %s any more.",
			x.tenant.ID).Because(err)
	}
	return apierr.OAuth(apierr.Forbidden, oauth2.AccessDenied, "The tenant %s asks for a second factor.", x.tenant.ID).Because(err)
}

func (p *Pipeline) choose(tenant registryclient.Tenant, settings tenantconfig.Settings, grantType string) (grant, error) {
	if grantType == "" {
		return nil, apierr.Invalidf("Missing the required grant_type parameter.")
	}
	grant := all[grantType]
	if grant == nil {
		return nil, apierr.OAuth(apierr.Invalid, oauth2.UnsupportedGrantType, "Invalid grant_type; this tenant offers %s.",
			strings.Join(p.GrantTypes(tenant, settings), ", "))
	}
	return grant, permitted(tenant, settings, grantType)
}

func permitted(tenant registryclient.Tenant, settings tenantconfig.Settings, grantType string) error {
	if !settings.Allows(grantType) {
		return apierr.OAuth(apierr.Invalid, oauth2.UnauthorizedClient,
			"Invalid grant_type (%s); this grant type is not allowed for this tenant.", grantType)
	}
	if tenant.SiteAdmin && (!settings.SiteAdminUsers || grantType == oauth2.ClientCredentials) {
		return apierr.OAuth(apierr.Invalid, oauth2.UnauthorizedClient,
			"The tenant %s administers its site; people cannot get tokens in it.", tenant.ID)
	}
	return nil
}

func permittedFor(client *clients.Client, grantType string) error {
	if client != nil && !client.Allows(grantType) {
		return apierr.OAuth(apierr.Invalid, oauth2.UnauthorizedClient,
			"Invalid grant_type (%s); this grant type is not allowed for this client.", grantType)
	}
	return nil
}

// issueRequest says what the mint shall make for a grantee.
func (x exchange) issueRequest(who grantee) tokens.Request {
	r := tokens.Request{
		Tenant: tokenTenant(x.tenant), Username: who.username, GrantType: x.GrantType,
		RedirectURI: who.redirectURI, IDPID: who.idpID, Began: who.began, Login: who.login, Narrowed: who.narrowed,
		AccessTTL: x.settings.AccessTTL, FamilyTTL: x.settings.MaxRefreshTTL, Family: who.family,
	}
	if who.accessTTL > 0 {
		r.AccessTTL = min(who.accessTTL, x.settings.MaxAccessTTL)
	}
	if x.client != nil {
		r.ClientID = x.client.ID
		if !who.alone && x.settings.Allows(oauth2.RefreshToken) && x.client.Allows(oauth2.RefreshToken) {
			r.RefreshTTL = x.settings.RefreshTTL
			if who.refreshTTL > 0 {
				r.RefreshTTL, r.FamilyTTL = min(r.RefreshTTL, who.refreshTTL), min(r.FamilyTTL, who.refreshTTL)
			}
		}
	}
	if who.previous != nil {
		r.Family, r.Count = &who.previous.Family, who.previous.Count+1
		r.AccessTTL = min(who.previous.AccessTTL, x.settings.MaxAccessTTL)
	}
	return r
}

// rotates reports whether a refresh ends the token that was presented.
func (x exchange) rotates() bool { return x.settings.RotateRefresh || x.client.Public() }

func tokenTenant(t registryclient.Tenant) tokens.Tenant {
	return tokens.Tenant{ID: t.ID, Issuer: t.TokenService}
}

func invalidGrant(message string, cause error) error {
	return apierr.OAuth(apierr.Invalid, oauth2.InvalidGrant, "%s", message).Because(cause)
}
