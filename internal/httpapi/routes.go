package httpapi

import (
	"slices"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
)

// routeTable holds each path to the methods of one route: of all that match
// it the most concrete one, as OpenAPI reads them. Gin keeps a tree for every
// method, so without this a PUT of /items/special, which has none, would be
// taken for one of /items/{id}.
type routeTable struct {
	engine *gin.Engine
	opts   *Options
	once   sync.Once
	rivals map[string][]string // the more concrete routes than each, to which its paths may belong
}

// check refuses requests that Gin gave to a route although a parameter would
// be empty, or their path belongs to a more concrete route, which does not
// have the method.
func (t *routeTable) check(c *gin.Context) error {
	route, path := c.FullPath(), pathOf(c)
	if route == "" || route == path {
		return nil
	}
	if !routeMatches(route, path) {
		return errNoPath()
	}
	t.once.Do(t.compare)
	for _, rival := range t.rivals[route] {
		if routeMatches(rival, path) {
			return t.wrongMethod(c)
		}
	}
	return nil
}

// compare finds the rivals of every route.
func (t *routeTable) compare() {
	t.rivals = map[string][]string{}
	routes := t.engine.Routes()
	for _, a := range routes {
		for _, b := range routes {
			if moreConcrete(b.Path, a.Path) && !slices.Contains(t.rivals[a.Path], b.Path) {
				t.rivals[a.Path] = append(t.rivals[a.Path], b.Path)
			}
		}
	}
}

// wrongMethod returns the error for a path that exists without the method of
// the request, and nil when there is no such path.
func (t *routeTable) wrongMethod(c *gin.Context) error {
	path, best := pathOf(c), ""
	var allowed []string
	for _, r := range t.engine.Routes() {
		if !routeMatches(r.Path, path) || (best != "" && moreConcrete(best, r.Path)) {
			continue
		}
		if best == "" || moreConcrete(r.Path, best) {
			best, allowed = r.Path, nil
		}
		allowed = append(allowed, r.Method)
	}
	if len(allowed) == 0 || slices.Contains(allowed, c.Request.Method) {
		return nil
	}
	slices.Sort(allowed)
	if t.opts.preflight(c, allowed) {
		return nil
	}
	list := strings.Join(allowed, ", ")
	c.Header("Allow", list)
	return apierr.New(apierr.MethodNotAllowed, "The method %s is not available for this path; available: %s.",
		printable(c.Request.Method, 16), list)
}

// pathOf returns the path of the request as Gin matches it.
func pathOf(c *gin.Context) string {
	if raw := c.Request.URL.RawPath; raw != "" {
		return raw
	}
	return c.Request.URL.Path
}

// concrete ranks a segment of a route: spelled out, parameter, rest of the path.
func concrete(segment string) int {
	switch {
	case strings.HasPrefix(segment, ":"):
		return 1
	case strings.HasPrefix(segment, "*"):
		return 0
	}
	return 2
}

// moreConcrete reports whether route a spells out more than b, where an
// earlier segment decides before a later one.
func moreConcrete(a, b string) bool {
	for {
		headA, restA, moreA := strings.Cut(a, "/")
		headB, restB, moreB := strings.Cut(b, "/")
		if rankA, rankB := concrete(headA), concrete(headB); rankA != rankB {
			return rankA > rankB
		}
		if !moreA || !moreB {
			return false
		}
		a, b = restA, restB
	}
}

// routeMatches reports whether path is one of route's.
func routeMatches(route, path string) bool {
	for {
		want, restOfRoute, moreRoute := strings.Cut(route, "/")
		got, restOfPath, morePath := strings.Cut(path, "/")
		switch rank := concrete(want); {
		case rank == 0:
			return true
		case rank == 1 && got == "", rank == 2 && got != want, moreRoute != morePath:
			return false
		case !moreRoute:
			return true
		}
		route, path = restOfRoute, restOfPath
	}
}
