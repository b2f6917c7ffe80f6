package grants

import (
	"context"
	"errors"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/device"
	"gatehouse/internal/authenticator/tokens"
)

// deviceCode is the grant of RFC 8628 section 3.4.
type deviceCode struct{ devices Devices }

func (deviceCode) client() clientRule { return clientNamed }

func (g deviceCode) authorize(ctx context.Context, a attempt) (grantee, error) {
	if a.DeviceCode == "" {
		return grantee{}, apierr.Invalidf("Missing the required device_code parameter.")
	}
	approval, err := g.devices.Redeem(ctx, a.tenant.ID, a.client.ID, a.DeviceCode)
	if err != nil {
		return grantee{}, deviceRefusal(err)
	}
	return grantee{
		username: approval.Username, idpID: approval.IDPID, accessTTL: approval.TTL,
		login: tokens.Login{Scope: approval.Scope, AuthTime: approval.AuthTime, AMR: approval.AMR},
	}, reserved(approval.Username)
}

// deviceRefusal gives the states of a device code their OAuth errors, RFC 8628
// section 3.5.
func deviceRefusal(err error) error {
	switch {
	case errors.Is(err, device.ErrPending):
		return apierr.OAuth(apierr.Invalid, "authorization_pending", "The device code is not approved yet; keep polling.").Because(err)
	case errors.Is(err, device.ErrTooFast):
		return apierr.OAuth(apierr.Invalid, "slow_down", "The device polls too fast; wait 5 seconds longer between requests.").Because(err)
	case errors.Is(err, device.ErrDenied):
		return apierr.OAuth(apierr.Invalid, "access_denied", "The person denied the request of the device.").Because(err)
	case errors.Is(err, device.ErrExpired):
		return apierr.OAuth(apierr.Invalid, "expired_token", "The device code has expired; ask for a new one.").Because(err)
	case errors.Is(err, device.ErrUnknown), errors.Is(err, device.ErrConsumed):
		return invalidGrant("The device code is not valid: it is unknown, was used before, or was given to another client.", err)
	}
	return err
}
