package tenants

import (
	"context"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/responsecache"
	"gatehouse/internal/tenants/field"
)

// ldapHandler answers reads of LDAP connections. Everybody sees how a
// directory is reached; bind_dn and bind_credential, the account that looks
// people up and the name of its secret, are shown to services, and to the
// administrators of a tenant those of the connections that it names.
type ldapHandler struct {
	registry *registry
	access   access
}

// askers are the headers that tell who asks.
var askers = []string{"X-Tapis-Token", "Authorization", "X-Tapis-Tenant", "X-Tapis-User"}

// mount registers the routes on r, which is behind authn.Optional.
func (h ldapHandler) mount(r gin.IRoutes) {
	httpapi.Get(r, "/v3/tenants/ldaps", h.list)
	httpapi.Get(r, "/v3/tenants/ldaps/:ldap_id", h.get)
}

// answers returns what the caller in ctx may see. one is the id that he asks
// for, empty for all: whether he is an administrator is asked for only where
// it matters.
func (h ldapHandler) answers(ctx context.Context, one string) (*responsecache.Cache[ldapAnswer], error) {
	v, err := h.registry.current(ctx)
	if err != nil {
		return nil, err
	}
	caller, known := authn.Known(ctx)
	switch {
	case !known:
		return v.ldaps, nil
	case caller.Service():
		return v.secrets, nil
	}
	t, _, _ := v.tenant(caller.TenantID)
	concerned := t.names(one) || (one == "" && t.UserLDAPConnectionID+t.ServiceLDAPConnectionID != "")
	if !concerned || !h.access.administers(ctx, caller) {
		return v.ldaps, nil
	}
	mixed := make([]ldapAnswer, len(v.content.LDAPs))
	for i, l := range v.content.LDAPs {
		mixed[i] = newLDAPAnswer(l, t.names(l.ID))
	}
	return responsecache.New(mixed, ldapAnswer.id), nil
}

// list answers GET /v3/tenants/ldaps.
func (h ldapHandler) list(c *gin.Context) error {
	window, err := httpapi.QueryWindow(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	answers, err := h.answers(ctx, "")
	if err != nil {
		return err
	}
	answer, err := answers.List(ctx, window, "LDAP connections retrieved.")
	if err != nil {
		return err
	}
	answer.WritePrivate(c, askers...)
	return nil
}

// get answers GET /v3/tenants/ldaps/{ldap_id}.
func (h ldapHandler) get(c *gin.Context) error {
	ctx, id := c.Request.Context(), c.Param("ldap_id")
	answers, err := h.answers(ctx, id)
	if err != nil {
		return err
	}
	answer, found, err := answers.Get(ctx, id, "LDAP connection "+id+" retrieved.")
	if err != nil {
		return err
	}
	if !found {
		return unknownLDAP(id)
	}
	answer.WritePrivate(c, askers...)
	return nil
}

// unknownLDAP repeats only what could be an id.
func unknownLDAP(id string) error {
	if field.ConnectionID("ldap_id", id) != nil {
		return apierr.New(apierr.NotFound, "There is no such LDAP connection.")
	}
	return missing("ldap", id)
}
