package config

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"gatehouse/internal/config/spelling"
)

// namePattern is what a key of the file may look like. Nothing else is
// repeated in a fault: {master_key:x} without its blank makes the secret part
// of a key.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$`)

// file reads the YAML file. It returns false when nothing in it can be made
// out.
func (l *loader) file() bool {
	data, err := readFile(l.path)
	if err != nil {
		l.fault(l.path, "cannot be read: %v", err)
		return false
	}
	top, problem := document(data)
	switch {
	case problem != "":
		l.fault(l.path, "%s", problem)
		return false
	case top == nil || empty(top):
		return true
	case top.Kind != yaml.MappingNode:
		l.fault(l.path, "%s, not %s (line %d)", mustSection, described(top), top.Line)
		return false
	}
	l.mapping("", top)
	return true
}

// document returns the one document in data, nil if there is none, or what is
// wrong with it.
func document(data []byte) (*yaml.Node, string) {
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

// mapping reads the keys of n, which are below prefix.
func (l *loader) mapping(prefix string, n *yaml.Node) {
	lines, place := map[string]int{}, prefix
	if place == "" {
		place = l.path
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, line := resolved(n.Content[i]), n.Content[i].Line
		switch name := key.Value; {
		case key.ShortTag() == "!!merge":
			l.fault(place, "uses a merge key (<<), which is not supported (line %d)", line)
		case key.Kind != yaml.ScalarNode || empty(key) || !namePattern.MatchString(name):
			l.fault(place, "has a key that is not a name of letters, digits and _ . - (line %d)", line)
		case lines[name] > 0:
			l.fault(join(prefix, name), "is given twice (lines %d and %d)", lines[name], line)
		default:
			lines[name] = line
			l.entry(prefix, name, line, n.Content[i+1])
		}
	}
}

// entry reads n, the value of the key name below prefix.
func (l *loader) entry(prefix, name string, line int, n *yaml.Node) {
	key := join(prefix, name)
	f := l.schema.find(key)
	if f == nil || strings.Contains(name, ".") {
		l.fault(key, "is not a setting%s (line %d)", l.meant(prefix, name), line)
		return
	}
	line = n.Line
	if n = resolved(n); empty(n) {
		return
	}
	if f.kind == section && n.Kind == yaml.MappingNode {
		l.mapping(key, n)
		return
	}
	switch problem := f.decode(n, f.in(l.v)); {
	case problem == mustText && n.Kind == yaml.ScalarNode:
		l.fault(key, "%s, not %s: put it in quotes (line %d)", problem, described(n), line)
	case problem == mustText, problem == mustSection:
		l.fault(key, "%s, not %s (line %d)", problem, described(n), line)
	case problem != "":
		l.fault(key, "%s (line %d)", problem, line)
	}
}

// meant guesses which setting an unknown name stands for: one of its
// siblings or, written with its full key, one elsewhere.
func (l *loader) meant(prefix, name string) string {
	var siblings, all []string
	for _, f := range l.schema {
		if parent, sibling := cut(f.key); parent == prefix {
			siblings = append(siblings, sibling)
		}
		if f.kind != section {
			all = append(all, f.key)
		}
	}
	if near, ok := spelling.Nearest(name, siblings); ok {
		return "; did you mean " + near + "?"
	}
	near, _ := spelling.Nearest(join(prefix, name), all)
	if parent, child := cut(near); parent != "" {
		return "; did you mean " + child + " below " + parent + "?"
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
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}
