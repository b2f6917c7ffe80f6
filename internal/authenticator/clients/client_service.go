package clients

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/oauth2"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authn"
	"gatehouse/internal/database"
	"gatehouse/internal/recent"
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

// ErrUnknown means that a tenant has no active client of an id.
var ErrUnknown = errors.New("there is no such active client")

// Deps are what a Service uses.
type Deps struct {
	DB         *database.DB
	Box        *seal.Box
	Tokens     *tokens.Service
	GrantTypes []string // that there are
	// WebApp returns the address to which the tenant's token web application
	// is called back. Nil: there is no such application.
	WebApp func(ctx context.Context, tenantID string) (string, error)
	Now    func() time.Time
}

// Service keeps the clients of all tenants.
type Service struct {
	store  store
	box    *seal.Box
	tokens *tokens.Service
	grants []string // that there are
	webApp func(ctx context.Context, tenantID string) (string, error)
	now    func() time.Time
	// dummyHash makes unknown clients cost as much as known ones.
	dummyHash string
	// authentic are the clients that authenticated a moment ago.
	authentic *recent.Map[clientKey, row]
}

type clientKey struct{ tenantID, clientID string }

const (
	// believedFor is how long a client that authenticated is believed to be as
	// it was, as a token is that was found standing: so long may a change by
	// another replica go unnoticed. One by this process is noticed at once.
	believedFor = time.Second
	// maxAuthentic bounds how many are remembered.
	maxAuthentic = 10_000
)

// New returns a Service.
func New(d Deps) *Service {
	return &Service{
		store: store{d.DB}, box: d.Box, tokens: d.Tokens, grants: d.GrantTypes, webApp: d.WebApp, now: d.Now,
		dummyHash: d.Box.Hash("no client", seal.NewSecret()),
		authentic: recent.New[clientKey, row](maxAuthentic, believedFor),
	}
}

// Register makes a client for owner. The result carries its key.
func (s *Service) Register(ctx context.Context, tenantID, owner string, r Registration) (Client, error) {
	if err := r.validate(s.grants); err != nil {
		return Client{}, err
	}
	redirects, err := redirectList(r.CallbackURL, r.RedirectURIs)
	if err != nil {
		return Client{}, err
	}
	c := Client{
		TenantID: tenantID, ID: r.ID, Owner: owner, Key: r.Key, AuthMethod: r.AuthMethod, AuthChosen: r.AuthMethod != "",
		RedirectURIs: redirects, GrantTypes: append([]string{}, r.GrantTypes...),
		DisplayName: r.DisplayName, Description: r.Description, Active: true, Created: s.now(), LastUpdated: s.now(),
	}
	if c.ID == "" {
		c.ID = uuid.NewString()
	}
	if c.AuthMethod == "" {
		c.AuthMethod = AuthSecret
	}
	if !c.Public() && c.Key == "" {
		c.Key = seal.NewSecret()
	}
	if c.DisplayName == "" {
		c.DisplayName = cut(c.ID, maxDisplayName)
	}
	err = s.store.db.InSerializableTx(ctx, func(ctx context.Context) error {
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
		return Client{}, apierr.DatabaseAway(err)
	}
	return c, nil
}

// List returns a window over owner's clients, oldest first, and how many
// there are in all. Keys are opened when showKeys is set.
func (s *Service) List(
	ctx context.Context, tenantID, owner string, inactive, showKeys bool, limit, offset int,
) ([]Client, int, error) {
	rows, total, err := s.store.list(ctx, tenantID, owner, inactive, limit, offset)
	if err != nil {
		return nil, 0, apierr.DatabaseAway(err)
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
	r, err := s.owned(ctx, tenantID, owner, clientID)
	if err != nil {
		return Client{}, err
	}
	return s.client(r, showKey)
}

func (s *Service) owned(ctx context.Context, tenantID, owner, clientID string) (row, error) {
	r, found, err := s.store.find(ctx, tenantID, clientID)
	switch {
	case err != nil:
		return row{}, apierr.DatabaseAway(err)
	case !found:
		return row{}, errNoClient()
	case r.Owner != owner:
		return row{}, apierr.New(apierr.Forbidden, "Not authorized for this client.")
	}
	return r, nil
}

// changeable returns owner's client while it is active.
func (s *Service) changeable(ctx context.Context, tenantID, owner, clientID string) (row, error) {
	r, err := s.owned(ctx, tenantID, owner, clientID)
	if err == nil && !r.Active {
		err = inactive()
	}
	return r, err
}

func errNoClient() error {
	return apierr.New(apierr.NotFound, "There is no client with this client_id in this tenant.")
}

func inactive() error {
	return apierr.New(apierr.Conflict, "The client is inactive and can no longer be changed.")
}

// Change holds the new values of what an owner may change; nil keeps the old.
// RedirectURIs replaces the whole list, CallbackURL its first member.
type Change struct {
	CallbackURL, DisplayName *string
	RedirectURIs             *[]string
}

// redirects returns the list that a change leaves.
func (change Change) redirects(before []string) ([]string, error) {
	callbackURL, others := "", before
	if change.RedirectURIs != nil {
		others = *change.RedirectURIs
	}
	if change.CallbackURL != nil {
		callbackURL = *change.CallbackURL
		if change.RedirectURIs == nil && len(before) > 0 {
			others = before[1:]
		}
	}
	return redirectList(callbackURL, others)
}

// Update changes owner's client and returns it as it is afterwards.
func (s *Service) Update(ctx context.Context, tenantID, owner, clientID string, change Change, showKey bool) (Client, error) {
	r, err := s.changeable(ctx, tenantID, owner, clientID)
	if err != nil {
		return Client{}, err
	}
	c, err := s.client(r, showKey)
	if err != nil {
		return Client{}, err
	}
	changes := map[string]any{}
	if change.CallbackURL != nil || change.RedirectURIs != nil {
		if c.RedirectURIs, err = change.redirects(c.RedirectURIs); err != nil {
			return Client{}, err
		}
		changes["callback_url"], changes["redirect_uris"] = c.CallbackURL(), furtherURIs(c)
		c.Trusted, changes["trusted"] = false, false // whoever trusted it did so at its old addresses
	}
	if change.DisplayName != nil {
		if err := validateText("display_name", *change.DisplayName, maxDisplayName); err != nil {
			return Client{}, err
		}
		c.DisplayName = *change.DisplayName
		changes["display_name"] = c.DisplayName
	}
	if len(changes) == 0 {
		return c, nil
	}
	c.LastUpdated = s.now()
	defer s.authentic.Forget()
	changes["last_update_time"] = database.At(c.LastUpdated)
	active, err := s.store.update(ctx, tenantID, clientID, changes)
	switch {
	case err != nil:
		return Client{}, apierr.DatabaseAway(err)
	case !active:
		return Client{}, inactive()
	}
	return c, nil
}

// Trust says whether people may administer through an active client, for an
// administrator of the tenant.
func (s *Service) Trust(ctx context.Context, tenantID, clientID string, trusted bool) (Client, error) {
	r, found, err := s.store.find(ctx, tenantID, clientID)
	switch {
	case err != nil:
		return Client{}, apierr.DatabaseAway(err)
	case !found:
		return Client{}, errNoClient()
	case !r.Active:
		return Client{}, inactive()
	}
	r.Trusted, r.LastUpdateTime = trusted, database.At(s.now())
	defer s.authentic.Forget()
	active, err := s.store.update(ctx, tenantID, clientID, map[string]any{"trusted": trusted, "last_update_time": r.LastUpdateTime})
	switch {
	case err != nil:
		return Client{}, apierr.DatabaseAway(err)
	case !active:
		return Client{}, inactive()
	}
	return s.client(r, false)
}

// ThirdParty returns the client of somebody else through which a person's token
// was made, which may use Tapis on that person's behalf and administer nothing;
// "" for tokens made without a client, and through clients that are the
// person's own, first-party, or trusted. Services are not concerned. A device
// need not prove which client it is, so that a device code earns no such trust.
func (s *Service) ThirdParty(ctx context.Context, caller authn.Caller) (clientID string, err error) {
	if caller.Service() || caller.ClientID == "" {
		return "", nil
	}
	if caller.GrantType == oauth2.DeviceCode {
		return caller.ClientID, nil
	}
	c, err := s.Find(ctx, caller.TenantID, caller.ClientID)
	switch {
	case errors.Is(err, ErrUnknown):
		return caller.ClientID, nil
	case err != nil:
		return "", err
	case c.FirstParty, c.Trusted, c.Owner == caller.Username:
		return "", nil
	}
	return c.ID, nil
}

// Deactivate switches owner's client off for good: its secret is refused and
// its tokens are void from the same moment. Repeating it changes nothing.
func (s *Service) Deactivate(ctx context.Context, tenantID, owner, clientID string) error {
	c, err := s.Get(ctx, tenantID, owner, clientID, false)
	if err != nil || !c.Active {
		return err
	}
	defer s.authentic.Forget()
	return apierr.DatabaseAway(s.store.db.InTx(ctx, func(ctx context.Context) error {
		_, err := s.store.update(ctx, tenantID, clientID,
			map[string]any{"active": false, "last_update_time": database.At(s.now())})
		if err != nil {
			return err
		}
		return s.tokens.RevokeClient(ctx, tenantID, clientID)
	}))
}

// Find returns an active client of a tenant, or ErrUnknown. The token web
// application of the tenant is one that nobody registered.
func (s *Service) Find(ctx context.Context, tenantID, clientID string) (Client, error) {
	if clientID == WebAppID(tenantID) && s.webApp != nil {
		return s.webAppClient(ctx, tenantID)
	}
	r, found, err := s.store.find(ctx, tenantID, clientID)
	switch {
	case err != nil:
		return Client{}, apierr.DatabaseAway(err)
	case !found, !r.Active:
		return Client{}, ErrUnknown
	}
	return s.client(r, false)
}

// WebAppID returns the client id of a tenant's token web application.
func WebAppID(tenantID string) string { return tenantID + webAppSuffix }

func (s *Service) webAppClient(ctx context.Context, tenantID string) (Client, error) {
	callback, err := s.webApp(ctx, tenantID)
	if err != nil {
		return Client{}, err
	}
	return Client{
		TenantID: tenantID, ID: WebAppID(tenantID), AuthMethod: AuthNone, AuthChosen: true, RedirectURIs: []string{callback},
		GrantTypes: []string{oauth2.AuthorizationCode, oauth2.RefreshToken}, DisplayName: "Tapis Token Webapp", FirstParty: true,
		Active: true,
	}, nil
}

// Authenticate returns the active client whose secret is given; a public
// client has none and must present none. Otherwise it fails with
// ErrCredentials or ErrWrongSecret. What another replica changed of a client is
// known a second later.
func (s *Service) Authenticate(ctx context.Context, tenantID, clientID, secret string) (Client, error) {
	if clientID == WebAppID(tenantID) && s.webApp != nil && secret == "" {
		return s.webAppClient(ctx, tenantID)
	}
	key, now := clientKey{tenantID, clientID}, s.now()
	if r, found := s.authentic.Find(key, now); found && s.authenticates(r, secret, true) == nil {
		return s.client(r, false)
	}
	turn := s.authentic.Turn()
	r, found, err := s.store.find(ctx, tenantID, clientID)
	if err != nil {
		return Client{}, apierr.DatabaseAway(err)
	}
	if err := s.authenticates(r, secret, found); err != nil {
		return Client{}, err
	}
	s.authentic.Keep(key, r, now, turn)
	return s.client(r, false)
}

// authenticates returns nil when a client was found that is active and whose
// secret is given.
func (s *Service) authenticates(r row, secret string, found bool) error {
	hash := s.dummyHash
	if found && r.KeyHash != "" {
		hash = r.KeyHash
	}
	purpose := hashPurpose(r.TenantID, r.ClientID)
	matches := s.box.HashMatches(purpose, secret, hash)
	if !matches && found && r.PreviousKeyHash != "" && database.At(s.now()) < r.PreviousKeyExpiry {
		matches = s.box.HashMatches(purpose, secret, r.PreviousKeyHash)
	}
	if found && r.TokenEndpointAuthMethod == AuthNone {
		matches = secret == ""
	}
	switch {
	case found && r.Active && !matches && r.TokenEndpointAuthMethod != AuthNone:
		return ErrWrongSecret
	case !found, !r.Active, !matches:
		return ErrCredentials
	}
	return nil
}

func (s *Service) row(c Client) row {
	r := row{
		TenantID: c.TenantID, ClientID: c.ID, Owner: c.Owner, TokenEndpointAuthMethod: c.AuthMethod, AuthMethodChosen: c.AuthChosen,
		CallbackURL: c.CallbackURL(), RedirectURIs: furtherURIs(c), GrantTypes: listText(c.GrantTypes),
		DisplayName: c.DisplayName, Description: c.Description, Active: c.Active,
		CreateTime: database.At(c.Created), LastUpdateTime: database.At(c.LastUpdated),
	}
	if c.Key != "" {
		r.KeyHash, r.KeySealed = s.keep(c.TenantID, c.ID, c.Key)
	}
	return r
}

// keep returns what is stored of a key: its hash, and it sealed.
func (s *Service) keep(tenantID, clientID, key string) (hash, sealed string) {
	return s.box.Hash(hashPurpose(tenantID, clientID), key), s.box.Seal([]byte(key), "clients", tenantID+"/"+clientID, "key_sealed")
}

func (s *Service) client(r row, showKey bool) (Client, error) {
	c := Client{
		TenantID: r.TenantID, ID: r.ClientID, Owner: r.Owner, AuthMethod: r.TokenEndpointAuthMethod, AuthChosen: r.AuthMethodChosen,
		RedirectURIs: []string{}, DisplayName: r.DisplayName, Description: r.Description, Active: r.Active,
		Trusted: r.Trusted, Created: r.CreateTime.Time(), LastUpdated: r.LastUpdateTime.Time(),
	}
	further, err := parseList(r.RedirectURIs)
	if err == nil {
		c.GrantTypes, err = parseList(r.GrantTypes)
	}
	if err != nil {
		return Client{}, apierr.Wrap(err, "decode lists of client "+r.ClientID)
	}
	if r.CallbackURL != "" {
		c.RedirectURIs = append(c.RedirectURIs, r.CallbackURL)
	}
	c.RedirectURIs = append(c.RedirectURIs, further...)
	if database.At(s.now()) < r.PreviousKeyExpiry {
		c.PreviousKeyEnds = r.PreviousKeyExpiry.Time()
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

// furtherURIs is the column of the redirect URIs beyond the first.
func furtherURIs(c Client) string {
	if len(c.RedirectURIs) < 2 {
		return listText(nil)
	}
	return listText(c.RedirectURIs[1:])
}

func parseList(text string) (list []string, err error) {
	if text == "[]" { // as of most clients
		return []string{}, nil
	}
	err = json.Unmarshal([]byte(text), &list)
	return list, err
}

func listText(list []string) string {
	text, _ := json.Marshal(append([]string{}, list...)) // strings always encode
	return string(text)
}

func cut(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit])
}
