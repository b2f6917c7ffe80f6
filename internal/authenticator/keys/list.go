package keys

import (
	"context"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authn"
)

// Info describes a key, without its private half.
type Info struct {
	TenantID  string
	KeyID     string
	State     State
	PublicKey string // PEM; empty when the key does not open
	Emergency bool   // of a next key: the active one ends at the switch
	Created   time.Time
	Switch    time.Time // when it began to sign or is to; zero: never
	Retired   time.Time // when it stopped to sign; zero: not yet
	Leave     time.Time // when it leaves, or has left, the JWK Set; zero: not known yet
	Ended     time.Time // since when it verifies nothing; zero: it verifies
}

// List describes all keys of a tenant, oldest first, or those of every tenant.
func (s *Service) List(ctx context.Context, tenantID string) ([]Info, error) {
	tenants := []string{tenantID}
	if tenantID == "" {
		var err error
		if tenants, err = s.store.tenants(ctx); err != nil {
			return nil, apierr.Away(err, "The database")
		}
	}
	var list []Info
	for _, id := range tenants {
		rows, err := s.store.of(ctx, id)
		if err != nil {
			return nil, apierr.Away(err, "The database")
		}
		for _, r := range rows {
			list = append(list, s.info(r))
		}
	}
	return list, nil
}

func (s *Service) info(r row) Info {
	i := Info{
		TenantID: r.TenantID, KeyID: r.KID, State: r.State, Emergency: r.Emergency, Created: r.CreateTime.Time(),
		Switch:  r.ActivateTime.Time(),
		Retired: r.RetireTime.Time(), Leave: r.LeaveTime.Time(), Ended: r.EndTime.Time(),
	}
	if r.State == Next && !r.standby() {
		i.Switch = r.SwitchTime.Time()
	}
	if key, err := s.open(r); err == nil {
		i.PublicKey, _ = authn.PublicPEM(key.Public) // an RSA key always encodes
	}
	return i
}
