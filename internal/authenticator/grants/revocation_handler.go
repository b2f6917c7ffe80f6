package grants

import (
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/tenancy"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/registryclient"
)

// readToken reads a request about a token. The hint of its type is not needed.
func readToken(c *gin.Context) (string, *Credentials, error) {
	params, credentials, err := readWithCredentials(c, "token", "token_type_hint")
	if err == nil && params["token"] == "" {
		err = apierr.Invalidf("Missing the required token parameter.")
	}
	return params["token"], credentials, err
}

func (h *Handler) revoke(c *gin.Context) error {
	ctx := c.Request.Context()
	tenant, err := tenancy.From(ctx)
	if err != nil {
		return err
	}
	token, credentials, err := readToken(c)
	if err != nil {
		return err
	}
	jti, err := h.pipeline.Revoke(ctx, tenant, credentials, c.ClientIP(), token)
	switch {
	case err != nil:
		return err
	case jti == "":
		return httpapi.Reply(c, http.StatusOK, "", "There is nothing to revoke: this is no token of the tenant, or it has expired.")
	}
	httpapi.Annotate(ctx, slog.String("jti", jti))
	return httpapi.Reply(c, http.StatusOK, "", "Token "+jti+" has been revoked.")
}

// Inspector serves POST /v3/oauth2/tokens/introspect. Clients ask in the
// tenant of the request's host, services in the tenant that they name.
type Inspector struct {
	pipeline *Pipeline
	registry *registryclient.Client
}

// NewInspector returns an Inspector.
func NewInspector(p *Pipeline, r *registryclient.Client) *Inspector {
	return &Inspector{pipeline: p, registry: r}
}

// Mount registers the route on r, below which the caller is known if there is
// one (authn.Optional).
func (i *Inspector) Mount(r gin.IRouter) {
	r.POST("/tokens/introspect", httpapi.Handle(i.introspect))
}

// introspectionJSON are the members of RFC 7662 section 2.2, and the claims of
// Tapis. There is no envelope around them.
type introspectionJSON struct {
	Active      bool    `json:"active"`
	Scope       *string `json:"scope,omitempty"`
	ClientID    string  `json:"client_id,omitempty"`
	Username    string  `json:"username,omitempty"`
	TokenType   string  `json:"token_type,omitempty"` // Bearer, of an access token
	ExpiresAt   int64   `json:"exp,omitempty"`
	Subject     string  `json:"sub,omitempty"`
	Issuer      string  `json:"iss,omitempty"`
	ID          string  `json:"jti,omitempty"`
	TenantID    string  `json:"tapis/tenant_id,omitempty"`
	Kind        string  `json:"tapis/token_type,omitempty"`
	AccountType string  `json:"tapis/account_type,omitempty"`
	GrantType   string  `json:"tapis/grant_type,omitempty"`
}

func newIntrospectionJSON(i Introspection) introspectionJSON {
	if !i.Active {
		return introspectionJSON{}
	}
	j := introspectionJSON{
		Active: true, Scope: &i.Login.Scope, ClientID: i.ClientID, Username: i.Username, ExpiresAt: i.ExpiresAt.Unix(),
		Subject: i.Username + "@" + i.Tenant.ID, Issuer: i.Tenant.TokenService, ID: i.ID, TenantID: i.Tenant.ID,
		Kind: i.TokenType, AccountType: i.AccountType, GrantType: i.GrantType,
	}
	if i.TokenType == authn.AccessToken {
		j.TokenType = "Bearer"
	}
	return j
}

func (i *Inspector) introspect(c *gin.Context) error {
	ctx := c.Request.Context()
	token, credentials, err := readToken(c)
	if err != nil {
		return err
	}
	caller, known := authn.Known(ctx)
	byService := credentials == nil && known && caller.Service()
	var tenant registryclient.Tenant
	if byService {
		tenant, err = i.registry.Served(ctx, caller.OnBehalfOf.TenantID)
	} else {
		tenant, err = i.registry.ForHost(ctx, c.Request.Host)
	}
	if err != nil {
		return err
	}
	httpapi.Annotate(ctx, slog.String("tenant", tenant.ID))
	var found Introspection
	if byService {
		found, err = i.pipeline.IntrospectAny(ctx, tenant, token)
	} else {
		found, err = i.pipeline.Introspect(ctx, tenant, credentials, c.ClientIP(), token)
	}
	if err != nil {
		return err
	}
	return httpapi.JSON(c, http.StatusOK, newIntrospectionJSON(found))
}
