package kernel

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
)

// Attempt is one try at a service's password, which may come to nothing.
type Attempt interface {
	Succeed()
	Fail()
	Cancel()
}

// HandlerDeps are what a Handler uses.
type HandlerDeps struct {
	Service *Service
	Realm   authn.Realm
	SiteID  string // where this service runs
	// TenantAt returns the id of the tenant whose host this is, if any's.
	TenantAt func(host string) (tenantID string, known bool)
	// BaseURL returns the address of a tenant, or "".
	BaseURL func(ctx context.Context, tenantID string) string
	// Attempt begins a try at a service's password from an address, or fails
	// with an error of kind apierr.TooMany.
	Attempt func(ctx context.Context, tenantID, service, from string) (Attempt, error)
	Ready   httpapi.Ready
}

// Handler serves /v3/security.
type Handler struct {
	HandlerDeps

	rights rights
	probes atomic.Int64
}

// NewHandler returns a Handler.
func NewHandler(d HandlerDeps) *Handler {
	return &Handler{HandlerDeps: d, rights: rights{roles: d.Service, realm: d.Realm, siteID: d.SiteID}}
}

// Mount registers the routes on r, a group at /v3/security. check says who a
// caller is.
func (h *Handler) Mount(r gin.IRouter, check authn.Check) {
	httpapi.Get(r, "/healthcheck", h.alive)
	httpapi.Get(r, "/readycheck", h.ready)
	r = r.Group("", httpapi.NoStore, authn.Require(check), httpapi.Handle(h.sameTenant))
	h.mountRoles(r)
	h.mountSecrets(r)
}

// sameTenant refuses a person's token at the host of another tenant. Services
// come by any host: they call inside clusters, and through proxies.
func (h *Handler) sameTenant(c *gin.Context) error {
	caller, err := authn.From(c.Request.Context())
	if err != nil || caller.Service() {
		return err
	}
	if tenantID, known := h.TenantAt(c.Request.Host); known && tenantID != caller.TenantID {
		return forbidden("The token belongs to another tenant than the host of this request.")
	}
	return nil
}

func (h *Handler) alive(c *gin.Context) error {
	httpapi.Quiet(c.Request.Context())
	return httpapi.Reply(c, http.StatusOK, h.probe(), "The security kernel is alive.")
}

func (h *Handler) ready(c *gin.Context) error {
	if err := h.Ready(c.Request.Context()); err != nil {
		e := apierr.New(apierr.Unavailable, "The security kernel is not ready.").Because(err)
		e.RetryAfter = time.Second
		return e
	}
	httpapi.Quiet(c.Request.Context())
	return httpapi.Reply(c, http.StatusOK, h.probe(), "The security kernel is ready.")
}

type probeAnswer struct {
	CheckNum int64 `json:"checkNum"`
}

func (h *Handler) probe() probeAnswer { return probeAnswer{h.probes.Add(1)} }

// The results of several operations.
type (
	namesAnswer struct {
		Names []string `json:"names"`
	}
	changesAnswer struct {
		Changes int `json:"changes"`
	}
	authorizedAnswer struct {
		IsAuthorized bool `json:"isAuthorized"`
	}
)

// asked reads who asks and checks that it is about a tenant the caller may
// ask about.
func (h *Handler) asked(c *gin.Context, tenantID string) (authn.Caller, authn.Tenant, error) {
	ctx := c.Request.Context()
	caller, err := authn.From(ctx)
	if err != nil {
		return authn.Caller{}, authn.Tenant{}, err
	}
	if err := need("tenant", tenantID); err != nil {
		return authn.Caller{}, authn.Tenant{}, err
	}
	tenant, err := h.rights.scope(ctx, caller, tenantID)
	return caller, tenant, err
}

// need fails when a field that must be there is not.
func need(field, value string) error {
	if strings.TrimSpace(value) == "" {
		return apierr.Invalidf("The field %s is required.", field)
	}
	return nil
}

// roleURL returns the address of a role.
func (h *Handler) roleURL(ctx context.Context, tenantID, name string) string {
	return h.BaseURL(ctx, tenantID) + "/v3/security/role/" + url.PathEscape(name) + "?tenant=" + url.QueryEscape(tenantID)
}
