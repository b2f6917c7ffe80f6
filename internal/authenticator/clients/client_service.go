package clients

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
	"gatehouse/internal/seal"
)

// hashPurpose binds the hash of a key to its client, so that rows cannot be
// exchanged and equal keys do not look equal. Neither id contains a slash.
func hashPurpose(tenantID, clientID string) string { return "client key " + tenantID + "/" + clientID }

// ErrCredentials means that a client is unknown, switched off, or presented a
// wrong secret; the client is not told which.
var ErrCredentials = errors.New("client credentials are not valid")

// ErrWrongSecret is the ErrCredentials of a client that has a secret, when
// another was presented: the one case in which there was something to guess.
var ErrWrongSecret = fmt.Errorf("%w: the secret is wrong", ErrCredentials)

// Revoker voids the tokens of a client, in the transaction that ctx carries.
type Revoker interface {
	RevokeClient(ctx context.Context, tenantID, clientID string) error
}

// Service keeps the clients of all tenants.
type Service struct {
	store   store
	box     *seal.Box
	revoker Revoker
	now     func() time.Time
	// dummyHash makes unknown clients cost as much as known ones.
	dummyHash string
}

// New returns a Service on db.
func New(db *database.DB, box *seal.Box, revoker Revoker, now func() time.Time) *Service {
	return &Service{store: store{db}, box: box, revoker: revoker, now: now, dummyHash: box.Hash("no client", seal.NewSecret())}
}

// Register makes a client for owner. The result carries its key.
func (s *Service) Register(ctx context.Context, tenantID, owner string, r Registration) (Client, error) {
	if err := r.validate(); err != nil {
		return Client{}, err
	}
	c := Client{
		TenantID: tenantID, ID: r.ID, Owner: owner, Key: r.Key, AuthMethod: AuthSecret, CallbackURL: r.CallbackURL,
		DisplayName: r.DisplayName, Description: r.Description, Active: true, Created: s.now(), LastUpdated: s.now(),
	}
	if c.ID == "" {
		c.ID = uuid.NewString()
	}
	if r.AuthMethod == AuthNone {
		c.AuthMethod = AuthNone
	} else if c.Key == "" {
		c.Key = seal.NewSecret()
	}
	if c.DisplayName == "" {
		c.DisplayName = cut(c.ID, maxDisplayName)
	}
	err := s.store.db.InSerializableTx(ctx, func(ctx context.Context) error {
		active, ever, err := s.store.count(ctx, tenantID, owner)
		switch {
		case err != nil:
			return err
		case active >= MaxPerOwner:
			return apierr.New(apierr.Conflict, "You have %d active clients, the most that one account may have; delete one first.", active)
		case ever >= MaxEver:
			return apierr.New(apierr.Conflict, "You have registered %d clients, the most that one account may ever have.", ever)
		}
		return s.store.insert(ctx, s.row(c))
	})
	if database.IsDuplicate(err) {
		return Client{}, apierr.New(apierr.Conflict, "The client_id is not available.")
	}
	if err != nil {
		return Client{}, away(err)
	}
	return c, nil
}

// List returns a window over owner's clients, oldest first, and how many
// there are in all. Keys are opened when showKeys is set.
func (s *Service) List(ctx context.Context, tenantID, owner string, inactive, showKeys bool, limit, offset int) ([]Client, int, error) {
	rows, total, err := s.store.list(ctx, tenantID, owner, inactive, limit, offset)
	if err != nil {
		return nil, 0, away(err)
	}
	list := make([]Client, 0, len(rows))
	for _, r := range rows {
		c, err := s.client(r, showKeys)
		if err != nil {
			return nil, 0, err
		}
		list = append(list, c)
	}
	return list, total, nil
}

// Get returns owner's client.
func (s *Service) Get(ctx context.Context, tenantID, owner, clientID string, showKey bool) (Client, error) {
	r, found, err := s.store.find(ctx, tenantID, clientID)
	switch {
	case err != nil:
		return Client{}, away(err)
	case !found:
		return Client{}, apierr.New(apierr.NotFound, "There is no client with this client_id in this tenant.")
	case r.Owner != owner:
		return Client{}, apierr.New(apierr.Forbidden, "Not authorized for this client.")
	}
	return s.client(r, showKey)
}

// Change holds the new values of what an owner may change; nil keeps the old.
type Change struct {
	CallbackURL, DisplayName *string
}

// Update changes owner's client and returns it as it is afterwards.
func (s *Service) Update(ctx context.Context, tenantID, owner, clientID string, change Change, showKey bool) (Client, error) {
	c, err := s.Get(ctx, tenantID, owner, clientID, showKey)
	if err != nil {
		return Client{}, err
	}
	if !c.Active {
		return Client{}, apierr.New(apierr.Conflict, "The client is inactive and can no longer be changed.")
	}
	if change.CallbackURL != nil {
		c.CallbackURL = *change.CallbackURL
	}
	if change.DisplayName != nil {
		c.DisplayName = *change.DisplayName
	}
	if err := validateSettings(c.CallbackURL, c.DisplayName); err != nil {
		return Client{}, err
	}
	changes := map[string]any{}
	if change.CallbackURL != nil {
		changes["callback_url"] = c.CallbackURL
	}
	if change.DisplayName != nil {
		changes["display_name"] = c.DisplayName
	}
	if len(changes) == 0 {
		return c, nil
	}
	c.LastUpdated = s.now()
	changes["last_update_time"] = database.At(c.LastUpdated)
	active, err := s.store.update(ctx, tenantID, clientID, changes)
	switch {
	case err != nil:
		return Client{}, away(err)
	case !active:
		return Client{}, apierr.New(apierr.Conflict, "The client is inactive and can no longer be changed.")
	}
	return c, nil
}

// Deactivate switches owner's client off for good: its secret is refused and
// its tokens are void from the same moment. Repeating it changes nothing.
func (s *Service) Deactivate(ctx context.Context, tenantID, owner, clientID string) error {
	c, err := s.Get(ctx, tenantID, owner, clientID, false)
	if err != nil || !c.Active {
		return err
	}
	return away(s.store.db.InTx(ctx, func(ctx context.Context) error {
		_, err := s.store.update(ctx, tenantID, clientID,
			map[string]any{"active": false, "last_update_time": database.At(s.now())})
		if err != nil {
			return err
		}
		return s.revoker.RevokeClient(ctx, tenantID, clientID)
	}))
}

// Authenticate returns the active client whose secret is given; a public
// client has none and must present none. Otherwise it fails with
// ErrCredentials or ErrWrongSecret.
func (s *Service) Authenticate(ctx context.Context, tenantID, clientID, secret string) (Client, error) {
	r, found, err := s.store.find(ctx, tenantID, clientID)
	if err != nil {
		return Client{}, away(err)
	}
	hash := s.dummyHash
	if found && r.KeyHash != "" {
		hash = r.KeyHash
	}
	matches := s.box.HashMatches(hashPurpose(tenantID, clientID), secret, hash)
	if found && r.TokenEndpointAuthMethod == AuthNone {
		matches = secret == ""
	}
	switch {
	case found && r.Active && !matches && r.TokenEndpointAuthMethod != AuthNone:
		return Client{}, ErrWrongSecret
	case !found, !r.Active, !matches:
		return Client{}, ErrCredentials
	}
	return s.client(r, false)
}

func (s *Service) row(c Client) row {
	r := row{
		TenantID: c.TenantID, ClientID: c.ID, Owner: c.Owner, TokenEndpointAuthMethod: c.AuthMethod,
		CallbackURL: c.CallbackURL, DisplayName: c.DisplayName, Description: c.Description, Active: c.Active,
		CreateTime: database.At(c.Created), LastUpdateTime: database.At(c.LastUpdated),
	}
	if c.Key != "" {
		r.KeyHash = s.box.Hash(hashPurpose(c.TenantID, c.ID), c.Key)
		r.KeySealed = s.box.Seal([]byte(c.Key), "clients", c.TenantID+"/"+c.ID, "key_sealed")
	}
	return r
}

func (s *Service) client(r row, showKey bool) (Client, error) {
	c := Client{
		TenantID: r.TenantID, ID: r.ClientID, Owner: r.Owner, AuthMethod: r.TokenEndpointAuthMethod,
		CallbackURL: r.CallbackURL, DisplayName: r.DisplayName, Description: r.Description, Active: r.Active,
		Created: r.CreateTime.Time(), LastUpdated: r.LastUpdateTime.Time(),
	}
	if showKey && r.KeySealed != "" {
		key, err := s.box.Open(r.KeySealed, "clients", r.TenantID+"/"+r.ClientID, "key_sealed")
		if err != nil {
			return Client{}, apierr.Wrap(err, "open key of client "+r.ClientID)
		}
		c.Key = string(key)
	}
	return c, nil
}

func cut(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit])
}

// away turns a database failure into the answer that it is not available.
func away(err error) error {
	var known *apierr.Error
	if err == nil || errors.As(err, &known) || errors.Is(err, context.Canceled) {
		return err
	}
	return apierr.Away(err, "The database")
}
