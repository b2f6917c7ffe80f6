package keys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authn"
	"gatehouse/internal/database"
	"gatehouse/internal/registryclient"
)

// Mode says how a rotation goes.
type Mode string

// The modes.
const (
	Graceful  Mode = "graceful"  // publish the new key, switch after twice JWKSMaxAge
	Now       Mode = "now"       // switch at once; the old key goes on verifying
	Emergency Mode = "emergency" // switch at once; the old key ends
)

// LastExpiry says when the last of the access and ID tokens expires that a
// tenant's key signed between two times; zero: there is none.
type LastExpiry func(ctx context.Context, tenantID string, from, to time.Time) (time.Time, error)

// Rotator moves keys through their states. All of its state is in the
// database: several may run at once, and what one leaves undone another, or
// the next start, completes.
type Rotator struct {
	keys       *Service
	registry   *registryclient.Records // where services that read no JWK Set find a tenant's one public key
	lastExpiry LastExpiry
	log        *slog.Logger

	standbys limiter

	asking  singleflight.Group
	ticking sync.Mutex
	waiting map[string]backoff // tenants whose switch has failed; guarded by ticking
}

// NewRotator returns a Rotator of s's keys.
func NewRotator(s *Service, registry *registryclient.Records, last LastExpiry, log *slog.Logger) *Rotator {
	return &Rotator{keys: s, registry: registry, lastExpiry: last, log: log, waiting: map[string]backoff{}}
}

const (
	// rotateTimeout bounds a whole rotation, publishTimeout its talk with the
	// registry: what remains is for the switch that an emergency makes anyway.
	rotateTimeout  = 14 * time.Second
	publishTimeout = 6 * time.Second
)

// Rotation is what a rotation has come to.
type Rotation struct {
	KeyID      string
	PublicKey  string    // PEM, of the key that signs or is to sign
	SwitchTime time.Time // when it will; zero: it does
}

// Rotate replaces the tenant's signing key, or makes its first. Requests at the
// same time share one rotation, in this process and in others. When it fails
// with apierr.Unavailable after the new key was made, the switch waits for the
// registry and Tick completes it.
func (r *Rotator) Rotate(ctx context.Context, tenantID string, mode Mode) (Rotation, error) {
	done, err, _ := r.asking.Do(tenantID+" "+string(mode), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rotateTimeout)
		defer cancel()
		return r.rotate(ctx, tenantID, mode)
	})
	if err != nil {
		return Rotation{}, err
	}
	return done.(Rotation), nil // the function above returns nothing else
}

func (r *Rotator) rotate(ctx context.Context, tenantID string, mode Mode) (Rotation, error) {
	asked := database.At(r.keys.now())
	rows, err := r.rows(ctx, tenantID)
	if err != nil {
		return Rotation{}, err
	}
	active, next := inState(rows, Active), inState(rows, Next)
	if active == nil {
		if _, err := r.keys.Ensure(ctx, tenantID); err != nil {
			return Rotation{}, err
		}
		r.log.InfoContext(ctx, "signing key made", slog.String("tenant", tenantID))
		if err := r.publishActive(ctx, tenantID); err != nil {
			return Rotation{}, err
		}
		return r.signing(ctx, tenantID, Active)
	}
	wanted := request{mode: mode, asked: asked, seen: active.KID, now: database.At(r.keys.now())}
	if next == nil || mode == Emergency {
		if wanted.fresh, err = r.keys.generate(tenantID); err != nil {
			return Rotation{}, apierr.Wrap(err, "rotate")
		}
	}
	began := false
	if err := r.change(ctx, tenantID, func(rows []row) []row {
		changed := wanted.begin(rows)
		began = len(changed) > 0
		return changed
	}); err != nil {
		return Rotation{}, err
	}
	if began {
		r.log.InfoContext(ctx, "rotation of a signing key begun", slog.String("tenant", tenantID), slog.String("mode", string(mode)))
	}
	if err := r.complete(ctx, tenantID); err != nil {
		return Rotation{}, err
	}
	if mode == Graceful {
		return r.signing(ctx, tenantID, Next, Active)
	}
	return r.signing(ctx, tenantID, Active)
}

// signing describes the tenant's key in the first of these states that has one.
func (r *Rotator) signing(ctx context.Context, tenantID string, states ...State) (Rotation, error) {
	rows, err := r.rows(ctx, tenantID)
	if err != nil {
		return Rotation{}, err
	}
	for _, state := range states {
		found := inState(rows, state)
		if found == nil || found.standby() {
			continue
		}
		key, err := r.keys.open(*found)
		if err != nil {
			return Rotation{}, err
		}
		done := Rotation{KeyID: key.ID}
		if state == Next {
			done.SwitchTime = found.SwitchTime.Time()
		}
		done.PublicKey, err = authn.PublicPEM(key.Public)
		return done, err
	}
	return Rotation{}, apierr.Wrap(errors.New("the key has gone"), "rotate")
}

// complete makes the tenant's next key the active one if its time has come.
// The registry is told before: a reader that fetches the key from there after
// the switch must find the new one, and one that fetched the old one before
// could not know better in any order.
func (r *Rotator) complete(ctx context.Context, tenantID string) error {
	rows, err := r.rows(ctx, tenantID)
	if err != nil {
		return err
	}
	next := inState(rows, Next)
	if next == nil || next.SwitchTime > database.At(r.keys.now()) {
		return nil
	}
	key, err := r.keys.open(*next)
	if err != nil {
		return err
	}
	public, err := authn.PublicPEM(key.Public)
	if err != nil {
		return err
	}
	publishErr := r.publish(ctx, tenantID, public)
	if publishErr != nil && !r.mayPrecede(*next) {
		return publishErr
	}
	switched := false
	if err := r.change(ctx, tenantID, func(rows []row) []row {
		changed := activate(rows, next.KID, database.At(r.keys.now()), r.keys.publicHalf)
		switched = len(changed) > 0
		return changed
	}); err != nil {
		return err
	}
	switch {
	case !switched: // another did it, or an emergency came: let the registry have what counts now
		return r.publishActive(ctx, tenantID)
	case publishErr != nil:
		r.log.ErrorContext(ctx, "signing key replaced in an emergency before the registry could be told; this will be tried again",
			slog.String("tenant", tenantID), slog.String("kid", next.KID), slog.Any("error", publishErr))
	default:
		r.log.InfoContext(ctx, "signing key rotated", slog.String("tenant", tenantID), slog.String("kid", next.KID),
			slog.Bool("emergency", next.Emergency))
	}
	return nil
}

// mayPrecede reports whether a switch need not wait for the registry: in an
// emergency the old key must end even so. Not the site administrators': what
// tells the registry afterwards would be signed with a key that the registry
// does not know.
func (r *Rotator) mayPrecede(next row) bool {
	if !next.Emergency {
		return false
	}
	admin, err := r.registry.SiteAdmin(next.TenantID)
	return err == nil && !admin
}

// publish lets the registry have a public key, if it has it not yet: after a
// crash behind the change, the token that would ask for it again is one that
// the registry does not know any more.
func (r *Rotator) publish(ctx context.Context, tenantID, public string) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	published, err := r.registry.PublishedKey(ctx, tenantID)
	if err != nil || same(published, public) {
		return err
	}
	return r.registry.PublishKey(ctx, tenantID, public)
}

func same(a, b string) bool { return strings.TrimSpace(a) == strings.TrimSpace(b) }

// publishTries is how often publishActive begins again because the active key
// has changed meanwhile.
const publishTries = 3

// publishActive lets the registry have the public half of the active key.
func (r *Rotator) publishActive(ctx context.Context, tenantID string) error {
	for range publishTries {
		if err := r.keys.Refresh(ctx); err != nil {
			return apierr.Away(err, "The database")
		}
		active, err := r.keys.Active(ctx, tenantID)
		if err != nil {
			return err
		}
		public, err := authn.PublicPEM(active.Public)
		if err != nil {
			return err
		}
		if err := r.publish(ctx, tenantID, public); err != nil {
			return err
		}
		if err := r.keys.Refresh(ctx); err != nil {
			return apierr.Away(err, "The database")
		}
		again, err := r.keys.Active(ctx, tenantID)
		if err != nil {
			return err
		}
		if again.ID == active.ID {
			return nil
		}
	}
	return apierr.Away(errors.New("the active key changes all the time"), "The signing key")
}

// Reconcile sees to it that a tenant has a key and that the registry, which
// publishes the given one, publishes the tenant's: it completes what a crash,
// or a registry that was away, has left.
func (r *Rotator) Reconcile(ctx context.Context, tenantID, published string) error {
	rows, err := r.rows(ctx, tenantID)
	if err != nil {
		return err
	}
	active, next := inState(rows, Active), inState(rows, Next)
	switch {
	case active == nil && published != "":
		// Somebody else signs for it, or its keys are lost: not for us to end.
		return apierr.New(apierr.Conflict,
			"The registry has a public key of tenant %s and this authenticator has none; if it is to sign for "+
				"the tenant, run authenticator keys init %s.", tenantID, tenantID)
	case active == nil:
		if _, err := r.keys.Ensure(ctx, tenantID); err != nil {
			return err
		}
		r.log.InfoContext(ctx, "signing key made", slog.String("tenant", tenantID))
		return r.publishActive(ctx, tenantID)
	case next != nil && next.SwitchTime <= database.At(r.keys.now()):
		return r.complete(ctx, tenantID)
	}
	if same(published, active.PublicKey) { // most of the time, so nothing is unsealed for it
		if next == nil {
			return r.prepare(ctx, *active)
		}
		return nil
	}
	if published != "" {
		r.log.WarnContext(ctx, "the registry publishes another key than the one that signs; replacing it",
			slog.String("tenant", tenantID), slog.String("kid", active.KID))
	}
	return r.publishActive(ctx, tenantID)
}

// Retire takes a key that does not sign out of the JWK Set at once; with end it
// verifies nothing from now on, no refresh token either.
func (r *Rotator) Retire(ctx context.Context, tenantID, kid string, end bool) error {
	now, refusal := database.At(r.keys.now()), error(nil)
	err := r.change(ctx, tenantID, func(rows []row) []row {
		found := withID(rows, kid)
		switch {
		case found == nil:
			refusal = apierr.New(apierr.NotFound, "The tenant %s has no key %s.", tenantID, kid)
		case found.State == Active:
			refusal = apierr.New(apierr.Conflict, "The key %s cannot be retired while it signs; rotate it first.", kid)
		case found.State == Next && !end:
			refusal = apierr.New(apierr.Conflict, "The key %s is to sign next and has signed nothing yet; end it if it must not.", kid)
		case found.EndTime == 0 && end:
			return []row{found.ended(now)}
		case found.State == Retiring:
			retired := *found
			retired.State, retired.LeaveTime = Retired, now
			return []row{retired}
		}
		return nil
	})
	return errors.Join(err, refusal)
}

func (r *Rotator) rows(ctx context.Context, tenantID string) ([]row, error) {
	rows, err := r.keys.store.of(ctx, tenantID)
	if err != nil {
		return nil, apierr.Away(err, "The database")
	}
	return rows, nil
}

// change stores what decide returns and lets this process know it at once.
func (r *Rotator) change(ctx context.Context, tenantID string, decide func(rows []row) []row) error {
	if err := r.keys.store.change(ctx, tenantID, decide); err != nil {
		return apierr.Away(err, "The database")
	}
	if err := r.keys.Refresh(ctx); err != nil {
		return apierr.Away(fmt.Errorf("learn of the change: %w", err), "The database")
	}
	return nil
}
