package clients

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
)

// Handler serves /v3/oauth2/clients to the people of a tenant, and to services
// that have clients of their own.
type Handler struct {
	service *Service
	kernel  *kernel.Service // knows who administers a tenant
	// mayAdminister fails for tokens that strangers' clients hold.
	mayAdminister authn.MayAdminister
	// showKeys lets owners read the keys of their clients again later; it is
	// the configuration client_key_display: owner.
	showKeys bool
}

// NewHandler returns a Handler.
func NewHandler(s *Service, k *kernel.Service, may authn.MayAdminister, showKeys bool) *Handler {
	return &Handler{service: s, kernel: k, mayAdminister: may, showKeys: showKeys}
}

// Mount registers the routes on r, below which the caller is known.
func (h *Handler) Mount(r gin.IRouter) {
	httpapi.Get(r, "/clients", as(h.list))
	r.POST("/clients", httpapi.Handle(h.administering(h.create)))
	httpapi.Get(r, "/clients/:client_id", h.administering(h.get))
	r.PUT("/clients/:client_id", httpapi.Handle(h.administering(h.update)))
	r.DELETE("/clients/:client_id", httpapi.Handle(h.administering(h.remove)))
	r.POST("/clients/:client_id/secret", httpapi.Handle(h.administering(h.rotate)))
}

// clientJSON is a client on the wire; docs/wire.md.
type clientJSON struct {
	ClientID     string   `json:"client_id"`
	ClientKey    *string  `json:"client_key"`
	Owner        string   `json:"owner"`
	TenantID     string   `json:"tenant_id"`
	CallbackURL  string   `json:"callback_url"`
	RedirectURIs []string `json:"redirect_uris"`
	DisplayName  string   `json:"display_name"`
	Description  string   `json:"description"`
	AuthMethod   string   `json:"token_endpoint_auth_method"`
	GrantTypes   []string `json:"grant_types,omitempty"` // absent: all that the tenant permits
	Active       bool     `json:"active"`
	Trusted      bool     `json:"trusted"` // people may administer through it
	Created      string   `json:"create_time"`
	LastUpdated  string   `json:"last_update_time"`
	PreviousKey  string   `json:"previous_key_expiry_time,omitempty"` // absent: no earlier key is good
}

func newClientJSON(c Client) clientJSON {
	j := clientJSON{
		ClientID: c.ID, Owner: strings.TrimPrefix(c.Owner, servicePrefix), TenantID: c.TenantID, CallbackURL: c.CallbackURL(),
		RedirectURIs: c.RedirectURIs, GrantTypes: c.GrantTypes, DisplayName: c.DisplayName,
		Description: c.Description, AuthMethod: c.AuthMethod, Active: c.Active, Trusted: c.Trusted,
		Created: c.Created.UTC().Format(http.TimeFormat), LastUpdated: c.LastUpdated.UTC().Format(http.TimeFormat),
	}
	if c.Key != "" {
		j.ClientKey = &c.Key
	}
	if !c.PreviousKeyEnds.IsZero() {
		j.PreviousKey = c.PreviousKeyEnds.UTC().Format(http.TimeFormat)
	}
	return j
}

// createRequest is a Registration on the wire.
type createRequest struct {
	ID           string   `json:"client_id"`
	Key          string   `json:"client_key"`
	CallbackURL  string   `json:"callback_url"`
	DisplayName  string   `json:"display_name"`
	Description  string   `json:"description"`
	AuthMethod   string   `json:"token_endpoint_auth_method"`
	RedirectURIs []string `json:"redirect_uris"`
	GrantTypes   []string `json:"grant_types"`
}

func (h *Handler) create(c *gin.Context, caller caller) error {
	var req createRequest
	if err := httpapi.DecodeJSON(c, &req); err != nil {
		return err
	}
	client, err := h.service.Register(c.Request.Context(), caller.tenantID, caller.username, Registration(req))
	if err != nil {
		return err
	}
	return httpapi.Reply(c, http.StatusCreated, newClientJSON(client), "Client created successfully.")
}

func (h *Handler) list(c *gin.Context, caller caller) error {
	window, err := httpapi.QueryWindow(c)
	if err != nil {
		return err
	}
	inactive, err := httpapi.QueryBool(c, "show_inactive")
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	found, total, err := h.service.List(ctx, caller.tenantID, caller.username, inactive, h.maySeeKeys(caller),
		window.Limit, window.Offset)
	if err != nil {
		return err
	}
	list := make([]clientJSON, 0, len(found))
	for _, client := range found {
		list = append(list, newClientJSON(client))
	}
	envelope := httpapi.Success(ctx, list, "Clients retrieved successfully.")
	envelope.Metadata = window.Page(len(list), total)
	return httpapi.JSON(c, http.StatusOK, envelope)
}

func (h *Handler) get(c *gin.Context, caller caller) error {
	client, err := h.service.Get(c.Request.Context(), caller.tenantID, caller.username, c.Param("client_id"), h.maySeeKeys(caller))
	if err != nil {
		return err
	}
	return httpapi.Reply(c, http.StatusOK, newClientJSON(client), "Client object retrieved successfully.")
}

func (h *Handler) update(c *gin.Context, caller caller) error {
	if err := mayChange(caller, c.Param("client_id")); err != nil {
		return err
	}
	var req struct {
		CallbackURL  *string         `json:"callback_url"`
		RedirectURIs *[]string       `json:"redirect_uris"`
		DisplayName  *string         `json:"display_name"`
		ClientID     json.RawMessage `json:"client_id"`
		ClientKey    json.RawMessage `json:"client_key"`
		Description  json.RawMessage `json:"description"`
		Trusted      *bool           `json:"trusted"`
	}
	if err := httpapi.DecodeJSON(c, &req); err != nil {
		return err
	}
	for _, fixed := range []struct {
		name string
		sent json.RawMessage
	}{{"client_id", req.ClientID}, {"client_key", req.ClientKey}, {"description", req.Description}} {
		if len(fixed.sent) > 0 && string(fixed.sent) != "null" {
			return apierr.Invalidf("Changing the field %s is not currently supported.", fixed.name)
		}
	}
	if req.Trusted != nil {
		if req.CallbackURL != nil || req.RedirectURIs != nil || req.DisplayName != nil {
			return apierr.Invalidf("The field trusted is changed alone, by an administrator of the tenant.")
		}
		return h.trust(c, caller, *req.Trusted)
	}
	client, err := h.service.Update(c.Request.Context(), caller.tenantID, caller.username, c.Param("client_id"),
		Change{CallbackURL: req.CallbackURL, DisplayName: req.DisplayName, RedirectURIs: req.RedirectURIs}, h.maySeeKeys(caller))
	if err != nil {
		return err
	}
	return httpapi.Reply(c, http.StatusOK, newClientJSON(client), "Client updated successfully.")
}

// trust lets people administer through a client, or no longer, for the
// administrators of the tenant.
func (h *Handler) trust(c *gin.Context, caller caller, trusted bool) error {
	ctx := c.Request.Context()
	admin, err := h.kernel.IsAdmin(ctx, caller.tenantID, caller.username)
	if err != nil {
		return apierr.Away(err, "The security kernel")
	}
	if !admin {
		return apierr.New(apierr.Forbidden, "Only administrators of the tenant %s say which clients are trusted.", caller.tenantID)
	}
	client, err := h.service.Trust(ctx, caller.tenantID, c.Param("client_id"), trusted)
	if err != nil {
		return err
	}
	httpapi.Annotate(ctx, slog.String("client_trusted", client.ID), slog.Bool("trusted", trusted))
	return httpapi.Reply(c, http.StatusOK, newClientJSON(client), "Client updated successfully.")
}

func (h *Handler) remove(c *gin.Context, caller caller) error {
	if err := mayChange(caller, c.Param("client_id")); err != nil {
		return err
	}
	if err := h.service.Deactivate(c.Request.Context(), caller.tenantID, caller.username, c.Param("client_id")); err != nil {
		return err
	}
	return httpapi.Reply(c, http.StatusOK, nil, "Client status updated to inactive successfully.")
}

func (h *Handler) rotate(c *gin.Context, caller caller) error {
	if !caller.direct {
		return apierr.New(apierr.Forbidden,
			"A token that was made through a client cannot get a client's new key; use one made without a client.")
	}
	var req struct {
		ClientKey string `json:"client_key"`
		Overlap   *int64 `json:"overlap"` // seconds
	}
	if c.Request.ContentLength != 0 {
		if err := httpapi.DecodeJSON(c, &req); err != nil {
			return err
		}
	}
	overlap := DefaultOverlap
	if req.Overlap != nil {
		if *req.Overlap < 0 || *req.Overlap > int64(MaxOverlap.Seconds()) {
			return apierr.Invalidf("The field overlap must be between 0 and %d seconds.", int64(MaxOverlap.Seconds()))
		}
		overlap = time.Duration(*req.Overlap) * time.Second
	}
	client, err := h.service.RotateKey(c.Request.Context(), caller.tenantID, caller.username, c.Param("client_id"),
		req.ClientKey, overlap)
	if err != nil {
		return err
	}
	return httpapi.Reply(c, http.StatusOK, newClientJSON(client), "Client key rotated successfully.")
}

// caller is for whom a request is carried out.
type caller struct {
	tenantID, username string
	// direct holds for tokens that no registered client has seen: made without
	// a client, or through the token web application of the tenant itself.
	direct   bool
	clientID string // through which the token was made
}

// as carries out a request for whoever it is for.
func as(serve func(c *gin.Context, caller caller) error) func(c *gin.Context) error {
	return func(c *gin.Context) error {
		caller, err := callerOf(c)
		if err != nil {
			return err
		}
		return serve(c, caller)
	}
}

// administering is as for what a token may not do that a stranger's client
// holds.
func (h *Handler) administering(serve func(c *gin.Context, caller caller) error) func(c *gin.Context) error {
	return func(c *gin.Context) error {
		who, err := authn.From(c.Request.Context())
		if err != nil {
			return err
		}
		if err := h.mayAdminister(c.Request.Context(), who); err != nil {
			return err
		}
		return as(serve)(c)
	}
}

// servicePrefix stands before the name of a service where the owner of a client
// is kept, since a person may have the same name. No person's name may begin
// with it.
const servicePrefix = "service:"

// callerOf returns for whom a request is. A service has clients of its own in
// each tenant, under its name or that name behind _tapis_, and touches nobody
// else's.
func callerOf(c *gin.Context) (caller, error) {
	who, err := authn.From(c.Request.Context())
	if err != nil {
		return caller{}, err
	}
	if !who.Service() {
		direct := who.ClientID == "" || who.ClientID == WebAppID(who.TenantID)
		return caller{tenantID: who.TenantID, username: who.Username, direct: direct, clientID: who.ClientID}, nil
	}
	subject := who.OnBehalfOf
	if subject.Username != who.Username && subject.Username != "_tapis_"+who.Username {
		return caller{}, apierr.New(apierr.Forbidden,
			"A service manages only its own clients: X-Tapis-User must be %s or _tapis_%s.", who.Username, who.Username)
	}
	return caller{tenantID: subject.TenantID, username: servicePrefix + subject.Username, direct: true}, nil
}

// mayChange holds for direct tokens, and for a client that changes itself: a
// portal that holds a person's token must not repoint or delete that person's
// other clients.
func mayChange(caller caller, clientID string) error {
	if !caller.direct && caller.clientID != clientID {
		return apierr.New(apierr.Forbidden,
			"A token that was made through a client may change that client only; use one made without a client.")
	}
	return nil
}

// maySeeKeys holds for direct tokens: a portal that holds a person's token
// must not read the keys of that person's other clients.
func (h *Handler) maySeeKeys(caller caller) bool { return h.showKeys && caller.direct }
