package kernel

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
)

func (h *Handler) mountSecrets(r gin.IRouter) {
	vault := r.Group("/vault/secret")
	vault.POST("/validateServicePassword/:secretName", httpapi.Handle(h.validatePassword))
	httpapi.Get(vault, "/:secretType/:secretName", h.readSecret)
	vault.POST("/:secretType/:secretName", httpapi.Handle(h.writeSecret))
	httpapi.Get(vault, "/read/meta/:secretType/:secretName", h.readMeta)
	httpapi.Get(vault, "/list/meta/:secretType", h.listMeta)
	vault.POST("/delete/:secretType/:secretName", httpapi.Handle(h.setVersions(deleted)))
	vault.POST("/undelete/:secretType/:secretName", httpapi.Handle(h.setVersions(undeleted)))
	vault.POST("/destroy/:secretType/:secretName", httpapi.Handle(h.setVersions(destroyed)))
	vault.DELETE("/destroy/meta/:secretType/:secretName", httpapi.Handle(h.eraseSecret))
}

// servicePassword is the name that a service's password has for those who
// have it checked.
const servicePassword = "password"

func errPassword() error { return forbidden("The service and the password do not go together.") }

// validatePassword tells the service tokens, and the service itself, whether
// a password is that service's. Every other answer is the same, so that nobody
// learns which services there are.
func (h *Handler) validatePassword(c *gin.Context) error {
	var body struct {
		Tenant   string `json:"tenant"`
		User     string `json:"user"`
		Password string `json:"password"`
	}
	if err := httpapi.DecodeJSON(c, &body); err != nil {
		return err
	}
	for _, field := range [][2]string{{"user", body.User}, {"password", body.Password}} {
		if err := required(field[0], field[1]); err != nil {
			return err
		}
	}
	caller, tenant, err := h.inTenant(c, body.Tenant)
	if err != nil {
		return err
	}
	if !caller.Service() || caller.TenantID != tenant.ID || caller.Username != "tokens" && caller.Username != body.User {
		return forbidden("Only the service tokens and the service itself may have a password checked.")
	}
	ctx := c.Request.Context()
	attempt, err := h.Guard.Service(ctx, tenant.ID, body.User, c.ClientIP())
	if err != nil {
		return err
	}
	defer attempt.Cancel()
	matches, err := h.Service.PasswordMatches(ctx, tenant.ID, body.User, body.Password)
	if err != nil {
		return err
	}
	if !matches || c.Param("secretName") != servicePassword {
		attempt.Fail()
		return errPassword()
	}
	attempt.Succeed()
	return replyAuthorized(c, true, nil)
}

// target is the secret that a request is about.
type target struct {
	SecretAddress

	path string // how the Security Kernel would call it
}

// target finds out which secret of a tenant and account a request is about,
// and whether the caller may have to do with it.
func (h *Handler) target(c *gin.Context, tenantID, username string) (target, error) {
	caller, tenant, err := h.inTenant(c, tenantID)
	if err != nil {
		return target{}, err
	}
	if err := required("user", username); err != nil {
		return target{}, err
	}
	if err := checkUsername(username); err != nil {
		return target{}, err
	}
	if tenant.SiteAdmin && !caller.Service() {
		// A person may share the name of a service, whose secrets these are.
		return target{}, forbidden("The secrets of an administrative tenant are its services' alone.")
	}
	to := target{SecretAddress: SecretAddress{TenantID: tenant.ID, Type: c.Param("secretType"), Account: username}}
	switch to.Type {
	case UserSecret:
		if err := h.ownSecrets(c.Request.Context(), caller, tenant.ID, username); err != nil {
			return target{}, err
		}
		to.path = "user/" + username + "/kv"
	case serviceSecret:
		if !caller.Service() || caller.Username != username {
			return target{}, forbidden("Secrets of the type service are open to the service alone whose they are.")
		}
		to.Account = username + "@" + caller.TenantID // services of other sites may have the same name
		to.path = "service/" + username + "/kv"
	case systemSecret, databaseSecret:
		if !caller.Service() {
			return target{}, forbidden("Secrets of the type " + to.Type + " are open to services alone.")
		}
		if to.Account, err = opened(c, to.Type, username); err != nil {
			return target{}, err
		}
		to.path = to.Type + "/" + to.Account
	case signingSecret:
		return target{}, forbidden("Signing keys are kept by the authenticator, which gives them to nobody; " +
			"PUT /v3/tokens/keys makes a tenant a new one.")
	default:
		return target{}, apierr.Invalidf("The field secretType must be system, dbcred, user or service.")
	}
	to.path = "secret/tapis/tenant/" + tenant.ID + "/" + to.path
	if name := c.Param("secretName"); name != "" {
		if to.Name, err = canonicalName(name); err != nil {
			return target{}, err
		}
		to.path += "/" + strings.ReplaceAll(to.Name, "+", "/")
	}
	httpapi.Annotate(c.Request.Context(), slog.String("secret_type", to.Type), slog.String("secret_of", to.Account))
	return to, nil
}

// keyTypes are what a secret of the type system can be.
var keyTypes = []string{"sshkey", "password", "accesskey", "token", "tmskey", "cert"}

// opened says what a secret of the types system and dbcred opens, which the
// query of the request tells.
func opened(c *gin.Context, secretType, username string) (string, error) {
	if secretType == databaseSecret {
		parts, err := queryParts(c, "dbservice", "dbhost", "dbname")
		return strings.Join(append(parts, url.PathEscape(username)), "/"), err
	}
	keyType, err := httpapi.QueryText(c, "keytype")
	if err != nil {
		return "", err
	}
	if keyType == "" {
		keyType = keyTypes[0]
	}
	if !slices.Contains(keyTypes, keyType) {
		return "", apierr.Invalidf("The query parameter keytype must be one of %s.", strings.Join(keyTypes, ", "))
	}
	names := []string{"sysid", "sysuser"}
	if keyType == "cert" {
		names = names[:1]
	}
	parts, err := queryParts(c, names...)
	return strings.Join(append(parts, keyType), "/"), err
}

// queryParts reads query parameters that must be there, for a path.
func queryParts(c *gin.Context, names ...string) ([]string, error) {
	var parts []string
	for _, name := range names {
		value, err := httpapi.QueryText(c, name)
		if err != nil {
			return nil, err
		}
		if value == "" || len(value) > maxPart || !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
			return nil, apierr.Invalidf("The query parameter %s is required, with at most %d bytes of text.", name, maxPart)
		}
		parts = append(parts, url.PathEscape(value))
	}
	return parts, nil
}

// ownSecrets fails unless the caller may have to do with an account's secrets
// of the type user.
func (h *Handler) ownSecrets(ctx context.Context, caller authn.Caller, tenantID, username string) error {
	if caller.Username != username || caller.TenantID != tenantID {
		return forbidden("Secrets of the type user are open to the account alone whose they are.")
	}
	return h.MayAdminister(ctx, caller)
}

// queriedSecret is target for requests that name tenant and user in the query.
func (h *Handler) queriedSecret(c *gin.Context) (target, error) {
	tenantID, err := httpapi.QueryText(c, "tenant")
	if err != nil {
		return target{}, err
	}
	username, err := httpapi.QueryText(c, "user")
	if err != nil {
		return target{}, err
	}
	return h.target(c, tenantID, username)
}

type versionResponse struct {
	Version      int    `json:"version"`
	CreatedTime  string `json:"created_time"`
	DeletionTime string `json:"deletion_time"`
	Destroyed    bool   `json:"destroyed"`
}

func newVersionResponse(v SecretVersion) versionResponse {
	return versionResponse{
		Version: v.Version, CreatedTime: instant(v.Created), DeletionTime: instant(v.Deleted),
		Destroyed: v.Destroyed,
	}
}

func (h *Handler) readSecret(c *gin.Context) error {
	to, err := h.queriedSecret(c)
	if err != nil {
		return err
	}
	text, err := httpapi.QueryText(c, "version")
	if err != nil {
		return err
	}
	version := 0
	if text != "" {
		if version, err = strconv.Atoi(text); err != nil || version < 0 || version > 1<<30 {
			return apierr.Invalidf("The query parameter version must be an integer, 0 for the newest version.")
		}
	}
	content, found, err := h.Service.readSecret(c.Request.Context(), to.SecretAddress, version)
	if err != nil {
		return err
	}
	return httpapi.Reply(c, http.StatusOK, struct {
		SecretMap map[string]string `json:"secretMap"`
		Metadata  versionResponse   `json:"metadata"`
	}{content, newVersionResponse(found)}, "The secret.")
}

func (h *Handler) writeSecret(c *gin.Context) error {
	var body struct {
		Tenant  string            `json:"tenant"`
		User    string            `json:"user"`
		Data    map[string]string `json:"data"`
		Options struct {
			CAS *int `json:"cas"`
		} `json:"options"`
	}
	if err := httpapi.DecodeJSON(c, &body); err != nil {
		return err
	}
	to, err := h.target(c, body.Tenant, body.User)
	if err != nil {
		return err
	}
	if err := checkContent(body.Data); err != nil {
		return err
	}
	ctx := c.Request.Context()
	content, err := h.Service.generated(ctx, to.TenantID+":"+to.Type+":"+to.Account, body.Data)
	if err != nil {
		return err
	}
	written, err := h.Service.writeSecret(ctx, to.SecretAddress, content, body.Options.CAS)
	if err != nil {
		return err
	}
	return httpapi.Reply(c, http.StatusOK, newVersionResponse(written), "The secret was written.")
}

func checkContent(data map[string]string) error {
	if len(data) == 0 {
		return apierr.Invalidf("The field data must be an object of at least one name and text.")
	}
	for name := range data {
		if name == "" || len(name) > maxPart {
			return apierr.Invalidf("The names in the field data must have 1 to %d bytes.", maxPart)
		}
	}
	return nil
}

func (h *Handler) readMeta(c *gin.Context) error {
	to, err := h.queriedSecret(c)
	if err != nil {
		return err
	}
	versions, err := h.Service.versions(c.Request.Context(), to.SecretAddress)
	if err != nil {
		return err
	}
	answers := make([]versionResponse, 0, len(versions))
	for _, v := range versions {
		answers = append(answers, newVersionResponse(v))
	}
	first, last := versions[0], versions[len(versions)-1]
	return httpapi.Reply(c, http.StatusOK, struct {
		CreatedTime    string            `json:"created_time"`
		UpdatedTime    string            `json:"updated_time"`
		CurrentVersion int               `json:"current_version"`
		OldestVersion  int               `json:"oldest_version"`
		MaxVersions    int               `json:"max_versions"`
		Versions       []versionResponse `json:"versions"`
	}{instant(first.Created), instant(last.Created), last.Version, first.Version, maxVersions, answers},
		"The versions of the secret.")
}

func (h *Handler) listMeta(c *gin.Context) error {
	to, err := h.queriedSecret(c)
	if err != nil {
		return err
	}
	keys, err := h.Service.folder(c.Request.Context(), to.SecretAddress)
	if err != nil {
		return err
	}
	return httpapi.Reply(c, http.StatusOK, struct {
		SecretPath string   `json:"secretPath"`
		Keys       []string `json:"keys"`
	}{to.path, keys}, "The secrets.")
}

// setVersions deletes versions, brings them back, or destroys them.
func (h *Handler) setVersions(to versionState) httpapi.Handler {
	return func(c *gin.Context) error {
		var body struct {
			Tenant   string `json:"tenant"`
			User     string `json:"user"`
			Versions []int  `json:"versions"`
		}
		if err := httpapi.DecodeJSON(c, &body); err != nil {
			return err
		}
		secret, err := h.target(c, body.Tenant, body.User)
		if err != nil {
			return err
		}
		if body.Versions == nil { // none at all would be all of them
			return apierr.Invalidf("The field versions must be a list of versions: [] for all, [0] for the newest.")
		}
		versions, err := h.Service.setVersions(c.Request.Context(), secret.SecretAddress, body.Versions, to)
		if err != nil {
			return err
		}
		return httpapi.Reply(c, http.StatusOK, versions, fmt.Sprintf("%d versions.", len(versions)))
	}
}

func (h *Handler) eraseSecret(c *gin.Context) error {
	to, err := h.queriedSecret(c)
	if err != nil {
		return err
	}
	if err := h.Service.erase(c.Request.Context(), to.SecretAddress); err != nil {
		return err
	}
	return httpapi.Reply(c, http.StatusOK, nil, "The secret is erased.")
}
