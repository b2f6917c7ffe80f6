package clients

import (
	"encoding/json"
	"net/http"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
)

// Handler serves /v3/oauth2/clients to the people of a tenant.
type Handler struct {
	service *Service
	// showKeys lets owners read the keys of their clients again later; it is
	// the configuration client_key_display: owner.
	showKeys bool
}

// NewHandler returns a Handler.
func NewHandler(s *Service, showKeys bool) *Handler { return &Handler{service: s, showKeys: showKeys} }

// Mount registers the routes on r, below which only callers with a user's
// access token come.
func (h *Handler) Mount(r gin.IRoutes) {
	httpapi.Get(r, "/clients", h.list)
	r.POST("/clients", httpapi.Handle(h.create))
	httpapi.Get(r, "/clients/:client_id", h.get)
	r.PUT("/clients/:client_id", httpapi.Handle(h.update))
	r.DELETE("/clients/:client_id", httpapi.Handle(h.remove))
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
	Created      string   `json:"create_time"`
	LastUpdated  string   `json:"last_update_time"`
}

func newClientJSON(c Client) clientJSON {
	j := clientJSON{
		ClientID: c.ID, Owner: c.Owner, TenantID: c.TenantID, CallbackURL: c.CallbackURL(),
		RedirectURIs: c.RedirectURIs, GrantTypes: c.GrantTypes, DisplayName: c.DisplayName,
		Description: c.Description, AuthMethod: c.AuthMethod, Active: c.Active,
		Created: c.Created.UTC().Format(http.TimeFormat), LastUpdated: c.LastUpdated.UTC().Format(http.TimeFormat),
	}
	if c.Key != "" {
		j.ClientKey = &c.Key
	}
	return j
}

type createRequest struct {
	ClientID     *string  `json:"client_id"`
	ClientKey    *string  `json:"client_key"`
	CallbackURL  *string  `json:"callback_url"`
	DisplayName  *string  `json:"display_name"`
	Description  *string  `json:"description"`
	AuthMethod   *string  `json:"token_endpoint_auth_method"`
	RedirectURIs []string `json:"redirect_uris"`
	GrantTypes   []string `json:"grant_types"`
}

func (h *Handler) create(c *gin.Context) error {
	caller, err := authn.From(c.Request.Context())
	if err != nil {
		return err
	}
	var req createRequest
	if err := httpapi.DecodeJSON(c, &req); err != nil {
		return err
	}
	client, err := h.service.Register(c.Request.Context(), caller.TenantID, caller.Username, Registration{
		ID: value(req.ClientID), Key: value(req.ClientKey), CallbackURL: value(req.CallbackURL),
		DisplayName: value(req.DisplayName), Description: value(req.Description), AuthMethod: value(req.AuthMethod),
		RedirectURIs: req.RedirectURIs, GrantTypes: req.GrantTypes,
	})
	if err != nil {
		return err
	}
	return httpapi.Reply(c, http.StatusCreated, newClientJSON(client), "Client created successfully.")
}

func (h *Handler) list(c *gin.Context) error {
	caller, err := authn.From(c.Request.Context())
	if err != nil {
		return err
	}
	window, err := httpapi.QueryWindow(c)
	if err != nil {
		return err
	}
	inactive, err := httpapi.QueryBool(c, "show_inactive")
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	found, total, err := h.service.List(ctx, caller.TenantID, caller.Username, inactive, h.maySeeKeys(caller), window.Limit, window.Offset)
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

func (h *Handler) get(c *gin.Context) error {
	caller, err := authn.From(c.Request.Context())
	if err != nil {
		return err
	}
	client, err := h.service.Get(c.Request.Context(), caller.TenantID, caller.Username, c.Param("client_id"), h.maySeeKeys(caller))
	if err != nil {
		return err
	}
	return httpapi.Reply(c, http.StatusOK, newClientJSON(client), "Client object retrieved successfully.")
}

func (h *Handler) update(c *gin.Context) error {
	caller, err := authn.From(c.Request.Context())
	if err != nil {
		return err
	}
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
	client, err := h.service.Update(c.Request.Context(), caller.TenantID, caller.Username, c.Param("client_id"),
		Change{CallbackURL: req.CallbackURL, DisplayName: req.DisplayName, RedirectURIs: req.RedirectURIs}, h.maySeeKeys(caller))
	if err != nil {
		return err
	}
	return httpapi.Reply(c, http.StatusOK, newClientJSON(client), "Client updated successfully.")
}

func (h *Handler) remove(c *gin.Context) error {
	caller, err := authn.From(c.Request.Context())
	if err != nil {
		return err
	}
	if err := mayChange(caller, c.Param("client_id")); err != nil {
		return err
	}
	if err := h.service.Deactivate(c.Request.Context(), caller.TenantID, caller.Username, c.Param("client_id")); err != nil {
		return err
	}
	return httpapi.Reply(c, http.StatusOK, nil, "Client status updated to inactive successfully.")
}

// mayChange holds for direct tokens, and for a client that
// changes itself: a portal that holds a person's token must not repoint or
// delete that person's other clients.
func mayChange(caller authn.Caller, clientID string) error {
	if !direct(caller) && caller.ClientID != clientID {
		return apierr.New(apierr.Forbidden, "A token that was made through a client may change that client only; use one made without a client.")
	}
	return nil
}

// maySeeKeys holds for direct tokens: a portal that holds a
// person's token must not read the keys of that person's other clients.
func (h *Handler) maySeeKeys(caller authn.Caller) bool { return h.showKeys && direct(caller) }

// direct holds for tokens that no registered client has seen: made without a
// client, or through the token web application of the tenant itself.
func direct(caller authn.Caller) bool {
	return caller.ClientID == "" || caller.ClientID == WebAppID(caller.TenantID)
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
