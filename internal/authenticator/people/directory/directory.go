package directory

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-ldap/ldap/v3"

	"gatehouse/internal/apierr"
	"gatehouse/internal/fair"
	"gatehouse/internal/recent"
)

// maxKnown bounds how many people are remembered.
const maxKnown = 4096

// dependency is what failures call the directory towards callers.
const dependency = "The directory"

var (
	// ErrRefused says that the sign-in is refused: the person is unknown, the
	// password wrong, the filter excludes them, or the name cannot be one. The
	// reasons are deliberately not told apart.
	ErrRefused = errors.New("directory: the username or the password is wrong")
	// ErrNotFound says that there is no such person, or none that the filter admits.
	ErrNotFound = errors.New("directory: there is no such person")

	errClosed = errors.New("directory: closed")
)

// Profile is what a directory tells of a person. Only Username and DN are
// always there; what the directory does not hold is empty.
type Profile struct {
	Username    string // the directory's own spelling of the name
	DN          string
	Name        string // given and last name, or cn
	GivenName   string
	LastName    string
	Email       string
	Phone       string
	MobilePhone string
	UID         string // the POSIX user number
	CreateTime  time.Time
}

// Directory is one LDAP directory with its connections. It is safe for
// concurrent use.
type Directory struct {
	naming     naming
	userDN     string
	bindDN     string
	timeout    time.Duration
	service    *pool                        // bound as the service account: look-ups only
	people     *pool                        // bound as people: password checks only
	listing    *fair.Slots                  // one is taken by each list being read
	known      *recent.Map[string, Profile] // by names exactly as typed; strangers are not in it
	ttl        time.Duration                // how long anybody is known
	now        func() time.Time
	impossible string // the DN of nobody
	log        *slog.Logger
}

// New checks cfg and prepares a Directory. It connects to nothing yet: a
// directory that is away at start is found when it is back.
func New(cfg Config, log *slog.Logger) (*Directory, error) {
	cfg = cfg.withDefaults()
	names, err := newNaming(cfg)
	if err != nil {
		return nil, err
	}
	at, err := newServer(cfg)
	if err != nil {
		return nil, err
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	dial := &dialer{server: at, timeout: cfg.DialTimeout, bindDN: cfg.BindDN, bindPassword: cfg.BindPassword, log: log}
	return &Directory{
		naming:     names,
		userDN:     cfg.UserDN,
		bindDN:     cfg.BindDN,
		timeout:    cfg.Timeout,
		service:    newPool(cfg.PoolSize, cfg.Now, dial.openService),
		people:     newPool(cfg.PoolSize, cfg.Now, dial.open),
		listing:    fair.New(max(1, cfg.PoolSize/4)),
		known:      recent.New[string, Profile](maxKnown, cfg.EntryTTL),
		ttl:        cfg.EntryTTL,
		now:        cfg.Now,
		impossible: names.attribute + "=" + rand.Text() + "," + names.base,
		log:        log,
	}, nil
}

// Close closes the connections. Whoever still asks is told that the directory
// is away.
func (d *Directory) Close() error {
	d.service.close()
	d.people.close()
	return nil
}

// Authenticate checks a password and returns the profile of whose it is. It
// returns ErrRefused for everything that the person can be blamed for, and an
// error of kind apierr.Unavailable when the directory cannot be asked.
func (d *Directory) Authenticate(ctx context.Context, username, password string) (Profile, error) {
	if !usableName(username) || !usablePassword(password) {
		return Profile{}, ErrRefused
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	if d.naming.templated {
		return d.bindThenSearch(ctx, username, password)
	}
	return d.searchThenBind(ctx, username, password)
}

// Profile returns the profile of a person that the filter admits, or
// ErrNotFound. It may be as old as Config.EntryTTL.
func (d *Directory) Profile(ctx context.Context, username string) (Profile, error) {
	if !usableName(username) {
		return Profile{}, ErrNotFound
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	p, _, err := d.lookup(ctx, username)
	return p, err
}

// bindThenSearch signs in where the DN follows from the name.
func (d *Directory) bindThenSearch(ctx context.Context, username, password string) (Profile, error) {
	if err := d.bind(ctx, d.naming.dn(username), password); err != nil {
		if errors.Is(err, ErrRefused) {
			// Someone whom the filter excludes is told so after a look-up;
			// whoever guesses must not see by the time that the password was right.
			_, _ = d.search(ctx, username)
		}
		return Profile{}, err
	}
	p, _, err := d.lookup(ctx, username)
	return p, refuseStrangers(err)
}

// searchThenBind signs in where the DN has to be found first.
func (d *Directory) searchThenBind(ctx context.Context, username, password string) (Profile, error) {
	p, cached, err := d.lookup(ctx, username)
	dn := p.DN
	if errors.Is(err, ErrNotFound) {
		dn = d.impossible // Nobody can bind as this; it takes a round trip as a wrong password does.
	} else if err != nil {
		return Profile{}, err
	}
	if refused := d.bind(ctx, dn, password); refused != nil {
		if cached && errors.Is(refused, ErrRefused) {
			// As many round trips as for anyone else; and the entry may have moved.
			d.known.Drop(username)
			_, _ = d.search(ctx, username)
		}
		return Profile{}, refused
	}
	return p, refuseStrangers(err)
}

func refuseStrangers(err error) error {
	if errors.Is(err, ErrNotFound) {
		return ErrRefused
	}
	return err
}

// lookup returns the profile of whom the filter admits, from memory if it was
// looked up a moment ago.
func (d *Directory) lookup(ctx context.Context, username string) (p Profile, cached bool, err error) {
	now := d.now()
	if p, ok := d.known.Find(username, now); ok {
		return p, true, nil
	}
	turn := d.known.Turn()
	if p, err = d.search(ctx, username); err == nil {
		d.known.Keep(username, p, now, turn)
	}
	return p, false, err
}

// bind asks the directory whether password belongs to dn.
func (d *Directory) bind(ctx context.Context, dn, password string) error {
	err := d.people.do(ctx, func(c *ldap.Conn) error { return c.Bind(dn, password) })
	code, answered := resultCode(err)
	switch {
	case err == nil:
		return nil
	case !answered:
		return apierr.Away(fmt.Errorf("check a password: %w", err), dependency)
	case code == ldap.LDAPResultInvalidCredentials, code == ldap.LDAPResultNoSuchObject:
		return ErrRefused
	case isAboutThePerson(code):
		d.log.WarnContext(ctx, "directory refused a bind", "result_code", code)
		return ErrRefused
	default:
		return apierr.Away(fmt.Errorf("check a password: %w", err), dependency)
	}
}

// isAboutThePerson reports whether a result code blames this one person, whose
// account is locked, without a password, elsewhere, or has a name that the
// directory's schema forbids, rather than the directory or its configuration.
func isAboutThePerson(code uint16) bool {
	switch code {
	case ldap.LDAPResultReferral, ldap.LDAPResultConstraintViolation, ldap.LDAPResultInvalidDNSyntax,
		ldap.LDAPResultInappropriateAuthentication, ldap.LDAPResultUnwillingToPerform:
		return true
	}
	return false
}

// search looks a person up with the rights of the service account, and asks
// whether they are in a group that may sign in. It asks that of strangers as
// well: the time must not tell who is known.
func (d *Directory) search(ctx context.Context, username string) (Profile, error) {
	p, number, err := d.entry(ctx, username)
	if d.naming.groups.everyone() || (err != nil && !errors.Is(err, ErrNotFound)) {
		return p, err
	}
	name := username
	if err == nil {
		name = p.Username
	}
	admitted, asking := d.member(ctx, name, number)
	switch {
	case err != nil:
		return Profile{}, err
	case asking != nil:
		return Profile{}, asking
	case !admitted:
		return Profile{}, ErrNotFound
	}
	return p, nil
}

// entry finds the one entry of a person, and their group number.
func (d *Directory) entry(ctx context.Context, username string) (p Profile, number string, err error) {
	found, err := d.ask(ctx, d.naming.search(username))
	code, answered := resultCode(err)
	switch {
	case err == nil:
	case answered && (code == ldap.LDAPResultNoSuchObject || code == ldap.LDAPResultInvalidDNSyntax):
		return Profile{}, "", ErrNotFound
	case answered && (code == ldap.LDAPResultReferral || code == ldap.LDAPResultSizeLimitExceeded):
		d.log.WarnContext(ctx, "directory gave no definite entry for a name", "result_code", code)
		return Profile{}, "", ErrNotFound
	default:
		return Profile{}, "", apierr.Away(fmt.Errorf("look a person up: %w", err), dependency)
	}
	if len(found.Entries) > 1 || len(found.Referrals) > 0 {
		d.log.WarnContext(ctx, "directory gave no definite entry for a name",
			"entries", len(found.Entries), "referrals", len(found.Referrals))
		return Profile{}, "", ErrNotFound
	}
	if len(found.Entries) == 0 {
		return Profile{}, "", ErrNotFound
	}
	p, err = d.naming.profile(found.Entries[0], username)
	return p, found.Entries[0].GetEqualFoldAttributeValue(groupNumberAttribute), err
}

// ask carries out a search with the rights of the service account.
func (d *Directory) ask(ctx context.Context, request *ldap.SearchRequest) (found *ldap.SearchResult, err error) {
	request.TimeLimit = int(d.timeout/time.Second) + 1
	err = d.service.do(ctx, func(c *ldap.Conn) (err error) {
		found, err = c.Search(request)
		return err
	})
	return found, err
}

// resultCode returns the result code that the server answered with, if it
// answered: go-ldap keeps those from 200 on for failures of its own. What was
// answered while the connection was made says nothing about the operation.
func resultCode(err error) (code uint16, answered bool) {
	var opening *openError
	if errors.As(err, &opening) {
		return 0, false
	}
	var e *ldap.Error
	if !errors.As(err, &e) || e.ResultCode >= ldap.ErrorNetwork {
		return 0, false
	}
	return e.ResultCode, true
}
