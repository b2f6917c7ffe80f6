package authenticator

import (
	"context"

	"gatehouse/internal/authenticator/directory"
	"gatehouse/internal/registryclient"
)

// people are those of a tenant who may sign in.
type people interface {
	Authenticate(ctx context.Context, username, password string) (directory.Profile, error)
	Profile(ctx context.Context, username string) (directory.Profile, error)
}

// people returns those of a tenant's directory; false when it has none. Of the
// administrative tenant's they are only those whom the operator named: the
// others are refused as with a wrong password.
func (s *Service) people(ctx context.Context, t registryclient.Tenant) (people, bool, error) {
	d, found, err := s.connections.For(ctx, t)
	if err != nil || !found || !t.SiteAdmin {
		return d, found, err
	}
	return named{people: d, may: func(ctx context.Context, username string) (bool, error) {
		return s.accounts.IsSiteAdminUser(ctx, t.ID, username)
	}}, true, nil
}

// named are those people who may.
type named struct {
	people

	may func(ctx context.Context, username string) (bool, error)
}

func (n named) Authenticate(ctx context.Context, username, password string) (directory.Profile, error) {
	return n.only(ctx, func() (directory.Profile, error) { return n.people.Authenticate(ctx, username, password) })
}

func (n named) Profile(ctx context.Context, username string) (directory.Profile, error) {
	return n.only(ctx, func() (directory.Profile, error) { return n.people.Profile(ctx, username) })
}

func (n named) only(ctx context.Context, find func() (directory.Profile, error)) (directory.Profile, error) {
	p, err := find()
	if err != nil {
		return directory.Profile{}, err
	}
	may, err := n.may(ctx, p.Username)
	if err == nil && !may {
		err = directory.ErrRefused
	}
	if err != nil {
		return directory.Profile{}, err
	}
	return p, nil
}
