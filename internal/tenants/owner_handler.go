package tenants

import (
	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/tenants/field"
)

type ownerHandler struct {
	registry *registry
}

func (h ownerHandler) mount(r gin.IRoutes) {
	httpapi.Get(r, "/v3/tenants/owners", h.list)
	httpapi.Get(r, "/v3/tenants/owners/:email", h.get)
}

// list answers GET /v3/tenants/owners.
func (h ownerHandler) list(c *gin.Context) error {
	window, err := httpapi.QueryWindow(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	v, err := h.registry.current(ctx)
	if err != nil {
		return err
	}
	answer, err := v.owners.List(ctx, window, "Owners retrieved.")
	if err != nil {
		return err
	}
	answer.Write(c)
	return nil
}

// get answers GET /v3/tenants/owners/{email}.
func (h ownerHandler) get(c *gin.Context) error {
	ctx, email := c.Request.Context(), c.Param("email")
	v, err := h.registry.current(ctx)
	if err != nil {
		return err
	}
	answer, found, err := v.owners.Get(ctx, email, "Owner "+email+" retrieved.")
	if err != nil {
		return err
	}
	if !found {
		return unknownOwner(email)
	}
	answer.Write(c)
	return nil
}

// unknownOwner repeats only what is an address.
func unknownOwner(email string) error {
	if field.Email("email", email) != nil {
		return apierr.New(apierr.NotFound, "There is no such owner.")
	}
	return missing("owner", email)
}
