// Package userinfo shows people what the tenant's directory says of them, and
// of each other as far as the tenant lets it be seen.
//
// Reading the directory belongs to directory, knowing who asks to authn, which
// tenant it is about to tenancy.
package userinfo

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/directory"
	"gatehouse/internal/authenticator/tenancy"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/registryclient"
)

const (
	// maxLimit is the most profiles in one answer.
	maxLimit = 1000
	// maxOffset bounds how much of a directory is read to be skipped.
	maxOffset = 1_000_000
)

// Directory reads the profiles of a tenant's people.
type Directory interface {
	Profile(ctx context.Context, username string) (directory.Profile, error)
	List(ctx context.Context, offset, limit int) ([]directory.Profile, error)
}

// Directories finds the directory of a tenant; false when it has none.
type Directories func(ctx context.Context, tenant registryclient.Tenant) (Directory, bool, error)

// Settings finds what a tenant lets be seen.
type Settings interface {
	For(ctx context.Context, tenantID string) (tenantconfig.Settings, error)
}

// Admins knows who administers a tenant.
type Admins interface {
	IsAdmin(ctx context.Context, tenantID, username string) (bool, error)
}

// Handler serves /v3/oauth2/userinfo and /v3/oauth2/profiles.
type Handler struct {
	directories Directories
	settings    Settings
	admins      Admins
}

// NewHandler returns a Handler.
func NewHandler(d Directories, s Settings, a Admins) *Handler {
	return &Handler{directories: d, settings: s, admins: a}
}

// Mount registers the routes on r, below which the caller, a person or a
// service on a person's behalf, and the tenant are known.
func (h *Handler) Mount(r gin.IRoutes) {
	httpapi.Get(r, "/userinfo", h.userinfo)
	httpapi.Get(r, "/profiles", h.list)
	httpapi.Get(r, "/profiles/:username", h.get)
}

// profileJSON is a person on the wire. Only username is always there; what
// the directory does not say, or the tenant does not show, is null.
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
		Username: p.Username, Name: said(p.Name), DN: said(p.DN), GivenName: said(p.GivenName), LastName: said(p.LastName),
		Email: said(p.Email), Phone: said(p.Phone), MobilePhone: said(p.MobilePhone), UID: said(p.UID),
	}
	if j.Name == nil {
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

// asked is who wants to see profiles, and of which tenant.
type asked struct {
	tenant   registryclient.Tenant
	username string    // the person who asks, or for whom a service does
	people   Directory // nil: the tenant has no directory
}

func (h *Handler) asked(ctx context.Context) (asked, error) {
	caller, err := authn.From(ctx)
	if err != nil {
		return asked{}, err
	}
	tenant, err := tenancy.From(ctx)
	if err != nil {
		return asked{}, err
	}
	a := asked{tenant: tenant, username: caller.Username}
	if caller.Service() {
		a.username = caller.OnBehalfOf.Username
	}
	people, found, err := h.directories(ctx, tenant)
	if found {
		a.people = people
	}
	return a, err
}

// shown returns how much of others' profiles the one who asks may see.
func (h *Handler) shown(ctx context.Context, a asked, settings tenantconfig.Settings) (func(directory.Profile) profileJSON, error) {
	if settings.ProfileVisibility == tenantconfig.FullProfiles {
		return newProfileJSON, nil
	}
	admin, err := h.admins.IsAdmin(ctx, a.tenant.ID, a.username)
	if err != nil {
		return nil, apierr.Away(err, "The security kernel")
	}
	return func(p directory.Profile) profileJSON {
		if !admin && p.Username != a.username {
			p = directory.Profile{Username: p.Username, Name: p.Name, GivenName: p.GivenName, LastName: p.LastName}
		}
		return newProfileJSON(p)
	}, nil
}

func (h *Handler) userinfo(c *gin.Context) error {
	ctx := c.Request.Context()
	a, err := h.asked(ctx)
	if err != nil {
		return err
	}
	person := directory.Profile{Username: a.username}
	if a.people != nil {
		person, err = a.people.Profile(ctx, a.username)
		if errors.Is(err, directory.ErrNotFound) || errors.Is(err, directory.ErrRefused) {
			return apierr.New(apierr.NotFound, "Your account is not, or no longer, in the directory of tenant %s.", a.tenant.ID)
		}
		if err != nil {
			return err
		}
	}
	return httpapi.Reply(c, http.StatusOK, newProfileJSON(person), "User profile retrieved successfully.")
}

func (h *Handler) get(c *gin.Context) error {
	ctx := c.Request.Context()
	a, err := h.asked(ctx)
	if err != nil {
		return err
	}
	username := c.Param("username")
	unknown := apierr.New(apierr.NotFound, "There is no such person in tenant %s.", a.tenant.ID)
	if a.people == nil {
		if username != a.username {
			return unknown
		}
		return httpapi.Reply(c, http.StatusOK, newProfileJSON(directory.Profile{Username: a.username}), "User profile retrieved successfully.")
	}
	settings, err := h.settings.For(ctx, a.tenant.ID)
	if err != nil {
		return err
	}
	show, err := h.shown(ctx, a, settings)
	if err != nil {
		return err
	}
	person, err := a.people.Profile(ctx, username)
	if errors.Is(err, directory.ErrNotFound) || errors.Is(err, directory.ErrRefused) {
		return unknown
	}
	if err != nil {
		return err
	}
	return httpapi.Reply(c, http.StatusOK, show(person), "User profile retrieved successfully.")
}

// pageJSON is the window of a list whose length nobody counts.
type pageJSON struct {
	RecordCount    int `json:"recordCount"`
	RecordLimit    int `json:"recordLimit"`
	RecordsSkipped int `json:"recordsSkipped"`
	TotalCount     int `json:"totalCount"` // -1: a directory does not say
}

func (h *Handler) list(c *gin.Context) error {
	ctx := c.Request.Context()
	a, err := h.asked(ctx)
	if err != nil {
		return err
	}
	settings, err := h.settings.For(ctx, a.tenant.ID)
	if err != nil {
		return err
	}
	limit, offset, err := window(c, settings.People.PageLimit)
	if err != nil {
		return err
	}
	show, err := h.shown(ctx, a, settings)
	if err != nil {
		return err
	}
	found := []directory.Profile{}
	switch {
	case a.people != nil:
		if found, err = a.people.List(ctx, offset, limit); err != nil {
			return err
		}
	case offset == 0:
		found = append(found, directory.Profile{Username: a.username})
	}
	people := make([]profileJSON, 0, len(found))
	for _, p := range found {
		people = append(people, show(p))
	}
	c.Header("X-Tapis-Offset", strconv.Itoa(offset+len(people)))
	envelope := httpapi.Success(ctx, people, "Profiles retrieved successfully.")
	envelope.Metadata = pageJSON{RecordCount: len(people), RecordLimit: limit, RecordsSkipped: offset, TotalCount: -1}
	return httpapi.JSON(c, http.StatusOK, envelope)
}

// window reads limit and offset.
func window(c *gin.Context, usual int) (limit, offset int, err error) {
	text, err := httpapi.QueryText(c, "limit")
	if err != nil {
		return 0, 0, err
	}
	limit = usual
	if text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxLimit {
			return 0, 0, apierr.Invalidf("The query parameter limit must be an integer from 1 to %d.", maxLimit)
		}
	}
	if text, err = httpapi.QueryText(c, "offset"); err != nil {
		return 0, 0, err
	}
	if text != "" {
		if offset, err = strconv.Atoi(text); err != nil || offset < 0 || offset > maxOffset {
			return 0, 0, apierr.Invalidf("The query parameter offset must be an integer from 0 to %d.", maxOffset)
		}
	}
	return limit, offset, nil
}
