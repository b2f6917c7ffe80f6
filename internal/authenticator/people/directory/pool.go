package directory

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"

	"gatehouse/internal/fair"
)

// maxIdle is how long a connection may lie unused: shorter than the patience of
// most firewalls, which forget connections without telling.
const maxIdle = 4 * time.Minute

// link is one connection. It carries out one operation at a time.
type link struct {
	net      net.Conn // below any encryption
	ldap     *ldap.Conn
	lastUsed time.Time
}

// sever ends whatever link is doing, at once.
func (l *link) sever() { _ = l.net.Close() }

// close releases the link. The socket goes first, so that nothing can block.
func (l *link) close() {
	l.sever()
	_ = l.ldap.Close()
}

// pool keeps connections of one kind, bounds their number and shares them
// between those who ask.
type pool struct {
	slots *fair.Slots // one is taken by each operation under way
	dial  func(context.Context) (*link, error)
	now   func() time.Time

	mu     sync.Mutex
	idle   []*link // most recently used last
	closed bool
}

func newPool(size int, now func() time.Time, dial func(context.Context) (*link, error)) *pool {
	return &pool{slots: fair.New(size), dial: dial, now: now}
}

// do carries out op on a connection. Where that turns out to be lost, which an
// idle one can be without anybody's fault, it tries once more on a new one.
func (p *pool) do(ctx context.Context, op func(*ldap.Conn) error) error {
	release, err := p.slots.Take(ctx)
	if err != nil {
		return fmt.Errorf("wait for a connection: %w", err)
	}
	defer release()
	l, err := p.take()
	if err == nil && l == nil {
		l, err = p.dial(ctx)
	}
	if err != nil {
		return err
	}
	if err = p.run(ctx, l, op); !lost(err) || ctx.Err() != nil {
		return err
	}
	if l, err = p.dial(ctx); err != nil {
		return err
	}
	return p.run(ctx, l, op)
}

// run carries out op on l, then keeps l if it is still good.
func (p *pool) run(ctx context.Context, l *link, op func(*ldap.Conn) error) error {
	stop := context.AfterFunc(ctx, l.sever)
	err := op(l.ldap)
	if stop() && !lost(err) {
		p.keep(l)
		return err
	}
	l.close()
	if lost(err) && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}

// take returns an idle connection, or nil if there is none.
func (p *pool) take() (*link, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	for len(p.idle) > 0 {
		last := len(p.idle) - 1
		l := p.idle[last]
		p.idle = p.idle[:last]
		if !l.ldap.IsClosing() && p.now().Sub(l.lastUsed) < maxIdle {
			return l, nil
		}
		l.close()
	}
	return nil, nil
}

// keep makes l idle, and releases the one that has been so for too long.
func (p *pool) keep(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		l.close()
		return
	}
	l.lastUsed = p.now()
	p.idle = append(p.idle, l)
	if oldest := p.idle[0]; l.lastUsed.Sub(oldest.lastUsed) >= maxIdle {
		p.idle = append(p.idle[:0], p.idle[1:]...)
		oldest.close()
	}
}

// close releases the idle connections; those in use follow when they are done.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, l := range p.idle {
		l.close()
	}
	p.idle = nil
}

// lost reports whether err means that the connection is of no more use: the
// server did not answer, not in LDAP, or that it is going away.
func lost(err error) bool {
	if err == nil {
		return false
	}
	code, answered := resultCode(err)
	return !answered || code == ldap.LDAPResultUnavailable
}
