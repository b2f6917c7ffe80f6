package authenticator

import (
	"context"

	"gatehouse/internal/authenticator/codes"
	"gatehouse/internal/authenticator/device"
	"gatehouse/internal/authenticator/tokens"
)

// withdrawal voids what was approved and not fetched yet before it voids
// tokens: else one approved before would become a token that counts as later.
type withdrawal struct {
	codes   *codes.Service
	devices *device.Service
	tokens  *tokens.Service
}

func (s *Service) withdrawal() withdrawal { return withdrawal{s.codes, s.devices, s.tokens} }

// RevokeUserClient implements consents.Revoker.
func (w withdrawal) RevokeUserClient(ctx context.Context, tenantID, username, clientID string) error {
	if err := w.codes.Withdraw(ctx, tenantID, username, clientID); err != nil {
		return err
	}
	if err := w.devices.Withdraw(ctx, tenantID, username, clientID); err != nil {
		return err
	}
	return w.tokens.RevokeUserClient(ctx, tenantID, username, clientID)
}

func (w withdrawal) revokeUser(ctx context.Context, tenantID, username string) error {
	if err := w.codes.WithdrawAll(ctx, tenantID, username); err != nil {
		return err
	}
	if err := w.devices.WithdrawAll(ctx, tenantID, username); err != nil {
		return err
	}
	return w.tokens.RevokeUser(ctx, tenantID, username)
}
