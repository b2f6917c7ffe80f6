package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

// kind says how a field is read and written.
type kind int

const (
	text kind = iota
	boolean
	duration
	list
	section // a nested struct
)

// field is one field of a settings struct, or of a struct nested in it.
type field struct {
	key      string // the whole of it: "database.url"
	index    []int  // where it is in the settings struct, as reflect counts
	kind     kind
	env      string
	preset   string // the default, as the tag writes it
	doc      string
	secret   bool
	required bool
}

// schema lists all fields; a section stands before what is in it.
type schema []*field

var (
	keyPattern = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	envPattern = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
)

// schemaOf reads the tags of a settings struct.
func schemaOf(t reflect.Type) schema {
	var s schema
	s.read(t, "", nil)
	seen := map[string]bool{}
	for _, f := range s {
		for _, name := range append(f.variables(), f.key) {
			if seen[name] {
				panic(fmt.Sprintf("config: %v has %s twice", t, name))
			}
			seen[name] = true
		}
	}
	return s
}

// read adds the fields of t, a struct found at index below prefix.
func (s *schema) read(t reflect.Type, prefix string, index []int) {
	for i := range t.NumField() {
		sf, at := t.Field(i), append(slices.Clone(index), i)
		name, tagged := sf.Tag.Lookup("key")
		if sf.Anonymous && !tagged && sf.Type.Kind() == reflect.Struct {
			s.read(sf.Type, prefix, at)
			continue
		}
		f := &field{
			key: join(prefix, name), index: at, kind: kindOf(sf.Type),
			env: sf.Tag.Get("env"), preset: sf.Tag.Get("default"), doc: sf.Tag.Get("doc"),
			secret: sf.Tag.Get("secret") == "true", required: sf.Tag.Get("required") == "true",
		}
		if problem := f.mistake(name, sf.Type); problem != "" {
			panic(fmt.Sprintf("config: %v.%s %s", t, sf.Name, problem))
		}
		*s = append(*s, f)
		if f.kind == section {
			s.read(sf.Type, f.key, at)
		}
	}
}

// mistake says what is wrong with the tags of a field.
func (f *field) mistake(name string, t reflect.Type) string {
	switch {
	case !keyPattern.MatchString(name):
		return "has no usable key"
	case f.kind < 0:
		return "has the type " + t.String() + ", which cannot be set"
	case f.kind == section && (f.env != "" || f.preset != "" || f.secret || f.required):
		return "is nested and has nothing but a key"
	case f.kind != section && !envPattern.MatchString(f.env):
		return "has no usable variable"
	case f.secret && (f.kind != text || f.preset != ""):
		return "is a secret and must be text without a default"
	case f.required && f.preset != "":
		return "is required and needs no default"
	case f.preset != "":
		if problem := f.parse(f.preset, reflect.New(t).Elem()); problem != "" {
			return "has a default that " + problem
		}
	}
	return ""
}

// kindOf returns the kind of a field's type, -1 for one that cannot be set.
func kindOf(t reflect.Type) kind {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return duration
	case t == reflect.TypeFor[[]string]():
		return list
	case t.Kind() == reflect.String:
		return text
	case t.Kind() == reflect.Bool:
		return boolean
	case t.Kind() == reflect.Struct:
		return section
	}
	return -1
}

// fileEnv is the variable that names a file with the secret.
func (f *field) fileEnv() string { return f.env + "_FILE" }

// variables returns the names of those that set the field.
func (f *field) variables() []string {
	switch {
	case f.kind == section:
		return nil
	case f.secret:
		return []string{f.env, f.fileEnv()}
	}
	return []string{f.env}
}

// in returns the value of the field in v, a settings struct.
func (f *field) in(v reflect.Value) reflect.Value { return v.FieldByIndex(f.index) }

// find returns the field with that key, or nil.
func (s schema) find(key string) *field {
	if i := slices.IndexFunc(s, func(f *field) bool { return f.key == key }); i >= 0 {
		return s[i]
	}
	return nil
}

// values calls visit for every field that is no section.
func (s schema) values(visit func(f *field)) {
	for _, f := range s {
		if f.kind != section {
			visit(f)
		}
	}
}

// join adds a name to the key it is below; either may be empty.
func join(prefix, name string) string {
	if prefix == "" || name == "" {
		return prefix + name
	}
	return prefix + "." + name
}

// cut is the inverse of join.
func cut(key string) (prefix, name string) {
	i := strings.LastIndexByte(key, '.')
	return key[:max(i, 0)], key[i+1:]
}
