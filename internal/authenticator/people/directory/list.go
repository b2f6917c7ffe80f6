package directory

import (
	"context"
	"fmt"
	"time"

	"github.com/go-ldap/ldap/v3"

	"gatehouse/internal/apierr"
)

// pageSize is how many entries of a list the directory is asked for at once.
const pageSize = 500

// List returns up to limit people, in the directory's order, after skipping
// offset. Past the end the list is empty. The directory offers no way to begin
// in the middle, so what is skipped is read too.
func (d *Directory) List(ctx context.Context, offset, limit int) ([]Profile, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	release, err := d.listing.Take(ctx) // those who sign in must find connections free
	if err != nil {
		return nil, apierr.Away(fmt.Errorf("wait to list people: %w", err), dependency)
	}
	defer release()
	admitted, err := d.members(ctx)
	if err != nil {
		return nil, err
	}
	var found []Profile
	err = d.service.do(ctx, func(c *ldap.Conn) error {
		w := &window{naming: d.naming, admitted: admitted, skip: offset, limit: limit, people: []Profile{}}
		err := w.read(c, d.naming.all(d.timeout))
		found = w.people
		return err
	})
	if err == nil {
		return found, nil
	}
	if code, answered := resultCode(err); answered {
		if code == ldap.LDAPResultNoSuchObject {
			return []Profile{}, nil
		}
		d.log.WarnContext(ctx, "directory did not list its people to the end", "result_code", code)
	}
	return nil, apierr.Away(fmt.Errorf("list people: %w", err), dependency)
}

// all returns the request that finds everybody, page by page (RFC 2696).
func (n naming) all(timeout time.Duration) *ldap.SearchRequest {
	r := &ldap.SearchRequest{
		BaseDN: n.base, Scope: ldap.ScopeWholeSubtree, Filter: "(&(" + n.attribute + "=*)" + n.filter + ")",
		DerefAliases: ldap.NeverDerefAliases, Attributes: n.attributes, TimeLimit: int(timeout/time.Second) + 1,
	}
	if n.templated {
		r.Scope = ldap.ScopeSingleLevel
	}
	return r
}

// window takes the people that are asked for out of all.
type window struct {
	naming      naming
	admitted    *members
	skip, limit int
	people      []Profile
}

func (w *window) full() bool { return len(w.people) >= w.limit }

func (w *window) add(e *ldap.Entry) {
	name, ok := w.naming.spelling(e)
	if !ok || !w.admitted.has(name, e.GetEqualFoldAttributeValue(groupNumberAttribute)) {
		return
	}
	if w.skip > 0 {
		w.skip--
		return
	}
	if !w.full() {
		w.people = append(w.people, w.naming.describe(e, name))
	}
}

// read asks for one page after another until the window is full. A server
// that knows no pages answers with everything at once.
func (w *window) read(c *ldap.Conn, request *ldap.SearchRequest) error {
	paging := ldap.NewControlPaging(uint32(min(w.skip+w.limit, pageSize))) //nolint:gosec // at most pageSize
	request.Controls = []ldap.Control{paging}
	for {
		found, err := c.Search(request)
		if err != nil {
			return err
		}
		for _, e := range found.Entries {
			w.add(e)
		}
		answer, ok := ldap.FindControl(found.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
		if !ok || len(answer.Cookie) == 0 {
			return nil
		}
		paging.SetCookie(answer.Cookie)
		if w.full() {
			// The server need not keep the rest; whether it heard that is its own affair.
			paging.PagingSize = 0
			_, _ = c.Search(request)
			return nil
		}
	}
}
