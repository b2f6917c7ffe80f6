// Package metadata tells clients what the authenticator of a tenant offers
// and where: the authorization server metadata of RFC 8414 and the JWK Set.
//
// It describes and decides nothing; every value comes from where it is
// decided.
package metadata

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/authenticator/tenancy"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/httpapi"
)

// Keys finds the public keys of a tenant.
type Keys interface {
	JWKS(ctx context.Context, tenantID string) ([]keys.JWK, error)
}

// Settings finds what a tenant permits.
type Settings interface {
	For(ctx context.Context, tenantID string) (tenantconfig.Settings, error)
}

// Served reduces grant types to those that are served.
type Served interface {
	GrantTypes(permitted []string) []string
}

// Handler serves the metadata of each tenant.
type Handler struct {
	keys     Keys
	settings Settings
	served   Served
}

// NewHandler returns a Handler.
func NewHandler(k Keys, s Settings, g Served) *Handler {
	return &Handler{keys: k, settings: s, served: g}
}

// Mount registers the routes on r, below which the tenant is known.
func (h *Handler) Mount(r gin.IRoutes) {
	httpapi.Get(r, "/jwks", h.jwks)
	httpapi.Get(r, "/.well-known/oauth-authorization-server", h.server)
}

// cacheControl is how long clients may keep what is published here.
const cacheControl = "public, max-age=300"

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
	c.Header("Cache-Control", cacheControl)
	return httpapi.JSON(c, http.StatusOK, jwksJSON{Keys: set})
}

// serverJSON are the members of RFC 8414 section 2 that apply to what is
// served.
type serverJSON struct {
	Issuer               string   `json:"issuer"`
	TokenEndpoint        string   `json:"token_endpoint"`
	JWKSURI              string   `json:"jwks_uri"`
	RegistrationEndpoint string   `json:"registration_endpoint"`
	ResponseTypes        []string `json:"response_types_supported"`
	GrantTypes           []string `json:"grant_types_supported"`
	AuthMethods          []string `json:"token_endpoint_auth_methods_supported"`
}

// serverReply has the members at the top level for OAuth clients and under
// result for Tapis clients.
type serverReply struct {
	httpapi.Envelope
	serverJSON
}

func (h *Handler) server(c *gin.Context) error {
	ctx := c.Request.Context()
	tenant, err := tenancy.From(ctx)
	if err != nil {
		return err
	}
	settings, err := h.settings.For(ctx, tenant.ID)
	if err != nil {
		return err
	}
	server := serverJSON{
		Issuer:               tenant.OAuthURL(""),
		TokenEndpoint:        tenant.OAuthURL("/tokens"),
		JWKSURI:              tenant.OAuthURL("/jwks"),
		RegistrationEndpoint: tenant.OAuthURL("/clients"),
		ResponseTypes:        []string{},
		GrantTypes:           h.served.GrantTypes(settings.GrantTypes),
		AuthMethods:          []string{"client_secret_basic", "client_secret_post", "none"},
	}
	c.Header("Cache-Control", cacheControl)
	return httpapi.JSON(c, http.StatusOK, serverReply{
		Envelope:   httpapi.Success(ctx, server, "OAuth server metadata retrieved successfully."),
		serverJSON: server,
	})
}
