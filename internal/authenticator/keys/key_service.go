package keys

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authn"
	"gatehouse/internal/database"
	"gatehouse/internal/seal"
)

// Deps are what a Service uses.
type Deps struct {
	DB  *database.DB
	Box *seal.Box
	Now func() time.Time
	// Generate makes a key; nil: an RSA key of Bits bits, which takes a while.
	Generate func() (*rsa.PrivateKey, error)
}

// Service keeps the keys of all tenants, each loaded on first use. It is safe
// for concurrent use.
type Service struct {
	store store
	box   *seal.Box
	now   func() time.Time
	make  func() (*rsa.PrivateKey, error)

	mu      sync.RWMutex
	tenants map[string]*ring
	faults  []error // of keys that could not be loaded; whoever watches logs them
	loading singleflight.Group

	refreshing refreshing
}

// ring is what is loaded of one tenant; it is never changed, only replaced.
type ring struct {
	active  *Key
	byID    map[string]*Key
	jwks    []JWK
	version int64
	stale   bool // nothing but the version is known: the keys have changed
}

// New returns a Service.
func New(d Deps) *Service {
	if d.Generate == nil {
		d.Generate = func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, Bits) }
	}
	return &Service{store: store{d.DB}, box: d.Box, now: d.Now, make: d.Generate, tenants: map[string]*ring{}}
}

// Ensure makes the tenant's first key if it has none and returns the public
// half of its active key as PEM.
func (s *Service) Ensure(ctx context.Context, tenantID string) (string, error) {
	rows, err := s.store.of(ctx, tenantID)
	if err != nil {
		return "", apierr.Away(err, "The database")
	}
	if inState(rows, Active) == nil {
		fresh, err := s.generate(tenantID)
		if err != nil {
			return "", err
		}
		fresh.State, fresh.ActivateTime = Active, fresh.CreateTime
		err = s.store.change(ctx, tenantID, func(rows []row) []row {
			if inState(rows, Active) != nil {
				return nil // several processes may try at once, and one was faster
			}
			return []row{*fresh}
		})
		if err != nil {
			return "", apierr.Away(err, "The database")
		}
	}
	r, err := s.load(ctx, tenantID)
	if err != nil {
		return "", err
	}
	return authn.PublicPEM(r.active.Public)
}

// generate returns a new key, which is not stored.
func (s *Service) generate(tenantID string) (*row, error) {
	key, err := s.make()
	if err != nil {
		return nil, fmt.Errorf("generate signing key: %w", err)
	}
	private, err := encodePrivate(key)
	if err != nil {
		return nil, err
	}
	public, err := authn.PublicPEM(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	r := row{
		TenantID: tenantID, KID: authn.Thumbprint(&key.PublicKey), State: Next, PublicKey: public, CreateTime: database.At(s.now()),
	}
	r.PrivateKey = s.seal(r, private)
	return &r, nil
}

func (s *Service) seal(r row, text []byte) string {
	return s.box.Seal(text, "signing_keys", r.place(), "private_key")
}

// publicHalf returns what is kept, sealed, of a key that will sign no more. Of
// one that does not open nothing is left to keep.
func (s *Service) publicHalf(r row) string {
	key, err := s.open(r)
	if err != nil {
		s.fault(err)
		return ""
	}
	text, err := encodePublic(key.Public)
	if err != nil {
		s.fault(err)
		return ""
	}
	return s.seal(r, text)
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

// PublicKey returns the tenant's key with the given id, for verifying, also of
// keys that are not published any more, as refresh tokens need it. An unknown
// id is authn.ErrUnknownKey, and so is none: every token of ours names its
// key. A key of which this replica does not know yet is looked for.
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
	if err := s.refreshShared(ctx); err != nil {
		return nil, apierr.Away(err, "The database")
	}
	if r, err = s.ring(ctx, tenantID); err != nil {
		return nil, err
	}
	if key, ok := r.byID[kid]; ok {
		return key.Public, nil
	}
	return nil, authn.ErrUnknownKey
}

// JWKS returns the tenant's public keys, oldest first: those that sign, will
// sign, or have signed what is still good. It is current, also on a replica
// that did not make the last change, because readers ask for it when they
// meet a key that they do not know.
func (s *Service) JWKS(ctx context.Context, tenantID string) ([]JWK, error) {
	_ = s.refreshShared(ctx) // while the database is away, what is known serves
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
	if r != nil && !r.stale {
		return r, nil
	}
	return s.load(ctx, tenantID)
}

func (s *Service) load(ctx context.Context, tenantID string) (*ring, error) {
	loaded, err, _ := s.loading.Do(tenantID, func() (any, error) {
		rows, err := s.store.of(context.WithoutCancel(ctx), tenantID)
		if err != nil {
			return nil, apierr.Away(err, "The database")
		}
		r, err := s.openAll(rows)
		if err != nil {
			return nil, err
		}
		if r.active == nil {
			return nil, apierr.New(apierr.NotFound, "The tenant has no signing key yet.")
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if known := s.tenants[tenantID]; known == nil || known.version <= r.version {
			s.tenants[tenantID] = r
		}
		return r, nil
	})
	if err != nil {
		return nil, err
	}
	return loaded.(*ring), nil // the function above returns nothing else
}

// openAll unseals and parses the rows of one tenant. A key that does not open
// is left out, unless it is the one that has to sign.
func (s *Service) openAll(rows []row) (*ring, error) {
	ring := &ring{byID: map[string]*Key{}}
	for _, r := range rows {
		ring.version = max(ring.version, r.Version)
		if r.EndTime != 0 {
			continue
		}
		key, err := s.open(r)
		switch {
		case err != nil && r.State == Active:
			return nil, err
		case err != nil:
			s.fault(err)
			continue
		case r.State == Active && key.signer == nil:
			return nil, apierr.Wrap(errors.New("its private half is missing"), "load signing key "+r.KID+" of tenant "+r.TenantID)
		}
		ring.byID[key.ID] = key
		if r.State != Retired {
			ring.jwks = append(ring.jwks, NewJWK(key.Public))
		}
		if r.State == Active {
			ring.active = key
		}
	}
	ring.jwks = slices.Clip(ring.jwks)
	return ring, nil
}

// open unseals and parses one row. Nothing of the row is believed that was not
// sealed for its place.
func (s *Service) open(r row) (*Key, error) {
	text, err := s.box.Open(r.PrivateKey, "signing_keys", r.place(), "private_key")
	if err != nil {
		return nil, apierr.Wrap(err, "open signing key "+r.KID+" of tenant "+r.TenantID)
	}
	public, private, err := decode(text)
	if err != nil {
		return nil, apierr.Wrap(err, "decode signing key "+r.KID+" of tenant "+r.TenantID)
	}
	if authn.Thumbprint(public) != r.KID {
		return nil, apierr.Wrap(fmt.Errorf("key id %s does not fit the key", r.KID), "load signing key of tenant "+r.TenantID)
	}
	key := &Key{TenantID: r.TenantID, ID: r.KID, Public: public}
	if private != nil && (r.State == Active || r.State == Next) {
		key.signer, key.header = private, header(r.KID)
	}
	return key, nil
}

// maxFaults bounds what is kept of faults while nobody watches.
const maxFaults = 100

func (s *Service) fault(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) < maxFaults {
		s.faults = append(s.faults, err)
	}
}

// takeFaults returns the faults since it was last called.
func (s *Service) takeFaults() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	faults := s.faults
	s.faults = nil
	return faults
}
