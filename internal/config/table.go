package config

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"
)

var typeNames = map[kind]string{text: "string", boolean: "bool", duration: "duration", list: "list"}

// zeros are the values of settings without a default that deserve to be said.
var zeros = map[kind]string{boolean: "false", duration: "0s"}

// Table returns settings, a struct, as a Markdown table in the order of its
// fields.
func Table(settings any) string {
	var b strings.Builder
	b.WriteString("| Key | Variable | Type | Default | Meaning |\n|---|---|---|---|---|\n")
	schemaOf(reflect.TypeOf(settings)).values(func(f *field) {
		typ, preset := typeNames[f.kind], ""
		if f.secret {
			typ = "secret"
		}
		if f.required {
			preset = "required"
		} else if value := cmp.Or(f.preset, zeros[f.kind]); value != "" {
			preset = code(value)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n",
			code(f.key), code(strings.Join(f.variables(), "` or `")), typ, preset, cell(f.doc))
	})
	return b.String()
}

func code(s string) string { return "`" + cell(s) + "`" }

// cell keeps text within its cell.
func cell(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(s, "|", `\|`)), " ")
}
