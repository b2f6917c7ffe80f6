package tenants

import (
	"slices"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/tenants/field"
)

// Resource describes records of one type. Its first field identifies them.
type Resource[R any] struct {
	Name   string // tenant
	Fields []Field[R]

	title   string               // as people read it: LDAP connection
	validID func(id string) bool // whether a record could have it
	stamps  func(record *R) *Stamps
}

// Field is a member of a record that can be set, by its name in the API.
type Field[R any] struct {
	Name  string
	Fixed bool                // it stays what it was when the record was made
	Of    func(record *R) any // where it is: a *string, *int, *bool or *[]string
}

// Stamps say when a record was made and last changed, and by whom: user@tenant,
// or what made it. Of owners and LDAP connections only the times are stored.
type Stamps struct {
	CreateTime     time.Time
	CreatedBy      string
	LastUpdateTime time.Time
	LastUpdatedBy  string
}

// stamp marks a record that is written, as a new one or not.
func (s *Stamps) stamp(at time.Time, by string, isNew bool) {
	if isNew {
		s.CreateTime, s.CreatedBy = at, by
	}
	s.LastUpdateTime, s.LastUpdatedBy = at, by
}

// timesResponse is what responses show of the stamps of owners and LDAP
// connections.
type timesResponse struct {
	CreateTime     string `json:"create_time"`
	LastUpdateTime string `json:"last_update_time"`
}

func newTimesResponse(s Stamps) timesResponse {
	return timesResponse{CreateTime: field.Time(s.CreateTime), LastUpdateTime: field.Time(s.LastUpdateTime)}
}

// ID returns what identifies the record.
func (r Resource[R]) ID(record *R) string { return *r.Fields[0].Of(record).(*string) }

// heading returns the title as a sentence begins with it.
func (r Resource[R]) heading() string { return strings.ToUpper(r.title[:1]) + r.title[1:] }

// missing says that no record has the id.
func missing(title, id string) error {
	return apierr.New(apierr.NotFound, "The %s %s does not exist.", title, id)
}

// unknown is missing for an id from an address: what else people put there is
// not repeated.
func (r Resource[R]) unknown(id string) error {
	if !r.validID(id) {
		return apierr.New(apierr.NotFound, "There is no such %s.", r.title)
	}
	return missing(r.title, id)
}

// Value returns the value of the field in record as JSON has it: a text, which
// is nil when empty, a number, a truth, or a list of texts, never nil.
func (f Field[R]) Value(record *R) any {
	switch p := f.Of(record).(type) {
	case *string:
		if *p == "" {
			return nil
		}
		return *p
	case *[]string:
		return field.List(*p)
	case *int:
		return *p
	default:
		return *p.(*bool)
	}
}

// same reports whether the field has the same value in both records.
func (f Field[R]) same(a, b *R) bool {
	if list, ok := f.Of(a).(*[]string); ok {
		return slices.Equal(*list, *f.Of(b).(*[]string))
	}
	return f.Value(a) == f.Value(b)
}

// copy gives the field of record the value that it has in from.
func (f Field[R]) copy(record, from *R) {
	switch p := f.Of(record).(type) {
	case *string:
		*p = *f.Of(from).(*string)
	case *[]string:
		*p = slices.Clone(*f.Of(from).(*[]string))
	case *int:
		*p = *f.Of(from).(*int)
	case *bool:
		*p = *f.Of(from).(*bool)
	}
}
