package apitest

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// strict closes every object schema of the document's answers: a member that
// is not named is not allowed, unless the schema says additionalProperties
// itself.
func strict(spec *openapi3.T) error {
	done := map[*openapi3.Schema]bool{}
	for _, path := range slices.Sorted(maps.Keys(spec.Paths.Map())) {
		for method, operation := range spec.Paths.Value(path).Operations() {
			for status, response := range operation.Responses.Map() {
				for _, media := range response.Value.Content {
					if err := closeObjects(media.Schema, done); err != nil {
						return fmt.Errorf("%s %s, answer %s: %w", method, path, status, err)
					}
				}
			}
		}
	}
	return nil
}

func closeObjects(ref *openapi3.SchemaRef, done map[*openapi3.Schema]bool) error {
	if ref == nil || ref.Value == nil || done[ref.Value] {
		return nil
	}
	s := ref.Value
	done[s] = true
	if slices.ContainsFunc(s.AllOf, func(part *openapi3.SchemaRef) bool { return len(part.Value.Properties) > 0 }) {
		return errors.New("closed objects in an allOf exclude each other; name all members in one")
	}
	if len(s.Properties) > 0 && s.AdditionalProperties.Has == nil && s.AdditionalProperties.Schema == nil {
		s.AdditionalProperties.Has = new(false)
	}
	children := slices.Concat(slices.Collect(maps.Values(s.Properties)), s.OneOf, s.AnyOf, s.AllOf)
	for _, child := range append(children, s.Items, s.AdditionalProperties.Schema, s.Not) {
		if err := closeObjects(child, done); err != nil {
			return err
		}
	}
	return nil
}
