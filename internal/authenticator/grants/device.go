package grants

import (
	"context"
	"errors"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/device"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/registryclient"
)

// deviceCode is the grant of RFC 8628 section 3.4.
type deviceCode struct {
	devices     Devices
	directories Directories
}

func (deviceCode) client() clientRule { return clientNamed }

func (g deviceCode) authorize(ctx context.Context, a attempt) (grantee, error) {
	if a.DeviceCode == "" {
		return grantee{}, apierr.Invalidf("Missing the required device_code parameter.")
	}
	approval, err := g.devices.Redeem(ctx, a.tenant.ID, a.client.ID, a.DeviceCode)
	if err != nil {
		return grantee{}, deviceRefusal(err)
	}
	if err := secondFactor(a.tenant, a.settings, approval.AMR); err != nil {
		return grantee{}, err
	}
	if err := g.directories.stillThere(ctx, a.tenant, approval.Username, approval.IDPID); err != nil {
		return grantee{}, orInvalid(err, invalidDeviceCode)
	}
	return grantee{
		username: approval.Username, idpID: approval.IDPID, accessTTL: approval.TTL,
		login: tokens.Login{Scope: approval.Scope, AuthTime: approval.AuthTime, AMR: approval.AMR},
	}, reserved(approval.Username)
}

// DeviceRequest is a request for a device code as it was sent, RFC 8628
// section 3.1.
type DeviceRequest struct {
	Credentials *Credentials
	Scope       string
	Address     string // of the device, shown to the person who approves
}

// Device makes a device code for a client and returns the client's id with it.
func (p *Pipeline) Device(ctx context.Context, tenant registryclient.Tenant, req DeviceRequest) (device.Issued, string, error) {
	settings, err := p.settings.For(ctx, tenant.ID)
	if err != nil {
		return device.Issued{}, "", err
	}
	if err := permitted(tenant, settings, tenantconfig.DeviceCode); err != nil {
		return device.Issued{}, "", err
	}
	if req.Credentials == nil {
		return device.Issued{}, "", apierr.Invalidf("Missing the required client_id parameter.")
	}
	client, err := p.authenticate(ctx, tenant, clientNamed, req.Credentials, req.Address)
	if err != nil {
		return device.Issued{}, "", err
	}
	if err := permittedFor(client, tenantconfig.DeviceCode); err != nil {
		return device.Issued{}, "", err
	}
	attempt, err := p.guard.Device(ctx, tenant.ID, req.Address)
	if err != nil {
		return device.Issued{}, "", err
	}
	attempt.Fail() // each request counts, good ones too: nobody signed in for it
	issued, err := p.devices.Request(ctx, tenant.ID, client.ID, Granted(req.Scope), req.Address)
	return issued, client.ID, err
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
		return invalidDeviceCode(err)
	}
	return err
}

func invalidDeviceCode(cause error) error {
	return invalidGrant("The device code is not valid: it is unknown, was used before, or was given to another client.", cause)
}
