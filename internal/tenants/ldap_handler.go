package tenants

import (
	"context"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/tenants/field"
	"gatehouse/internal/tenants/prepared"
)

// ldapHandler answers reads of LDAP connections. Everybody sees how a
// directory is reached; bind_dn and bind_credential, the account that looks
// people up and the name of its secret, are shown to services only. The
// administrators of a tenant are to see those of the connections that their
// own tenant names; that waits until the registry can ask for roles.
type ldapHandler struct {
	registry *registry
}

// askers are the headers that tell who asks.
var askers = []string{"X-Tapis-Token", "Authorization", "X-Tapis-Tenant", "X-Tapis-User"}

// mount registers the routes on r, which is behind authn.Optional.
func (h ldapHandler) mount(r gin.IRoutes) {
	httpapi.Get(r, "/v3/tenants/ldaps", h.list)
	httpapi.Get(r, "/v3/tenants/ldaps/:ldap_id", h.get)
}

// answers returns what the caller in ctx may see.
func (h ldapHandler) answers(ctx context.Context) (*prepared.Shelf[ldapAnswer], error) {
	v, err := h.registry.current(ctx)
	if err != nil {
		return nil, err
	}
	if caller, known := authn.Known(ctx); known && caller.AccountType == authn.ServiceAccount {
		return v.secrets, nil
	}
	return v.ldaps, nil
}

// list answers GET /v3/tenants/ldaps.
func (h ldapHandler) list(c *gin.Context) error {
	window, err := httpapi.QueryWindow(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	answers, err := h.answers(ctx)
	if err != nil {
		return err
	}
	answer, err := answers.List(ctx, window, "LDAP connections retrieved.")
	if err != nil {
		return err
	}
	answer.WriteTo(c, askers...)
	return nil
}

// get answers GET /v3/tenants/ldaps/{ldap_id}.
func (h ldapHandler) get(c *gin.Context) error {
	ctx, id := c.Request.Context(), c.Param("ldap_id")
	if field.ConnectionID("ldap_id", id) != nil {
		// What is no id is not repeated in the answer.
		return apierr.New(apierr.NotFound, "There is no such LDAP connection.")
	}
	answers, err := h.answers(ctx)
	if err != nil {
		return err
	}
	answer, found, err := answers.Row(ctx, id, "LDAP connection "+id+" retrieved.")
	if err != nil {
		return err
	}
	if !found {
		return apierr.New(apierr.NotFound, "The LDAP connection %s does not exist.", id)
	}
	answer.WriteTo(c, askers...)
	return nil
}
