package discovery

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/authenticator/tenancy"
	"gatehouse/internal/httpapi"
)

// openIDJSON is the discovery document of OpenID Connect Discovery section 3:
// what OAuth clients are told, and what is said of people. The token endpoint
// is the one that answers without the envelope.
type openIDJSON struct {
	serverJSON

	TokenEndpoint      string   `json:"token_endpoint"`
	UserInfoEndpoint   string   `json:"userinfo_endpoint"`
	EndSessionEndpoint string   `json:"end_session_endpoint"`
	SubjectTypes       []string `json:"subject_types_supported"`
	SigningAlgorithms  []string `json:"id_token_signing_alg_values_supported"`
	ClaimTypes         []string `json:"claim_types_supported"`
	Claims             []string `json:"claims_supported"`
	Prompts            []string `json:"prompt_values_supported"`
	RequestParameter   bool     `json:"request_parameter_supported"`
	RequestURI         bool     `json:"request_uri_parameter_supported"` // absent would mean true
}

func (h *Handler) openID(c *gin.Context) error {
	ctx := c.Request.Context()
	tenant, err := tenancy.From(ctx)
	if err != nil {
		return err
	}
	server, err := h.describe(ctx)
	if err != nil {
		return err
	}
	document := openIDJSON{
		serverJSON: server, TokenEndpoint: tenant.OAuthURL("/tokens/oidc"), UserInfoEndpoint: tenant.OAuthURL("/userinfo/oidc"),
		EndSessionEndpoint: tenant.OAuthURL("/logout"), Prompts: []string{"none", "login", "consent", "select_account"},
		SubjectTypes: []string{"public"}, SigningAlgorithms: []string{"RS256"}, ClaimTypes: []string{"normal"},
		Claims: []string{
			"iss", "sub", "aud", "azp", "exp", "iat", "auth_time", "amr", "nonce", "at_hash", "preferred_username", "name", "given_name",
			"family_name", "email", "email_verified", "groups", "tapis/tenant_id",
		},
	}
	c.Header("Cache-Control", cacheControl)
	return httpapi.JSON(c, http.StatusOK, document)
}
