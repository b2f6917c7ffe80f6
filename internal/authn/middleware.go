package authn

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/httpapi"
)

// Caller is who asks: the subject of a verified access token.
type Caller struct {
	Username    string
	TenantID    string
	AccountType string // UserAccount or ServiceAccount
	ClientID    string // OAuth client that the token was made through; empty: none
}

// Verify checks a raw access token for the request in ctx. An error for which
// IsRefusal holds becomes a 401; others are answered as they are.
type Verify func(ctx context.Context, raw string) (Caller, error)

type callerKey struct{}

// From returns the caller that a Require middleware put into ctx. Without one
// it fails as an internal error: the route was mounted outside the middleware.
func From(ctx context.Context) (Caller, error) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	if !ok {
		return Caller{}, apierr.Wrap(errors.New("no authentication in front of this route"), "find caller")
	}
	return c, nil
}

// RequireUser lets only holders of a user's access token pass, from
// X-Tapis-Token or Authorization: Bearer.
func RequireUser(verify Verify) gin.HandlerFunc {
	return httpapi.Handle(func(c *gin.Context) error {
		raw, err := tokenOf(c)
		if err != nil {
			return err
		}
		ctx := c.Request.Context()
		caller, err := verify(ctx, raw)
		if err != nil {
			return refusal(err)
		}
		if caller.AccountType != UserAccount {
			return apierr.New(apierr.Forbidden, "Service accounts cannot use this endpoint.")
		}
		if c.GetHeader("X-Tapis-Tenant") != "" || c.GetHeader("X-Tapis-User") != "" {
			return unauthenticated("The headers X-Tapis-Tenant and X-Tapis-User go with service tokens only.")
		}
		httpapi.Annotate(ctx, slog.String("user", caller.Username))
		c.Request = c.Request.WithContext(context.WithValue(ctx, callerKey{}, caller))
		return nil
	})
}

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
	case bearer != "":
		return bearer, nil
	}
	e := apierr.New(apierr.Unauthenticated, "A Tapis access token is needed, in the header X-Tapis-Token or as a Bearer token.")
	e.Challenge = `Bearer realm="tapis"` // RFC 6750 section 3.1: no error code when no token was sent
	return "", e
}

func refusal(err error) error {
	if !IsRefusal(err) {
		return err
	}
	if errors.Is(err, ErrExpired) {
		return unauthenticated("The access token has expired.").Because(err)
	}
	return unauthenticated("The access token is not valid for this request.").Because(err)
}

func unauthenticated(message string) *apierr.Error {
	e := apierr.New(apierr.Unauthenticated, "%s", message)
	e.Challenge = `Bearer realm="tapis", error="invalid_token"`
	return e
}
