package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"gatehouse/internal/tenants"
)

// Write writes content as the document that makes an empty registry hold it,
// and changes nothing in one that does. Fields without a value are left out.
func Write(w io.Writer, c tenants.Content) error {
	top := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{
		text("sites"), records(tenants.Sites(), c.Sites),
		text("owners"), records(tenants.Owners(), c.Owners),
		text("ldaps"), records(tenants.LDAPs(), c.LDAPs),
		text("tenants"), records(tenants.Tenants(), c.Tenants),
	}}
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := errors.Join(encoder.Encode(top), encoder.Close()); err != nil {
		return fmt.Errorf("write content: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// records returns the records of one resource as a list.
func records[R any](res tenants.Resource[R], all []R) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for i := range all {
		item := &yaml.Node{Kind: yaml.MappingNode}
		for _, f := range res.Fields {
			if value := scalarOrList(f.Value(&all[i])); value != nil {
				item.Content = append(item.Content, text(f.Name), value)
			}
		}
		list.Content = append(list.Content, item)
	}
	return list
}

// scalarOrList returns a value of a field, or nil when there is none.
func scalarOrList(value any) *yaml.Node {
	switch v := value.(type) {
	case string:
		return text(v)
	case []string:
		if len(v) == 0 {
			return nil
		}
		list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, item := range v {
			list.Content = append(list.Content, text(item))
		}
		return list
	case int:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: strconv.Itoa(v)}
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: strconv.FormatBool(v)}
	}
	return nil
}

// text returns a text in a style that reads back as the same.
func text(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	body := strings.TrimSuffix(s, "\n")
	switch {
	case strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }), s == "<<":
		n.Style = yaml.DoubleQuotedStyle
	case !strings.Contains(s, "\n"):
	case body != "" && body == strings.TrimSpace(body):
		n.Style = yaml.LiteralStyle
	default: // the library loses line breaks at the beginning of a literal
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}
