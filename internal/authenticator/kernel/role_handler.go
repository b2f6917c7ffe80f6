package kernel

import (
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
	httpapi.Get(r, "/role", h.roleNames)
	httpapi.Get(r, "/role/:roleName", h.role)
	r.DELETE("/role/:roleName", httpapi.Handle(h.deleteRole))

	r.POST("/user/grantRole", httpapi.Handle(h.grantRole))
	r.POST("/user/revokeUserRole", httpapi.Handle(h.revokeRole))
	r.POST("/user/revokeRole", httpapi.Handle(h.revokeRole)) // its later name
	r.POST("/user/grantAdminRole", httpapi.Handle(h.grantAdminRole))
	r.POST("/user/revokeAdminRole", httpapi.Handle(h.revokeAdminRole))
	r.POST("/user/isAdmin", httpapi.Handle(h.isAdmin))
	r.POST("/user/hasRole", httpapi.Handle(h.hasRole))
	r.POST("/user/hasRoleAny", httpapi.Handle(h.hasRoles(slices.ContainsFunc[[]string])))
	r.POST("/user/hasRoleAll", httpapi.Handle(h.hasRoles(containsAll)))
	httpapi.Get(r, "/user/withRole/:roleName", h.usersWithRole)
	httpapi.Get(r, "/user/roles/:user", h.userRoles)
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
	if err := need("roleTenant", body.RoleTenant); err != nil {
		return err
	}
	if err := need("roleName", body.RoleName); err != nil {
		return err
	}
	if body.Description == nil {
		return apierr.Invalidf("The field description is required.")
	}
	caller, tenant, err := h.asked(c, body.RoleTenant)
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
	if err := h.policy.mayChange(ctx, caller, tenant, role.Name, create, false); err != nil {
		return err
	}
	created, err := h.Service.CreateRole(ctx, role)
	if err != nil {
		return err
	}
	noteChange(ctx, tenant.ID, role.Name, "")
	status, message := http.StatusOK, "The role exists already."
	if created {
		status, message = http.StatusCreated, "The role was created."
	}
	return httpapi.Reply(c, status, struct {
		URL string `json:"url"`
	}{h.roleURL(ctx, tenant.ID, role.Name)}, message)
}

// queried returns the tenant that the query names, and its tenant.
func (h *Handler) queried(c *gin.Context) (authn.Caller, authn.Tenant, error) {
	tenantID, err := httpapi.QueryText(c, "tenant")
	if err != nil {
		return authn.Caller{}, authn.Tenant{}, err
	}
	return h.asked(c, tenantID)
}

func (h *Handler) roleNames(c *gin.Context) error {
	_, tenant, err := h.queried(c)
	if err != nil {
		return err
	}
	names, err := h.Service.RoleNames(c.Request.Context(), tenant.ID)
	return replyNames(c, names, err, "The roles of the tenant.")
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
	noteChange(c.Request.Context(), tenantID, role, username)
	return httpapi.Reply(c, http.StatusOK, changesResponse{n}, "Done.")
}

func noteChange(ctx context.Context, tenantID, role, username string) {
	httpapi.Annotate(ctx, slog.String("role_tenant", tenantID), slog.String("role", role))
	if username != "" {
		httpapi.Annotate(ctx, slog.String("grantee", username))
	}
}

// question is the body of what is asked or changed about one account.
type question struct {
	Tenant    string   `json:"tenant"`
	User      string   `json:"user"`
	RoleName  string   `json:"roleName"`
	RoleNames []string `json:"roleNames"`
	OrAdmin   bool     `json:"orAdmin"`
}

// read reads a question, whose role is needed or is the given one.
func (h *Handler) read(c *gin.Context, needed ...string) (question, authn.Caller, authn.Tenant, error) {
	var q question
	err := httpapi.DecodeJSON(c, &q)
	if err == nil {
		err = need("user", q.User)
	}
	if err == nil && slices.Contains(needed, "roleName") {
		err = need("roleName", q.RoleName)
	}
	if err == nil && slices.Contains(needed, "roleNames") && len(q.RoleNames) == 0 {
		err = apierr.Invalidf("The field roleNames must be a list of at least one name.")
	}
	if err != nil {
		return question{}, authn.Caller{}, authn.Tenant{}, err
	}
	caller, tenant, err := h.asked(c, q.Tenant)
	return q, caller, tenant, err
}

func (h *Handler) grantRole(c *gin.Context) error {
	q, caller, tenant, err := h.read(c, "roleName")
	if err != nil {
		return err
	}
	return h.grant(c, caller, tenant, q.User, q.RoleName)
}

func (h *Handler) grantAdminRole(c *gin.Context) error {
	q, caller, tenant, err := h.read(c)
	if err != nil {
		return err
	}
	return h.grant(c, caller, tenant, q.User, AdminRole)
}

func (h *Handler) grant(c *gin.Context, caller authn.Caller, tenant authn.Tenant, username, role string) error {
	ctx := c.Request.Context()
	if err := h.mayChange(ctx, caller, tenant, role); err != nil {
		return err
	}
	n, err := h.Service.GrantRole(ctx, tenant.ID, username, role, caller.Username+"@"+caller.TenantID)
	return h.replyChanges(c, tenant.ID, role, username, n, err)
}

func (h *Handler) revokeRole(c *gin.Context) error {
	q, caller, tenant, err := h.read(c, "roleName")
	if err != nil {
		return err
	}
	return h.revoke(c, caller, tenant, q.User, q.RoleName)
}

func (h *Handler) revokeAdminRole(c *gin.Context) error {
	q, caller, tenant, err := h.read(c)
	if err != nil {
		return err
	}
	return h.revoke(c, caller, tenant, q.User, AdminRole)
}

func (h *Handler) revoke(c *gin.Context, caller authn.Caller, tenant authn.Tenant, username, role string) error {
	ctx := c.Request.Context()
	if err := h.mayChange(ctx, caller, tenant, role); err != nil {
		return err
	}
	n, err := h.Service.RevokeRole(ctx, tenant.ID, username, role)
	return h.replyChanges(c, tenant.ID, role, username, n, err)
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

func (h *Handler) usersWithRole(c *gin.Context) error {
	_, tenant, err := h.queried(c)
	if err != nil {
		return err
	}
	names, err := h.Service.UsersWithRole(c.Request.Context(), tenant.ID, c.Param("roleName"))
	return replyNames(c, names, err, "The accounts that have the role.")
}

func (h *Handler) userRoles(c *gin.Context) error {
	_, tenant, err := h.queried(c)
	if err != nil {
		return err
	}
	names, err := h.Service.RolesOf(c.Request.Context(), tenant.ID, c.Param("user"))
	return replyNames(c, names, err, "The roles of the account.")
}

func (h *Handler) admins(c *gin.Context) error {
	_, tenant, err := h.asked(c, c.Param("tenant"))
	if err != nil {
		return err
	}
	names, err := h.Service.Admins(c.Request.Context(), tenant.ID)
	return replyNames(c, names, err, "The administrators of the tenant.")
}
