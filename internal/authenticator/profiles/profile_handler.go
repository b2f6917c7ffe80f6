// Package profiles shows people what the tenant's directory says of them.
//
// Reading the directory belongs to directory, knowing who asks to authn.
package profiles

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/directory"
	"gatehouse/internal/authenticator/tenancy"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
)

// Directory reads the profiles of a tenant's people.
type Directory interface {
	Profile(ctx context.Context, username string) (directory.Profile, error)
}

// Directories finds the directory of a tenant; false when it has none.
type Directories func(ctx context.Context, tenant tenancy.Tenant) (Directory, bool, error)

// Handler serves /v3/oauth2/userinfo.
type Handler struct{ directories Directories }

// NewHandler returns a Handler.
func NewHandler(d Directories) *Handler { return &Handler{directories: d} }

// Mount registers the routes on r, below which only callers with a user's
// access token come.
func (h *Handler) Mount(r gin.IRoutes) {
	httpapi.Get(r, "/userinfo", h.userinfo)
}

// profileJSON is a person on the wire. Only username is always there; what
// the directory does not say is null.
type profileJSON struct {
	Username    string  `json:"username"`
	Name        *string `json:"name"`
	DN          *string `json:"dn"`
	GivenName   *string `json:"given_name"`
	LastName    *string `json:"last_name"`
	Email       *string `json:"email"`
	Phone       *string `json:"phone"`
	MobilePhone *string `json:"mobile_phone"`
	UID         *string `json:"uid"`
	Created     *string `json:"create_time"`
}

func newProfileJSON(p directory.Profile) profileJSON {
	j := profileJSON{
		Username: p.Username, DN: said(p.DN), GivenName: said(p.GivenName), LastName: said(p.LastName), Email: said(p.Email),
		Phone: said(p.Phone), MobilePhone: said(p.MobilePhone), UID: said(p.UID),
	}
	switch {
	case p.GivenName != "" && p.LastName != "":
		j.Name = said(p.GivenName + " " + p.LastName)
	default:
		j.Name = &p.Username
	}
	if !p.CreateTime.IsZero() {
		j.Created = said(p.CreateTime.UTC().Format(http.TimeFormat))
	}
	return j
}

func said(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (h *Handler) userinfo(c *gin.Context) error {
	ctx := c.Request.Context()
	caller, err := authn.From(ctx)
	if err != nil {
		return err
	}
	tenant, err := tenancy.From(ctx)
	if err != nil {
		return err
	}
	person := directory.Profile{Username: caller.Username}
	people, found, err := h.directories(ctx, tenant)
	if err != nil {
		return err
	}
	if found {
		person, err = people.Profile(ctx, caller.Username)
		if errors.Is(err, directory.ErrNotFound) || errors.Is(err, directory.ErrRefused) {
			return apierr.New(apierr.NotFound, "Your account is no longer in the directory of tenant %s.", tenant.ID)
		}
		if err != nil {
			return err
		}
	}
	return httpapi.Reply(c, http.StatusOK, newProfileJSON(person), "User profile retrieved successfully.")
}
