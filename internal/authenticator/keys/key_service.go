package keys

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authn"
	"gatehouse/internal/database"
	"gatehouse/internal/seal"
)

// reloadEvery is how often an unknown key id may cause a look into the
// database, so that forged ids cannot.
const reloadEvery = 5 * time.Second

// Service keeps the keys of all tenants, each loaded on first use.
type Service struct {
	store store
	box   *seal.Box
	now   func() time.Time

	mu      sync.RWMutex
	tenants map[string]*ring
	loading singleflight.Group
}

// ring is what is loaded of one tenant; it is never changed, only replaced.
type ring struct {
	active *Key
	byID   map[string]*Key
	jwks   []JWK
	loaded time.Time
}

// New returns a Service on db.
func New(db *database.DB, box *seal.Box, now func() time.Time) *Service {
	return &Service{store: store{db}, box: box, now: now, tenants: map[string]*ring{}}
}

// Ensure makes the tenant's first key if it has none and returns the public
// half of its active key as PEM.
func (s *Service) Ensure(ctx context.Context, tenantID string) (string, error) {
	rows, err := s.store.usable(ctx, tenantID)
	if err != nil {
		return "", err
	}
	if !anyActive(rows) {
		if err := s.generate(ctx, tenantID); err != nil {
			return "", err
		}
	}
	r, err := s.load(ctx, tenantID)
	if err != nil {
		return "", err
	}
	return PEM(r.active.Public)
}

func anyActive(rows []row) bool {
	for _, r := range rows {
		if r.State == stateActive {
			return true
		}
	}
	return false
}

func (s *Service) generate(ctx context.Context, tenantID string) error {
	key, err := rsa.GenerateKey(rand.Reader, Bits)
	if err != nil {
		return fmt.Errorf("generate signing key: %w", err)
	}
	private, err := encodePrivate(key)
	if err != nil {
		return err
	}
	public, err := PEM(&key.PublicKey)
	if err != nil {
		return err
	}
	kid, now := authn.Thumbprint(&key.PublicKey), database.At(s.now())
	return s.store.insertIfNoneActive(ctx, row{
		TenantID: tenantID, KID: kid, State: stateActive, PublicKey: public, CreateTime: now, ActivateTime: now,
		PrivateKey: s.box.Seal(private, "signing_keys", tenantID+"/"+kid, "private_key"),
	})
}

// Active returns the key that signs for the tenant now. It fails, and never
// falls back to another key, when the tenant has none.
func (s *Service) Active(ctx context.Context, tenantID string) (*Key, error) {
	r, err := s.ring(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	return r.active, nil
}

// PublicKey returns the tenant's key with the given id, for verifying. An
// unknown id is authn.ErrUnknownKey, and so is none: every token of ours
// names its key.
func (s *Service) PublicKey(ctx context.Context, tenantID, kid string) (*rsa.PublicKey, error) {
	if kid == "" {
		return nil, authn.ErrUnknownKey
	}
	r, err := s.ring(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	if key, ok := r.byID[kid]; ok {
		return key.Public, nil
	}
	if s.now().Sub(r.loaded) < reloadEvery {
		return nil, authn.ErrUnknownKey
	}
	if r, err = s.load(ctx, tenantID); err != nil {
		return nil, err
	}
	if key, ok := r.byID[kid]; ok {
		return key.Public, nil
	}
	return nil, authn.ErrUnknownKey
}

// JWKS returns the tenant's public keys, oldest first.
func (s *Service) JWKS(ctx context.Context, tenantID string) ([]JWK, error) {
	r, err := s.ring(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	return r.jwks, nil
}

func (s *Service) ring(ctx context.Context, tenantID string) (*ring, error) {
	s.mu.RLock()
	r := s.tenants[tenantID]
	s.mu.RUnlock()
	if r != nil {
		return r, nil
	}
	return s.load(ctx, tenantID)
}

func (s *Service) load(ctx context.Context, tenantID string) (*ring, error) {
	loaded, err, _ := s.loading.Do(tenantID, func() (any, error) {
		rows, err := s.store.usable(context.WithoutCancel(ctx), tenantID)
		if err != nil {
			return nil, apierr.Away(err, "The database")
		}
		r, err := s.open(rows)
		if err != nil {
			return nil, err
		}
		if r.active == nil {
			return nil, apierr.New(apierr.NotFound, "The tenant has no signing key yet.")
		}
		s.mu.Lock()
		s.tenants[tenantID] = r
		s.mu.Unlock()
		return r, nil
	})
	if err != nil {
		return nil, err
	}
	return loaded.(*ring), nil // the function above returns nothing else
}

// open unseals and parses the rows of one tenant.
func (s *Service) open(rows []row) (*ring, error) {
	r := &ring{byID: map[string]*Key{}, loaded: s.now()}
	for _, row := range rows {
		text, err := s.box.Open(row.PrivateKey, "signing_keys", row.TenantID+"/"+row.KID, "private_key")
		if err != nil {
			return nil, apierr.Wrap(err, "open signing key "+row.KID+" of tenant "+row.TenantID)
		}
		private, err := decodePrivate(text)
		if err != nil {
			return nil, apierr.Wrap(err, "decode signing key "+row.KID+" of tenant "+row.TenantID)
		}
		if authn.Thumbprint(&private.PublicKey) != row.KID {
			return nil, apierr.Wrap(fmt.Errorf("key id %s does not fit the key", row.KID), "load signing key of tenant "+row.TenantID)
		}
		key := &Key{TenantID: row.TenantID, ID: row.KID, Public: &private.PublicKey, signer: private}
		r.byID[key.ID] = key
		r.jwks = append(r.jwks, NewJWK(key.Public))
		if row.State == stateActive {
			r.active = key
		}
	}
	return r, nil
}
