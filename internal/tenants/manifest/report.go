package manifest

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"gatehouse/internal/tenants"
)

// Report writes one line for each change, with values below those lines when
// they are asked for, or that there is nothing to do.
func Report(w io.Writer, changes []tenants.Change, values bool) error {
	var b strings.Builder
	if len(changes) == 0 {
		b.WriteString("nothing to do\n")
	}
	for _, c := range changes {
		fmt.Fprintln(&b, c)
		if c.New || !values {
			continue
		}
		for _, d := range c.Differences {
			fmt.Fprintf(&b, "  %s: %s\n", d.Field, valuesOf(d))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// valuesOf returns both values of a difference, without what is long or nobody's business.
func valuesOf(d tenants.Difference) string {
	switch d.Field {
	case "bind_credential": // a name, but some take it for the place of a password
		return "another"
	case publicKey:
		return keyName(d.Prev) + " -> " + keyName(d.New)
	}
	return shown(d.Prev) + " -> " + shown(d.New)
}

// keyName returns the id that tokens have for a public key.
func keyName(value any) string {
	text, _ := value.(string)
	if text == "" {
		return "none"
	}
	id, err := tenants.KeyID(text)
	if err != nil {
		return "an unreadable key"
	}
	return "key " + id
}

func shown(value any) string {
	if value == nil {
		return "none"
	}
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "?"
	}
	return strings.TrimSuffix(b.String(), "\n")
}
