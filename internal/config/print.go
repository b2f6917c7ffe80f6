package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// masked stands for a secret that is set.
const masked = "********"

// Print writes values, a settings struct or a pointer to one, as the YAML
// file that would give them, with every secret that is set as ********.
func Print(w io.Writer, values any) error {
	g := schemaOf(values)
	v := reflect.ValueOf(values)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := errors.Join(encoder.Encode(g.node(v)), encoder.Close()); err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	return nil
}

// node returns v, the struct of g, as YAML.
func (g *group) node(v reflect.Value) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, f := range g.fields {
		n.Content = append(n.Content, word(f.name), f.node(v.FieldByIndex(f.index)))
	}
	return n
}

// node returns v, the value of f, as YAML.
func (f *field) node(v reflect.Value) *yaml.Node {
	switch f.kind {
	case section:
		return f.group.node(v)
	case table:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, name := range names(v) {
			n.Content = append(n.Content, word(name.String()), f.group.node(v.MapIndex(name)))
		}
		return n
	case list:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range v.Len() {
			item := v.Index(i).String()
			if f.secret {
				item = masked
			}
			n.Content = append(n.Content, word(item))
		}
		return n
	case text:
		if f.secret && v.Len() > 0 {
			return word(masked)
		}
		return word(v.String())
	case boolean:
		return plain(strconv.FormatBool(v.Bool()))
	case integer:
		return plain(strconv.FormatInt(v.Int(), 10))
	case float:
		return plain(strconv.FormatFloat(v.Float(), 'g', -1, 64))
	case duration:
		return plain(short(time.Duration(v.Int())))
	default:
		return plain("null")
	}
}

// word is text, in quotes where YAML would read something else into it.
func word(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

func plain(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: s} }

// short writes a duration without the zero units at its end: 1h, not 1h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
