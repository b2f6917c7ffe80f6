package registryclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"

	"gatehouse/internal/apierr"
)

// Record is a tenant as the registry has it now, in any status.
type Record struct {
	ID               string   `json:"tenant_id"`
	SiteID           string   `json:"site_id"`
	Status           string   `json:"status"`
	PublicKey        string   `json:"public_key"` // PEM; empty: none
	AdminUser        string   `json:"admin_user"`
	TokenGenServices []string `json:"token_gen_services"`
}

// Records reads tenants in any status from the registry, past the snapshot, and
// publishes their keys there. It is safe for concurrent use.
type Records struct {
	registry  *Client
	authorize Authorize

	mu   sync.Mutex
	last response
}

// Records returns access to the records, which changes them as the account for
// which authorize speaks.
func (r *Client) Records(authorize Authorize) *Records {
	return &Records{registry: r, authorize: authorize}
}

// draftsPath lists drafts beside what is active.
const draftsPath = tenantsPath + "?show_draft=true"

// Own returns the site that is served here and its tenants, drafts included
// and inactive ones not. changed is false when the registry says the same as
// at the last call.
func (r *Records) Own(ctx context.Context) (site Site, tenants []Record, changed bool, err error) {
	site, err = r.registry.Site(r.registry.deps.SiteID)
	if err != nil {
		return Site{}, nil, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	fetched, changed, err := r.registry.fetch(ctx, draftsPath, r.last, nil)
	if err != nil {
		return Site{}, nil, false, err
	}
	var list struct {
		Result []Record `json:"result"`
	}
	if err := json.Unmarshal([]byte(fetched.Body), &list); err != nil {
		return Site{}, nil, false, fmt.Errorf("decode tenants: %w", err)
	}
	r.last = fetched
	for _, record := range list.Result {
		if record.SiteID == site.ID && record.ID != "" {
			tenants = append(tenants, record)
		}
	}
	return site, tenants, changed, nil
}

// one asks for one tenant now.
func (r *Records) one(ctx context.Context, id string) (Record, error) {
	status, body, err := r.ask(ctx, http.MethodGet, id, nil)
	if err != nil {
		return Record{}, away(err)
	}
	var envelope struct {
		Result Record `json:"result"`
	}
	switch {
	case status == http.StatusNotFound:
		return Record{}, apierr.New(apierr.NotFound, "There is no tenant %s.", id)
	case status != http.StatusOK:
		return Record{}, away(fmt.Errorf("the registry answered %d about tenant %s", status, id))
	}
	if err := json.Unmarshal(body, &envelope); err != nil || envelope.Result.ID != id {
		return Record{}, away(errors.Join(fmt.Errorf("the registry answered with something else than tenant %s", id), err))
	}
	return envelope.Result, nil
}

// SiteOf returns the id of the site to which a tenant belongs, in any status.
func (r *Records) SiteOf(ctx context.Context, id string) (string, error) {
	record, err := r.one(ctx, id)
	return record.SiteID, err
}

// PublishedKey returns the public key that the registry has of a tenant, as
// PEM; empty: none.
func (r *Records) PublishedKey(ctx context.Context, id string) (string, error) {
	record, err := r.one(ctx, id)
	return record.PublicKey, err
}

// PublishKey lets the registry have a tenant's public key.
func (r *Records) PublishKey(ctx context.Context, id, public string) error {
	body, err := json.Marshal(map[string]string{"public_key": public})
	if err != nil {
		return apierr.Wrap(err, "encode public key")
	}
	status, text, err := r.ask(ctx, http.MethodPut, id, body)
	if err != nil {
		return away(err)
	}
	if status != http.StatusOK {
		return away(fmt.Errorf("the registry answered %d when told the public key of tenant %s: %.200q", status, id, text))
	}
	return nil
}

// SiteAdmin reports whether a tenant is the administrative one of the site that
// is served here.
func (r *Records) SiteAdmin(id string) (bool, error) {
	site, err := r.registry.Site(r.registry.deps.SiteID)
	return err == nil && site.AdminTenant == id, err
}

func away(err error) error {
	var known *apierr.Error
	if errors.As(err, &known) {
		return err
	}
	return apierr.Away(err, "The tenant registry")
}

// ask makes a request about one tenant: a write in the name of the account, a
// read in nobody's.
func (r *Records) ask(ctx context.Context, method, id string, body []byte) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	header, authorize := http.Header{}, Authorize(nil)
	if method != http.MethodGet {
		header.Set("Content-Type", "application/json")
		authorize = r.authorize
	}
	status, _, text, err := r.registry.send(ctx, method, tenantsPath+"/"+url.PathEscape(id), header, body, authorize)
	return status, text, err
}
