package grants

import (
	"context"
	"errors"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/device"
	"gatehouse/internal/authenticator/oauth2"
	"gatehouse/internal/authenticator/people"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/registryclient"
)

// deviceCode is the grant of RFC 8628 section 3.4.
type deviceCode struct{}

func (deviceCode) rules() rules { return rules{client: clientNamed, withdrawn: invalidDeviceCode} }

func (deviceCode) authorize(ctx context.Context, p *Pipeline, x exchange) (grantee, error) {
	if x.DeviceCode == "" {
		return grantee{}, apierr.Invalidf("Missing the required device_code parameter.")
	}
	approval, err := p.Devices.Redeem(ctx, x.tenant.ID, x.client.ID, x.DeviceCode)
	if err != nil {
		return grantee{}, deviceRefusal(err)
	}
	who := grantee{
		username: approval.Username, idpID: approval.IDPID, began: approval.Began, accessTTL: approval.TTL, approved: true,
		login: tokens.Login{Scope: approval.Scope, AuthTime: approval.AuthTime, AMR: approval.AMR},
	}
	who.limit(x, approval.Proved || x.Credentials.proved(x.client))
	return who, nil
}

// limit gives less to a program that has not proved to be the client: anybody
// may give its id.
func (who *grantee) limit(x exchange, proved bool) {
	if proved {
		return
	}
	who.accessTTL = min(who.accessTTL, x.settings.AccessTTL)
	who.refreshTTL = x.settings.DeviceRefreshTTL
	who.alone = !x.client.Public() || who.refreshTTL == 0
}

// proved reports whether credentials that were found good show who sent them.
func (c *Credentials) proved(client *clients.Client) bool {
	return c != nil && c.Secret != "" && !client.Public()
}

// deviceRule is what device codes ask of the client in a tenant.
func deviceRule(settings tenantconfig.Settings) clientRule {
	if settings.DeviceAuthentication {
		return clientNeeded
	}
	return clientNamed
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
	settings, err := p.Settings.For(ctx, tenant.ID)
	if err != nil {
		return device.Issued{}, "", err
	}
	if err := permitted(tenant, settings, oauth2.DeviceCode); err != nil {
		return device.Issued{}, "", err
	}
	if req.Credentials == nil {
		return device.Issued{}, "", apierr.Invalidf("Missing the required client_id parameter.")
	}
	client, err := p.authenticate(ctx, tenant, deviceRule(settings), req.Credentials, req.Address)
	if err != nil {
		return device.Issued{}, "", err
	}
	if err := permittedFor(client, oauth2.DeviceCode); err != nil {
		return device.Issued{}, "", err
	}
	attempt, err := p.Guard.Device(ctx, tenant.ID, req.Address)
	if err != nil {
		return device.Issued{}, "", err
	}
	attempt.Fail() // each request counts, good ones too: nobody signed in for it
	issued, err := p.Devices.Request(ctx, tenant.ID, device.Asked{
		ClientID: client.ID, Scope: oauth2.KnownScope(req.Scope), Address: req.Address, Proved: req.Credentials.proved(client),
	})
	return issued, client.ID, err
}

// deviceRefusal gives the states of a device code their OAuth errors, RFC 8628
// section 3.5.
func deviceRefusal(err error) error {
	switch {
	case errors.Is(err, device.ErrPending):
		return apierr.OAuth(apierr.Invalid, oauth2.AuthorizationPending,
			"The device code is not approved yet; keep polling.").Because(err)
	case errors.Is(err, device.ErrTooFast):
		return apierr.OAuth(apierr.Invalid, oauth2.SlowDown,
			"The device polls too fast; wait 5 seconds longer between requests.").Because(err)
	case errors.Is(err, device.ErrDenied):
		return apierr.OAuth(apierr.Invalid, oauth2.AccessDenied, "The person denied the request of the device.").Because(err)
	case errors.Is(err, device.ErrExpired):
		return apierr.OAuth(apierr.Invalid, oauth2.ExpiredToken, "The device code has expired; ask for a new one.").Because(err)
	case errors.Is(err, device.ErrUnknown), errors.Is(err, device.ErrConsumed):
		return invalidDeviceCode(err)
	}
	return err
}

func invalidDeviceCode(cause error) error {
	if errors.Is(cause, people.ErrSecondFactor) {
		return apierr.OAuth(apierr.Forbidden, oauth2.AccessDenied,
			"The tenant asks for a second factor, without which this was approved.").Because(cause)
	}
	return invalidGrant("The device code is not valid: it is unknown, was used before, or was given to another client.", cause)
}
