package device

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
	"gatehouse/internal/seal"
)

const (
	// Lifetime is how long a device code is good.
	Lifetime = 10 * time.Minute
	// Interval is how long a device must wait between two polls; each poll that
	// comes too early adds as much again.
	Interval = 5 * time.Second
	// kept is how long a device code is remembered, to say that it expired.
	kept = 5 * time.Minute
	// maxWaiting is about how many codes of a tenant may wait for somebody to
	// type them; the oldest give way, which nobody typed.
	maxWaiting = 10_000
	// trimEvery is after how many new codes that is looked after.
	trimEvery = 100
)

// What a device code is.
const (
	Created  = "Created"  // the device has it, nobody typed the user code
	Entered  = "Entered"  // a person typed the user code and is asked for consent
	Approved = "Approved" // the device may have its tokens
	Denied   = "Denied"
	Consumed = "Consumed" // the device has its tokens
)

// Issued is a new device code: one part for the device, one for a person.
type Issued struct {
	DeviceCode string
	UserCode   string // XXXX-XXXX
	ExpiryTime time.Time
}

// Code is a live device code, as the pages see it.
type Code struct {
	ID         string
	ClientID   string
	UserCode   string // XXXX-XXXX
	Scope      string
	Address    string // from which the device asked
	Proved     bool   // the device authenticated as the client when it asked
	CreateTime time.Time
	ExpiryTime time.Time
	Status     string
	Username   string // who entered it, or ""
}

// Approver is who approves a device code, and how this person signed in.
type Approver struct {
	Username string
	AuthTime time.Time
	AMR      []string
	IDPID    string
	TTL      time.Duration // of the access token; 0: the tenant's default
	Began    int64         // the revocation number at which the approval began
}

// Approval is an approved device code that has just been consumed.
type Approval struct {
	Approver

	Scope  string
	Proved bool // the device authenticated when it asked for the code
}

// Errors of device codes. The pages meet ErrUnknown and ErrState, a polling
// device the others.
var (
	ErrUnknown = errors.New("there is no such live device code")
	// ErrState means that the code is not in the state that the step needs, or
	// was entered by somebody else.
	ErrState    = errors.New("the device code is not waiting for this step")
	ErrPending  = errors.New("the device code is not approved yet")
	ErrTooFast  = errors.New("the device polls too fast")
	ErrDenied   = errors.New("the device code was denied")
	ErrExpired  = errors.New("the device code has expired")
	ErrConsumed = errors.New("the device code was used before")
)

// Service keeps the device codes of all tenants.
type Service struct {
	store      store
	now        func() time.Time
	maxWaiting int
	made       atomic.Int64 // since the program started
}

// New returns a Service on db.
func New(db *database.DB, now func() time.Time) *Service {
	return &Service{store: store{db}, now: now, maxWaiting: maxWaiting}
}

// draws is how often a user code is drawn, until one is not taken.
const draws = 5

// Asked is what a device asks for.
type Asked struct {
	ClientID string
	Scope    string
	Address  string // from which it asks
	Proved   bool   // it authenticated as the client
}

// Request makes a device code.
func (s *Service) Request(ctx context.Context, tenantID string, a Asked) (Issued, error) {
	now := s.now()
	issued := Issued{DeviceCode: seal.NewSecret(), ExpiryTime: now.Add(Lifetime).UTC()}
	for range draws {
		userCode := newUserCode()
		issued.UserCode = display(userCode)
		err := s.store.insert(ctx, row{
			TenantID: tenantID, ID: uuid.NewString(), CodeHash: seal.Digest(issued.DeviceCode), UserCode: userCode, ClientID: a.ClientID,
			Scope: a.Scope, Address: a.Address, Proved: a.Proved, Status: Created, PollInterval: Interval.Microseconds(),
			CreateTime: database.At(now), ExpiryTime: database.At(issued.ExpiryTime),
		})
		if err == nil && s.made.Add(1)%trimEvery == 0 {
			err = s.store.trim(ctx, tenantID, s.maxWaiting)
		}
		if !database.IsDuplicate(err) {
			return issued, apierr.DatabaseAway(err)
		}
	}
	return Issued{}, apierr.Wrap(errors.New("every user code drawn was taken"), "make user code")
}

// Find returns the live code of a tenant that a person typed, in any letter
// case and with or without the dash, or ErrUnknown.
func (s *Service) Find(ctx context.Context, tenantID, userCode string) (Code, error) {
	typed, ok := parseUserCode(userCode)
	if !ok {
		return Code{}, ErrUnknown
	}
	r, found, err := s.store.find(ctx, tenantID, "user_code", typed)
	return s.live(r, found, err)
}

// Get returns a live code by its id, or ErrUnknown.
func (s *Service) Get(ctx context.Context, tenantID, id string) (Code, error) {
	r, found, err := s.store.find(ctx, tenantID, "id", id)
	return s.live(r, found, err)
}

func (s *Service) live(r row, found bool, err error) (Code, error) {
	switch {
	case err != nil:
		return Code{}, apierr.DatabaseAway(err)
	case !found, database.At(s.now()) >= r.ExpiryTime:
		return Code{}, ErrUnknown
	}
	return Code{
		ID: r.ID, ClientID: r.ClientID, UserCode: display(r.UserCode), Scope: r.Scope, Address: r.Address, Proved: r.Proved,
		CreateTime: r.CreateTime.Time(), ExpiryTime: r.ExpiryTime.Time(), Status: r.Status, Username: r.Username,
	}, nil
}

// Enter binds a code that nobody entered to the person who typed it; the same
// person may enter it again. It fails with ErrState.
func (s *Service) Enter(ctx context.Context, tenantID, id, username string) error {
	return step(s.store.enter(ctx, tenantID, id, username, database.At(s.now())))
}

// Approve lets the device have its tokens. Only whoever entered the code can
// approve it, once; otherwise it fails with ErrState.
func (s *Service) Approve(ctx context.Context, tenantID, id string, by Approver) error {
	return step(s.store.approve(ctx, tenantID, id, by, database.At(s.now())))
}

// Deny ends the code of whoever entered it, or fails with ErrState.
func (s *Service) Deny(ctx context.Context, tenantID, id, username string) error {
	return step(s.store.deny(ctx, tenantID, id, username, database.At(s.now())))
}

func step(done bool, err error) error {
	if err == nil && !done {
		return ErrState
	}
	return apierr.DatabaseAway(err)
}

// Withdraw denies some clients, or all where none is named, what a person
// approved for them and they have not fetched yet.
func (s *Service) Withdraw(ctx context.Context, tenantID, username string, clientIDs ...string) error {
	return apierr.DatabaseAway(s.store.withdraw(ctx, tenantID, username, clientIDs))
}

// slack is how much earlier than agreed a poll may come, because networks
// delay one request more than the next.
const slack = time.Second

// Redeem answers a poll of the client: it ends an approved code and returns
// what was approved, once. Otherwise it fails with ErrPending, ErrTooFast,
// ErrDenied, ErrExpired, ErrConsumed or ErrUnknown.
func (s *Service) Redeem(ctx context.Context, tenantID, clientID, deviceCode string) (Approval, error) {
	codeHash, now := seal.Digest(deviceCode), database.At(s.now())
	first, err := s.store.consume(ctx, tenantID, clientID, codeHash, now)
	if err != nil {
		return Approval{}, apierr.DatabaseAway(err)
	}
	r, found, err := s.store.polled(ctx, tenantID, codeHash)
	switch {
	case err != nil:
		return Approval{}, apierr.DatabaseAway(err)
	case !found, r.ClientID != clientID:
		return Approval{}, ErrUnknown
	case first:
		return r.approval(), nil
	case r.Status == Consumed:
		return Approval{}, ErrConsumed
	case r.Status == Denied:
		return Approval{}, ErrDenied
	case now >= r.ExpiryTime:
		return Approval{}, ErrExpired
	}
	inTime, err := s.store.poll(ctx, tenantID, r.ID, now)
	switch {
	case err != nil:
		return Approval{}, apierr.DatabaseAway(err)
	case !inTime:
		return Approval{}, ErrTooFast
	}
	return Approval{}, ErrPending // an approval that came this moment is seen by the next poll
}

// Sweep deletes codes that nobody will ask about again. It is called from
// time to time.
func (s *Service) Sweep(ctx context.Context) error {
	return s.store.sweep(ctx, database.At(s.now().Add(-kept)))
}

// The user code has eight of these letters, 34 bits: no vowels, so that it
// spells nothing, and none that are mistaken for digits.
const (
	alphabet   = "BCDFGHJKLMNPQRSTVWXZ"
	codeLength = 8
)

func newUserCode() string {
	code := make([]byte, 0, codeLength)
	for len(code) < codeLength {
		var b [1]byte
		_, _ = rand.Read(b[:]) // never fails: crypto/rand crashes the program instead
		if int(b[0]) < 256/len(alphabet)*len(alphabet) {
			code = append(code, alphabet[int(b[0])%len(alphabet)])
		}
	}
	return string(code)
}

// display writes a user code as people read it.
func display(userCode string) string { return userCode[:codeLength/2] + "-" + userCode[codeLength/2:] }

// parseUserCode reads a user code as people type it; false when it cannot be
// one.
func parseUserCode(typed string) (string, bool) {
	if len(typed) > 4*codeLength {
		return "", false
	}
	code := strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(typed))
	if len(code) != codeLength || strings.Trim(code, alphabet) != "" {
		return "", false
	}
	return code, true
}
