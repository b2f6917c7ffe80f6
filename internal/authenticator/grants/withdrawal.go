package grants

import "context"

// RevokeUserClient voids what a client of a tenant holds of a person. What was
// approved and not fetched yet goes first: else one approved before would
// become a token that counts as later.
func (p *Pipeline) RevokeUserClient(ctx context.Context, tenantID, username, clientID string) error {
	if err := p.withdraw(ctx, tenantID, username, clientID); err != nil {
		return err
	}
	return p.Tokens.RevokeUserClient(ctx, tenantID, username, clientID)
}

// RevokeUser is RevokeUserClient for every client, and for what was made
// without one.
func (p *Pipeline) RevokeUser(ctx context.Context, tenantID, username string) error {
	if err := p.withdraw(ctx, tenantID, username); err != nil {
		return err
	}
	return p.Tokens.RevokeUser(ctx, tenantID, username)
}

func (p *Pipeline) withdraw(ctx context.Context, tenantID, username string, clientIDs ...string) error {
	if err := p.Codes.Withdraw(ctx, tenantID, username, clientIDs...); err != nil {
		return err
	}
	return p.Devices.Withdraw(ctx, tenantID, username, clientIDs...)
}
