package servicetokens

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
)

// Handler serves /v3/tokens and /v3/site-router/tokens.
type Handler struct {
	service *Service
	require gin.HandlerFunc
}

// NewHandler returns a Handler that lets check say whose a token is.
func NewHandler(s *Service, check authn.Check) *Handler {
	return &Handler{service: s, require: authn.Require(check)}
}

// Mount registers the routes on r. The host of a request says nothing here.
func (h *Handler) Mount(r gin.IRouter) {
	r.POST("/v3/tokens", httpapi.NoStore, h.authenticate, httpapi.Handle(h.create))
	r.PUT("/v3/tokens", httpapi.NoStore, httpapi.Handle(h.refresh))
	r.POST("/v3/tokens/revoke", httpapi.NoStore, httpapi.Handle(h.revoke))
	r.POST("/v3/site-router/tokens/revoke", httpapi.NoStore, h.require, httpapi.Handle(h.routers), httpapi.Handle(h.revoke))
	r.PUT("/v3/tokens/keys", httpapi.NoStore, h.require, httpapi.Handle(h.rotateKey))
	httpapi.Get(r, "/v3/site-router/tokens/check", h.check)
}

type requesterKey struct{}

// authenticate finds out who asks: a service by its password, or the holder
// of a token.
func (h *Handler) authenticate(c *gin.Context) {
	authorization, token := c.GetHeader("Authorization"), c.GetHeader("X-Tapis-Token")
	basic, found, err := httpapi.ParseBasic(authorization)
	switch {
	case authorization != "" && token != "":
		err = apierr.Invalidf("The request has both headers Authorization and X-Tapis-Token; one of them says who asks.")
	case err != nil:
		err = needPassword("The Authorization header is not well-formed HTTP Basic.").Because(err)
	case authorization == "" && token == "":
		err = needPassword("The name and password of a service are needed, by HTTP Basic, or its token in X-Tapis-Token.")
	case !found:
		h.require(c)
		return
	}
	if err == nil {
		err = h.signIn(c, basic)
	}
	if err != nil {
		httpapi.Fail(c, err)
	}
}

func (h *Handler) signIn(c *gin.Context, basic httpapi.Basic) error {
	ctx := c.Request.Context()
	who, err := h.service.SignIn(ctx, basic, c.ClientIP())
	if err != nil {
		return err
	}
	httpapi.Annotate(ctx, slog.String("user", who.Caller.Username), slog.String("tenant", who.Caller.TenantID))
	c.Request = c.Request.WithContext(context.WithValue(ctx, requesterKey{}, who))
	return nil
}

func (h *Handler) create(c *gin.Context) error {
	ctx := c.Request.Context()
	who, found := ctx.Value(requesterKey{}).(Requester)
	if !found {
		caller, err := authn.From(ctx)
		if err != nil {
			return err
		}
		who.Caller = caller
	}
	var req IssueRequest
	if err := httpapi.DecodeJSON(c, &req); err != nil {
		return err
	}
	pair, err := h.service.Create(ctx, who, req)
	if err != nil {
		return err
	}
	httpapi.Annotate(ctx, slog.String("subject", req.Username+"@"+req.TenantID))
	return reply(c, pair, "Token generation successful.")
}

func (h *Handler) refresh(c *gin.Context) error {
	var body struct {
		RefreshToken string `json:"refresh_token"`
	}
	if err := httpapi.DecodeJSON(c, &body); err != nil {
		return err
	}
	pair, err := h.service.Renew(c.Request.Context(), body.RefreshToken)
	if err != nil {
		return err
	}
	return reply(c, pair, "Token refresh successful.")
}

func reply(c *gin.Context, pair tokens.Pair, message string) error {
	httpapi.Annotate(c.Request.Context(), slog.String("jti", pair.Access.ID))
	return httpapi.Reply(c, http.StatusOK, pair.Response(), message)
}
