package fair

import (
	"container/list"
	"context"
	"sync"
)

// Slots are a number of something scarce. They are safe for concurrent use.
type Slots struct {
	mu   sync.Mutex
	free int
	root *group
}

// New returns n free slots.
func New(n int) *Slots { return &Slots{free: n, root: newGroup(nil, "")} }

// group is everybody with the same beginning of a path. It is known only as
// long as somebody in it holds or wants a slot.
type group struct {
	parent  *group
	name    string
	held    int
	waiting int // in it and in those below
	below   map[string]*group
	turns   *list.List    // of those below in which somebody waits, the next one first
	turn    *list.Element // in the parent's turns; nil while nobody waits
	line    *list.List    // of the waiters whose path ends here
	ownLast bool          // the last one served was of the line
}

// waiter wants a slot.
type waiter struct {
	at      *group
	element *list.Element
	ready   chan struct{} // closed when the slot is its own
}

func newGroup(parent *group, name string) *group {
	return &group{parent: parent, name: name, below: map[string]*group{}, turns: list.New(), line: list.New()}
}

// Take takes a slot for whom With named, and waits for it. It returns how to
// give it back, or ctx's error when ctx ends first.
func (s *Slots) Take(ctx context.Context) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	g := s.root
	for _, name := range path(ctx) {
		next := g.below[name]
		if next == nil {
			next = newGroup(g, name)
			g.below[name] = next
		}
		g = next
	}
	release = sync.OnceFunc(func() { s.release(g) })
	if g.line.Len() == 0 && s.room(g) > 0 {
		s.hold(g)
		s.mu.Unlock()
		return release, nil
	}
	w := &waiter{at: g, ready: make(chan struct{})}
	w.element = g.line.PushBack(w)
	g.wait()
	s.mu.Unlock()

	select {
	case <-w.ready:
		return release, nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	select {
	case <-w.ready: // a moment before
		s.mu.Unlock()
		release()
	default:
		g.line.Remove(w.element)
		g.served(false)
		g.forget()
		s.mu.Unlock()
	}
	return nil, ctx.Err()
}

// room returns how many slots more a group may take.
func (s *Slots) room(g *group) int {
	if g.parent == nil {
		return s.free
	}
	return s.room(g.parent) - g.held
}

func (s *Slots) hold(g *group) {
	s.free--
	for ; g != nil; g = g.parent {
		g.held++
	}
}

func (s *Slots) release(g *group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free++
	for up := g; up != nil; up = up.parent {
		up.held--
	}
	g.forget()
	for s.free > 0 {
		w := s.next(s.root, s.free)
		if w == nil {
			return
		}
		w.at.line.Remove(w.element)
		s.hold(w.at)
		w.at.ownLast = true
		for up := w.at.parent; up != nil; up = up.parent {
			up.ownLast = false
		}
		w.at.served(true)
		close(w.ready)
	}
}

// next returns whose turn it is in a group that has room, if it is anybody's.
func (s *Slots) next(g *group, room int) *waiter {
	own := g.line.Front()
	if own != nil && (!g.ownLast || g.turns.Len() == 0) {
		return own.Value.(*waiter) //nolint:forcetypeassert // only waiters are put in
	}
	for e := g.turns.Front(); e != nil; e = e.Next() {
		below := e.Value.(*group) //nolint:forcetypeassert // only groups are put in
		if left := room - below.held; left > 0 {
			if w := s.next(below, left); w != nil {
				return w
			}
		}
	}
	if own != nil {
		return own.Value.(*waiter) //nolint:forcetypeassert // only waiters are put in
	}
	return nil
}

// wait notes that one more waits in g.
func (g *group) wait() {
	for ; g != nil; g = g.parent {
		g.waiting++
		if g.turn == nil && g.parent != nil {
			g.turn = g.parent.turns.PushBack(g)
		}
	}
}

// served notes that one less waits in g; a turn that was taken goes to the
// back.
func (g *group) served(took bool) {
	for ; g != nil; g = g.parent {
		g.waiting--
		switch {
		case g.turn == nil:
		case g.waiting == 0:
			g.parent.turns.Remove(g.turn)
			g.turn = nil
		case took:
			g.parent.turns.MoveToBack(g.turn)
		}
	}
}

// forget drops the groups that nobody is in any more.
func (g *group) forget() {
	for ; g.parent != nil && g.held == 0 && g.waiting == 0 && len(g.below) == 0; g = g.parent {
		delete(g.parent.below, g.name)
	}
}

// contextKey is where With keeps a path.
type contextKey struct{}

// With returns a context whose bearer asks as the path says, which continues
// what an earlier With said. Names that are empty say nothing.
func With(ctx context.Context, names ...string) context.Context {
	said := path(ctx)
	all := make([]string, 0, len(said)+len(names))
	all = append(all, said...)
	for _, name := range names {
		if name != "" {
			all = append(all, name)
		}
	}
	return context.WithValue(ctx, contextKey{}, all)
}

func path(ctx context.Context) []string {
	names, _ := ctx.Value(contextKey{}).([]string)
	return names
}
