package config

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// What a value must be, as the end of a sentence that begins with its key.
const (
	mustBool     = "must be true or false"
	mustDuration = "must be a duration such as 15s or 1h30m"
	mustText     = "must be text"
	mustList     = "must be a list of text"
	mustSection  = "must be a group of settings"
	mustUTF8     = "must be UTF-8 text"
)

// parse sets v from s as the environment and the default tags write it. It
// returns what s should be when it is something else.
func (f *field) parse(s string, v reflect.Value) string {
	if !utf8.ValidString(s) {
		return mustUTF8
	}
	switch f.kind {
	case text:
		v.SetString(s)
	case boolean:
		b, err := strconv.ParseBool(s)
		if err != nil {
			return mustBool
		}
		v.SetBool(b)
	case duration:
		d, err := time.ParseDuration(s)
		if err != nil {
			return mustDuration
		}
		v.SetInt(int64(d))
	case list:
		var items []string
		for item := range strings.SplitSeq(s, ",") {
			if item = strings.TrimSpace(item); item != "" {
				items = append(items, item)
			}
		}
		v.Set(reflect.ValueOf(items))
	case section:
		return mustSection
	}
	return ""
}

// scalars are the tags of the nodes that a kind is read from, and what it asks
// for when it meets another. A plain 0 is a duration: it needs no unit.
var scalars = map[kind]struct {
	tags []string
	must string
}{
	text:     {[]string{"!!str"}, mustText},
	boolean:  {[]string{"!!bool"}, mustBool},
	duration: {[]string{"!!str", "!!int"}, mustDuration},
	section:  {nil, mustSection},
}

// decode sets v from a node of the file. It returns what the node should be
// when it is something else.
func (f *field) decode(n *yaml.Node, v reflect.Value) string {
	if f.kind == list {
		return decodeList(n, v)
	}
	if wanted := scalars[f.kind]; n.Kind != yaml.ScalarNode || !slices.Contains(wanted.tags, n.ShortTag()) {
		return wanted.must
	}
	return f.parse(n.Value, v)
}

func decodeList(n *yaml.Node, v reflect.Value) string {
	if n.Kind != yaml.SequenceNode {
		return mustList
	}
	items := make([]string, 0, len(n.Content))
	for _, item := range n.Content {
		item = resolved(item)
		if item.Kind != yaml.ScalarNode || item.ShortTag() != "!!str" {
			return mustList
		}
		items = append(items, item.Value)
	}
	v.Set(reflect.ValueOf(items))
	return ""
}

// described says what a node is, without its content.
func described(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a group of settings"
	case yaml.SequenceNode:
		return "a list"
	default:
	}
	switch n.ShortTag() {
	case "!!str":
		return "text"
	case "!!int", "!!float":
		return "a number"
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
