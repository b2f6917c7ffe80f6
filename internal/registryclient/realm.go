package registryclient

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authn"
)

var (
	_ authn.Realm = (*Client)(nil)
	_ authn.Keys  = (*Client)(nil)
)

// Active returns an active tenant of any site by its id. An id that is not
// known may have the registry asked, once every few seconds.
func (r *Client) Active(ctx context.Context, id string) (Tenant, bool, error) {
	return find(ctx, r, func(v *snapshot) (Tenant, bool) {
		if t := v.byID[id]; t != nil {
			return *t, true
		}
		return Tenant{}, false
	})
}

// Tenant implements authn.Realm.
func (r *Client) Tenant(ctx context.Context, id string) (authn.Tenant, bool, error) {
	t, found, err := r.Active(ctx, id)
	if err != nil || !found {
		return authn.Tenant{}, false, err
	}
	return authn.Tenant{ID: t.ID, SiteID: t.SiteID, Issuer: t.TokenService, SiteAdmin: t.SiteAdmin}, true, nil
}

// At returns the active tenant of any site whose host this is, as far as it
// is known now.
func (r *Client) At(host string) (Tenant, bool) {
	v := r.snapshot.Load()
	if v == nil {
		return Tenant{}, false
	}
	return v.tenantFor(host)
}

// RunsItself implements authn.Realm.
func (r *Client) RunsItself(_ context.Context, siteID, service string) (bool, error) {
	site, err := r.Site(siteID)
	return err == nil && slices.Contains(site.Services, service), err
}

// PrimarySite implements authn.Realm.
func (r *Client) PrimarySite(context.Context) (string, error) {
	v, err := r.known()
	if err != nil {
		return "", err
	}
	return v.primary, nil
}

// Site returns a site by its id.
func (r *Client) Site(id string) (Site, error) {
	v, err := r.known()
	if err != nil {
		return Site{}, err
	}
	site, known := v.sites[id]
	if !known {
		return Site{}, apierr.New(apierr.NotFound, "There is no site %s.", id)
	}
	return site, nil
}

// PublicKey implements authn.Keys with the one key of a tenant that the
// registry publishes. It is for the tenants of other sites: the tokens of this
// site's are checked with the keys that made them. Another key than is known
// may have the registry asked, once every few seconds: it may be newer.
func (r *Client) PublicKey(ctx context.Context, tenantID, kid string) (*rsa.PublicKey, error) {
	var unreadable error
	key, found, err := find(ctx, r, func(v *snapshot) (*rsa.PublicKey, bool) {
		published := v.keys[tenantID]
		if published == nil {
			return nil, false
		}
		key, err := published()
		unreadable = err
		return key, err != nil || kid == "" || authn.Thumbprint(key) == kid
	})
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, authn.ErrUnknownKey
	case unreadable != nil:
		return nil, apierr.Wrap(unreadable, "read public key of tenant "+tenantID)
	}
	return key, nil
}

// publicKey reads a public key as the registry publishes it, in PEM.
func publicKey(text string) (*rsa.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("the public key is not PEM")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("the public key is not RSA")
	}
	return key, nil
}
