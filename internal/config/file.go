package config

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"reflect"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"gatehouse/internal/config/spelling"
)

// namePattern is what a key of the file may look like. Nothing else is
// repeated in a fault: {master_key:x} without its blank makes the secret part
// of a key.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$`)

// file reads the YAML file into v. It returns false when nothing in it can be
// made out.
func (l *loader) file(path string, v reflect.Value) bool {
	l.path = path
	data, err := readFile(path)
	if err != nil {
		l.fault(path, "cannot be read: %v", err)
		return false
	}
	top, problem := parse(data)
	switch {
	case problem != "":
		l.fault(path, "%s", problem)
		return false
	case top == nil || empty(top):
		return true
	}
	if top = resolved(top); top.Kind != yaml.MappingNode {
		l.fault(path, "%s, not %s (line %d)", mustSection, described(top), top.Line)
		return false
	}
	l.mapping(l.root, "", top, v)
	return true
}

// parse returns the one document in data, nil if there is none, or what is
// wrong with it.
func parse(data []byte) (*yaml.Node, string) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var documents [2]yaml.Node
	for i := range documents {
		switch err := decoder.Decode(&documents[i]); {
		case errors.Is(err, io.EOF) && len(documents[0].Content) == 0:
			return nil, ""
		case errors.Is(err, io.EOF):
			return documents[0].Content[0], ""
		case err != nil:
			return nil, "is not YAML: " + syntax(err)
		}
	}
	return nil, "holds more than one document"
}

// syntax returns what the parser says, unless that repeats content of the file.
func syntax(err error) string {
	problem := strings.TrimPrefix(err.Error(), "yaml: ")
	if strings.Contains(problem, "anchor") {
		return "an alias (a value that begins with *) has no anchor; text that begins so needs quotes"
	}
	return problem
}

// mapping reads the keys of n into v, the struct of g.
func (l *loader) mapping(g *group, prefix string, n *yaml.Node, v reflect.Value) {
	l.entries(prefix, n, func(name string, key, value *yaml.Node) {
		f := g.find(name)
		if f == nil {
			l.fault(join(prefix, name), "is not a setting%s (line %d)", l.meant(g, prefix, name), key.Line)
			return
		}
		l.value(f, join(prefix, name), value, v.FieldByIndex(f.index))
	})
}

// entries calls visit for every key of a mapping that is a name, once.
func (l *loader) entries(prefix string, n *yaml.Node, visit func(name string, key, value *yaml.Node)) {
	lines, place := map[string]int{}, prefix
	if place == "" {
		place = l.path
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := resolved(n.Content[i])
		line := n.Content[i].Line
		switch {
		case key.ShortTag() == "!!merge":
			l.fault(place, "uses a merge key (<<), which is not supported (line %d)", line)
		case key.Kind != yaml.ScalarNode || empty(key) || !namePattern.MatchString(key.Value):
			l.fault(place, "has a key that is not a name of letters, digits and _ . - (line %d)", line)
		case lines[key.Value] > 0:
			l.fault(join(prefix, key.Value), "is given twice (lines %d and %d)", lines[key.Value], line)
		default:
			lines[key.Value] = line
			visit(key.Value, n.Content[i], n.Content[i+1])
		}
	}
}

// value reads n into v, the field f.
func (l *loader) value(f *field, key string, n *yaml.Node, v reflect.Value) {
	line := n.Line
	n = resolved(n)
	if empty(n) {
		return
	}
	l.given[key] = true
	switch f.kind {
	case section, table:
		if n.Kind != yaml.MappingNode {
			l.fault(key, "%s, not %s (line %d)", mustSection, described(n), line)
			return
		}
		if f.kind == section {
			l.mapping(f.group, key, n, v)
			return
		}
		l.table(f, key, n, v)
	default:
		switch problem := f.decode(n, v); {
		case problem == mustText && n.Kind == yaml.ScalarNode:
			l.fault(key, "%s, not %s: put it in quotes (line %d)", problem, described(n), line)
		case problem == mustText:
			l.fault(key, "%s, not %s (line %d)", problem, described(n), line)
		case problem != "":
			l.fault(key, "%s (line %d)", problem, line)
		}
	}
}

// table reads the entries of n into v, a map of structs.
func (l *loader) table(f *field, key string, n *yaml.Node, v reflect.Value) {
	v.Set(reflect.MakeMap(v.Type()))
	l.entries(key, n, func(name string, _, value *yaml.Node) {
		entry := reflect.New(f.entry).Elem()
		f.group.presets(entry)
		line := value.Line
		switch value = resolved(value); {
		case value.Kind == yaml.MappingNode:
			l.mapping(f.group, join(key, name), value, entry)
		case !empty(value):
			l.fault(join(key, name), "%s, not %s (line %d)", mustSection, described(value), line)
			return
		}
		v.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), entry)
	})
}

// meant guesses which setting an unknown name stands for: one of its
// siblings or, written with its full key, one elsewhere.
func (l *loader) meant(g *group, prefix, name string) string {
	var siblings, all []string
	for _, f := range g.fields {
		siblings = append(siblings, f.name)
	}
	if near, ok := spelling.Nearest(name, siblings); ok {
		return "; did you mean " + near + "?"
	}
	for _, f := range describe(l.root, "") {
		all = append(all, f.Key)
	}
	near, ok := spelling.Nearest(join(prefix, name), all)
	if i := strings.LastIndexByte(near, '.'); ok && i > 0 {
		return "; did you mean " + near[i+1:] + " below " + near[:i] + "?"
	}
	return ""
}

// resolved follows an alias to what it stands for.
func resolved(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n
}

// empty reports whether a node is there without a value.
func empty(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// cause returns what happened to a file, without its name.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
