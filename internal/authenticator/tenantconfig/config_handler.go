package tenantconfig

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/authenticator/tenancy"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
)

// Own reports whether a service account is the authenticator's own.
type Own func(caller authn.Caller) (bool, error)

// Handler serves /v3/oauth2/admin/config to a tenant's administrators, and to
// the authenticator itself.
type Handler struct {
	service *Service
	kernel  *kernel.Service // knows who administers a tenant
	own     Own

	mayAdminister authn.MayAdminister
}

// NewHandler returns a Handler.
func NewHandler(s *Service, k *kernel.Service, own Own, may authn.MayAdminister) *Handler {
	return &Handler{service: s, kernel: k, own: own, mayAdminister: may}
}

// Mount registers the routes on r, below which the caller and the tenant that
// the request is about are known.
func (h *Handler) Mount(r gin.IRouter) {
	httpapi.Get(r, "/admin/config", h.get)
	r.PUT("/admin/config", httpapi.Handle(h.update))
}

// configJSON is a configuration on the wire.
type configJSON struct {
	TenantID string `json:"tenant_id"`
	Values
	Updated   *string `json:"last_update_time"`
	UpdatedBy *string `json:"last_update_by"`
}

func newConfigJSON(c Config) configJSON {
	j := configJSON{TenantID: c.TenantID, Values: c.Values}
	if !c.Updated.IsZero() {
		updated, by := c.Updated.UTC().Format(http.TimeFormat), c.UpdatedBy
		j.Updated = &updated
		if by != "" {
			j.UpdatedBy = &by
		}
	}
	return j
}

func (h *Handler) get(c *gin.Context) error {
	tenantID, _, err := h.allowed(c.Request.Context())
	if err != nil {
		return err
	}
	config, err := h.service.Get(c.Request.Context(), tenantID)
	if err != nil {
		return err
	}
	return httpapi.Reply(c, http.StatusOK, newConfigJSON(config), "Tenant config object retrieved successfully.")
}

func (h *Handler) update(c *gin.Context) error {
	tenantID, by, err := h.allowed(c.Request.Context())
	if err != nil {
		return err
	}
	caller, err := authn.From(c.Request.Context())
	if err != nil {
		return err
	}
	if err := h.mayAdminister(c.Request.Context(), caller); err != nil {
		return err
	}
	change := Change{}
	if err := httpapi.DecodeJSON(c, &change); err != nil {
		return err
	}
	config, err := h.service.Update(c.Request.Context(), tenantID, by, change)
	if err != nil {
		return err
	}
	return httpapi.Reply(c, http.StatusOK, newConfigJSON(config), "Tenant config object updated successfully.")
}

// allowed returns which tenant the request is about and who makes it, if that
// is somebody who may.
func (h *Handler) allowed(ctx context.Context) (tenantID, by string, err error) {
	caller, err := authn.From(ctx)
	if err != nil {
		return "", "", err
	}
	tenant, err := tenancy.From(ctx)
	if err != nil {
		return "", "", err
	}
	if caller.Service() {
		own, err := h.own(caller)
		if err != nil {
			return "", "", err
		}
		if !own {
			return "", "", apierr.New(apierr.Forbidden, "Of service accounts, only the authenticator's own may use this endpoint.")
		}
		return tenant.ID, caller.Username, nil
	}
	if caller.TenantID != tenant.ID {
		return "", "", apierr.New(apierr.Forbidden, "The token belongs to another tenant than the host of this request.")
	}
	admin, err := h.kernel.IsAdmin(ctx, tenant.ID, caller.Username)
	if err != nil {
		return "", "", apierr.Away(err, "The security kernel") // never taken for a yes
	}
	if !admin {
		return "", "", apierr.New(apierr.Forbidden, "Only administrators of tenant %s may see and change its configuration.", tenant.ID)
	}
	return tenant.ID, caller.Username, nil
}
