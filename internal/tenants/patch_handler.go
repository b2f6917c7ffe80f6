package tenants

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/httpapi"
)

// readPatch reads the fields of a record from a JSON body. Members that are no
// fields are ignored, as existing tools send some; null is an empty value.
// Errors: Invalid, which name the field, and those of httpapi.DecodeJSON.
func readPatch[R any](c *gin.Context, res Resource[R]) (Patch[R], error) {
	var members map[string]json.RawMessage
	if err := httpapi.DecodeJSON(c, &members); err != nil {
		return Patch[R]{}, err
	}
	p := Patch[R]{Given: map[string]bool{}}
	for _, f := range res.Fields {
		raw, given := members[f.Name]
		if !given {
			continue
		}
		to := f.Of(&p.Values)
		if err := decodeField(f.Name, raw, to); err != nil {
			return Patch[R]{}, err
		}
		p.Given[f.Name] = true
	}
	return p, nil
}

func decodeField(name string, raw json.RawMessage, to any) error {
	isNull := string(raw) == "null"
	switch to := to.(type) {
	case *string:
		if !isNull && json.Unmarshal(raw, to) != nil {
			return apierr.Invalidf("The field %s must be of type string.", name)
		}
	case *[]string:
		var items []*string
		if !isNull && json.Unmarshal(raw, &items) != nil {
			return apierr.Invalidf("The field %s must be of type array of string.", name)
		}
		for i, item := range items {
			if item == nil {
				return apierr.Invalidf("The item %d of the field %s must be of type string, not null.", i, name)
			}
			*to = append(*to, *item)
		}
	case *int:
		if isNull || json.Unmarshal(raw, to) != nil {
			return apierr.Invalidf("The field %s must be of type integer.", name)
		}
	case *bool:
		if isNull || json.Unmarshal(raw, to) != nil {
			return apierr.Invalidf("The field %s must be of type boolean.", name)
		}
	default:
		return apierr.Wrap(fmt.Errorf("a field of type %T", to), "decode "+name)
	}
	return nil
}

// readNew is readPatch for a record that is to be made. Fields without which a
// record makes no sense, and those that the API has always asked for, must be
// there.
func readNew[R any](c *gin.Context, res Resource[R], optional ...string) (Patch[R], error) {
	p, err := readPatch(c, res)
	if err != nil {
		return p, err
	}
	for _, f := range res.Fields {
		if !p.Given[f.Name] && !slices.Contains(optional, f.Name) {
			return p, apierr.Invalidf("The field %s is required.", f.Name)
		}
	}
	return p, nil
}

// readUpdate is readPatch for the record with the id in the path, which the body
// may repeat and not contradict.
func readUpdate[R any](c *gin.Context, res Resource[R], id string) (Patch[R], error) {
	p, err := readPatch(c, res)
	if err != nil {
		return p, err
	}
	first := res.Fields[0]
	said := first.Of(&p.Values).(*string)
	if p.Given[first.Name] && *said != id {
		return p, apierr.Invalidf("The field %s of an existing %s cannot be changed; it is %s.", first.Name, res.Name, id)
	}
	*said = id
	delete(p.Given, first.Name)
	return p, nil
}

// readTenant puts what a body says of a tenant into the form that is kept.
func readTenant(p *Patch[Tenant]) error {
	p.Values.Status = Status(strings.ToLower(string(p.Values.Status))) // responses have it in upper case
	if p.Values.PublicKey == "" {
		return nil
	}
	key, err := NormalizePublicKey(p.Values.PublicKey)
	p.Values.PublicKey = key
	return err
}

// completeTenant is readTenant for a new tenant. Endpoints that are given empty
// are refused: the API has always asked for them, where the documents of apply
// may leave them out.
func completeTenant(p *Patch[Tenant]) error {
	if err := readTenant(p); err != nil {
		return err
	}
	return p.Values.checkEndpoints()
}
