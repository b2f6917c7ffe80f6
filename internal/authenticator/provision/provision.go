// Package provision gives every tenant of the site what it needs to work, as
// soon as the registry names it and without a restart: a signing key, its
// public half in the registry, and the roles that follow from the registry.
//
// It compares what is with what should be, again and again, so that a crash
// or a service that is away only delays it and several replicas may do it at
// once. How a key is made belongs to keys, what roles there are to kernel,
// how the registry is read to registryclient.
package provision

import (
	"context"
	"log/slog"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/registryclient"
)

// allEvery is how often all tenants are looked at although the registry says
// what it said before.
const allEvery = time.Minute

// Deps are what a Provisioner uses.
type Deps struct {
	Records *registryclient.Records
	Rotator *keys.Rotator
	Kernel  *kernel.Service
	Poll    time.Duration // how often the registry is asked
	Log     *slog.Logger
}

// Provisioner is one such worker. Its Pass is called by one goroutine.
type Provisioner struct {
	deps    Deps
	rest    int              // passes until all tenants are due again
	pauses  map[string]pause // of tenants that failed
	silence bool             // the registry is away, and that has been said
}

// pause lets a tenant that failed rest for a growing number of passes.
type pause struct{ left, length int }

// New returns a Provisioner.
func New(d Deps) *Provisioner { return &Provisioner{deps: d, pauses: map[string]pause{}} }

// Run passes at once and then at every poll until ctx ends.
func (p *Provisioner) Run(ctx context.Context) {
	tick := time.NewTicker(p.deps.Poll)
	defer tick.Stop()
	for {
		p.Pass(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// perAll is how many passes allEvery lasts.
func (p *Provisioner) perAll() int { return max(1, int(allEvery/max(p.deps.Poll, time.Millisecond))) }

// Pass asks the registry once and sees to all tenants when it has changed or
// allEvery is over, otherwise to those that failed and have rested.
func (p *Provisioner) Pass(ctx context.Context) {
	site, tenants, changed, err := p.deps.Records.Own(ctx)
	if err != nil {
		if !p.silence && ctx.Err() == nil {
			p.deps.Log.WarnContext(ctx, "tenants cannot be provided for while the registry is away", slog.Any("error", err))
		}
		p.silence = true
		return
	}
	p.silence = false
	all := changed || p.rest <= 0
	if all {
		p.rest = p.perAll()
	}
	p.rest--
	// Roles first: one of them permits what the keys need.
	if err := p.deps.Kernel.EnsureBuiltinRoles(ctx, site, tenants); err != nil && ctx.Err() == nil {
		p.deps.Log.ErrorContext(ctx, "roles not provided", slog.Any("error", err))
	}
	for _, t := range tenants {
		if ctx.Err() != nil {
			return
		}
		p.key(ctx, t, all, changed)
	}
}

func (p *Provisioner) key(ctx context.Context, t registryclient.Record, all, changed bool) {
	failed, hasFailed := p.pauses[t.ID]
	switch {
	case hasFailed && failed.left > 0 && !changed:
		failed.left--
		p.pauses[t.ID] = failed
		return
	case !hasFailed && !all:
		return
	}
	err := p.deps.Rotator.Reconcile(ctx, t.ID, t.PublicKey)
	if err == nil {
		delete(p.pauses, t.ID)
		return
	}
	if ctx.Err() != nil {
		return
	}
	length := min(max(1, 2*failed.length), p.perAll())
	p.pauses[t.ID] = pause{left: length, length: length}
	if hasFailed && apierr.Is(err, apierr.Conflict) {
		return // somebody else signs for it, which has been said
	}
	p.deps.Log.ErrorContext(ctx, "signing key not provided", slog.String("tenant", t.ID), slog.String("status", t.Status),
		slog.Any("error", err))
}
