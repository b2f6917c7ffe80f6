package registryclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
)

// Authorize makes a request one of the authenticator's own service account.
type Authorize func(ctx context.Context, req *http.Request) error

// LDAPConnection is where the people of a tenant are, as the registry says.
type LDAPConnection struct {
	ID             string `json:"ldap_id"`
	URL            string `json:"url"` // scheme and host
	Port           int    `json:"port"`
	UseSSL         bool   `json:"use_ssl"`
	UserDN         string `json:"user_dn"`
	BindDN         string `json:"bind_dn"`
	BindCredential string `json:"bind_credential"` // name of the secret with the password
}

// LDAPConnection asks the registry for a connection, as a service, because
// others are not told how to bind. When the registry is away, or does not know
// our key for a moment because it was rotated, what was last seen counts.
func (r *Client) LDAPConnection(ctx context.Context, id string, authorize Authorize) (LDAPConnection, error) {
	path := tenantsPath + "/ldaps/" + url.PathEscape(id)
	last, err := r.store.one(ctx, path)
	if err != nil {
		return LDAPConnection{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	var connection LDAPConnection
	fetched, isNew, err := r.fetch(ctx, path, last, authorize)
	if err == nil {
		connection, err = ldapConnection(id, fetched)
	}
	if err != nil {
		if last.Body == "" {
			return LDAPConnection{}, err
		}
		r.deps.Log.WarnContext(ctx, "LDAP connection not refreshed", slog.String("ldap_id", id), slog.Any("error", err))
		return ldapConnection(id, last)
	}
	if isNew {
		if err := r.store.save(ctx, path, fetched.ETag, fetched.Body, r.deps.Now()); err != nil {
			return LDAPConnection{}, err
		}
	}
	return connection, nil
}

// ldapConnection reads an answer to a service.
func ldapConnection(id string, fetched response) (LDAPConnection, error) {
	var envelope struct {
		Result LDAPConnection `json:"result"`
	}
	if err := json.Unmarshal([]byte(fetched.Body), &envelope); err != nil {
		return LDAPConnection{}, fmt.Errorf("decode LDAP connection %s: %w", id, err)
	}
	if envelope.Result.BindDN == "" {
		return LDAPConnection{}, fmt.Errorf("LDAP connection %s: %w", id, errors.New("the registry does not say how to bind"))
	}
	return envelope.Result, nil
}

// Self returns the administrative tenant of the site that is served here, to
// which the authenticator's own account belongs, and the primary site's id.
func (r *Client) Self() (admin Tenant, primarySite string, err error) {
	v := r.snapshot.Load()
	if v == nil {
		return Tenant{}, "", r.Ready()
	}
	if v.admin == nil {
		return Tenant{}, "", errors.New("the administrative tenant of this site is not active")
	}
	return *v.admin, v.primary, nil
}
