package config

import (
	"fmt"
	"strings"
)

// Field describes one setting.
type Field struct {
	Key      string // full key; entries of a map read "directories.<name>.url"
	Env      string // variable; empty: only the file sets it. A secret's file is named by Env + "_FILE"
	Type     string // string, bool, int, number, duration, list or map
	Default  string // what holds when nobody sets it, as the environment writes it
	Doc      string
	Secret   bool
	Required bool
}

// Describe returns the settings of dst, a settings struct or a pointer to
// one (nil will do), in the order of its fields.
func Describe(dst any) []Field { return describe(schemaOf(dst), "") }

func describe(g *group, prefix string) []Field {
	var fields []Field
	for _, f := range g.fields {
		key := join(prefix, f.name)
		if f.kind == section {
			fields = append(fields, describe(f.group, key)...)
			continue
		}
		d := Field{
			Key: key, Env: f.env, Type: typeNames[f.kind], Default: f.preset,
			Doc: f.doc, Secret: f.secret, Required: f.required,
		}
		if d.Default == "" && !d.Required {
			d.Default = zeros[f.kind]
		}
		fields = append(fields, d)
		if f.kind == table {
			fields = append(fields, describe(f.group, join(key, "<name>"))...)
		}
	}
	return fields
}

var typeNames = map[kind]string{
	text: "string", boolean: "bool", integer: "int", float: "number", duration: "duration", list: "list", table: "map",
}

// zeros are the values of settings without a default that deserve to be said.
var zeros = map[kind]string{boolean: "false", integer: "0", float: "0", duration: "0s"}

// Table returns the settings of dst as a Markdown table.
func Table(dst any) string {
	var b strings.Builder
	b.WriteString("| Key | Variable | Type | Default | Meaning |\n|---|---|---|---|---|\n")
	for _, f := range Describe(dst) {
		env, typ, preset := code(f.Env), f.Type, code(f.Default)
		if f.Secret {
			typ = strings.TrimSuffix("secret "+strings.TrimPrefix(typ, "string"), " ")
			if f.Env != "" {
				env += " or " + code(f.Env+"_FILE")
			}
		}
		if f.Required {
			preset = "required"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", code(f.Key), env, typ, preset, cell(f.Doc))
	}
	return b.String()
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + cell(s) + "`"
}

// cell keeps text within its cell.
func cell(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(s, "|", `\|`)), " ")
}
