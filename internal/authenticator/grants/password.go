package grants

import (
	"context"
	"errors"
	"slices"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/attempts"
	"gatehouse/internal/authenticator/directory"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/registryclient"
)

// Directory is where the people of a tenant are.
type Directory interface {
	Authenticate(ctx context.Context, username, password string) (directory.Profile, error)
	Profile(ctx context.Context, username string) (directory.Profile, error)
}

// Directories finds the directory of a tenant; false when it has none.
type Directories func(ctx context.Context, tenant registryclient.Tenant) (Directory, bool, error)

// errGone says that somebody who signed in is not among the tenant's people
// any more.
var errGone = errors.New("the person is not in the directory any more, or the tenant's rules exclude them")

// stillThere asks the tenant's directory whether somebody who signed in before
// is still among its people. Where there is no directory, only those are who
// signed in with an external identity provider: others did before the tenant's
// people moved there, under a name that may be another's now. In the
// administrative tenant of a site nobody is: its directory says who may.
func (d Directories) stillThere(ctx context.Context, tenant registryclient.Tenant, username, idpID string) error {
	people, found, err := d(ctx, tenant)
	switch {
	case err != nil:
		return err
	case !found && (idpID == "" || tenant.SiteAdmin):
		return errGone
	case !found:
		return nil
	}
	person, err := people.Profile(ctx, username)
	switch {
	case errors.Is(err, directory.ErrNotFound), errors.Is(err, directory.ErrRefused):
		return errGone
	case err == nil && person.Username != username: // spelt differently now
		return errGone
	}
	return err
}

// orInvalid gives errGone the answer of a grant.
func orInvalid(err error, invalid func(cause error) error) error {
	if errors.Is(err, errGone) {
		return invalid(err)
	}
	return err
}

// multiFactor is how a sign-in with a second factor is called, RFC 8176.
const multiFactor = "mfa"

// secondFactor refuses a sign-in without the second factor that the tenant
// asks for, perhaps since a moment ago, when the session began without.
func secondFactor(tenant registryclient.Tenant, settings tenantconfig.Settings, amr []string) error {
	if settings.MFA() && !slices.Contains(amr, multiFactor) {
		return apierr.OAuth(apierr.Forbidden, "access_denied", "The tenant %s asks for a second factor.", tenant.ID)
	}
	return nil
}

// password is the grant of RFC 6749 section 4.3: a person's name and password
// for tokens. It works without a client, and then gives no refresh token.
type password struct {
	directories Directories
	guard       *attempts.Guard
	now         func() time.Time
}

func (password) client() clientRule { return clientOptional }

func (g password) authorize(ctx context.Context, a attempt) (grantee, error) {
	if a.Username == "" || a.Password == "" {
		return grantee{}, apierr.Invalidf(
			"Missing required payload data; username and password are required for the password grant type.")
	}
	if a.settings.PasswordNeedsMFA() {
		return grantee{}, apierr.OAuth(apierr.Invalid, "unauthorized_client",
			"The tenant %s asks for a second factor; the password grant type is not available.", a.tenant.ID)
	}
	people, found, err := g.directories(ctx, a.tenant)
	if err != nil {
		return grantee{}, err
	}
	if !found {
		return grantee{}, apierr.OAuth(apierr.Invalid, "unauthorized_client",
			"The tenant %s has no directory of people; the password grant type is not available.", a.tenant.ID)
	}
	attempt, err := g.guard.Password(ctx, a.tenant.ID, a.Username, a.Address)
	if err != nil {
		return grantee{}, err
	}
	defer attempt.Cancel()
	person, err := people.Authenticate(ctx, a.Username, a.Password)
	if errors.Is(err, directory.ErrRefused) {
		attempt.Fail()
		return grantee{}, invalidGrant("Invalid username/password combination.", err)
	}
	if err != nil {
		return grantee{}, err
	}
	attempt.Succeed()
	if err := reserved(person.Username); err != nil {
		return grantee{}, err
	}
	return grantee{
		username: person.Username,
		login:    tokens.Login{Scope: Granted(a.Scope), AuthTime: g.now(), AMR: []string{"pwd"}},
	}, nil
}
