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
	"gatehouse/internal/registryclient"
	"gatehouse/internal/throttle"
)

// HandlerDeps are what a Handler uses.
type HandlerDeps struct {
	Service  *Service
	Registry *registryclient.Client
	SiteID   string // where this service runs
	Guard    *throttle.Guard
	Ready    httpapi.Ready
	// MayAdminister fails for tokens that strangers' clients hold.
	MayAdminister authn.MayAdminister
}

// Handler serves /v3/security.
type Handler struct {
	HandlerDeps

	policy policy
	probes atomic.Int64
}

// NewHandler returns a Handler.
func NewHandler(d HandlerDeps) *Handler {
	return &Handler{HandlerDeps: d, policy: policy{roles: d.Service, registry: d.Registry, siteID: d.SiteID}}
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
	if tenant, known := h.Registry.At(c.Request.Host); known && tenant.ID != caller.TenantID {
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

type probeResponse struct {
	CheckNum int64 `json:"checkNum"`
}

func (h *Handler) probe() probeResponse { return probeResponse{h.probes.Add(1)} }

// The results of several operations.
type (
	namesResponse struct {
		Names []string `json:"names"`
	}
	changesResponse struct {
		Changes int `json:"changes"`
	}
	authorizedResponse struct {
		IsAuthorized bool `json:"isAuthorized"`
	}
)

// inTenant returns the caller and the tenant that a request names, if the
// caller may ask about it.
func (h *Handler) inTenant(c *gin.Context, tenantID string) (authn.Caller, authn.Tenant, error) {
	ctx := c.Request.Context()
	caller, err := authn.From(ctx)
	if err != nil {
		return authn.Caller{}, authn.Tenant{}, err
	}
	if err := required("tenant", tenantID); err != nil {
		return authn.Caller{}, authn.Tenant{}, err
	}
	tenant, err := h.policy.scope(ctx, caller, tenantID)
	return caller, tenant, err
}

// required fails when a field that must be there is not.
func required(field, value string) error {
	if strings.TrimSpace(value) == "" {
		return apierr.Invalidf("The field %s is required.", field)
	}
	return nil
}

// roleURL returns the address of a role.
func (h *Handler) roleURL(ctx context.Context, tenantID, name string) string {
	tenant, _, _ := h.Registry.Active(ctx, tenantID) // none: an address relative to the host that was asked
	return tenant.BaseURL + "/v3/security/role/" + url.PathEscape(name) + "?tenant=" + url.QueryEscape(tenantID)
}
