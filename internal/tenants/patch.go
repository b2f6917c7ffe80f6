package tenants

import (
	"slices"

	"gatehouse/internal/apierr"
	"gatehouse/internal/tenants/history"
)

// Patch is what is wanted of one record. Fields that are not given stay as
// they are; one that is given empty is cleared.
type Patch[R any] struct {
	Origin string          // where it was said, for errors
	Values R               // identifies the record, too
	Given  map[string]bool // names of the fields whose values count

	moves bool // fixed fields may change
}

// onto returns what the patch makes of record. For a new one nothing stands
// for what is not given, so truths must be. Errors: Invalid.
func (p Patch[R]) onto(res Resource[R], record R, isNew bool) (R, error) {
	before := record
	for _, f := range res.Fields {
		_, truth := f.Of(&record).(*bool)
		switch {
		case !p.Given[f.Name] && truth && isNew:
			return record, apierr.Invalidf("The field %s is required.", f.Name)
		case !p.Given[f.Name]:
			continue
		case f.Fixed && !isNew && !p.moves && !f.same(&before, &p.Values):
			return record, apierr.Invalidf("The field %s of an existing %s cannot be changed; it is %v.",
				f.Name, res.Name, f.Value(&before))
		}
		f.copy(&record, &p.Values)
	}
	return record, nil
}

// whole returns the patch that gives every field of record.
func whole[R any](res Resource[R], record R) Patch[R] {
	p := Patch[R]{Origin: res.Name + " " + res.ID(&record), Values: record, Given: map[string]bool{}}
	for _, f := range res.Fields {
		p.Given[f.Name] = true
	}
	return p
}

// Difference is a field of a record with its values before and after a change,
// as Field.Value returns them.
type Difference = history.Change

// differences compares two states of a record.
func (r Resource[R]) differences(before, after *R) []Difference {
	var found []Difference
	for _, f := range r.Fields {
		if !f.same(before, after) {
			found = append(found, Difference{Field: f.Name, Prev: f.Value(before), New: f.Value(after)})
		}
	}
	return found
}

// differing returns the names of fields that differ and are not among these.
func differing(differences []Difference, among []string) []string {
	var others []string
	for _, d := range differences {
		if !slices.Contains(among, d.Field) {
			others = append(others, d.Field)
		}
	}
	return others
}
