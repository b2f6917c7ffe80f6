package servicetokens

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/authenticator/people"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/throttle"
)

// Lifetimes are those of tokens that nothing else decides.
type Lifetimes struct {
	Access     time.Duration // where none was asked for; 0: five minutes
	Refresh    time.Duration // 0: ten minutes
	MaxService time.Duration // the longest of a service's tokens; 0: a year
}

// Deps are what a Service uses.
type Deps struct {
	// ThirdParty returns the client of somebody else that holds a token; "": none.
	ThirdParty    func(ctx context.Context, caller authn.Caller) (clientID string, err error)
	MayAdminister authn.MayAdminister

	Registry  *registryclient.Client
	Records   *registryclient.Records
	Accounts  *kernel.Service
	Settings  *tenantconfig.Service
	Tokens    *tokens.Service
	Rotator   *keys.Rotator
	Guard     *throttle.Guard
	Lifetimes Lifetimes
	Log       *slog.Logger
}

// Service decides who may have tokens.
type Service struct{ Deps }

// New returns a Service.
func New(d Deps) *Service {
	d.Lifetimes = Lifetimes{
		Access: cmp.Or(d.Lifetimes.Access, 5*time.Minute), Refresh: cmp.Or(d.Lifetimes.Refresh, 10*time.Minute),
		MaxService: cmp.Or(d.Lifetimes.MaxService, 365*24*time.Hour),
	}
	return &Service{d}
}

// Requester is who asks for tokens: a service that showed its password, or the
// caller that a token names.
type Requester struct {
	Caller   authn.Caller
	Password bool // Caller names the service, and no token was there
}

// SignIn checks the password of a service of this site, tried from an address.
func (s *Service) SignIn(ctx context.Context, credentials httpapi.Basic, address string) (Requester, error) {
	admin, err := s.admin()
	if err != nil {
		return Requester{}, err
	}
	attempt, err := s.Guard.Service(ctx, admin.ID, credentials.Name, address)
	if err != nil {
		return Requester{}, err
	}
	defer attempt.Cancel()
	began, err := s.Tokens.Begin(ctx, admin.ID)
	if err != nil {
		return Requester{}, err
	}
	matches, err := s.Accounts.PasswordMatches(ctx, admin.ID, credentials.Name, credentials.Secret)
	if err != nil {
		return Requester{}, err
	}
	if !matches {
		attempt.Fail()
		return Requester{}, needPassword("The name or the password of the service is wrong.")
	}
	attempt.Succeed()
	return Requester{Password: true, Caller: authn.Caller{
		Username: credentials.Name, TenantID: admin.ID, SiteID: admin.SiteID, AccountType: authn.ServiceAccount, GrantBegan: began,
	}}, nil
}

// needPassword is the answer to a request that shows too little of who asks.
func needPassword(message string) *apierr.Error {
	e := apierr.New(apierr.Unauthenticated, "%s", message)
	e.Challenge = `Basic realm="tapis"`
	return e
}

func (s *Service) admin() (registryclient.Tenant, error) {
	admin, _, err := s.Registry.Self()
	if err != nil {
		return registryclient.Tenant{}, apierr.Away(err, "The tenant registry")
	}
	return admin, nil
}

// Create issues what was asked for, if the requester may have it.
func (s *Service) Create(ctx context.Context, who Requester, req IssueRequest) (tokens.Pair, error) {
	if err := req.check(); err != nil {
		return tokens.Pair{}, err
	}
	tenant, found, err := s.Registry.Active(ctx, req.TenantID)
	if err != nil {
		return tokens.Pair{}, err
	}
	if !found || !tenant.OwnedByThisOne {
		return tokens.Pair{}, apierr.Invalidf("The field token_tenant_id names no active tenant of this site.")
	}
	began, err := s.began(ctx, who, tenant, req)
	if err != nil {
		return tokens.Pair{}, err
	}
	if err := s.mayHave(ctx, who, tenant, req); err != nil {
		return tokens.Pair{}, err
	}
	request, err := s.mintRequest(ctx, who, tenant, req)
	if err != nil {
		return tokens.Pair{}, err
	}
	request.Began = began
	pair, err := s.Tokens.Issue(ctx, request)
	if err == nil && req.Delegation {
		s.Log.InfoContext(ctx, "delegation token issued", slog.String("by", who.Caller.Username), slog.String("tenant", tenant.ID),
			slog.String("user", req.Username), slog.String("delegation_sub", request.DelegationSub), slog.String("jti", pair.Access.ID))
	}
	return pair, err
}

// began returns the revocation number at which a grant begins. What a service
// gets for itself descends from what it showed; for others it begins now.
func (s *Service) began(ctx context.Context, who Requester, tenant registryclient.Tenant, req IssueRequest) (int64, error) {
	if who.Caller.Service() && who.Caller.TenantID == tenant.ID && who.Caller.Username == req.Username {
		return who.Caller.GrantBegan, nil
	}
	return s.Tokens.Begin(ctx, tenant.ID)
}

// mayHave decides, by the rules of docs/tokens.md.
func (s *Service) mayHave(ctx context.Context, who Requester, tenant registryclient.Tenant, req IssueRequest) error {
	admin, err := s.admin()
	if err != nil {
		return err
	}
	ours := who.Caller.Service() && who.Caller.TenantID == admin.ID
	self := ours && !req.Delegation && req.AccountType == authn.ServiceAccount && tenant.ID == admin.ID &&
		req.Username == who.Caller.Username
	switch {
	case !ours:
		return forbidden("Only a service of this site can ask for tokens here; people get theirs at /v3/oauth2/tokens.")
	case self:
		return nil
	case who.Password:
		return forbidden("With its password a service can ask for tokens of its own only: account_type is service, " +
			"token_username its name, and token_tenant_id the administrative tenant of the site.")
	}
	if req.AccountType == authn.UserAccount {
		if admitted, err := s.admits(ctx, tenant, req.Username); err != nil {
			return err
		} else if !admitted {
			return forbidden("The tenant administers its site; this person cannot get tokens in it.")
		}
	}
	generator, err := s.Accounts.HasRole(ctx, admin.ID, who.Caller.Username, kernel.GeneratorRole(tenant.ID))
	if err != nil {
		return err
	}
	if !generator {
		return forbidden("The service may not make tokens for others in this tenant.")
	}
	return nil
}

// admits reports whether a person may have tokens in a tenant at all: under no
// name that is another's, and in the administrative one only by its
// configuration and a role. That the person exists is vouched for by whoever
// generates the tokens.
func (s *Service) admits(ctx context.Context, tenant registryclient.Tenant, username string) (bool, error) {
	if free := people.CheckName(username) == nil; !free || !tenant.SiteAdmin {
		return free, nil
	}
	settings, err := s.Settings.For(ctx, tenant.ID)
	if err != nil || !settings.SiteAdminUsers {
		return false, err
	}
	return s.Accounts.IsSiteAdminUser(ctx, tenant.ID, username)
}

func forbidden(message string) error { return apierr.New(apierr.Forbidden, "%s", message) }

// mintRequest says what the mint shall make of a request that was allowed.
func (s *Service) mintRequest(
	ctx context.Context, who Requester, tenant registryclient.Tenant, req IssueRequest,
) (tokens.Request, error) {
	r := tokens.Request{
		Tenant: tokenTenant(tenant), Username: req.Username, AccountType: req.AccountType, TargetSite: req.TargetSite,
		GrantType: tokens.Direct,
	}
	var err error
	if req.AccountType == authn.ServiceAccount {
		if err := s.service(ctx, who, tenant, req); err != nil {
			return r, err
		}
		if r.TargetSite == "" {
			r.TargetSite = tenant.SiteID
		}
	}
	if r.TargetSite != "" {
		if _, err := s.Registry.Site(r.TargetSite); apierr.Is(err, apierr.NotFound) {
			return r, apierr.Invalidf("The field target_site_id names no site.")
		} else if err != nil {
			return r, err
		}
	}
	if req.Delegation {
		if r.DelegationSub, err = s.delegationSub(ctx, req); err != nil {
			return r, err
		}
	}
	if r.Extra, err = tokens.ParseExtra(req.Claims); err != nil {
		return r, err
	}
	longest, err := s.longest(ctx, tenant, req.AccountType)
	if err != nil {
		return r, err
	}
	r.AccessTTL = lifetime(req.AccessTTL, s.Lifetimes.Access, longest.access)
	if req.Refresh {
		r.RefreshTTL, r.FamilyTTL = lifetime(req.RefreshTTL, s.Lifetimes.Refresh, longest.refresh), longest.family
	}
	return r, nil
}

// service refuses to make tokens for services that there are not.
func (s *Service) service(ctx context.Context, who Requester, tenant registryclient.Tenant, req IssueRequest) error {
	if !tenant.SiteAdmin {
		return apierr.Invalidf("The field token_tenant_id must name the administrative tenant of the site; services belong to it.")
	}
	if who.Password {
		return nil // it has just shown that there is
	}
	known, err := s.Accounts.HasPassword(ctx, tenant.ID, req.Username)
	if err == nil && !known {
		return apierr.Invalidf("The field token_username names no service account.")
	}
	return err
}

// delegationSub returns for whom the tokens are to act. Only people delegate,
// and only those of this site.
func (s *Service) delegationSub(ctx context.Context, req IssueRequest) (string, error) {
	if req.AccountType != authn.UserAccount {
		return "", apierr.Invalidf("The field delegation_token goes with the account_type user only.")
	}
	tenant, found, err := s.Registry.Active(ctx, req.DelegationTenantID)
	if err != nil {
		return "", err
	}
	if !found || !tenant.OwnedByThisOne {
		return "", apierr.Invalidf("The field delegation_sub_tenant_id names no active tenant of this site.")
	}
	return req.DelegationUsername + "@" + tenant.ID, nil
}

// limits are the longest lifetimes of tokens and their family; 0: a family has
// no end.
type limits struct{ access, refresh, family time.Duration }

func (s *Service) longest(ctx context.Context, tenant registryclient.Tenant, accountType string) (limits, error) {
	if accountType == authn.ServiceAccount {
		// Services refresh for as long as they run; their password is what ends it.
		return limits{access: s.Lifetimes.MaxService, refresh: s.Lifetimes.MaxService}, nil
	}
	settings, err := s.Settings.For(ctx, tenant.ID)
	if err != nil {
		return limits{}, err
	}
	return limits{access: settings.MaxAccessTTL, refresh: settings.MaxRefreshTTL, family: settings.MaxRefreshTTL}, nil
}

// Renew issues new tokens for a refresh token that was issued here. The old
// one stays good.
func (s *Service) Renew(ctx context.Context, raw string) (tokens.Pair, error) {
	if raw == "" {
		return tokens.Pair{}, apierr.Invalidf("The field refresh_token is missing.")
	}
	claimed, err := authn.ClaimedTenant(raw)
	if err != nil {
		return tokens.Pair{}, apierr.Invalidf("The field refresh_token is not a token.").Because(err)
	}
	tenant, found, err := s.Registry.Active(ctx, claimed)
	switch {
	case err != nil:
		return tokens.Pair{}, err
	case !found:
		return tokens.Pair{}, stale("The refresh token belongs to no active tenant.", authn.ErrTenant)
	case !tenant.OwnedByThisOne:
		return tokens.Pair{}, apierr.Invalidf("The refresh token belongs to another site; it is refreshed there.")
	}
	request, err := s.Tokens.Renew(ctx, tokenTenant(tenant), raw)
	if err != nil {
		return tokens.Pair{}, notRenewed(err)
	}
	longest, err := s.stillEntitled(ctx, tenant, request)
	if err != nil {
		return tokens.Pair{}, err
	}
	request.AccessTTL, request.RefreshTTL = min(request.AccessTTL, longest.access), min(request.RefreshTTL, longest.refresh)
	return s.Tokens.Issue(ctx, request)
}

// stillEntitled asks whether the subject of a refresh token may still have
// tokens, and how long they may live.
func (s *Service) stillEntitled(ctx context.Context, tenant registryclient.Tenant, r tokens.Request) (limits, error) {
	may, err := false, error(nil)
	switch {
	case r.AccountType != authn.ServiceAccount:
		may, err = s.admits(ctx, tenant, r.Username)
	case tenant.SiteAdmin:
		may, err = s.Accounts.HasPassword(ctx, tenant.ID, r.Username)
	}
	if err != nil {
		return limits{}, err
	}
	if !may {
		return limits{}, stale("The refresh token is not valid any more: its subject cannot have tokens.",
			errors.New("subject not entitled"))
	}
	return s.longest(ctx, tenant, r.AccountType)
}

// notRenewed is the answer to a refresh token that is not good.
func notRenewed(err error) error {
	switch {
	case errors.Is(err, authn.ErrTokenType):
		return apierr.Invalidf("The field refresh_token is not a refresh token.").Because(err)
	case errors.Is(err, tokens.ErrGrant):
		return apierr.Invalidf("The refresh token was issued by an OAuth grant; its client refreshes it at /v3/oauth2/tokens.").
			Because(err)
	case errors.Is(err, authn.ErrExpired):
		return stale("The refresh token has expired.", err)
	case errors.Is(err, authn.ErrRevoked):
		return stale("The refresh token has been revoked.", err)
	case authn.IsRefusal(err):
		return stale("The refresh token is not valid.", err)
	}
	return err
}

func stale(message string, cause error) error {
	e := apierr.New(apierr.Unauthenticated, "%s", message).Because(cause)
	e.Challenge = `Bearer realm="tapis", error="invalid_token"`
	return e
}

func tokenTenant(t registryclient.Tenant) tokens.Tenant {
	return tokens.Tenant{ID: t.ID, Issuer: t.TokenService}
}
