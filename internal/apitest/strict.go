package apitest

import (
	"fmt"
	"maps"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// strict closes every object schema of the document's answers: a member that
// is not named is not allowed, unless the schema says additionalProperties
// itself. An allOf of objects becomes one object with the members of all,
// since closed objects would exclude each other.
func strict(spec *openapi3.T) error {
	s := closer{done: map[*openapi3.Schema]bool{}}
	for _, path := range slices.Sorted(maps.Keys(spec.Paths.Map())) {
		for method, operation := range spec.Paths.Value(path).Operations() {
			for status, response := range operation.Responses.Map() {
				if err := s.response(response.Value); err != nil {
					return fmt.Errorf("%s %s, answer %s: %w", method, path, status, err)
				}
			}
		}
	}
	return nil
}

type closer struct {
	done map[*openapi3.Schema]bool
}

func (c closer) response(r *openapi3.Response) error {
	for _, media := range r.Content {
		if err := c.schema(media.Schema); err != nil {
			return err
		}
	}
	return nil
}

func (c closer) schema(ref *openapi3.SchemaRef) error {
	if ref == nil || ref.Value == nil || c.done[ref.Value] {
		return nil
	}
	s := ref.Value
	c.done[s] = true
	if err := merge(s); err != nil {
		return err
	}
	if len(s.Properties) > 0 && s.AdditionalProperties.Has == nil && s.AdditionalProperties.Schema == nil {
		closed := false
		s.AdditionalProperties.Has = &closed
	}
	children := slices.Concat(slices.Collect(maps.Values(s.Properties)), s.OneOf, s.AnyOf, s.AllOf)
	for _, child := range append(children, s.Items, s.AdditionalProperties.Schema, s.Not) {
		if err := c.schema(child); err != nil {
			return err
		}
	}
	return nil
}

// merge replaces an allOf of objects by the members of all of them. A member
// that several name must match each.
func merge(s *openapi3.Schema) error {
	if !slices.ContainsFunc(s.AllOf, hasMembers) {
		return nil // for example a nullable reference to a text
	}
	parts := s.AllOf
	s.AllOf = nil
	s.Properties = maps.Clone(s.Properties)
	if s.Properties == nil {
		s.Properties = openapi3.Schemas{}
	}
	for _, part := range parts {
		p := part.Value
		if err := merge(p); err != nil {
			return err
		}
		if len(p.OneOf)+len(p.AnyOf) > 0 || p.Not != nil {
			return fmt.Errorf("an allOf of objects with oneOf, anyOf or not inside cannot be checked strictly")
		}
		for name, member := range p.Properties {
			if other, twice := s.Properties[name]; twice && other.Value != member.Value {
				member = &openapi3.SchemaRef{Value: &openapi3.Schema{AllOf: openapi3.SchemaRefs{other, member}}}
			}
			s.Properties[name] = member
		}
		s.Required = slices.Concat(s.Required, p.Required)
		if s.Type == nil {
			s.Type = p.Type
		}
		if p.AdditionalProperties.Has != nil || p.AdditionalProperties.Schema != nil {
			s.AdditionalProperties = p.AdditionalProperties
		}
	}
	return nil
}

func hasMembers(ref *openapi3.SchemaRef) bool {
	return len(ref.Value.Properties) > 0 || slices.ContainsFunc(ref.Value.AllOf, hasMembers)
}
