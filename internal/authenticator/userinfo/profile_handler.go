package userinfo

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/authenticator/people"
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

// Handler serves /v3/oauth2/userinfo, /v3/oauth2/profiles and OpenID Connect's
// UserInfo endpoint.
type Handler struct {
	claims   *Service
	people   *people.Service
	settings *tenantconfig.Service
	kernel   *kernel.Service // knows who administers a tenant
}

// NewHandler returns a Handler.
func NewHandler(c *Service, s *tenantconfig.Service, k *kernel.Service) *Handler {
	return &Handler{claims: c, people: c.people, settings: s, kernel: k}
}

// Mount registers the routes on r, below which the caller, a person or a
// service on a person's behalf, and the tenant are known.
func (h *Handler) Mount(r gin.IRouter) {
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

func newProfileJSON(p people.Profile) profileJSON {
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
	username string // the person who asks, or for whom a service does
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
	return a, nil
}

// shown returns how much of others' profiles the one who asks may see.
func (h *Handler) shown(ctx context.Context, a asked, settings tenantconfig.Settings) (func(people.Profile) profileJSON, error) {
	if settings.ProfileVisibility == tenantconfig.FullProfiles {
		return newProfileJSON, nil
	}
	admin, err := h.kernel.IsAdmin(ctx, a.tenant.ID, a.username)
	if err != nil {
		return nil, apierr.Away(err, "The security kernel")
	}
	return func(p people.Profile) profileJSON {
		if !admin && p.Username != a.username {
			p = people.Profile{Username: p.Username, Name: p.Name, GivenName: p.GivenName, LastName: p.LastName}
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
	person, err := h.people.Find(ctx, a.tenant, a.username)
	switch {
	case errors.Is(err, people.ErrNoDirectory):
		person = people.Profile{Username: a.username}
	case errors.Is(err, people.ErrNotFound):
		return apierr.New(apierr.NotFound, "Your account is not, or no longer, in the directory of tenant %s.", a.tenant.ID)
	case err != nil:
		return err
	}
	return httpapi.Reply(c, http.StatusOK, newProfileJSON(person), "User profile retrieved successfully.")
}

func (h *Handler) get(c *gin.Context) error {
	ctx := c.Request.Context()
	a, err := h.asked(ctx)
	if err != nil {
		return err
	}
	settings, err := h.settings.For(ctx, a.tenant.ID)
	if err != nil {
		return err
	}
	show, err := h.shown(ctx, a, settings)
	if err != nil {
		return err
	}
	username := c.Param("username")
	person, err := h.people.Find(ctx, a.tenant, username)
	switch {
	case errors.Is(err, people.ErrNoDirectory) && username == a.username:
		person = people.Profile{Username: a.username}
	case errors.Is(err, people.ErrNoDirectory), errors.Is(err, people.ErrNotFound):
		return apierr.New(apierr.NotFound, "There is no such person in tenant %s.", a.tenant.ID)
	case err != nil:
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
	found, err := h.people.List(ctx, a.tenant, offset, limit)
	switch {
	case errors.Is(err, people.ErrNoDirectory) && offset == 0:
		found = []people.Profile{{Username: a.username}}
	case err != nil && !errors.Is(err, people.ErrNoDirectory):
		return err
	}
	profiles := make([]profileJSON, 0, len(found))
	for _, p := range found {
		profiles = append(profiles, show(p))
	}
	c.Header("X-Tapis-Offset", strconv.Itoa(offset+len(profiles)))
	envelope := httpapi.Success(ctx, profiles, "Profiles retrieved successfully.")
	envelope.Metadata = pageJSON{RecordCount: len(profiles), RecordLimit: limit, RecordsSkipped: offset, TotalCount: -1}
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
