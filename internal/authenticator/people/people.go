// Package people answers who a person is: whose password it is, whether
// somebody is still there and may have tokens, and what is known of them. It
// is where every identity source of a tenant comes together, each in a file of
// its own; for now that is LDAP (ldap.go), which speaking belongs to directory.
//
// Which grants and second factors a tenant permits is said by tenantconfig.
// How a name becomes tokens or a session belongs to grants and signin.
package people

import (
	"context"
	"errors"
	"slices"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/authenticator/oauth2"
	"gatehouse/internal/authenticator/people/directory"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/fair"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/throttle"
)

// Profile is what is known of a person.
type Profile = directory.Profile

// Directory is an identity source that can be asked for people by name. Its
// errors are those of directory.Directory.
type Directory interface {
	Authenticate(ctx context.Context, username, password string) (Profile, error)
	Profile(ctx context.Context, username string) (Profile, error)
	Groups(ctx context.Context, username string) ([]string, error)
	List(ctx context.Context, offset, limit int) ([]Profile, error)
}

// Directories finds the Directory of a tenant; false when it has none.
type Directories func(ctx context.Context, tenant registryclient.Tenant) (Directory, bool, error)

var (
	// ErrNoDirectory says that a tenant's people cannot be asked for by name.
	ErrNoDirectory = errors.New("the tenant has no directory of people")
	// ErrNotFound says that there is no such person, or none whom the tenant's
	// rules admit.
	ErrNotFound = errors.New("there is no such person in the tenant")
	// ErrRefused says that a username or a password is wrong.
	ErrRefused = directory.ErrRefused
	// ErrGone says that somebody who signed in is not among the tenant's people
	// any more.
	ErrGone = errors.New("the person is not in the directory any more, or the tenant's rules exclude them")
	// ErrSecondFactor says that somebody signed in without the second factor
	// that the tenant asks for, perhaps since a moment ago.
	ErrSecondFactor = errors.New("the tenant asks for a second factor, which was not given")
)

// The ways of signing in, as RFC 8176 names them.
const (
	AMRPassword    = "pwd"
	AMRMultiFactor = "mfa"
)

// Deps are what a Service uses.
type Deps struct {
	Directories Directories
	Kernel      *kernel.Service
	Guard       *throttle.Guard // shared with all that check secrets
}

// Service answers for the people of all tenants.
type Service struct{ deps Deps }

// New returns a Service.
func New(d Deps) *Service { return &Service{deps: d} }

// Authenticate checks a password that came from an address. Guesses are
// throttled, wherever they are made. It fails with ErrRefused,
// ErrNoDirectory, an error of kind apierr.TooMany, or one of kind
// apierr.Unavailable when nobody can be asked.
func (s *Service) Authenticate(ctx context.Context, tenant registryclient.Tenant, username, password,
	address string,
) (Profile, error) {
	d, err := s.directory(ctx, tenant)
	if err != nil {
		return Profile{}, err
	}
	attempt, err := s.deps.Guard.Password(ctx, tenant.ID, username, address)
	if err != nil {
		return Profile{}, err
	}
	defer attempt.Cancel()
	ctx = fair.With(ctx, throttle.Networks(address)...)
	person, err := d.Authenticate(asking(ctx, tenant, username), username, password)
	if err == nil {
		err = s.named(ctx, tenant, person.Username)
	}
	switch {
	case errors.Is(err, ErrRefused):
		attempt.Fail()
		return Profile{}, err
	case err != nil:
		return Profile{}, err
	}
	attempt.Succeed()
	return person, nil
}

// named refuses, as a wrong password, whom the operator did not name among
// those who may sign in to the administrative tenant of a site.
func (s *Service) named(ctx context.Context, tenant registryclient.Tenant, username string) error {
	if !tenant.SiteAdmin {
		return nil
	}
	may, err := s.deps.Kernel.IsSiteAdminUser(ctx, tenant.ID, username)
	if err == nil && !may {
		err = ErrRefused
	}
	return err
}

// Find returns what is known of a person, up to a minute old. It fails with
// ErrNotFound or ErrNoDirectory.
func (s *Service) Find(ctx context.Context, tenant registryclient.Tenant, username string) (Profile, error) {
	d, err := s.directory(ctx, tenant)
	if err != nil {
		return Profile{}, err
	}
	person, err := d.Profile(asking(ctx, tenant, username), username)
	if errors.Is(err, directory.ErrNotFound) || errors.Is(err, directory.ErrRefused) {
		err = ErrNotFound
	}
	return person, err
}

// Groups returns the groups of a person. It fails with ErrNoDirectory.
func (s *Service) Groups(ctx context.Context, tenant registryclient.Tenant, username string) ([]string, error) {
	d, err := s.directory(ctx, tenant)
	if err != nil {
		return nil, err
	}
	return d.Groups(asking(ctx, tenant, username), username)
}

// List returns at most limit people in the order of their names, after the
// first offset ones. It fails with ErrNoDirectory.
func (s *Service) List(ctx context.Context, tenant registryclient.Tenant, offset, limit int) ([]Profile, error) {
	d, err := s.directory(ctx, tenant)
	if err != nil {
		return nil, err
	}
	return d.List(ctx, offset, limit)
}

// asking says for whom a directory is asked, which shares its connections
// between networks of strangers and between people.
func asking(ctx context.Context, tenant registryclient.Tenant, username string) context.Context {
	return fair.With(ctx, tenant.ID+":"+strings.ToLower(username))
}

func (s *Service) directory(ctx context.Context, tenant registryclient.Tenant) (Directory, error) {
	d, found, err := s.deps.Directories(ctx, tenant)
	if err == nil && !found {
		err = ErrNoDirectory
	}
	return d, err
}

// Login is a sign-in, now or earlier, on which something is to be granted.
type Login struct {
	Username  string
	IDPID     string   // the external identity provider; empty: the tenant's directory
	AMR       []string // how, RFC 8176
	GrantType string   // that it was made for; empty: a session
}

// Admit fails unless whoever signed in may have a session or tokens of a
// tenant now: the name is a person's, the person is still there, and the second
// factor was given if the tenant asks for one. It fails with ErrGone, with
// ErrSecondFactor, or with an error to answer.
func (s *Service) Admit(ctx context.Context, tenant registryclient.Tenant, settings tenantconfig.Settings, l Login) error {
	if err := CheckName(l.Username); err != nil {
		return err
	}
	if err := checkFactor(settings, l); err != nil {
		return err
	}
	return s.stillThere(ctx, tenant, l)
}

func checkFactor(settings tenantconfig.Settings, l Login) error {
	switch {
	case !settings.MFA, slices.Contains(l.AMR, AMRMultiFactor):
		return nil
	case l.GrantType == oauth2.Password && !settings.PasswordNeedsMFA():
		return nil
	}
	return ErrSecondFactor
}

// stillThere asks whether somebody who signed in before is still among the
// tenant's people. Where there is no directory, only those are who signed in
// with an external identity provider: others did before the tenant's people
// moved there, under a name that may be another's now. In the administrative
// tenant of a site nobody is: its directory says who may.
func (s *Service) stillThere(ctx context.Context, tenant registryclient.Tenant, l Login) error {
	person, err := s.Find(ctx, tenant, l.Username)
	if err == nil {
		err = s.named(ctx, tenant, person.Username)
	}
	switch {
	case errors.Is(err, ErrNoDirectory) && l.IDPID != "" && !tenant.SiteAdmin:
		return nil
	case errors.Is(err, ErrNoDirectory), errors.Is(err, ErrNotFound), errors.Is(err, ErrRefused):
		return ErrGone
	case err == nil && person.Username != l.Username: // spelt differently now
		return ErrGone
	}
	return err
}

// ClientPrefix stands before the id of a client that acts for itself, where
// tokens name a person. No person's name may begin with it, and no client's id
// contains a colon, so that neither can be taken for the other.
const ClientPrefix = "client:"

// CheckName fails for names that only clients, or services as their owners,
// may have.
func CheckName(username string) error {
	for _, prefix := range []string{ClientPrefix, "service:"} {
		if len(username) >= len(prefix) && strings.EqualFold(username[:len(prefix)], prefix) {
			return apierr.OAuth(apierr.Invalid, oauth2.InvalidGrant, "Names that begin with %s do not belong to people.", prefix)
		}
	}
	return nil
}
