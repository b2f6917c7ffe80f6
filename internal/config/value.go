package config

import (
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// What a value must be, as the end of a sentence that begins with its key.
const (
	mustBool     = "must be true or false"
	mustInteger  = "must be a whole number"
	mustFloat    = "must be a number"
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
	case integer:
		i, err := strconv.ParseInt(s, 10, v.Type().Bits())
		if err != nil {
			return mustInteger
		}
		v.SetInt(i)
	case float:
		x, err := strconv.ParseFloat(s, 64)
		if err != nil || !finite(x) {
			return mustFloat
		}
		v.SetFloat(x)
	case duration:
		d, err := time.ParseDuration(s)
		if err != nil {
			return mustDuration
		}
		v.SetInt(int64(d))
	case list:
		v.Set(reflect.ValueOf(split(s)))
	default:
		return mustSection
	}
	return ""
}

// split cuts a list at its commas and leaves out what is empty.
func split(s string) []string {
	var items []string
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// decode sets v from a node of the file. It returns what the node should be
// when it is something else.
func (f *field) decode(n *yaml.Node, v reflect.Value) string {
	if f.kind == list {
		return decodeList(n, v)
	}
	tag := n.ShortTag()
	if n.Kind != yaml.ScalarNode {
		tag = ""
	}
	switch f.kind {
	case text:
		if tag != "!!str" {
			return mustText
		}
		v.SetString(n.Value)
	case boolean:
		var b bool
		if tag != "!!bool" || n.Decode(&b) != nil {
			return mustBool
		}
		v.SetBool(b)
	case integer:
		var i int64
		if tag != "!!int" || n.Decode(&i) != nil || v.OverflowInt(i) {
			return mustInteger
		}
		v.SetInt(i)
	case float:
		var x float64
		if (tag != "!!float" && tag != "!!int") || n.Decode(&x) != nil || !finite(x) {
			return mustFloat
		}
		v.SetFloat(x)
	case duration: // a plain 0 needs no unit
		d, err := time.ParseDuration(n.Value)
		if (tag != "!!str" && tag != "!!int") || err != nil {
			return mustDuration
		}
		v.SetInt(int64(d))
	default:
		return mustSection
	}
	return ""
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

func finite(x float64) bool { return !math.IsInf(x, 0) && !math.IsNaN(x) }
