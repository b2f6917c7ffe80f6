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

// Print writes settings, a struct, as the YAML file that would give them, with
// every secret that is set as ********.
func Print(w io.Writer, settings any) error {
	v := reflect.ValueOf(settings)
	top := &yaml.Node{Kind: yaml.MappingNode}
	sections := map[string]*yaml.Node{"": top}
	for _, f := range schemaOf(v.Type()) {
		prefix, name := cut(f.key)
		n := f.node(f.in(v))
		if f.kind == section {
			sections[f.key] = n
		}
		sections[prefix].Content = append(sections[prefix].Content, word(name), n)
	}
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	err := errors.Join(encoder.Encode(top), encoder.Close())
	if err == nil {
		_, err = w.Write(b.Bytes())
	}
	if err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	return nil
}

// node returns v, the value of f, as YAML.
func (f *field) node(v reflect.Value) *yaml.Node {
	switch {
	case f.kind == section:
		return &yaml.Node{Kind: yaml.MappingNode}
	case f.kind == list:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range v.Len() {
			n.Content = append(n.Content, word(v.Index(i).String()))
		}
		return n
	case f.kind == boolean:
		return plain(strconv.FormatBool(v.Bool()))
	case f.kind == duration:
		return plain(short(time.Duration(v.Int())))
	case f.secret && v.Len() > 0:
		return word(masked)
	}
	return word(v.String())
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
