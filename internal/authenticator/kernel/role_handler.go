package kernel

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
)

func (h *Handler) mountRoles(r gin.IRouter) {
	r.POST("/role", httpapi.Handle(h.createRole))
	httpapi.Get(r, "/role", h.names("The roles of the tenant.", "", func(ctx context.Context, tenantID, _ string) ([]string, error) {
		return h.Service.RoleNames(ctx, tenantID)
	}))
	httpapi.Get(r, "/role/:roleName", h.role)
	r.DELETE("/role/:roleName", httpapi.Handle(h.deleteRole))

	r.POST("/user/grantRole", httpapi.Handle(h.changeGrant("", h.grant)))
	r.POST("/user/revokeUserRole", httpapi.Handle(h.changeGrant("", h.revoke)))
	r.POST("/user/revokeRole", httpapi.Handle(h.changeGrant("", h.revoke))) // its later name
	r.POST("/user/grantAdminRole", httpapi.Handle(h.changeGrant(AdminRole, h.grant)))
	r.POST("/user/revokeAdminRole", httpapi.Handle(h.changeGrant(AdminRole, h.revoke)))
	r.POST("/user/isAdmin", httpapi.Handle(h.isAdmin))
	r.POST("/user/hasRole", httpapi.Handle(h.hasRole))
	r.POST("/user/hasRoleAny", httpapi.Handle(h.hasRoles(slices.ContainsFunc[[]string])))
	r.POST("/user/hasRoleAll", httpapi.Handle(h.hasRoles(containsAll)))
	httpapi.Get(r, "/user/withRole/:roleName", h.names("The accounts that have the role.", "roleName", h.Service.UsersWithRole))
	httpapi.Get(r, "/user/roles/:user", h.names("The roles of the account.", "user", h.Service.RolesOf))
	httpapi.Get(r, "/user/admins/:tenant", h.admins)
}

type roleResponse struct {
	Tenant      string `json:"tenant"`
	Type        string `json:"type"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Owner       string `json:"owner"`
	OwnerTenant string `json:"ownerTenant"`
	Created     string `json:"created"`
	Updated     string `json:"updated"`
}

// instant writes times as the Security Kernel does (RFC 3339).
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000Z")
}

func (h *Handler) createRole(c *gin.Context) error {
	var body struct {
		RoleTenant  string  `json:"roleTenant"`
		RoleName    string  `json:"roleName"`
		Description *string `json:"description"`
	}
	if err := httpapi.DecodeJSON(c, &body); err != nil {
		return err
	}
	if err := required("roleTenant", body.RoleTenant); err != nil {
		return err
	}
	if err := required("roleName", body.RoleName); err != nil {
		return err
	}
	if body.Description == nil {
		return apierr.Invalidf("The field description is required.")
	}
	caller, tenant, err := h.inTenant(c, body.RoleTenant)
	if err != nil {
		return err
	}
	owner := ownerOf(caller, tenant.ID)
	role := Role{
		TenantID: tenant.ID, Name: body.RoleName, Owner: owner.Username, OwnerTenant: owner.TenantID,
		Description: *body.Description,
	}
	if err := role.validate(); err != nil && !isBuiltin(role.Name) {
		return err
	}
	ctx := c.Request.Context()
	if err := h.MayAdminister(ctx, caller); err != nil {
		return err
	}
	if err := h.policy.mayChange(ctx, caller, tenant, role.Name, create, false); err != nil {
		return err
	}
	created, err := h.Service.CreateRole(ctx, role)
	if err != nil {
		return err
	}
	annotateChange(ctx, tenant.ID, role.Name, "")
	status, message := http.StatusOK, "The role exists already."
	if created {
		status, message = http.StatusCreated, "The role was created."
	}
	return httpapi.Reply(c, status, struct {
		URL string `json:"url"`
	}{h.roleURL(ctx, tenant.ID, role.Name)}, message)
}

// queried is inTenant for the tenant that the query names.
func (h *Handler) queried(c *gin.Context) (authn.Caller, authn.Tenant, error) {
	tenantID, err := httpapi.QueryText(c, "tenant")
	if err != nil {
		return authn.Caller{}, authn.Tenant{}, err
	}
	return h.inTenant(c, tenantID)
}

// names answers what list finds in the tenant that the query names, about what
// a part of the path says.
func (h *Handler) names(
	message, param string, list func(ctx context.Context, tenantID, about string) ([]string, error),
) httpapi.Handler {
	return func(c *gin.Context) error {
		_, tenant, err := h.queried(c)
		if err != nil {
			return err
		}
		names, err := list(c.Request.Context(), tenant.ID, c.Param(param))
		return replyNames(c, names, err, message)
	}
}

func replyNames(c *gin.Context, names []string, err error, message string) error {
	if err != nil {
		return err
	}
	return httpapi.Reply(c, http.StatusOK, namesResponse{names}, message)
}

func (h *Handler) role(c *gin.Context) error {
	_, tenant, err := h.queried(c)
	if err != nil {
		return err
	}
	r, err := h.Service.Role(c.Request.Context(), tenant.ID, c.Param("roleName"))
	if err != nil {
		return err
	}
	return httpapi.Reply(c, http.StatusOK, roleResponse{
		Tenant: r.TenantID, Type: roleType(r.Name), Name: r.Name, Description: r.Description,
		Owner: r.Owner, OwnerTenant: r.OwnerTenant, Created: instant(r.Created), Updated: instant(r.LastUpdated),
	}, "The role.")
}

func (h *Handler) deleteRole(c *gin.Context) error {
	caller, tenant, err := h.queried(c)
	if err != nil {
		return err
	}
	ctx, name := c.Request.Context(), c.Param("roleName")
	if err := h.mayChange(ctx, caller, tenant, name); err != nil {
		return err
	}
	n, err := h.Service.DeleteRole(ctx, tenant.ID, name)
	return h.replyChanges(c, tenant.ID, name, "", n, err)
}

// mayChange finds out whether the caller may change a role that exists.
func (h *Handler) mayChange(ctx context.Context, caller authn.Caller, tenant authn.Tenant, name string) error {
	if err := h.MayAdminister(ctx, caller); err != nil {
		return err
	}
	role, err := h.Service.Role(ctx, tenant.ID, name)
	if err != nil && !apierr.Is(err, apierr.NotFound) {
		return err
	}
	owner := err == nil && role.Owner == caller.Username && role.OwnerTenant == caller.TenantID
	return h.policy.mayChange(ctx, caller, tenant, name, change, owner)
}

// replyChanges answers a change and notes in the access log what it was.
func (h *Handler) replyChanges(c *gin.Context, tenantID, role, username string, n int, err error) error {
	if err != nil {
		return err
	}
	annotateChange(c.Request.Context(), tenantID, role, username)
	return httpapi.Reply(c, http.StatusOK, changesResponse{n}, "Done.")
}

func annotateChange(ctx context.Context, tenantID, role, username string) {
	httpapi.Annotate(ctx, slog.String("role_tenant", tenantID), slog.String("role", role))
	if username != "" {
		httpapi.Annotate(ctx, slog.String("grantee", username))
	}
}

// roleRequest is the body of what is asked or changed about one account.
type roleRequest struct {
	Tenant    string   `json:"tenant"`
	User      string   `json:"user"`
	RoleName  string   `json:"roleName"`
	RoleNames []string `json:"roleNames"`
	OrAdmin   bool     `json:"orAdmin"`
}

// read reads a roleRequest, whose role is needed or is the given one.
func (h *Handler) read(c *gin.Context, needed ...string) (roleRequest, authn.Caller, authn.Tenant, error) {
	var q roleRequest
	err := httpapi.DecodeJSON(c, &q)
	if err == nil {
		err = required("user", q.User)
	}
	if err == nil && slices.Contains(needed, "roleName") {
		err = required("roleName", q.RoleName)
	}
	if err == nil && slices.Contains(needed, "roleNames") && len(q.RoleNames) == 0 {
		err = apierr.Invalidf("The field roleNames must be a list of at least one name.")
	}
	if err != nil {
		return roleRequest{}, authn.Caller{}, authn.Tenant{}, err
	}
	caller, tenant, err := h.inTenant(c, q.Tenant)
	return q, caller, tenant, err
}

// changeGrant changes who holds a role, the given one or that of the body.
func (h *Handler) changeGrant(
	role string, change func(ctx context.Context, caller authn.Caller, tenantID, username, role string) (int, error),
) httpapi.Handler {
	var needed []string
	if role == "" {
		needed = []string{"roleName"}
	}
	return func(c *gin.Context) error {
		q, caller, tenant, err := h.read(c, needed...)
		if err != nil {
			return err
		}
		ctx, role := c.Request.Context(), cmp.Or(role, q.RoleName)
		if err := h.mayChange(ctx, caller, tenant, role); err != nil {
			return err
		}
		n, err := change(ctx, caller, tenant.ID, q.User, role)
		return h.replyChanges(c, tenant.ID, role, q.User, n, err)
	}
}

func (h *Handler) grant(ctx context.Context, caller authn.Caller, tenantID, username, role string) (int, error) {
	return h.Service.GrantRole(ctx, tenantID, username, role, caller.Username+"@"+caller.TenantID)
}

func (h *Handler) revoke(ctx context.Context, _ authn.Caller, tenantID, username, role string) (int, error) {
	return h.Service.RevokeRole(ctx, tenantID, username, role)
}

func (h *Handler) isAdmin(c *gin.Context) error {
	q, _, tenant, err := h.read(c)
	if err != nil {
		return err
	}
	admin, err := h.Service.IsAdmin(c.Request.Context(), tenant.ID, q.User)
	return replyAuthorized(c, admin, err)
}

func replyAuthorized(c *gin.Context, authorized bool, err error) error {
	if err != nil {
		return err
	}
	message := "Authorized."
	if !authorized {
		message = "Not authorized."
	}
	return httpapi.Reply(c, http.StatusOK, authorizedResponse{authorized}, message)
}

func (h *Handler) hasRole(c *gin.Context) error {
	q, _, tenant, err := h.read(c, "roleName")
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	has, err := h.Service.HasRole(ctx, tenant.ID, q.User, q.RoleName)
	if err == nil && !has && q.OrAdmin {
		has, err = h.Service.IsAdmin(ctx, tenant.ID, q.User)
	}
	return replyAuthorized(c, has, err)
}

// hasRoles answers whether an account has enough of several roles.
func (h *Handler) hasRoles(enough func(names []string, has func(string) bool) bool) httpapi.Handler {
	return func(c *gin.Context) error {
		q, _, tenant, err := h.read(c, "roleNames")
		if err != nil {
			return err
		}
		held, err := h.Service.RolesOf(c.Request.Context(), tenant.ID, q.User)
		if err != nil {
			return err
		}
		held = append(held, defaultRolePrefix+q.User)
		has := func(name string) bool { return slices.Contains(held, name) }
		return replyAuthorized(c, enough(q.RoleNames, has) || q.OrAdmin && has(AdminRole), nil)
	}
}

func containsAll(names []string, has func(string) bool) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return !has(name) })
}

func (h *Handler) admins(c *gin.Context) error {
	_, tenant, err := h.inTenant(c, c.Param("tenant"))
	if err != nil {
		return err
	}
	names, err := h.Service.Admins(c.Request.Context(), tenant.ID)
	return replyNames(c, names, err, "The administrators of the tenant.")
}
