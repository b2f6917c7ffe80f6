package servicetokens

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
)

// The headers in which a proxy learns whose the access token of a request is.
// It must overwrite them in every request that it passes on, so that no caller
// can send them.
const (
	headerUser        = "X-Tapis-Token-User"
	headerTenant      = "X-Tapis-Token-Tenant"
	headerAccountType = "X-Tapis-Token-Account-Type"
	headerID          = "X-Tapis-Token-Id"
)

// headerThirdParty tells the registry, which asks with third_party=1, the
// client of somebody else that holds the token.
const headerThirdParty = "X-Tapis-Token-Third-Party"

// check tells a proxy, which asks before it passes a request on, whether the
// request's token has ended early, and whose it is. It says nothing of tokens
// that are not this site's, and nothing against expired ones: SDKs send those
// with requests that need none, and whoever needs a token refuses them. All
// else that does not stand is refused, and so is everything while the database
// is away. With require=1 a request is refused unless it is known whose it is.
func (h *Handler) check(c *gin.Context) error {
	ctx := c.Request.Context()
	raw, err := sentToken(c.Request.Header)
	if err != nil {
		return err
	}
	var caller authn.Caller
	if raw != "" {
		if caller, err = h.service.stands(ctx, raw); err != nil {
			return err
		}
	}
	if caller.TokenID == "" && c.Query("require") == "1" {
		return ended("This needs an access token of the site that stands.")
	}
	if caller.TokenID != "" && c.Query("third_party") == "1" {
		stranger, err := h.service.ThirdParty(ctx, caller)
		if err != nil {
			return err
		}
		if stranger != "" {
			c.Header(headerThirdParty, stranger)
		}
	}
	if caller.TokenID != "" {
		for name, value := range map[string]string{
			headerUser: caller.Username, headerTenant: caller.TenantID, headerAccountType: caller.AccountType, headerID: caller.TokenID,
		} {
			c.Header(name, value)
		}
	}
	httpapi.Quiet(ctx)
	httpapi.NoStore(c)
	return httpapi.Reply(c, http.StatusOK, "", "The token is not revoked.")
}

// sentToken returns the one token of a request, in X-Tapis-Token or as Bearer;
// "" when it has none. Whoever reads the request behind the proxy might take
// another of two.
func sentToken(h http.Header) (string, error) {
	sent := map[string]bool{}
	for _, raw := range h.Values("X-Tapis-Token") {
		sent[strings.TrimSpace(raw)] = true
	}
	if len(h.Values("X-Tapis-Token")) > 1 || len(h.Values("Authorization")) > 1 {
		return "", ended("The request carries two credentials of one kind.")
	}
	credentials := h.Get("Authorization")
	if scheme := strings.IndexAny(credentials, " \t"); scheme > 0 && strings.EqualFold(credentials[:scheme], "Bearer") {
		sent[strings.TrimSpace(credentials[scheme:])] = true
	}
	delete(sent, "")
	if len(sent) > 1 {
		return "", ended("The request carries two different tokens, in X-Tapis-Token and in Authorization.")
	}
	for raw := range sent {
		return raw, nil
	}
	return "", nil
}

// ended is the answer about what does not stand. A proxy knows 401 only,
// whatever legacy_error_codes says.
func ended(message string) *apierr.Error {
	e := apierr.OAuth(apierr.Unauthenticated, "invalid_token", "%s", message) // RFC 6750 section 3.1
	e.Challenge = `Bearer realm="tapis", error="invalid_token"`
	return e
}

// stands fails when a token of this site has ended early, or is none. The
// caller that it returns is empty unless it is an access token that is good.
func (s *Service) stands(ctx context.Context, raw string) (authn.Caller, error) {
	caller, err := s.Tokens.AccessAs(ctx, raw, func(tenantID string) (tokens.Tenant, error) { return s.own(ctx, tenantID) })
	if errors.Is(err, authn.ErrTokenType) {
		caller = authn.Caller{}
		var found tokens.Recorded
		if found, err = s.find(ctx, raw); err == nil && found.Revoked {
			err = authn.ErrRevoked
		}
	}
	switch {
	case err == nil:
		return caller, nil
	case errors.Is(err, authn.ErrExpired), errors.Is(err, errElsewhere):
		return authn.Caller{}, nil
	}
	err = authn.Refusal(err)
	if refusal, is := errors.AsType[*apierr.Error](err); is && refusal.Kind == apierr.Unauthenticated {
		refusal.Code = "invalid_token"
	}
	return authn.Caller{}, err
}
