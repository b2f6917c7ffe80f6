package sessions

import (
	"context"
	"regexp"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
	"gatehouse/internal/seal"
)

// seenEvery is how often the use of a session is written down.
const seenEvery = time.Minute

// Session is one browser at one tenant.
type Session struct {
	Person // empty: nobody is signed in

	TenantID string
	cookie   string
	isNew    bool
}

// Person is somebody who is signed in, and how that was done.
type Person struct {
	Username string // as the directory or identity provider spells it
	AuthTime time.Time
	AMR      []string // RFC 8176
	IDPID    string   // external identity provider, if one was used
}

// SignedIn reports whether somebody is signed in.
func (s Session) SignedIn() bool { return s.Username != "" }

// Cookie returns the value of the browser's cookie, and whether the browser
// has yet to be told it.
func (s Session) Cookie() (value string, isNew bool) { return s.cookie, s.isNew }

func (s Session) hash() string { return seal.Digest(s.cookie) }

// Deps are what a Service uses.
type Deps struct {
	DB       *database.DB
	Box      *seal.Box
	Now      func() time.Time
	Idle     time.Duration // how long an unused session lasts
	Lifetime time.Duration // how long a session lasts at all
}

// Service keeps the sessions and flows of all tenants.
type Service struct {
	store    store
	box      *seal.Box
	now      func() time.Time
	idle     time.Duration
	lifetime time.Duration
}

// New returns a Service.
func New(d Deps) *Service {
	return &Service{store: store{d.DB}, box: d.Box, now: d.Now, idle: d.Idle, lifetime: d.Lifetime}
}

// cookiePattern is the form of the cookies that are given out.
var cookiePattern = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// Open returns the session of a browser that sent a cookie, or "". Whatever is
// not the cookie of a live session of this tenant makes it one in which nobody
// is signed in.
func (s *Service) Open(ctx context.Context, tenantID, cookie string) (Session, error) {
	if !cookiePattern.MatchString(cookie) {
		return anonymous(tenantID), nil
	}
	session := Session{TenantID: tenantID, cookie: cookie}
	now := s.now()
	r, found, err := s.store.session(ctx, tenantID, session.hash())
	switch {
	case err != nil:
		return Session{}, apierr.DatabaseAway(err)
	case !found:
		return session, nil
	case !now.Before(r.ExpiryTime.Time()), now.Sub(r.SeenTime.Time()) >= s.idle:
		return anonymous(tenantID), nil
	}
	if now.Sub(r.SeenTime.Time()) >= seenEvery {
		if err := s.store.seen(ctx, tenantID, session.hash(), database.At(now)); err != nil {
			return Session{}, apierr.DatabaseAway(err)
		}
	}
	session.Person = Person{Username: r.Username, AuthTime: r.AuthTime.Time(), AMR: strings.Fields(r.AMR), IDPID: r.IDPID}
	return session, nil
}

func anonymous(tenantID string) Session {
	return Session{TenantID: tenantID, cookie: seal.NewSecret(), isNew: true}
}

// SignIn ends a session and returns one in which the person is signed in. The
// flows of the browser go along; what was kept does when the person is the
// same.
func (s *Service) SignIn(ctx context.Context, old Session, who Person) (Session, error) {
	session := anonymous(old.TenantID)
	session.Person = who
	now := s.now()
	r := sessionRow{
		TenantID: old.TenantID, CookieHash: session.hash(), Username: who.Username, AuthTime: database.At(who.AuthTime),
		AMR: strings.Join(who.AMR, " "), IDPID: who.IDPID,
		CreateTime: database.At(now), SeenTime: database.At(now), ExpiryTime: database.At(now.Add(s.lifetime)),
	}
	err := s.store.db.InTx(ctx, func(ctx context.Context) error {
		if old.SignedIn() && old.Username == who.Username {
			before, _, err := s.store.session(ctx, old.TenantID, old.hash())
			if err != nil {
				return err
			}
			r.Kept = before.Kept
		}
		if err := s.store.deleteSession(ctx, old.TenantID, old.hash()); err != nil {
			return err
		}
		if err := s.store.insertSession(ctx, r); err != nil {
			return err
		}
		return s.store.moveFlows(ctx, old.TenantID, old.hash(), session.hash())
	})
	if err != nil {
		return Session{}, apierr.DatabaseAway(err)
	}
	return session, nil
}

// SignOut ends a session and its flows and returns one in which nobody is
// signed in.
func (s *Service) SignOut(ctx context.Context, old Session) (Session, error) {
	err := s.store.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.deleteSession(ctx, old.TenantID, old.hash()); err != nil {
			return err
		}
		return s.store.deleteFlows(ctx, old.TenantID, old.hash())
	})
	if err != nil {
		return Session{}, apierr.DatabaseAway(err)
	}
	return anonymous(old.TenantID), nil
}

// End ends every session of a person.
func (s *Service) End(ctx context.Context, tenantID, username string) error {
	return apierr.DatabaseAway(s.store.deleteSessions(ctx, tenantID, username))
}

// Keep seals a value into a session in which somebody is signed in; nil
// forgets what is there.
func (s *Service) Keep(ctx context.Context, session Session, value []byte) error {
	sealed := ""
	if value != nil {
		sealed = s.box.Seal(value, "sessions", keptPlace(session), "kept")
	}
	return apierr.DatabaseAway(s.store.keep(ctx, session.TenantID, session.hash(), sealed))
}

// Kept returns what Keep has sealed; nil when there is nothing.
func (s *Service) Kept(ctx context.Context, session Session) ([]byte, error) {
	r, _, err := s.store.session(ctx, session.TenantID, session.hash())
	if err != nil || r.Kept == "" {
		return nil, apierr.DatabaseAway(err)
	}
	value, err := s.box.Open(r.Kept, "sessions", keptPlace(session), "kept")
	if err != nil {
		return nil, apierr.Wrap(err, "open what a session keeps")
	}
	return value, nil
}

// keptPlace names a person, not a row, because what is kept moves from row to
// row.
func keptPlace(s Session) string { return s.TenantID + "/" + s.Username }

// FormToken returns what a form of this browser must carry so that it is known
// to be ours: a keyed hash of the cookie, for one flow or, with "", for none.
func (s *Service) FormToken(session Session, flowID string) string {
	return s.box.Hash(formPurpose(session, flowID), session.cookie)
}

// FormTokenMatches compares in constant time.
func (s *Service) FormTokenMatches(session Session, flowID, token string) bool {
	return s.box.HashMatches(formPurpose(session, flowID), session.cookie, token)
}

func formPurpose(s Session, flowID string) string { return "form " + s.TenantID + "/" + flowID }

// Sweep deletes what has ended. It is called from time to time.
func (s *Service) Sweep(ctx context.Context) error {
	now := s.now()
	return s.store.sweep(ctx, database.At(now), database.At(now.Add(-s.idle)))
}
