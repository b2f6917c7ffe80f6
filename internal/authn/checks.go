package authn

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

// complete fails unless both headers were sent.
func (s Subject) complete() error {
	switch {
	case s.TenantID == "" && s.Username == "":
		return missingHeaders("the headers X-Tapis-Tenant and X-Tapis-User are missing")
	case s.TenantID == "":
		return missingHeaders("the header X-Tapis-Tenant is missing")
	case s.Username == "":
		return missingHeaders("the header X-Tapis-User is missing")
	}
	return nil
}

// Tenant is what the checks know of an active tenant.
type Tenant struct {
	ID        string
	SiteID    string
	Issuer    string // its token service
	SiteAdmin bool   // it is the administrative tenant of its site
}

// Realm knows the active tenants, and which site is the primary one.
type Realm interface {
	// Tenant returns an active tenant; false when there is none of that id.
	Tenant(ctx context.Context, id string) (Tenant, bool, error)
	// RunsItself reports whether a site has a service of its own, so that
	// its requests do not belong at the primary site.
	RunsItself(ctx context.Context, siteID, service string) (bool, error)
	// PrimarySite returns the id of the primary site.
	PrimarySite(ctx context.Context) (string, error)
}

// Subject is on whose behalf a service asks.
type Subject struct{ TenantID, Username string }

// Checks turns the token and headers of a request into a caller, by the rules
// that all Tapis services share; docs/trust.md lists them.
type Checks struct {
	Verifier *Verifier
	Realm    Realm
	SiteID   string // where this service runs
	Service  string // its name in the lists of services
}

// Caller checks a raw access token that came with the given values of
// X-Tapis-Tenant and X-Tapis-User.
func (c *Checks) Caller(ctx context.Context, raw string, behalf Subject) (Caller, error) {
	var claims Claims
	var tenant Tenant
	err := c.Verifier.VerifyAs(ctx, raw, &claims, func(tenantID string) (expect Expect, err error) {
		tenant, err = c.tenant(ctx, tenantID)
		return Expect{TenantID: tenant.ID, Issuer: tenant.Issuer, TokenType: AccessToken}, err
	})
	if err != nil {
		return Caller{}, err
	}
	if claims.Username == "" {
		return Caller{}, ErrMalformed
	}
	caller := Caller{
		Username: claims.Username, TenantID: tenant.ID, SiteID: tenant.SiteID, AccountType: claims.AccountType, TokenID: claims.ID,
		TokenExpiry: claims.ExpiresAt.UTC(),
	}
	if claims.ClientID != nil {
		caller.ClientID = *claims.ClientID
	}
	switch claims.AccountType {
	case UserAccount:
		if behalf != (Subject{}) {
			return Caller{}, ErrBehalf
		}
		return caller, nil
	case ServiceAccount:
		if err := c.service(ctx, tenant, claims, behalf); err != nil {
			return Caller{}, err
		}
		caller.OnBehalfOf = behalf
		return caller, nil
	}
	return Caller{}, ErrMalformed
}

// tenant finds the tenant that a token claims to belong to.
func (c *Checks) tenant(ctx context.Context, id string) (Tenant, error) {
	if id == "" {
		return Tenant{}, ErrMalformed
	}
	tenant, found, err := c.Realm.Tenant(ctx, id)
	if err == nil && !found {
		err = ErrTenant
	}
	return tenant, err
}

// service checks what is particular to a service's token: it belongs to the
// administrative tenant of its site, is meant for this site, and acts for a
// tenant that its site may act for, here.
func (c *Checks) service(ctx context.Context, own Tenant, claims Claims, behalf Subject) error {
	switch {
	case !own.SiteAdmin:
		return fmt.Errorf("%w: it is a service's and belongs to no administrative tenant", ErrTenant)
	case claims.TargetSite != c.SiteID:
		return ErrTargetSite
	}
	if err := behalf.complete(); err != nil {
		return err
	}
	acted, found, err := c.Realm.Tenant(ctx, behalf.TenantID)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("%w: the tenant is unknown", ErrBehalf)
	}
	primary, err := c.Realm.PrimarySite(ctx)
	if err != nil {
		return err
	}
	if own.SiteID != primary && acted.SiteID != own.SiteID {
		return fmt.Errorf("%w: the service's site may not act for that tenant", ErrBehalf)
	}
	if acted.SiteID == c.SiteID {
		return nil
	}
	if c.SiteID != primary {
		return fmt.Errorf("%w: that tenant is not served at this site", ErrBehalf)
	}
	itself, err := c.Realm.RunsItself(ctx, acted.SiteID, c.Service)
	if err != nil {
		return err
	}
	if itself {
		return fmt.Errorf("%w: that tenant's site runs the service itself", ErrBehalf)
	}
	return nil
}

// ClaimedTenant reads the tenant that a token claims, before anything of it
// is believed, to find the key that may prove it. It fails with ErrMalformed.
func ClaimedTenant(raw string) (string, error) {
	if len(raw) > maxToken {
		return "", ErrMalformed
	}
	_, rest, _ := strings.Cut(raw, ".")
	payload, _, found := strings.Cut(rest, ".")
	if !found {
		return "", ErrMalformed
	}
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return "", ErrMalformed
	}
	var claims struct {
		TenantID string `json:"tapis/tenant_id"`
	}
	if err := json.Unmarshal(text, &claims); err != nil || claims.TenantID == "" {
		return "", ErrMalformed
	}
	return claims.TenantID, nil
}
