package grants

import (
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/authenticator/device"
	"gatehouse/internal/authenticator/tenancy"
	"gatehouse/internal/httpapi"
)

// deviceJSON are the members of RFC 8628 section 3.2, and what Tapis clients
// find beside them.
type deviceJSON struct {
	DeviceCode              string `json:"device_code"`
	UserCode                string `json:"user_code"`
	ClientID                string `json:"client_id"`
	VerificationURI         string `json:"verification_uri"`
	VerificationURIComplete string `json:"verification_uri_complete"`
	ExpiresIn               int64  `json:"expires_in"`
	ExpiresAt               string `json:"expires_at"`
	Interval                int64  `json:"interval"`
}

// deviceReply has the members under result, for Tapis clients, and at the top
// level, for any OAuth library.
type deviceReply struct {
	httpapi.Envelope
	deviceJSON
}

func (h *Handler) device(c *gin.Context) error {
	ctx := c.Request.Context()
	tenant, err := tenancy.From(ctx)
	if err != nil {
		return err
	}
	params, credentials, err := readWithCredentials(c, "scope")
	if err != nil {
		return err
	}
	issued, clientID, err := h.pipeline.Device(ctx, tenant, DeviceRequest{
		Credentials: credentials, Scope: params["scope"], Address: c.ClientIP(),
	})
	if err != nil {
		return err
	}
	verification := tenant.OAuthURL("/device") + "?client_id=" + url.QueryEscape(clientID)
	members := deviceJSON{
		DeviceCode: issued.DeviceCode, UserCode: issued.UserCode, ClientID: clientID,
		VerificationURI: verification, VerificationURIComplete: verification + "&user_code=" + issued.UserCode,
		ExpiresIn: int64(device.Lifetime.Seconds()), ExpiresAt: issued.ExpiryTime.UTC().Format(http.TimeFormat),
		Interval: int64(device.Interval.Seconds()),
	}
	return httpapi.JSON(c, http.StatusOK, deviceReply{
		Envelope: httpapi.Success(ctx, members, "Token created successfully."), deviceJSON: members,
	})
}

// readWithCredentials reads the named parameters of a request and the client
// credentials that came with it; nil: none did.
func readWithCredentials(c *gin.Context, names ...string) (httpapi.Params, *Credentials, error) {
	params, err := httpapi.ReadParams(c, append(names, "client_id", "client_key", "client_secret")...)
	if err != nil {
		return nil, nil, err
	}
	credentials, err := credentialsOf(c.GetHeader("Authorization"), params)
	return params, credentials, err
}
