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
	integer
	float
	duration
	list
	section // a nested struct
	table   // a map of structs
)

// field is one field of a settings struct.
type field struct {
	name     string // the last word of its key
	index    []int  // where it is in its struct, as reflect counts
	kind     kind
	env      string
	preset   string // the default, as the tag writes it
	doc      string
	secret   bool
	required bool
	group    *group       // of a section, or of a table's entries
	entry    reflect.Type // of a table's entries
}

// group is one settings struct.
type group struct {
	fields   []*field
	embedded [][]int // structs whose fields are listed among its own
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	stringsType  = reflect.TypeFor[[]string]()
	keyPattern   = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	envPattern   = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
)

// schemaOf reads the tags of dst, a settings struct or a pointer to one.
func schemaOf(dst any) *group {
	t := reflect.TypeOf(dst)
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("config: settings are a struct, not %T", dst))
	}
	r := reader{names: map[string]bool{}}
	g := &group{}
	r.read(t, nil, g)
	return g
}

// reader turns struct types into groups.
type reader struct {
	names   map[string]bool // environment variables so far
	inTable bool
	within  []reflect.Type // structs being read, to refuse one within itself
}

// read adds the fields of t, found at index in the group's struct.
func (r *reader) read(t reflect.Type, index []int, g *group) {
	if slices.Contains(r.within, t) {
		panic(fmt.Sprintf("config: %v contains itself", t))
	}
	r.within = append(r.within, t)
	defer func() { r.within = r.within[:len(r.within)-1] }()
	for i := range t.NumField() {
		sf := t.Field(i)
		at := append(slices.Clone(index), i)
		key, tagged := sf.Tag.Lookup("key")
		switch {
		case key == "-" || (!sf.IsExported() && !sf.Anonymous):
			continue
		case sf.Anonymous && !tagged:
			if sf.Type.Kind() != reflect.Struct || !sf.IsExported() {
				panic(fmt.Sprintf("config: %v embeds %v, which is no exported struct", t, sf.Type))
			}
			g.embedded = append(g.embedded, at)
			r.read(sf.Type, at, g)
			continue
		}
		f := r.field(t, sf)
		f.index = at
		if slices.ContainsFunc(g.fields, func(o *field) bool { return o.name == f.name }) {
			panic(fmt.Sprintf("config: %v.%s repeats the key %q", t, sf.Name, f.name))
		}
		g.fields = append(g.fields, f)
	}
}

// field reads one field with its tags.
func (r *reader) field(t reflect.Type, sf reflect.StructField) *field {
	fail := func(why string) { panic(fmt.Sprintf("config: %v.%s %s", t, sf.Name, why)) }
	f := &field{
		name: sf.Tag.Get("key"), env: sf.Tag.Get("env"), preset: sf.Tag.Get("default"), doc: sf.Tag.Get("doc"),
		secret: flag(sf.Tag, "secret", fail), required: flag(sf.Tag, "required", fail),
	}
	if !keyPattern.MatchString(f.name) {
		fail("has no usable key")
	}
	f.kind = kindOf(sf.Type, fail)
	r.nest(f, sf.Type)
	r.check(f, sf, fail)
	return f
}

// nest reads the struct below a section or table.
func (r *reader) nest(f *field, t reflect.Type) {
	switch f.kind {
	case section:
		f.group = &group{}
		r.read(t, nil, f.group)
	case table:
		outer := r.inTable
		r.inTable = true
		f.entry, f.group = t.Elem(), &group{}
		r.read(f.entry, nil, f.group)
		r.inTable = outer
	default:
	}
}

// check refuses tags that contradict each other.
func (r *reader) check(f *field, sf reflect.StructField, fail func(string)) {
	nested := f.kind == section || f.kind == table
	switch _, preset := sf.Tag.Lookup("default"); {
	case nested && (preset || f.env != "" || f.secret):
		fail("is nested and has no default, variable or secret of its own")
	case f.kind == section && f.required:
		fail("is nested and cannot be required; its fields can")
	case f.secret && preset:
		fail("is a secret and has no default")
	case f.secret && f.kind != text && f.kind != list:
		fail("is a secret and must be text or a list")
	case f.required && preset:
		fail("is required and needs no default")
	case preset:
		if problem := f.parse(f.preset, reflect.New(sf.Type).Elem()); problem != "" {
			fail("has a default that " + problem)
		}
	}
	if f.env == "" {
		return
	}
	names := []string{f.env}
	if f.secret {
		names = append(names, f.fileEnv())
	}
	for _, name := range names {
		switch {
		case r.inTable:
			fail("is in a map and can only be set in the file")
		case !envPattern.MatchString(name):
			fail("has no usable variable")
		case r.names[name]:
			fail("repeats the variable " + name)
		}
		r.names[name] = true
	}
}

func flag(tag reflect.StructTag, name string, fail func(string)) bool {
	value, ok := tag.Lookup(name)
	if ok && value != "true" && value != "false" {
		fail("has a tag " + name + " that is neither true nor false")
	}
	return value == "true"
}

func kindOf(t reflect.Type, fail func(string)) kind {
	switch t {
	case durationType:
		return duration
	case stringsType:
		return list
	}
	switch t.Kind() {
	case reflect.String:
		return text
	case reflect.Bool:
		return boolean
	case reflect.Int, reflect.Int64:
		return integer
	case reflect.Float64:
		return float
	case reflect.Struct:
		return section
	case reflect.Map:
		if t.Key().Kind() == reflect.String && t.Elem().Kind() == reflect.Struct {
			return table
		}
	default:
	}
	fail("has the type " + t.String() + ", which cannot be set")
	return text
}

// fileEnv is the variable that names a file with the secret.
func (f *field) fileEnv() string { return f.env + "_FILE" }

// find returns the field with that name, or nil.
func (g *group) find(name string) *field {
	for _, f := range g.fields {
		if f.name == name {
			return f
		}
	}
	return nil
}

// join adds a name to the key it is below; either may be empty.
func join(prefix, name string) string {
	if prefix == "" || name == "" {
		return prefix + name
	}
	return prefix + "." + name
}

// leaves calls visit for every field below g that has a value in v: sections
// are entered, and the entries of tables if v has any, in the order of their names.
func (g *group) leaves(prefix string, v reflect.Value, visit func(f *field, key string, v reflect.Value)) {
	for _, f := range g.fields {
		at, key := v.FieldByIndex(f.index), join(prefix, f.name)
		if f.kind == section {
			f.group.leaves(key, at, visit)
			continue
		}
		visit(f, key, at)
		if f.kind == table {
			for _, name := range names(at) {
				f.group.leaves(join(key, name.String()), at.MapIndex(name), visit)
			}
		}
	}
}

// names returns the keys of a table in order.
func names(m reflect.Value) []reflect.Value {
	keys := m.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	return keys
}
