// Package discovery tells clients what the authenticator of a tenant offers
// and where: the authorization server metadata of RFC 8414, the discovery
// document of OpenID Connect, and the JWK Set.
//
// It describes and decides nothing; every value comes from where it is
// decided.
package discovery

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/grants"
	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/authenticator/oauth2"
	"gatehouse/internal/authenticator/tenancy"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/httpapi"
)

// Handler serves the metadata of each tenant.
type Handler struct {
	keys     *keys.Service
	settings *tenantconfig.Service
	grants   *grants.Pipeline
}

// NewHandler returns a Handler.
func NewHandler(k *keys.Service, s *tenantconfig.Service, g *grants.Pipeline) *Handler {
	return &Handler{keys: k, settings: s, grants: g}
}

// Mount registers the routes on r, which is /v3/oauth2 and below which the
// tenant is known.
func (h *Handler) Mount(r gin.IRouter) {
	httpapi.Get(r, "/jwks", h.jwks)
	httpapi.Get(r, "/.well-known/oauth-authorization-server", h.server)
	httpapi.Get(r, "/.well-known/openid-configuration", h.openID)
}

// MountRoot registers, on the root of the host, the path that RFC 8414 section
// 3.1 makes of an issuer with a path.
func (h *Handler) MountRoot(r gin.IRouter) {
	httpapi.Get(r, "/.well-known/oauth-authorization-server/v3/oauth2", h.server)
}

// cacheControl is how long clients may keep what is published here; keys are
// rotated by it.
var cacheControl = fmt.Sprintf("public, max-age=%d", int(keys.JWKSMaxAge.Seconds()))

type jwksJSON struct {
	Keys []keys.JWK `json:"keys"`
}

// jwks answers a JWK Set without the envelope, as RFC 7517 readers expect.
func (h *Handler) jwks(c *gin.Context) error {
	tenant, err := tenancy.From(c.Request.Context())
	if err != nil {
		return err
	}
	set, err := h.keys.JWKS(c.Request.Context(), tenant.ID)
	if err != nil {
		return err
	}
	body, err := json.Marshal(jwksJSON{Keys: set})
	if err != nil {
		return apierr.Wrap(err, "encode keys")
	}
	sum := sha256.Sum256(body)
	etag := `"` + base64.RawURLEncoding.EncodeToString(sum[:18]) + `"`
	c.Header("Cache-Control", cacheControl)
	c.Header("ETag", etag)
	for known := range strings.SplitSeq(c.GetHeader("If-None-Match"), ",") {
		if strings.TrimPrefix(strings.TrimSpace(known), "W/") == etag {
			c.Status(http.StatusNotModified)
			return nil
		}
	}
	httpapi.Bytes(c, http.StatusOK, body)
	return nil
}

// serverJSON are the members of RFC 8414 section 2 that apply to what is
// served.
type serverJSON struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	DeviceEndpoint        string   `json:"device_authorization_endpoint,omitempty"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	IntrospectionEndpoint string   `json:"introspection_endpoint"`
	JWKSURI               string   `json:"jwks_uri"`
	RegistrationEndpoint  string   `json:"registration_endpoint"`
	Scopes                []string `json:"scopes_supported"`
	ResponseTypes         []string `json:"response_types_supported"`
	ResponseModes         []string `json:"response_modes_supported"`
	GrantTypes            []string `json:"grant_types_supported"`
	AuthMethods           []string `json:"token_endpoint_auth_methods_supported"`
	RevocationMethods     []string `json:"revocation_endpoint_auth_methods_supported"` // absent would mean Basic alone
	IntrospectionMethods  []string `json:"introspection_endpoint_auth_methods_supported"`
	ChallengeMethods      []string `json:"code_challenge_methods_supported"`
	IssuerInAnswer        bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207
}

// serverReply has the members at the top level for OAuth clients and under
// result for Tapis clients.
type serverReply struct {
	httpapi.Envelope
	serverJSON
}

func (h *Handler) server(c *gin.Context) error {
	ctx := c.Request.Context()
	server, err := h.describe(ctx)
	if err != nil {
		return err
	}
	c.Header("Cache-Control", cacheControl)
	return httpapi.JSON(c, http.StatusOK, serverReply{
		Envelope:   httpapi.Success(ctx, server, "OAuth server metadata retrieved successfully."),
		serverJSON: server,
	})
}

// describe says what is served in the tenant of the request.
func (h *Handler) describe(ctx context.Context) (serverJSON, error) {
	tenant, err := tenancy.From(ctx)
	if err != nil {
		return serverJSON{}, err
	}
	settings, err := h.settings.For(ctx, tenant.ID)
	if err != nil {
		return serverJSON{}, err
	}
	methods := []string{"client_secret_basic", "client_secret_post", "none"}
	s := serverJSON{
		Issuer: tenant.OAuthURL(""), AuthorizationEndpoint: tenant.OAuthURL("/authorize"), TokenEndpoint: tenant.OAuthURL("/tokens"),
		RevocationEndpoint: tenant.OAuthURL("/tokens/revoke"), IntrospectionEndpoint: tenant.OAuthURL("/tokens/introspect"),
		JWKSURI: tenant.OAuthURL("/jwks"), RegistrationEndpoint: tenant.OAuthURL("/clients"),
		Scopes: oauth2.Scopes(), ResponseTypes: []string{}, ResponseModes: []string{"query", "fragment"},
		GrantTypes: h.grants.GrantTypes(tenant, settings), AuthMethods: methods, RevocationMethods: methods,
		IntrospectionMethods: methods[:2], // clients without a secret may not ask
		ChallengeMethods:     []string{"S256"}, IssuerInAnswer: true,
	}
	for _, grantType := range s.GrantTypes {
		switch grantType {
		case oauth2.DeviceCode:
			s.DeviceEndpoint = tenant.OAuthURL("/device/code")
			s.GrantTypes = append(s.GrantTypes, oauth2.DeviceCodeURN)
		case oauth2.AuthorizationCode:
			s.ResponseTypes = append(s.ResponseTypes, oauth2.CodeResponse)
		case oauth2.Implicit:
			s.ResponseTypes = append(s.ResponseTypes, oauth2.TokenResponse)
		}
	}
	slices.Sort(s.ResponseTypes)
	return s, nil
}
