package grants

import (
	"context"
	"crypto/subtle"
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/oauth2"
	"gatehouse/internal/authenticator/tenancy"
	"gatehouse/internal/authenticator/userinfo"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/registryclient"
)

// Handler serves the endpoints of clients: tokens, their revocation, and
// device codes.
type Handler struct {
	pipeline *Pipeline
	ids      *userinfo.Service
	count    func(grantType, outcome string)
}

// NewHandler returns a Handler that tells count of every request: its grant
// type, or other, and ok or the OAuth error code. count may be nil.
func NewHandler(p *Pipeline, ids *userinfo.Service, count func(grantType, outcome string)) *Handler {
	return &Handler{pipeline: p, ids: ids, count: count}
}

// Mount registers the routes on r, below which the tenant is known.
func (h *Handler) Mount(r gin.IRouter) {
	r.POST("/tokens", httpapi.Handle(h.create))
	r.POST("/tokens/oidc", httpapi.Handle(h.createFlat))
	r.POST("/tokens/revoke", httpapi.Handle(h.revoke))
	r.POST("/device/code", httpapi.Handle(h.device))
}

// parameters are all that the token endpoint reads beside credentials.
var parameters = []string{
	"grant_type", "username", "password", "code", "redirect_uri", "code_verifier", "device_code", "refresh_token", "scope",
}

// replyJSON has two shapes in one: the Tapis envelope, and beside it the
// members of RFC 6749 section 5.1, so that any OAuth library reads it.
type replyJSON struct {
	httpapi.Envelope
	grantedJSON
}

// grantedJSON are the members of RFC 6749 section 5.1, and the ID token of
// OpenID Connect Core section 3.1.3.3.
type grantedJSON struct {
	AccessToken  string  `json:"access_token"`
	TokenType    string  `json:"token_type"`
	ExpiresIn    int64   `json:"expires_in"`
	RefreshToken string  `json:"refresh_token,omitempty"`
	IDToken      string  `json:"id_token,omitempty"`
	Scope        *string `json:"scope,omitempty"` // what was granted; absent: none was asked for
}

func (h *Handler) create(c *gin.Context) error {
	out, granted, err := h.grant(c)
	if err != nil {
		return err
	}
	pair := out.Response()
	pair.AccessToken.IDToken = granted.IDToken
	return httpapi.JSON(c, http.StatusOK, replyJSON{
		Envelope: httpapi.Success(c.Request.Context(), pair, "Token created successfully."), grantedJSON: granted,
	})
}

// createFlat answers without the envelope, for OpenID Connect clients that
// were told of this endpoint.
func (h *Handler) createFlat(c *gin.Context) error {
	_, granted, err := h.grant(c)
	if err != nil {
		return err
	}
	return httpapi.JSON(c, http.StatusOK, granted)
}

// grant reads a token request and carries it out.
func (h *Handler) grant(c *gin.Context) (Outcome, grantedJSON, error) {
	ctx := c.Request.Context()
	tenant, err := tenancy.From(ctx)
	if err != nil {
		return Outcome{}, grantedJSON{}, err
	}
	params, credentials, err := readWithCredentials(c, parameters...)
	if err != nil {
		return Outcome{}, grantedJSON{}, err
	}
	out, err := h.exchange(ctx, tenant, Request{
		GrantType: params["grant_type"], Credentials: credentials, Username: params["username"], Password: params["password"],
		Code: params["code"], RedirectURI: params["redirect_uri"], CodeVerifier: params["code_verifier"],
		DeviceCode: params["device_code"], RefreshToken: params["refresh_token"], Scope: params["scope"], Address: c.ClientIP(),
	})
	if err != nil {
		return Outcome{}, grantedJSON{}, err
	}
	httpapi.Annotate(ctx, slog.String("grant", out.Request.GrantType), slog.String("jti", out.Access.ID))
	granted, scope := newGranted(out), out.Request.Scope()
	if granted.IDToken, err = h.ids.IDToken(ctx, tenant, out.Request, out.Access.Value); err != nil {
		return Outcome{}, grantedJSON{}, err
	}
	if scope != "" || params["scope"] != "" || out.approved {
		granted.Scope = &scope // unknown scopes are ignored, and that is said
	}
	return out, granted, nil
}

// exchange passes a request on and counts it.
func (h *Handler) exchange(ctx context.Context, tenant registryclient.Tenant, req Request) (Outcome, error) {
	out, err := h.pipeline.Exchange(ctx, tenant, req)
	if h.count == nil {
		return out, err
	}
	grantType, outcome := req.GrantType, "ok"
	if grantType == oauth2.DeviceCodeURN {
		grantType = oauth2.DeviceCode
	}
	if !known(grantType) {
		grantType = "other"
	}
	if err != nil {
		outcome = httpapi.Code(err)
	}
	h.count(grantType, outcome)
	return out, err
}

func newGranted(out Outcome) grantedJSON {
	r := grantedJSON{
		AccessToken: out.Access.Value, TokenType: "Bearer", ExpiresIn: int64(out.Access.TTL.Seconds()),
	}
	if out.Refresh != nil {
		r.RefreshToken = out.Refresh.Value
	}
	return r
}

// credentialsOf reads the client's credentials from the Authorization header
// or the body. Sending them twice is allowed only if they agree.
func credentialsOf(authorization string, params httpapi.Params) (*Credentials, error) {
	secret := params["client_secret"]
	if key := params["client_key"]; key != "" {
		if secret != "" && !same(secret, key) {
			return nil, apierr.Invalidf("The parameters client_key and client_secret differ.")
		}
		secret = key
	}
	id := params["client_id"]
	if id == "" && secret != "" {
		return nil, apierr.Invalidf("The parameter client_id is missing beside the client's secret.")
	}
	basic, found, err := httpapi.ParseBasic(authorization)
	switch {
	case err != nil:
		return nil, err
	case found && id != "" && id != basic.Name, found && secret != "" && !same(secret, basic.Secret):
		return nil, apierr.Invalidf("The client credentials in the Authorization header and in the body differ.")
	case found:
		return &Credentials{ID: basic.Name, Secret: basic.Secret, Basic: true}, nil
	case id != "":
		return &Credentials{ID: id, Secret: secret}, nil
	}
	return nil, nil // no client took part
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
