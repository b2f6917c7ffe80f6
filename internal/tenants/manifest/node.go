package manifest

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// document returns the mapping that is all of data.
func document(data []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var first, second yaml.Node
	switch err := decoder.Decode(&first); {
	case errors.Is(err, io.EOF):
		return nil, errSilent
	case err != nil:
		return nil, errors.New("it is not YAML: " + strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, errors.New("it must hold a single YAML document")
	}
	switch top := resolved(first.Content[0]); {
	case empty(top), top.Kind == yaml.MappingNode && len(top.Content) == 0:
		return nil, errSilent
	case top.Kind != yaml.MappingNode:
		return nil, errors.New("it must hold lists named sites, owners, ldaps and tenants, not " + described(top))
	default:
		return top, nil
	}
}

// errSilent is the fault of a document that may have been meant to say more.
var errSilent = errors.New("it says nothing; it needs lists named sites, owners, ldaps or tenants")

// resolved follows an alias to what it stands for.
func resolved(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// empty reports whether a node is there without a value.
func empty(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// find returns the value of a key of the mapping n, or nil.
func find(n *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return resolved(n.Content[i+1])
		}
	}
	return nil
}

// decode sets to, a *string, *int, *bool or *[]string, from n. It returns
// what n must be when it is something else.
func decode(n *yaml.Node, to any) string {
	tag := ""
	if n.Kind == yaml.ScalarNode {
		tag = n.ShortTag()
	}
	switch to := to.(type) {
	case *string:
		switch {
		case tag == "!!null":
			*to = ""
		case tag == "!!str":
			*to = n.Value
		case tag != "":
			return "must be text, not " + described(n) + "; put it in quotes"
		default:
			return "must be text, not " + described(n)
		}
	case *int:
		if tag != "!!int" || n.Decode(to) != nil {
			return "must be a whole number, not " + described(n)
		}
	case *bool:
		if tag != "!!bool" || n.Decode(to) != nil {
			return "must be true or false, not " + described(n)
		}
	case *[]string:
		return decodeList(n, to)
	}
	return ""
}

func decodeList(n *yaml.Node, to *[]string) string {
	if empty(n) {
		*to = nil
		return ""
	}
	if n.Kind != yaml.SequenceNode {
		return "must be a list of text, not " + described(n)
	}
	items := make([]string, len(n.Content))
	for i, item := range n.Content {
		item = resolved(item)
		if item.Kind != yaml.ScalarNode || item.ShortTag() != "!!str" {
			return "must be a list of text, and holds " + described(item)
		}
		items[i] = item.Value
	}
	*to = items
	return ""
}

// described says what a node is, without its content.
func described(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a group of fields"
	case yaml.SequenceNode:
		return "a list"
	default:
	}
	switch n.ShortTag() {
	case "!!str":
		return "text"
	case "!!int":
		return "a number"
	case "!!float":
		return "a number with a fraction"
	case "!!bool":
		return "true or false"
	case "!!null":
		return "nothing"
	case "!!timestamp":
		return "a date"
	default:
		return "a value with a tag"
	}
}
