package tenantconfig

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/people/directory"
)

//go:embed schemas/*.json
var schemas embed.FS

// formats are the forms of text that JSON Schema knows nothing of, and how an
// error says what is wanted. Values are never repeated: they may be secrets
// that somebody put into the wrong field.
var formats = map[string]string{
	"https-url":          "an https URL without credentials, fragment and spaces",
	"ldap-filter":        "an LDAP filter in parentheses, as (objectClass=person)",
	"ldap-prefix-filter": "an LDAP filter in parentheses with a * in it, as (cn=*)",
	"ldap-dn":            "a distinguished name, as ou=Groups,dc=example,dc=org",
}

// compile reads the schemas, in which the grant types are those that there are.
func compile(grantTypes []string) (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.UseLoader(jsonschema.SchemeURLLoader{}) // nothing is ever fetched
	filter := func(text string) error {
		if !strings.HasPrefix(text, "(") || !strings.HasSuffix(text, ")") {
			return errors.New("not in parentheses")
		}
		return directory.CheckFilter(text)
	}
	for name, check := range map[string]func(string) error{
		"https-url":   checkURL,
		"ldap-filter": filter,
		"ldap-prefix-filter": func(text string) error {
			if !strings.Contains(text, "*") {
				return errors.New("no * in it")
			}
			return filter(text)
		},
		"ldap-dn": directory.CheckDN,
	} {
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(v any) error {
			if text, ok := v.(string); ok {
				return check(text)
			}
			return nil // the type is said elsewhere
		}})
	}
	names := []any{}
	for _, name := range grantTypes {
		names = append(names, name)
	}
	if err := c.AddResource("urn:gatehouse:grant_type", map[string]any{"enum": names}); err != nil {
		return nil, fmt.Errorf("schema grant_type: %w", err)
	}
	for _, name := range []string{"tenant_config", "mfa_config", "custom_idp_configuration"} {
		raw, err := schemas.ReadFile("schemas/" + name + ".json")
		if err != nil {
			return nil, err
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("schema %s: %w", name, err)
		}
		if err := c.AddResource("urn:gatehouse:"+name, doc); err != nil {
			return nil, fmt.Errorf("schema %s: %w", name, err)
		}
	}
	return c.Compile("urn:gatehouse:tenant_config")
}

// checkURL accepts the addresses that the service may be told to ask. Which
// hosts it then asks is decided by the client that asks.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("not a URL")
	case u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Contains(text, "#"):
		return errors.New("not an https URL without credentials and fragment")
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }):
		return errors.New("it has spaces or control characters")
	}
	return nil
}

// invalid says in one sentence what a schema has against a value, and where.
func invalid(err error) error {
	var all *jsonschema.ValidationError
	if !errors.As(err, &all) {
		return apierr.Wrap(err, "validate tenant configuration")
	}
	faults := leaves(all)
	// A null is an alternative everywhere; what is wrong is said by the others.
	first := slices.MinFunc(faults, func(a, b fault) int {
		if a.weak != b.weak {
			if a.weak {
				return 1
			}
			return -1
		}
		if n := len(b.at) - len(a.at); n != 0 {
			return n // the deepest knows best
		}
		return strings.Compare(path(a.at)+a.text, path(b.at)+b.text)
	})
	return apierr.Invalidf("The field %s %s.", path(first.at), first.text)
}

// fault is one thing that is wrong.
type fault struct {
	at   []string
	text string
	weak bool // that it is not null, which it need not be
}

// leaves returns everything that is wrong, without what only groups it.
func leaves(e *jsonschema.ValidationError) []fault {
	if k, ok := e.ErrorKind.(*kind.AnyOf); ok && k != nil {
		if text, ok := alternatives(e); ok {
			return []fault{{at: e.InstanceLocation, text: text}}
		}
	}
	if len(e.Causes) == 0 {
		text, weak := describe(e.ErrorKind)
		return []fault{{at: e.InstanceLocation, text: text, weak: weak}}
	}
	var all []fault
	for _, cause := range e.Causes {
		all = append(all, leaves(cause)...)
	}
	return all
}

// alternatives describes an anyOf whose members only require other members.
func alternatives(e *jsonschema.ValidationError) (string, bool) {
	var sets []string
	for _, cause := range e.Causes {
		required, ok := cause.ErrorKind.(*kind.Required)
		if !ok {
			return "", false
		}
		sets = append(sets, strings.Join(required.Missing, " and "))
	}
	slices.Sort(sets)
	return "needs " + strings.Join(sets, ", or "), len(sets) > 0
}

// describe says what a keyword has against a value, without the value.
func describe(k jsonschema.ErrorKind) (text string, weak bool) {
	switch k := k.(type) {
	case *kind.Type:
		return "must be of type " + strings.Join(k.Want, " or ") + ", not " + k.Got, slices.Equal(k.Want, []string{"null"})
	case *kind.Enum:
		return "must be one of " + choices(k.Want), false
	case *kind.Required:
		return "needs the member " + strings.Join(k.Missing, " and "), false
	case *kind.DependentRequired:
		return "needs the member " + strings.Join(k.Missing, " and ") + " beside " + k.Prop, false
	case *kind.AdditionalProperties:
		return "has the unknown member " + shown(k.Properties), false
	case *kind.FalseSchema:
		return "does not go with the members beside it", false
	case *kind.MinProperties:
		return fmt.Sprintf("must have at least %d member", k.Want), false
	case *kind.MaxProperties:
		return fmt.Sprintf("must have at most %d member, not %d", k.Want, k.Got), false
	case *kind.MinLength:
		return fmt.Sprintf("must have at least %d characters", k.Want), false
	case *kind.MaxLength:
		return fmt.Sprintf("must have at most %d characters, not %d", k.Want, k.Got), false
	case *kind.MinItems:
		return fmt.Sprintf("must have at least %d items", k.Want), false
	case *kind.MaxItems:
		return fmt.Sprintf("must have at most %d items, not %d", k.Want, k.Got), false
	case *kind.UniqueItems:
		return "must not have the same item twice", false
	case *kind.Minimum:
		return "must be at least " + k.Want.RatString(), false
	case *kind.Maximum:
		return "must be at most " + k.Want.RatString(), false
	case *kind.Pattern:
		return "must match " + k.Want, false
	case *kind.Format:
		return "must be " + formats[k.Want], false
	}
	return "is not as docs/tenant-configuration.md says", false
}

// choices lists what an enumeration allows beside null.
func choices(want []any) string {
	var all []string
	for _, v := range want {
		if text, ok := v.(string); ok {
			all = append(all, text)
		}
	}
	return strings.Join(all, ", ")
}

// shown prints the name of a member that somebody made up, cut to what is
// needed to find it.
func shown(names []string) string {
	name := slices.Min(names)
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, name[:min(len(name), 40)])
	return name
}

// path writes where a value is, as custom_idp_configuration.multi_idps.idps[0].
func path(at []string) string {
	var b strings.Builder
	for i, step := range at {
		switch {
		case step != "" && strings.Trim(step, "0123456789") == "":
			b.WriteString("[" + step + "]")
		case i > 0:
			b.WriteString("." + step)
		default:
			b.WriteString(step)
		}
	}
	return b.String()
}
