package authn

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/httpapi"
)

// Caller is who asks: the subject of a verified access token.
type Caller struct {
	Username    string
	TenantID    string
	SiteID      string // of the tenant, where Checks made the Caller
	AccountType string // UserAccount or ServiceAccount
	ClientID    string // OAuth client that the token was made through; empty: none
	GrantType   string // with which it began, where this site's token service tells; empty: none that OAuth knows
	GrantBegan  int64  // the revocation number of the site's token service at which its grant began
	TokenID     string // the token's jti and, with it, exp
	TokenExpiry time.Time
	OnBehalfOf  Subject
	ThirdParty  string // client of somebody else that holds the token, where the registry was told; empty: none
}

// Service reports whether the caller is a service account.
func (c Caller) Service() bool { return c.AccountType == ServiceAccount }

// MayAdminister fails with an error of kind apierr.Forbidden when a caller's
// token may use Tapis on a person's behalf and administer nothing.
type MayAdminister func(ctx context.Context, caller Caller) error

// Verify checks a raw access token for the request in ctx. An error for which
// IsRefusal holds becomes a 401; others are answered as they are.
type Verify func(ctx context.Context, raw string) (Caller, error)

type callerKey struct{}

// From returns the caller that a Require middleware put into ctx. Without one
// it fails as an internal error: the route was mounted outside the middleware.
func From(ctx context.Context) (Caller, error) {
	c, ok := Known(ctx)
	if !ok {
		return Caller{}, apierr.Wrap(errors.New("no authentication in front of this route"), "find caller")
	}
	return c, nil
}

// Known returns the caller that a middleware put into ctx; false: nobody that
// we know, which behind Optional is no fault.
func Known(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	return c, ok
}

func with(ctx context.Context, caller Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, caller)
}

// RequireUser lets only holders of a user's access token pass, from
// X-Tapis-Token or Authorization: Bearer.
func RequireUser(verify Verify) gin.HandlerFunc {
	return require(func(c *gin.Context, raw string) (Caller, error) {
		ctx := c.Request.Context()
		caller, err := verify(ctx, raw)
		switch {
		case err != nil:
			return Caller{}, err
		case caller.AccountType != UserAccount:
			return Caller{}, apierr.New(apierr.Forbidden, "Service accounts cannot use this endpoint.")
		case behalfOf(c) != (Subject{}):
			return Caller{}, unauthenticated("The headers X-Tapis-Tenant and X-Tapis-User go with service tokens only.")
		}
		httpapi.Annotate(ctx, slog.String("user", caller.Username))
		return caller, nil
	})
}

// Require lets only holders of an access token pass, users and services, as
// check says.
func Require(check Check) gin.HandlerFunc {
	return require(func(c *gin.Context, raw string) (Caller, error) {
		caller, err := check(c.Request.Context(), raw, behalfOf(c))
		if err == nil {
			annotate(c.Request.Context(), caller)
		}
		return caller, err
	})
}

func require(check func(c *gin.Context, raw string) (Caller, error)) gin.HandlerFunc {
	return httpapi.Handle(func(c *gin.Context) error {
		raw, err := needToken(c)
		if err != nil {
			return err
		}
		caller, err := check(c, raw)
		if err != nil {
			return Refusal(err)
		}
		c.Request = c.Request.WithContext(with(c.Request.Context(), caller))
		return nil
	})
}

// annotate tells the access log who asks, and for whom.
func annotate(ctx context.Context, caller Caller) {
	httpapi.Annotate(ctx, slog.String("user", caller.Username), slog.String("tenant", caller.TenantID))
	if caller.Service() {
		httpapi.Annotate(ctx, slog.String("behalf_tenant", caller.OnBehalfOf.TenantID),
			slog.String("behalf_user", caller.OnBehalfOf.Username))
	}
}

func behalfOf(c *gin.Context) Subject {
	return Subject{TenantID: c.GetHeader("X-Tapis-Tenant"), Username: c.GetHeader("X-Tapis-User")}
}

// Check turns a raw access token, and the values of X-Tapis-Tenant and
// X-Tapis-User that came with it, into a caller, as Checks.Caller does.
type Check func(ctx context.Context, raw string, behalf Subject) (Caller, error)

// Optional is for reads that are open to all and tell some callers more: it
// puts the caller into the context when the request carries a good token, and
// lets everyone pass. A token that is bad, or cannot be checked at the moment,
// makes its holder nobody in particular and never an error, because SDKs send
// the one they have, expired or not, with every request.
func Optional(check Check) gin.HandlerFunc {
	return func(c *gin.Context) {
		ctx := c.Request.Context()
		raw, err := tokenOf(c)
		if raw == "" && err == nil {
			return
		}
		var caller Caller
		if err == nil {
			caller, err = check(ctx, raw, behalfOf(c))
		}
		if err != nil {
			httpapi.Annotate(ctx, slog.String("token_ignored", err.Error()))
			return
		}
		annotate(ctx, caller)
		c.Request = c.Request.WithContext(with(ctx, caller))
	}
}

// needToken returns the token that the request carries, or the answer that it
// must carry one.
func needToken(c *gin.Context) (string, error) {
	raw, err := tokenOf(c)
	if err != nil || raw != "" {
		return raw, err
	}
	e := apierr.New(apierr.Unauthenticated, "A Tapis access token is needed, in the header X-Tapis-Token or as a Bearer token.")
	e.Challenge = `Bearer realm="tapis"` // RFC 6750 section 3.1: no error code when no token was sent
	return "", e
}

// tokenOf returns the token that the request carries, or "".
func tokenOf(c *gin.Context) (string, error) {
	tapis := c.GetHeader("X-Tapis-Token")
	scheme, bearer, _ := strings.Cut(c.GetHeader("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		bearer = ""
	}
	bearer = strings.TrimSpace(bearer)
	switch {
	case tapis != "" && bearer != "" && tapis != bearer:
		return "", apierr.Invalidf("The request carries two different tokens, in X-Tapis-Token and in Authorization.")
	case tapis != "":
		return tapis, nil
	}
	return bearer, nil
}
