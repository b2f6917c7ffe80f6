package grants

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/attempts"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/tenancy"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/httpapi"
)

// Request is a token request as it was sent, RFC 6749 section 4.
type Request struct {
	GrantType    string
	Credentials  *Credentials // nil: no client took part
	Username     string
	Password     string
	RefreshToken string
	Scope        string
	Address      string // of the caller, for throttling
}

// Credentials are how a client says who it is.
type Credentials struct {
	ID, Secret string
	Basic      bool // sent in the Authorization header rather than the body
}

// grant says who is granted what. It checks only what is its own: the shared
// checks are the pipeline's, so that no grant can forget one.
type grant interface {
	// clientOptional reports whether the grant works without a client.
	clientOptional() bool
	authorize(ctx context.Context, a attempt) (grantee, error)
}

// attempt is a Request whose tenant and client are established.
type attempt struct {
	Request

	tenant   tenancy.Tenant
	settings tenantconfig.Settings
	client   *clients.Client // nil: none took part
}

// grantee is whom tokens are for.
type grantee struct {
	username    string
	redirectURI string
	idpID       string
	previous    *tokens.Refresh // the refresh token that is being continued
}

// Clients authenticates OAuth clients.
type Clients interface {
	Authenticate(ctx context.Context, tenantID, clientID, secret string) (clients.Client, error)
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
	Guard       *attempts.Guard // shared with all that check passwords
}

// Pipeline turns token requests into tokens.
type Pipeline struct {
	clients  Clients
	settings Settings
	guard    *attempts.Guard
	engine   *engine
	grants   map[string]grant
}

// New returns a Pipeline with every grant there is.
func New(d Deps) *Pipeline {
	return &Pipeline{
		clients: d.Clients, settings: d.Settings, guard: d.Guard, engine: newEngine(d.Mint),
		grants: map[string]grant{
			tenantconfig.Password:     password{directories: d.Directories, guard: d.Guard},
			tenantconfig.RefreshToken: refresh{directories: d.Directories, mint: d.Mint},
		},
	}
}

// GrantTypes returns those of the given grant types that are served.
func (p *Pipeline) GrantTypes(permitted []string) []string {
	served := []string{}
	for _, name := range permitted {
		if _, ok := p.grants[name]; ok {
			served = append(served, name)
		}
	}
	return served
}

// Exchange carries out a token request in five steps. Its errors carry the
// codes of RFC 6749 section 5.2.
func (p *Pipeline) Exchange(ctx context.Context, tenant tenancy.Tenant, req Request) (tokens.Pair, error) {
	// 1. Is the grant there, and permitted in this tenant?
	settings, err := p.settings.For(ctx, tenant.ID)
	if err != nil {
		return tokens.Pair{}, err
	}
	grant, err := p.choose(tenant, settings, req.GrantType)
	if err != nil {
		return tokens.Pair{}, err
	}
	// 2. Who is the client?
	client, err := p.authenticate(ctx, tenant, grant, req)
	if err != nil {
		return tokens.Pair{}, err
	}
	a := attempt{Request: req, tenant: tenant, settings: settings, client: client}
	pair, err := p.issue(ctx, grant, a)
	if errors.Is(err, tokens.ErrRotated) {
		// A parallel request was faster; asking again finds its successor.
		pair, err = p.issue(ctx, grant, a)
	}
	if errors.Is(err, tokens.ErrRotated) || errors.Is(err, tokens.ErrRefused) {
		return tokens.Pair{}, invalidRefreshToken(err)
	}
	return pair, err
}

func (p *Pipeline) issue(ctx context.Context, grant grant, a attempt) (tokens.Pair, error) {
	// 3. Who is granted what?
	who, err := grant.authorize(ctx, a)
	if err != nil {
		return tokens.Pair{}, err
	}
	httpapi.Annotate(ctx, slog.String("user", who.username))
	if who.previous != nil && who.previous.Successor != nil {
		return *who.previous.Successor, nil
	}
	// 4. and 5. The one mint, and the pair.
	return p.engine.issue(ctx, a, a.order(who), who.previous)
}

func (p *Pipeline) choose(tenant tenancy.Tenant, settings tenantconfig.Settings, grantType string) (grant, error) {
	if grantType == "" {
		return nil, apierr.Invalidf("Missing the required grant_type parameter.")
	}
	grant, ok := p.grants[grantType]
	if !ok {
		return nil, apierr.OAuth(apierr.Invalid, "unsupported_grant_type", "Invalid grant_type; this tenant offers %s.",
			strings.Join(p.GrantTypes(settings.GrantTypes), ", "))
	}
	if !settings.Allows(grantType) {
		return nil, apierr.OAuth(apierr.Invalid, "unauthorized_client",
			"Invalid grant_type (%s); this grant type is not allowed for this tenant.", grantType)
	}
	if tenant.SiteAdmin {
		return nil, apierr.OAuth(apierr.Invalid, "unauthorized_client",
			"The tenant %s administers its site; people cannot get tokens in it.", tenant.ID)
	}
	return grant, nil
}

func (p *Pipeline) authenticate(ctx context.Context, tenant tenancy.Tenant, grant grant, req Request) (*clients.Client, error) {
	if req.Credentials == nil {
		if grant.clientOptional() {
			return nil, nil // no client took part, and none is needed
		}
		e := invalidClient(false).Because(errors.New("no client credentials"))
		e.Message = "Invalid client credentials: this grant type needs a client, by HTTP Basic or by client_id and client_key."
		return nil, e
	}
	forms := req.Credentials.forms()
	attempt, err := p.guard.Client(ctx, tenant.ID, forms[0].ID, req.Address)
	if err != nil {
		return nil, err
	}
	defer attempt.Cancel()
	var client clients.Client
	for _, form := range forms {
		client, err = p.clients.Authenticate(ctx, tenant.ID, form.ID, form.Secret)
		if !errors.Is(err, clients.ErrCredentials) {
			break
		}
	}
	switch {
	case errors.Is(err, clients.ErrCredentials):
		if errors.Is(err, clients.ErrWrongSecret) {
			attempt.Fail()
		}
		return nil, invalidClient(req.Credentials.Basic).Because(err)
	case err != nil:
		return nil, err
	}
	attempt.Succeed()
	httpapi.Annotate(ctx, slog.String("client", client.ID))
	return &client, nil
}

// forms returns the credentials as they were sent and, where that differs,
// with the form encoding of RFC 6749 section 2.3.1 removed, which Tapis
// clients do not apply. All name the same client: ids contain no percent sign,
// so that one with it can only be meant encoded.
func (c Credentials) forms() []Credentials {
	if !c.Basic {
		return []Credentials{c}
	}
	decoded := httpapi.Basic{Name: c.ID, Secret: c.Secret}.Decoded()
	id := c.ID
	if strings.Contains(id, "%") {
		id = decoded.Name
	}
	forms := []Credentials{{ID: id, Secret: c.Secret, Basic: true}}
	if decoded.Secret != c.Secret {
		forms = append(forms, Credentials{ID: id, Secret: decoded.Secret, Basic: true})
	}
	return forms
}

// order says what the mint shall make for a grantee.
func (a attempt) order(who grantee) tokens.Request {
	r := tokens.Request{
		Tenant: tokenTenant(a.tenant), Username: who.username, GrantType: a.GrantType,
		RedirectURI: who.redirectURI, IDPID: who.idpID,
		AccessTTL: a.settings.AccessTTL, FamilyTTL: a.settings.MaxRefreshTTL,
	}
	if a.client != nil {
		r.ClientID = a.client.ID
		if a.settings.Allows(tenantconfig.RefreshToken) {
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

func tokenTenant(t tenancy.Tenant) tokens.Tenant {
	return tokens.Tenant{ID: t.ID, Issuer: t.TokenService}
}

func invalidClient(basic bool) *apierr.Error {
	e := apierr.OAuth(apierr.Unauthenticated, "invalid_client", "Invalid client credentials.")
	if basic {
		e.Challenge = `Basic realm="tapis"`
	}
	return e
}

func invalidGrant(message string, cause error) error {
	return apierr.OAuth(apierr.Invalid, "invalid_grant", "%s", message).Because(cause)
}
